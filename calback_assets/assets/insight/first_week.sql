-- What each person did on days 1-7, of which day 1 is the day they joined and day 7 the day that is written.
WITH person AS (
  SELECT DATE_ADD(event_date, INTERVAL 6 DAY) AS event_date, user_id, event_date AS joined_on, basis
  FROM user_joined
),
active AS (
  SELECT
    person.event_date,
    person.user_id,
    COUNT(*) AS active_days,
    SUM(activity.sessions) AS sessions,
    SUM(activity.events) AS events,
    SUM(activity.app_opens) AS app_opens
  FROM person
  INNER JOIN user_daily_activity AS activity
    ON activity.user_id = person.user_id AND activity.event_date BETWEEN person.joined_on AND person.event_date
  GROUP BY person.event_date, person.user_id
),
seen_on AS (
  SELECT person.event_date, person.user_id, event.platform
  FROM person
  INNER JOIN unified_events AS event
    ON event.user_id = person.user_id AND event.event_date BETWEEN person.joined_on AND person.event_date
  WHERE event.is_activity AND event.platform IS NOT NULL
  GROUP BY person.event_date, person.user_id, event.platform
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY person.event_date, person.user_id ORDER BY COUNT(*) DESC, event.platform
  ) = 1
),
done AS (
  -- A meeting that somebody joined stands under the day it was made: they may have accepted after their first week.
  SELECT person.event_date, person.user_id, behaviour.behaviour, SUM(behaviour.times) AS times, COUNT(*) AS days
  FROM person
  INNER JOIN user_behaviour AS behaviour
    ON behaviour.user_id = person.user_id AND behaviour.event_date BETWEEN person.joined_on AND person.event_date
  WHERE behaviour.behaviour != 'meeting_joined'
  GROUP BY person.event_date, person.user_id, behaviour.behaviour
),
unanswered AS (
  SELECT
    event_date,
    user_id,
    SUM(IF(behaviour = 'friend_request_sent', times, -times)) AS times,
    SUM(IF(behaviour = 'friend_request_sent', days, 0)) AS days
  FROM done
  WHERE behaviour IN ('friend_request_sent', 'friend_request_accepted')
  GROUP BY event_date, user_id
),
everything AS (
  SELECT event_date, user_id, behaviour, times, days FROM done
  UNION ALL
  SELECT event_date, user_id, 'friend_request_unanswered', times, days FROM unanswered WHERE times > 0
),
listed AS (
  SELECT
    event_date,
    user_id,
    ARRAY_AGG(STRUCT(behaviour AS behaviour, times AS times, days AS days) ORDER BY behaviour) AS behaviours
  FROM everything
  GROUP BY event_date, user_id
)
SELECT
  person.event_date,
  person.user_id,
  person.joined_on,
  person.basis,
  COALESCE(active.active_days, 0) AS active_days,
  COALESCE(active.sessions, 0) AS sessions,
  COALESCE(active.events, 0) AS events,
  COALESCE(active.app_opens, 0) AS app_opens,
  seen_on.platform,
  COALESCE(listed.behaviours, ARRAY<STRUCT<behaviour STRING, times INT64, days INT64>>[]) AS behaviours
FROM person
LEFT JOIN active ON active.event_date = person.event_date AND active.user_id = person.user_id
LEFT JOIN seen_on ON seen_on.event_date = person.event_date AND seen_on.user_id = person.user_id
LEFT JOIN listed ON listed.event_date = person.event_date AND listed.user_id = person.user_id
