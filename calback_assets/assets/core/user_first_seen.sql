-- Everyone who is active on the day and was on no earlier one.
SELECT activity.event_date, activity.user_id
FROM user_daily_activity AS activity
LEFT JOIN seen_before ON seen_before.user_id = activity.user_id
WHERE seen_before.user_id IS NULL
