-- Where the active people of each day come from and where they go, from the days between their visits.
--
-- Each visit is looked at once, with the days since the visit before and until the next. Of a visit that no other
-- follows within 30 days, days 1 to 29 after it are idle, and day 30 is the one on which the person goes dormant.
WITH visits AS (
  SELECT
    activity.event_date,
    seen.user_id IS NOT NULL AS is_first,
    DATE_DIFF(activity.event_date, LAG(activity.event_date) OVER person, DAY) AS since,
    COALESCE(DATE_DIFF(LEAD(activity.event_date) OVER person, activity.event_date, DAY), 31) AS until
  FROM user_daily_activity AS activity
  LEFT JOIN user_first_seen AS seen
    ON seen.event_date = activity.event_date AND seen.user_id = activity.user_id
  WINDOW person AS (PARTITION BY activity.user_id ORDER BY activity.event_date)
),
came AS (
  SELECT
    event_date,
    COUNT(*) AS active_users,
    COUNTIF(is_first) AS new_users,
    COUNTIF(NOT is_first AND since <= 30) AS returning_users,
    COUNTIF(NOT is_first AND since = 1) AS active_to_active
  FROM visits
  GROUP BY event_date
),
pauses AS (
  SELECT event_date, IF(until > 30, 31, until) AS length, COUNT(*) AS users
  FROM visits
  GROUP BY event_date, length
),
away AS (
  SELECT
    days.event_date,
    SUM(IF(DATE_DIFF(days.event_date, pauses.event_date, DAY) = 1, pauses.users, 0)) AS active_to_idle,
    SUM(IF(DATE_DIFF(days.event_date, pauses.event_date, DAY) BETWEEN 2 AND 29, pauses.users, 0)) AS idle_to_idle,
    SUM(IF(DATE_DIFF(days.event_date, pauses.event_date, DAY) = 30, pauses.users, 0)) AS dormant_users
  FROM days
  INNER JOIN pauses
    ON pauses.event_date BETWEEN DATE_SUB(days.event_date, INTERVAL 30 DAY) AND DATE_SUB(days.event_date, INTERVAL 1 DAY)
    AND DATE_DIFF(days.event_date, pauses.event_date, DAY) < pauses.length
  GROUP BY days.event_date
)
SELECT
  days.event_date,
  COALESCE(came.active_users, 0) + COALESCE(away.active_to_idle, 0) + COALESCE(away.idle_to_idle, 0) AS current_users,
  COALESCE(came.new_users, 0) AS new_users,
  COALESCE(came.returning_users, 0) AS returning_users,
  COALESCE(came.active_users - came.new_users - came.returning_users, 0) AS resurrected_users,
  COALESCE(away.dormant_users, 0) AS dormant_users,
  COALESCE(came.active_to_active, 0) AS active_to_active,
  COALESCE(came.returning_users - came.active_to_active, 0) AS idle_to_active,
  COALESCE(away.active_to_idle, 0) AS active_to_idle,
  COALESCE(away.idle_to_idle, 0) AS idle_to_idle
FROM days
LEFT JOIN came ON came.event_date = days.event_date
LEFT JOIN away ON away.event_date = days.event_date
