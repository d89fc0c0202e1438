SELECT event_date, COUNT(*) AS wrong_users
FROM (
  SELECT frequent.event_date
  FROM frequent_users AS frequent
  LEFT JOIN user_daily_activity AS activity
    ON activity.user_id = frequent.user_id
    AND activity.event_date BETWEEN DATE_SUB(frequent.event_date, INTERVAL 30 DAY) AND frequent.event_date
  GROUP BY frequent.event_date, frequent.user_id, frequent.active_days_30d, frequent.active_days_mtd
  HAVING COUNTIF(DATE_DIFF(frequent.event_date, activity.event_date, DAY) < 30) != frequent.active_days_30d
    OR COUNTIF(activity.event_date >= DATE_TRUNC(frequent.event_date, MONTH)) != frequent.active_days_mtd
    OR COUNT(activity.event_date) = 0
) AS wrong
GROUP BY event_date
