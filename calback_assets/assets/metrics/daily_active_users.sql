-- How many people used the app on the day, in the week and in the month that end with it, and how many were new or back.
WITH people AS (
  -- `age` counts the days back from the day: 0 is the day itself.
  SELECT
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
  FROM (
    SELECT DATE_DIFF(@day, event_date, DAY) AS age, user_id, is_anonymous, app_opens, sessions, events, meetings_created
    FROM user_daily_activity
  ) AS recent
  GROUP BY user_id
),
counted AS (
  SELECT
    COUNTIF(is_today) AS dau,
    COUNTIF(is_week) AS wau,
    COUNTIF(is_month) AS mau,
    COUNTIF(is_today AND user_first_seen.user_id IS NOT NULL) AS new_users,
    COUNTIF(is_today AND user_first_seen.user_id IS NULL AND is_before) AS returning_users,
    COUNTIF(is_today AND user_first_seen.user_id IS NULL AND NOT is_before) AS resurrected_users,
    COUNTIF(is_today AND NOT is_anonymous) AS identified_users,
    COUNTIF(is_today AND is_anonymous) AS anonymous_users,
    COALESCE(SUM(app_opens), 0) AS app_opens,
    COALESCE(SUM(sessions), 0) AS sessions,
    COALESCE(SUM(events), 0) AS events,
    COALESCE(SUM(meetings_created), 0) AS meetings_created
  FROM people
  LEFT JOIN user_first_seen ON user_first_seen.user_id = people.user_id
)
SELECT
  @day AS event_date,
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
