-- What frequent users did in the 30 days that end with the day, and what everybody else did who was active in them.
--
-- For rates and their errors: over the people of each group, the sums of how often they did it, of their active days,
-- of the squares of both, and of their products. Whoever did not do it has done it no times.
WITH people AS (
  SELECT activity.user_id, COUNTIF(frequent.user_id IS NOT NULL) > 0 AS is_frequent, COUNT(*) AS active_days
  FROM user_daily_activity AS activity
  LEFT JOIN frequent_users AS frequent ON frequent.user_id = activity.user_id AND frequent.is_frequent
  GROUP BY activity.user_id
),
crowds AS (
  SELECT
    COUNTIF(is_frequent) AS frequent_users,
    SUM(IF(is_frequent, active_days, 0)) AS frequent_active_days,
    SUM(IF(is_frequent, active_days * active_days, 0)) AS frequent_active_days_squared,
    COUNTIF(NOT is_frequent) AS other_users,
    SUM(IF(is_frequent, 0, active_days)) AS other_active_days,
    SUM(IF(is_frequent, 0, active_days * active_days)) AS other_active_days_squared
  FROM people
),
done AS (
  SELECT behaviour.behaviour, people.is_frequent, people.active_days, SUM(behaviour.times) AS times
  FROM user_behaviour AS behaviour
  INNER JOIN people ON people.user_id = behaviour.user_id
  GROUP BY behaviour.behaviour, people.user_id, people.is_frequent, people.active_days
),
summed AS (
  SELECT
    behaviour,
    COUNTIF(is_frequent) AS frequent_did,
    SUM(IF(is_frequent, times, 0)) AS frequent_times,
    SUM(IF(is_frequent, times * times, 0)) AS frequent_times_squared,
    SUM(IF(is_frequent, times * active_days, 0)) AS frequent_times_by_active_days,
    COUNTIF(NOT is_frequent) AS other_did,
    SUM(IF(is_frequent, 0, times)) AS other_times,
    SUM(IF(is_frequent, 0, times * times)) AS other_times_squared,
    SUM(IF(is_frequent, 0, times * active_days)) AS other_times_by_active_days
  FROM done
  GROUP BY behaviour
)
SELECT
  days.event_date AS as_of,
  summed.behaviour,
  crowds.frequent_users,
  summed.frequent_did,
  CAST(summed.frequent_times AS INT64) AS frequent_times,
  CAST(crowds.frequent_active_days AS INT64) AS frequent_active_days,
  CAST(summed.frequent_times_squared AS INT64) AS frequent_times_squared,
  CAST(crowds.frequent_active_days_squared AS INT64) AS frequent_active_days_squared,
  CAST(summed.frequent_times_by_active_days AS INT64) AS frequent_times_by_active_days,
  crowds.other_users,
  summed.other_did,
  CAST(summed.other_times AS INT64) AS other_times,
  CAST(crowds.other_active_days AS INT64) AS other_active_days,
  CAST(summed.other_times_squared AS INT64) AS other_times_squared,
  CAST(crowds.other_active_days_squared AS INT64) AS other_active_days_squared,
  CAST(summed.other_times_by_active_days AS INT64) AS other_times_by_active_days
FROM summed
CROSS JOIN crowds
CROSS JOIN days
