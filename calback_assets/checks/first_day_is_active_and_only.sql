SELECT event_date, idle_users, repeated_users
FROM (
  SELECT
    seen.event_date,
    -- People, whom the joins below repeat for each of their other days.
    COUNT(DISTINCT IF(activity.user_id IS NULL, seen.user_id, NULL)) AS idle_users,
    COUNT(DISTINCT IF(
      earlier.user_id IS NOT NULL OR later.user_id IS NOT NULL OR seen.user_rows > 1, seen.user_id, NULL
    )) AS repeated_users
  FROM (
    SELECT event_date, user_id, COUNT(*) OVER (PARTITION BY user_id) AS user_rows FROM user_first_seen
  ) AS seen
  LEFT JOIN user_daily_activity AS activity
    ON activity.event_date = seen.event_date AND activity.user_id = seen.user_id
  LEFT JOIN seen_earlier AS earlier ON earlier.user_id = seen.user_id
  LEFT JOIN seen_later AS later ON later.user_id = seen.user_id
  GROUP BY seen.event_date
) AS counted
WHERE idle_users > 0 OR repeated_users > 0
