-- Everything that happened on a day, each event once and with the person it belongs to.
--
-- What has a timestamp has a day by it, so that copies of an event, and sightings at one moment, are of one day.
-- An app event belongs to its own user_id; else to the user last seen on its device at or before it, within the 30 days
-- that end with the day; else to the first one seen on the device later that day; else to the device itself.
WITH repeated AS (
  SELECT COALESCE(user_pseudo_id, '') AS device, event_timestamp, event_name
  FROM raw_events
  GROUP BY device, event_timestamp, event_name
  HAVING COUNT(*) > 1
),
described AS (
  SELECT
    raw_events.event_date,
    raw_events.event_timestamp,
    raw_events.event_name,
    raw_events.user_id,
    raw_events.user_pseudo_id,
    raw_events.event_bundle_sequence_id,
    raw_events.batch_event_index,
    raw_events.is_active_user,
    raw_events.platform,
    raw_events.country,
    raw_events.app_version,
    raw_events.event_params,
    repeated.event_name IS NOT NULL AS is_repeated,
    -- Older exports do not number the events of a batch: there, only the parameters tell two events apart.
    raw_events.event_bundle_sequence_id IS NULL OR raw_events.batch_event_index IS NULL AS is_unnumbered
  FROM raw_events
  LEFT JOIN repeated
    ON repeated.device = COALESCE(raw_events.user_pseudo_id, '')
    AND repeated.event_timestamp = raw_events.event_timestamp
    AND repeated.event_name = raw_events.event_name
),
spelled AS (
  SELECT
    *,
    IF(
      is_repeated OR is_unnumbered,
      ARRAY_TO_STRING(
        ARRAY(
          SELECT CONCAT(
            p.key, '=',
            COALESCE(
              p.value.string_value,
              CAST(p.value.int_value AS STRING),
              -- Engines print floats differently; millionths as an integer are printed alike.
              CAST(SAFE_CAST(ROUND(COALESCE(p.value.double_value, p.value.float_value) * 1000000) AS INT64) AS STRING),
              ''
            )
          )
          FROM UNNEST(event_params) AS p
          ORDER BY 1
        ),
        '&'
      ),
      ''
    ) AS parameters
  FROM described
),
identified AS (
  SELECT
    *,
    TO_HEX(MD5(CONCAT(
      'analytics|', COALESCE(user_pseudo_id, ''),
      '|', CAST(event_timestamp AS STRING),
      '|', event_name,
      '|', COALESCE(CAST(event_bundle_sequence_id AS STRING), ''),
      '|', CAST(COALESCE(batch_event_index, 0) AS STRING),
      '|', IF(is_unnumbered, parameters, '')
    ))) AS event_id
  FROM spelled
),
exported AS (
  SELECT * FROM identified WHERE NOT is_repeated
  UNION ALL
  -- Only events that may have copies are ranked, for speed. A copy that says who it was is preferred; the rest of the order
  -- makes the choice the same every time.
  SELECT *
  FROM identified
  WHERE is_repeated
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY event_id ORDER BY user_id NULLS LAST, is_active_user DESC, platform, parameters, country, app_version
  ) = 1
),
unresolved AS (
  -- Only these devices need to be looked up: few, once people have signed in.
  SELECT DISTINCT event_date, user_pseudo_id
  FROM raw_events
  WHERE user_pseudo_id IS NOT NULL AND user_id IS NULL
),
carried AS (
  SELECT unresolved.event_date, device_identity.user_pseudo_id, device_identity.user_id
  FROM device_identity
  INNER JOIN unresolved
    ON unresolved.user_pseudo_id = device_identity.user_pseudo_id
    AND device_identity.event_date < unresolved.event_date
    AND device_identity.event_date > DATE_SUB(unresolved.event_date, INTERVAL 30 DAY)
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY unresolved.event_date, device_identity.user_pseudo_id
    ORDER BY device_identity.last_seen_at DESC, device_identity.user_id DESC
  ) = 1
),
sightings AS (
  SELECT
    raw_events.event_date,
    raw_events.user_pseudo_id,
    raw_events.event_timestamp AS since,
    MAX(raw_events.user_id) AS user_id
  FROM raw_events
  INNER JOIN unresolved
    ON unresolved.event_date = raw_events.event_date AND unresolved.user_pseudo_id = raw_events.user_pseudo_id
  WHERE raw_events.user_id IS NOT NULL
  GROUP BY raw_events.event_date, raw_events.user_pseudo_id, raw_events.event_timestamp
),
known AS (
  SELECT event_date, user_pseudo_id, 0 AS since, user_id FROM carried
  UNION ALL
  SELECT event_date, user_pseudo_id, since, user_id FROM sightings
),
changes AS (
  SELECT
    event_date,
    user_pseudo_id,
    since,
    user_id,
    LAG(user_id) OVER (PARTITION BY event_date, user_pseudo_id ORDER BY since) AS previous_user_id
  FROM known
  QUALIFY previous_user_id IS NULL OR previous_user_id != user_id
),
spans AS (
  SELECT
    event_date,
    user_pseudo_id,
    user_id,
    -- Before the first sighting of the day: whoever held the device before, else whoever is seen first.
    IF(previous_user_id IS NULL, 0, since) AS since,
    LEAD(since) OVER (PARTITION BY event_date, user_pseudo_id ORDER BY since) AS until
  FROM changes
),
analytics AS (
  SELECT
    exported.event_date,
    exported.event_id,
    TIMESTAMP_MICROS(exported.event_timestamp) AS event_timestamp,
    COALESCE(exported.user_id, spans.user_id, exported.user_pseudo_id) AS user_id,
    exported.user_id IS NULL AND spans.user_id IS NULL AS is_anonymous,
    exported.event_name,
    exported.is_active_user,
    CONCAT(
      exported.user_pseudo_id, '.',
      CAST((SELECT p.value.int_value FROM UNNEST(exported.event_params) AS p WHERE p.key = 'ga_session_id' LIMIT 1) AS STRING)
    ) AS session_id,
    exported.platform,
    exported.country,
    exported.app_version,
    exported.event_params AS properties
  FROM exported
  LEFT JOIN spans
    ON exported.user_id IS NULL
    AND spans.event_date = exported.event_date
    AND spans.user_pseudo_id = exported.user_pseudo_id
    AND spans.since <= exported.event_timestamp
    AND (spans.until IS NULL OR spans.until > exported.event_timestamp)
),
registered AS (
  SELECT
    days.event_date,
    TO_HEX(MD5(CONCAT('users|', raw_users.user_id))) AS event_id,
    raw_users.created_at AS event_timestamp,
    raw_users.user_id
  FROM raw_users
  INNER JOIN days ON raw_users.created_at >= days.day_start AND raw_users.created_at < days.day_end
),
met AS (
  SELECT
    days.event_date,
    TO_HEX(MD5(CONCAT('meetings|', raw_meetings.meeting_id))) AS event_id,
    raw_meetings.created_at AS event_timestamp,
    raw_meetings.owner_id AS user_id,
    IF(raw_meetings.is_pending, 'meeting_proposed', 'meeting_created') AS event_name
  FROM raw_meetings
  INNER JOIN days ON raw_meetings.created_at >= days.day_start AND raw_meetings.created_at < days.day_end
),
opened AS (
  -- A row is an app open and repeats on purpose; only a message that Kafka delivered twice is one open.
  SELECT
    event_date,
    user_id,
    topic,
    `partition`,
    `offset`,
    topic IS NOT NULL AND `partition` IS NOT NULL AND `offset` IS NOT NULL AS is_message
  FROM raw_access_log
),
numbered AS (
  SELECT
    event_date,
    user_id,
    is_message,
    IF(
      is_message,
      CONCAT(topic, '|', CAST(`partition` AS STRING), '|', CAST(`offset` AS STRING)),
      CONCAT(CAST(event_date AS STRING), '|', user_id)
    ) AS message
  FROM opened
),
app_opens AS (
  SELECT
    event_date,
    user_id,
    is_message,
    message,
    ROW_NUMBER() OVER (PARTITION BY event_date, is_message, message ORDER BY user_id) AS copy
  FROM numbered
  QUALIFY copy = 1 OR NOT is_message
),
everything AS (
  SELECT
    event_date, event_id, event_timestamp, user_id, is_anonymous, 'analytics' AS source, event_name, is_active_user,
    session_id, platform, country, app_version, properties
  FROM analytics
  UNION ALL
  SELECT
    event_date, event_id, event_timestamp, user_id, FALSE, 'users', 'user_registered', CAST(NULL AS BOOL),
    CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), NULL
  FROM registered
  UNION ALL
  SELECT
    event_date, event_id, event_timestamp, user_id, FALSE, 'meetings', event_name, CAST(NULL AS BOOL),
    CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), NULL
  FROM met
  UNION ALL
  SELECT
    days.event_date, TO_HEX(MD5(CONCAT('access_log|', app_opens.message, '|', CAST(app_opens.copy AS STRING)))),
    days.day_start, app_opens.user_id, FALSE, 'access_log', 'app_open', CAST(NULL AS BOOL), CAST(NULL AS STRING),
    CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), NULL
  FROM app_opens
  INNER JOIN days ON days.event_date = app_opens.event_date
)
SELECT
  event_date,
  event_id,
  event_timestamp,
  user_id,
  is_anonymous,
  source,
  event_name,
  user_id IS NOT NULL AND event_name NOT IN (
    'app_remove', 'app_update', 'app_clear_data', 'os_update', 'app_exception', 'notification_receive',
    'notification_dismiss', 'firebase_campaign'
  ) AS is_activity,
  is_active_user,
  session_id,
  platform,
  country,
  app_version,
  properties
FROM everything
