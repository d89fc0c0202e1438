-- When each person joined: the day of the account; where there are no accounts at all, the first active day.
--
-- Whoever had an account before the data begins has no row. Of a log alone nobody knows who was there before: whoever
-- is first seen within its first 30 days has no row either.
WITH accounts AS (
  SELECT COUNT(*) AS kept FROM raw_users
)
SELECT event_date, user_id, 'registration' AS basis
FROM unified_events
WHERE source = 'users' AND event_name = 'user_registered'
UNION ALL
SELECT seen.event_date, seen.user_id, 'first_activity' AS basis
FROM user_first_seen AS seen
CROSS JOIN accounts
WHERE accounts.kept = 0 AND DATE_DIFF(seen.event_date, @start_date, DAY) >= 30
