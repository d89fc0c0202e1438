-- Everyone with enough active days in the window that ends with the day, or since the 1st of its month.
WITH counted AS (
  SELECT
    user_id,
    COUNTIF(DATE_DIFF(@day, event_date, DAY) < 30) AS active_days_30d,
    COUNTIF(event_date >= DATE_TRUNC(@day, MONTH)) AS active_days_mtd,
    COUNTIF(DATE_DIFF(@day, event_date, DAY) < @frequent_window_days) AS active_days_window
  FROM user_daily_activity
  GROUP BY user_id
)
SELECT
  @day AS event_date,
  user_id,
  active_days_30d,
  active_days_mtd,
  active_days_window >= @frequent_min_days AS is_frequent,
  active_days_mtd >= @frequent_min_days AS is_frequent_month
FROM counted
WHERE active_days_window >= @frequent_min_days OR active_days_mtd >= @frequent_min_days
