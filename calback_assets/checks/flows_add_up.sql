SELECT
  flow.event_date,
  COALESCE(today.active_users, 0) AS active_users,
  COALESCE(yesterday.active_users, 0) AS active_the_day_before,
  before.current_users AS current_users_before,
  flow.current_users,
  flow.new_users,
  flow.returning_users,
  flow.resurrected_users,
  flow.dormant_users,
  flow.active_to_active,
  flow.idle_to_active,
  flow.active_to_idle,
  flow.idle_to_idle
FROM user_lifecycle AS flow
LEFT JOIN (
  SELECT event_date, COUNT(*) AS active_users FROM user_daily_activity GROUP BY event_date
) AS today ON today.event_date = flow.event_date
LEFT JOIN (
  SELECT event_date, COUNT(*) AS active_users FROM active_before GROUP BY event_date
) AS yesterday ON DATE_ADD(yesterday.event_date, INTERVAL 1 DAY) = flow.event_date
-- None before the first day, and where the day before has not been built.
LEFT JOIN lifecycle_before AS before ON DATE_ADD(before.event_date, INTERVAL 1 DAY) = flow.event_date
WHERE flow.returning_users != flow.active_to_active + flow.idle_to_active
  OR flow.new_users + flow.resurrected_users + flow.returning_users != COALESCE(today.active_users, 0)
  OR flow.active_to_active + flow.active_to_idle != COALESCE(yesterday.active_users, 0)
  OR flow.current_users != COALESCE(today.active_users, 0) + flow.active_to_idle + flow.idle_to_idle
  OR flow.current_users != before.current_users + flow.new_users + flow.resurrected_users - flow.dormant_users
