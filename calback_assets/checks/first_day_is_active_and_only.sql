SELECT @day AS event_date, counted.idle_users, counted.repeated_users
FROM (
  SELECT
    COUNTIF(user_daily_activity.user_id IS NULL) AS idle_users,
    COUNTIF(seen_earlier.user_id IS NOT NULL OR seen_later.user_id IS NOT NULL) AS repeated_users
  FROM user_first_seen
  LEFT JOIN user_daily_activity ON user_daily_activity.user_id = user_first_seen.user_id
  LEFT JOIN seen_earlier ON seen_earlier.user_id = user_first_seen.user_id
  LEFT JOIN seen_later ON seen_later.user_id = user_first_seen.user_id
) AS counted
WHERE counted.idle_users > 0 OR counted.repeated_users > 0
