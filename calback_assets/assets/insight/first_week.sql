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
done AS (
  -- A meeting that somebody joined stands under the day it was made: they may have accepted after their first week.
  SELECT
    person.event_date,
    person.user_id,
    behaviour.behaviour,
    COUNT(*) AS days,
    SUM(behaviour.times) AS times,
    SUM(behaviour.times_on_android) AS times_on_android,
    SUM(behaviour.times_on_ios) AS times_on_ios,
    SUM(behaviour.times_on_web) AS times_on_web
  FROM person
  INNER JOIN user_behaviour AS behaviour
    ON behaviour.user_id = person.user_id AND behaviour.event_date BETWEEN person.joined_on AND person.event_date
  WHERE behaviour.behaviour != 'meeting_joined'
  GROUP BY person.event_date, person.user_id, behaviour.behaviour
),
platforms AS (
  SELECT
    event_date,
    user_id,
    SUM(times_on_android) AS on_android,
    SUM(times_on_ios) AS on_ios,
    SUM(times_on_web) AS on_web
  FROM done
  GROUP BY event_date, user_id
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
    -- A sum is of a wider type in DuckDB.
    ARRAY_AGG(
      STRUCT(behaviour AS behaviour, CAST(times AS INT64) AS times, CAST(days AS INT64) AS days) ORDER BY behaviour
    ) AS behaviours
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
  -- Of two with as many events, the first by name.
  CASE
    WHEN platforms.on_android + platforms.on_ios + platforms.on_web = 0 THEN NULL
    WHEN platforms.on_android >= platforms.on_ios AND platforms.on_android >= platforms.on_web THEN 'ANDROID'
    WHEN platforms.on_ios >= platforms.on_web THEN 'IOS'
    WHEN platforms.on_web > 0 THEN 'WEB'
  END AS platform,
  COALESCE(listed.behaviours, ARRAY<STRUCT<behaviour STRING, times INT64, days INT64>>[]) AS behaviours
FROM person
LEFT JOIN active ON active.event_date = person.event_date AND active.user_id = person.user_id
LEFT JOIN platforms ON platforms.event_date = person.event_date AND platforms.user_id = person.user_id
LEFT JOIN listed ON listed.event_date = person.event_date AND listed.user_id = person.user_id
