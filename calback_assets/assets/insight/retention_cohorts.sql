-- Of the people who joined in a week, how many came back in each period after it, of those for whom it has passed.
--
-- A period is a range of ages, the days since the day of joining. Whether it has passed is asked of each person, so that
-- the late ones of a week are in no count that they could not have been in.
WITH milestones AS (
  SELECT milestone.previous, milestone.day
  FROM UNNEST([
    STRUCT(0 AS previous, 1 AS day),
    STRUCT(1 AS previous, 3 AS day),
    STRUCT(3 AS previous, 7 AS day),
    STRUCT(7 AS previous, 14 AS day),
    STRUCT(14 AS previous, 30 AS day)
  ]) AS milestone
),
periods AS (
  SELECT 'week' AS measure, week AS period, 7 * week AS first_age, 7 * week + 6 AS last_age, 7 * week + 6 AS passed_at
  FROM UNNEST(GENERATE_ARRAY(0, 26)) AS week
  UNION ALL
  SELECT 'day', day, day, day, day FROM milestones
  UNION ALL
  -- Without an end: as far as is known.
  SELECT 'unbounded', day, day, CAST(NULL AS INT64), day FROM milestones
  UNION ALL
  SELECT 'bracket', day, previous + 1, day, day FROM milestones
),
weeks AS (
  SELECT
    -- 1969-12-29 is a Monday.
    DATE_SUB(event_date, INTERVAL MOD(DATE_DIFF(event_date, DATE '1969-12-29', DAY), 7) DAY) AS cohort_week,
    basis,
    user_id,
    event_date AS joined_on
  FROM user_joined
),
people AS (
  SELECT
    days.event_date AS as_of,
    weeks.cohort_week,
    weeks.basis,
    weeks.user_id,
    weeks.joined_on,
    DATE_DIFF(days.event_date, weeks.joined_on, DAY) AS known_age
  FROM weeks
  -- A week that begins before the 400 days that are read is not whole.
  INNER JOIN days ON DATE_DIFF(days.event_date, weeks.cohort_week, DAY) < 400
),
cohorts AS (
  SELECT cohort_week, COUNT(*) AS cohort_size FROM people GROUP BY cohort_week
),
chances AS (
  SELECT
    people.as_of,
    people.cohort_week,
    periods.measure,
    periods.period,
    MAX(people.basis) AS basis,
    COUNT(*) AS eligible
  FROM people
  INNER JOIN periods ON periods.passed_at <= people.known_age
  GROUP BY people.as_of, people.cohort_week, periods.measure, periods.period
),
visits AS (
  SELECT
    people.cohort_week,
    people.user_id,
    people.known_age,
    DATE_DIFF(activity.event_date, people.joined_on, DAY) AS age
  FROM people
  INNER JOIN user_daily_activity AS activity
    ON activity.user_id = people.user_id AND activity.event_date >= people.joined_on
),
returns AS (
  SELECT visits.cohort_week, periods.measure, periods.period, COUNT(DISTINCT visits.user_id) AS retained
  FROM visits
  INNER JOIN periods
    ON visits.age BETWEEN periods.first_age AND COALESCE(periods.last_age, visits.age)
    AND periods.passed_at <= visits.known_age
  GROUP BY visits.cohort_week, periods.measure, periods.period
)
SELECT
  chances.as_of,
  chances.cohort_week,
  chances.basis,
  chances.measure,
  chances.period,
  cohorts.cohort_size,
  chances.eligible,
  COALESCE(returns.retained, 0) AS retained
FROM chances
INNER JOIN cohorts ON cohorts.cohort_week = chances.cohort_week
LEFT JOIN returns
  ON returns.cohort_week = chances.cohort_week
  AND returns.measure = chances.measure
  AND returns.period = chances.period
