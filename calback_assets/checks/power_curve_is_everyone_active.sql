SELECT days.event_date, COALESCE(curve.users, 0) AS users, COALESCE(people.active_users, 0) AS active_users
FROM days
LEFT JOIN (
  SELECT event_date, SUM(users) AS users FROM power_curve GROUP BY event_date
) AS curve ON curve.event_date = days.event_date
LEFT JOIN (
  SELECT days.event_date, COUNT(DISTINCT activity.user_id) AS active_users
  FROM days
  INNER JOIN user_daily_activity AS activity
    ON activity.event_date BETWEEN DATE_SUB(days.event_date, INTERVAL 29 DAY) AND days.event_date
  GROUP BY days.event_date
) AS people ON people.event_date = days.event_date
WHERE COALESCE(curve.users, 0) != COALESCE(people.active_users, 0)
