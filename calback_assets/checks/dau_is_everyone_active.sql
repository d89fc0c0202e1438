SELECT @day AS event_date, metric.dau, people.active_users
FROM (SELECT COALESCE(SUM(dau), 0) AS dau FROM daily_active_users) AS metric
CROSS JOIN (SELECT COUNT(*) AS active_users FROM user_daily_activity) AS people
WHERE metric.dau != people.active_users
