-- Everyone who is active and was on no earlier day, on the first day that they are.
SELECT MIN(activity.event_date) AS event_date, activity.user_id
FROM user_daily_activity AS activity
LEFT JOIN seen_before ON seen_before.user_id = activity.user_id
WHERE seen_before.user_id IS NULL
GROUP BY activity.user_id
