-- One row for each person and day with at least one act of their own.
WITH log AS (
  SELECT event_date, COUNTIF(source = 'access_log') > 0 AS is_kept
  FROM unified_events
  GROUP BY event_date
),
actions AS (
  SELECT
    event_date,
    user_id,
    ARRAY_AGG(STRUCT(event_name AS event_name, events AS events) ORDER BY event_name) AS actions
  FROM (
    SELECT event_date, user_id, event_name, COUNT(*) AS events
    FROM unified_events
    WHERE is_activity
    GROUP BY event_date, user_id, event_name
  ) AS counted
  GROUP BY event_date, user_id
),
activity AS (
  SELECT
    event_date,
    user_id,
    LOGICAL_AND(is_anonymous) AS is_anonymous,
    COUNT(*) AS events,
    COUNT(DISTINCT session_id) AS sessions,
    COUNTIF(source = 'access_log') AS logged_opens,
    COUNTIF(source = 'analytics' AND event_name = 'session_start') AS session_starts,
    COUNTIF(source = 'meetings' AND event_name = 'meeting_created') AS meetings_created,
    MIN(event_timestamp) AS first_event_at,
    MAX(event_timestamp) AS last_event_at
  FROM unified_events
  WHERE is_activity
  GROUP BY event_date, user_id
)
SELECT
  activity.event_date,
  activity.user_id,
  activity.is_anonymous,
  activity.events,
  activity.sessions,
  IF(log.is_kept, activity.logged_opens, activity.session_starts) AS app_opens,
  activity.meetings_created,
  activity.first_event_at,
  activity.last_event_at,
  actions.actions
FROM activity
INNER JOIN actions ON actions.event_date = activity.event_date AND actions.user_id = activity.user_id
INNER JOIN log ON log.event_date = activity.event_date
