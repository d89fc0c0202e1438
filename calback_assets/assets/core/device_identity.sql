-- Who was seen on which device on the day, and when: one row per device and signed-in user.
SELECT
  @day AS event_date,
  user_pseudo_id,
  user_id,
  TIMESTAMP_MICROS(MIN(event_timestamp)) AS first_seen_at,
  TIMESTAMP_MICROS(MAX(event_timestamp)) AS last_seen_at
FROM raw_events
WHERE user_pseudo_id IS NOT NULL AND user_id IS NOT NULL
GROUP BY user_pseudo_id, user_id
