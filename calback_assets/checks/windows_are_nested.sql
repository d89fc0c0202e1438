SELECT event_date, dau, wau, mau
FROM daily_active_users
WHERE dau > wau OR wau > mau
