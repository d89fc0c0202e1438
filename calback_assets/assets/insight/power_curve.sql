-- How many people were active on how many of the 30 days that end with each day.
SELECT event_date, active_days, COUNT(*) AS users
FROM (
  SELECT days.event_date, activity.user_id, COUNT(*) AS active_days
  FROM days
  INNER JOIN user_daily_activity AS activity
    ON activity.event_date BETWEEN DATE_SUB(days.event_date, INTERVAL 29 DAY) AND days.event_date
  GROUP BY days.event_date, activity.user_id
) AS people
GROUP BY event_date, active_days
