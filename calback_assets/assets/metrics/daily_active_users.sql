-- How many people used the app on a day, in the week and in the month that end with it, and how many were new or back.
WITH recent AS (
  -- `age` counts the days back from the day: 0 is the day itself.
  SELECT
    days.event_date,
    DATE_DIFF(days.event_date, activity.event_date, DAY) AS age,
    activity.user_id,
    activity.is_anonymous,
    activity.app_opens,
    activity.sessions,
    activity.events,
    activity.meetings_created
  FROM days
  INNER JOIN user_daily_activity AS activity
    ON activity.event_date BETWEEN DATE_SUB(days.event_date, INTERVAL 30 DAY) AND days.event_date
),
people AS (
  SELECT
    event_date,
    user_id,
    COUNTIF(age = 0) > 0 AS is_today,
    COUNTIF(age < 7) > 0 AS is_week,
    COUNTIF(age < 30) > 0 AS is_month,
    COUNTIF(age > 0) > 0 AS is_before,
    LOGICAL_AND(age > 0 OR is_anonymous) AS is_anonymous,
    SUM(IF(age = 0, app_opens, 0)) AS app_opens,
    SUM(IF(age = 0, sessions, 0)) AS sessions,
    SUM(IF(age = 0, events, 0)) AS events,
    SUM(IF(age = 0, meetings_created, 0)) AS meetings_created
  FROM recent
  GROUP BY event_date, user_id
),
counted AS (
  -- From the days: one on which nobody came has a row, too.
  SELECT
    days.event_date,
    COUNTIF(people.is_today) AS dau,
    COUNTIF(people.is_week) AS wau,
    COUNTIF(people.is_month) AS mau,
    COUNTIF(people.is_today AND first_seen.user_id IS NOT NULL) AS new_users,
    COUNTIF(people.is_today AND first_seen.user_id IS NULL AND people.is_before) AS returning_users,
    COUNTIF(people.is_today AND first_seen.user_id IS NULL AND NOT people.is_before) AS resurrected_users,
    COUNTIF(people.is_today AND NOT people.is_anonymous) AS identified_users,
    COUNTIF(people.is_today AND people.is_anonymous) AS anonymous_users,
    COALESCE(SUM(people.app_opens), 0) AS app_opens,
    COALESCE(SUM(people.sessions), 0) AS sessions,
    COALESCE(SUM(people.events), 0) AS events,
    COALESCE(SUM(people.meetings_created), 0) AS meetings_created
  FROM days
  LEFT JOIN people ON people.event_date = days.event_date
  LEFT JOIN user_first_seen AS first_seen
    ON first_seen.event_date = people.event_date AND first_seen.user_id = people.user_id
  GROUP BY days.event_date
)
SELECT
  event_date,
  dau,
  wau,
  mau,
  SAFE_DIVIDE(dau, mau) AS stickiness,
  new_users,
  returning_users,
  resurrected_users,
  identified_users,
  anonymous_users,
  app_opens,
  sessions,
  events,
  meetings_created
FROM counted
