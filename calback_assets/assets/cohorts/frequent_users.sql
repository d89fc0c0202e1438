-- Everyone with enough active days in the window that ends with the day, or since the 1st of its month.
WITH counted AS (
  SELECT
    days.event_date,
    activity.user_id,
    COUNTIF(DATE_DIFF(days.event_date, activity.event_date, DAY) < 30) AS active_days_30d,
    COUNTIF(activity.event_date >= DATE_TRUNC(days.event_date, MONTH)) AS active_days_mtd,
    COUNTIF(DATE_DIFF(days.event_date, activity.event_date, DAY) < @frequent_window_days) AS active_days_window
  FROM days
  INNER JOIN user_daily_activity AS activity
    ON activity.event_date BETWEEN DATE_SUB(days.event_date, INTERVAL 30 DAY) AND days.event_date
  GROUP BY days.event_date, activity.user_id
)
SELECT
  event_date,
  user_id,
  active_days_30d,
  active_days_mtd,
  active_days_window >= @frequent_min_days AS is_frequent,
  active_days_mtd >= @frequent_min_days AS is_frequent_month
FROM counted
WHERE active_days_window >= @frequent_min_days OR active_days_mtd >= @frequent_min_days
