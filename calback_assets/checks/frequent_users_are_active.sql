SELECT @day AS event_date, COUNT(*) AS wrong_users
FROM (
  SELECT frequent_users.user_id
  FROM frequent_users
  LEFT JOIN user_daily_activity ON user_daily_activity.user_id = frequent_users.user_id
  GROUP BY frequent_users.user_id, frequent_users.active_days_30d, frequent_users.active_days_mtd
  HAVING COUNTIF(DATE_DIFF(@day, user_daily_activity.event_date, DAY) < 30) != frequent_users.active_days_30d
    OR COUNTIF(user_daily_activity.event_date >= DATE_TRUNC(@day, MONTH)) != frequent_users.active_days_mtd
    OR COUNT(user_daily_activity.event_date) = 0
) AS wrong
HAVING COUNT(*) > 0
