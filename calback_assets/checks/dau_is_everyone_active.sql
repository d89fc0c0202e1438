SELECT days.event_date, COALESCE(metric.dau, 0) AS dau, COALESCE(people.active_users, 0) AS active_users
FROM days
LEFT JOIN daily_active_users AS metric ON metric.event_date = days.event_date
LEFT JOIN (
  SELECT event_date, COUNT(*) AS active_users FROM user_daily_activity GROUP BY event_date
) AS people ON people.event_date = days.event_date
WHERE COALESCE(metric.dau, 0) != COALESCE(people.active_users, 0)
