-- What each person did on a day, and how often: events of the app under their own names, and what is declared here.
WITH met AS (
  -- Guests are counted by `involved_count`, which knows NULL from none on every engine, and whom an erasure leaves in.
  SELECT
    days.event_date,
    meeting.meeting_id,
    meeting.owner_id,
    meeting.involved_ids,
    meeting.is_pending,
    meeting.is_recurring,
    meeting.is_all_day,
    meeting.involved_count - (
      SELECT COUNTIF(involved_id = meeting.owner_id) FROM UNNEST(meeting.involved_ids) AS involved_id
    ) AS guests
  FROM raw_meetings AS meeting
  INNER JOIN days ON meeting.created_at >= days.day_start AND meeting.created_at < days.day_end
),
done AS (
  -- Events that fire without a person are no behaviour, but for a crash: somebody meets it.
  SELECT event_date, user_id, event_name AS behaviour, platform
  FROM unified_events
  WHERE user_id IS NOT NULL
    AND source IN ('analytics', 'access_log')
    AND (is_activity OR event_name = 'app_exception')
  UNION ALL
  -- What the owner of a meeting did by making it: a line each, its name and when it is said.
  SELECT met.event_date, met.owner_id, declared.name, CAST(NULL AS STRING)
  FROM met
  CROSS JOIN UNNEST([
    STRUCT('meeting_created' AS name, NOT met.is_pending AS is_said),
    STRUCT('meeting_proposed' AS name, met.is_pending AS is_said),
    STRUCT('meeting_with_others' AS name, NOT met.is_pending AND met.guests > 0 AS is_said),
    STRUCT('meeting_alone' AS name, met.is_pending OR met.guests = 0 AS is_said),
    STRUCT('meeting_recurring' AS name, met.is_recurring AS is_said),
    STRUCT('meeting_all_day' AS name, met.is_all_day AS is_said)
  ]) AS declared
  WHERE declared.is_said AND met.owner_id IS NOT NULL
  UNION ALL
  -- Under the day the meeting was made: documents do not say when somebody accepted.
  SELECT event_date, user_id, 'meeting_joined', CAST(NULL AS STRING)
  FROM (
    SELECT DISTINCT met.event_date, met.meeting_id, guest AS user_id
    FROM met
    CROSS JOIN UNNEST(met.involved_ids) AS guest
    WHERE guest != COALESCE(met.owner_id, '')
  ) AS joined
)
SELECT
  event_date,
  user_id,
  behaviour,
  COUNT(*) AS times,
  COUNTIF(platform = 'ANDROID') AS times_on_android,
  COUNTIF(platform = 'IOS') AS times_on_ios,
  COUNTIF(platform = 'WEB') AS times_on_web
FROM done
GROUP BY event_date, user_id, behaviour
