-- The first week of each person, and how often they came in the 30 days after it, of which the day written is the last.
WITH outcome AS (
  SELECT person.event_date, person.user_id, COUNT(*) AS active_days
  FROM first_week AS person
  INNER JOIN user_daily_activity AS activity
    ON activity.user_id = person.user_id
    AND activity.event_date > person.event_date
    AND activity.event_date <= DATE_ADD(person.event_date, INTERVAL 30 DAY)
  GROUP BY person.event_date, person.user_id
)
SELECT
  DATE_ADD(person.event_date, INTERVAL 30 DAY) AS event_date,
  person.user_id,
  person.joined_on,
  person.basis,
  person.active_days,
  person.sessions,
  person.events,
  person.app_opens,
  person.platform,
  person.behaviours,
  COALESCE(outcome.active_days, 0) AS outcome_active_days,
  COALESCE(outcome.active_days, 0) > 0 AS returned,
  COALESCE(outcome.active_days, 0) >= @frequent_min_days AS frequent
FROM first_week AS person
LEFT JOIN outcome ON outcome.event_date = person.event_date AND outcome.user_id = person.user_id
