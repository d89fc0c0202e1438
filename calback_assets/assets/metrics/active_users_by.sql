-- How many people used the app on a day by where and with what, and how many of them were new.
WITH used AS (
  -- Each person once for all of their events that are alike.
  SELECT event_date, user_id, platform, country, app_version
  FROM unified_events
  WHERE is_activity
  GROUP BY event_date, user_id, platform, country, app_version
),
spread AS (
  SELECT event_date, user_id, 'platform' AS dimension, IF(platform = '', NULL, platform) AS value FROM used
  UNION ALL
  SELECT event_date, user_id, 'country', IF(country = '', NULL, country) FROM used
  UNION ALL
  SELECT event_date, user_id, 'app_version', IF(app_version = '', NULL, app_version) FROM used
),
people AS (
  SELECT event_date, user_id, dimension, value
  FROM spread
  GROUP BY event_date, user_id, dimension, value
  -- What nothing is known of counts as unknown only for people of whom no other event of the day tells.
  QUALIFY value IS NOT NULL
    OR ROW_NUMBER() OVER (PARTITION BY event_date, user_id, dimension ORDER BY value NULLS LAST) = 1
),
finality AS (
  SELECT event_date, LOGICAL_AND(is_final) AS is_final FROM raw_events GROUP BY event_date
)
SELECT
  people.event_date,
  people.dimension,
  COALESCE(people.value, 'unknown') AS value,
  COUNT(DISTINCT people.user_id) AS dau,
  COUNT(DISTINCT first_seen.user_id) AS new_users,
  LOGICAL_AND(finality.is_final) AS is_final
FROM people
LEFT JOIN user_first_seen AS first_seen
  ON first_seen.event_date = people.event_date AND first_seen.user_id = people.user_id
LEFT JOIN finality ON finality.event_date = people.event_date
GROUP BY people.event_date, people.dimension, COALESCE(people.value, 'unknown')
