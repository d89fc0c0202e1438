-- Later days whose first-seen users change when these days are replaced; run before the replacement.
--
-- A user now active on one of the days leaves the later day that was the first. A user no longer active on any of them
-- moves on to the next active day: only for those few are the days after read.
WITH gone AS (
  SELECT seen.user_id
  FROM seen
  LEFT JOIN activity ON activity.user_id = seen.user_id
  WHERE activity.user_id IS NULL
)
SELECT DISTINCT seen_later.event_date
FROM seen_later
INNER JOIN activity ON activity.user_id = seen_later.user_id
UNION DISTINCT
SELECT next_day.event_date
FROM (
  SELECT MIN(activity_later.event_date) AS event_date
  FROM activity_later
  INNER JOIN gone ON gone.user_id = activity_later.user_id
  GROUP BY activity_later.user_id
) AS next_day
