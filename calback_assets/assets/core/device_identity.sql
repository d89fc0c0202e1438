-- Who was seen on which device on a day, and when: one row per day, device and signed-in user.
SELECT
  event_date,
  user_pseudo_id,
  user_id,
  TIMESTAMP_MICROS(MIN(event_timestamp)) AS first_seen_at,
  TIMESTAMP_MICROS(MAX(event_timestamp)) AS last_seen_at
FROM raw_events
WHERE user_pseudo_id IS NOT NULL AND user_id IS NOT NULL
GROUP BY event_date, user_pseudo_id, user_id
