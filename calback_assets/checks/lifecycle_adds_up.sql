SELECT event_date, dau, new_users, returning_users, resurrected_users, identified_users, anonymous_users
FROM daily_active_users
WHERE new_users + returning_users + resurrected_users != dau OR identified_users + anonymous_users != dau
