-- Other days whose first-seen users change when this day is replaced; run before the replacement.
--
-- A user now active on the day leaves the later day that was the first. A user no longer active on it moves on to the next
-- active day: only for those few are the days after read.
WITH gone AS (
  SELECT seen_that_day.user_id
  FROM seen_that_day
  LEFT JOIN activity_that_day ON activity_that_day.user_id = seen_that_day.user_id
  WHERE activity_that_day.user_id IS NULL
)
SELECT seen_later.event_date
FROM seen_later
INNER JOIN activity_that_day ON activity_that_day.user_id = seen_later.user_id
UNION DISTINCT
SELECT next_day.event_date
FROM (
  SELECT MIN(activity_later.event_date) AS event_date
  FROM activity_later
  INNER JOIN gone ON gone.user_id = activity_later.user_id
  GROUP BY activity_later.user_id
) AS next_day
