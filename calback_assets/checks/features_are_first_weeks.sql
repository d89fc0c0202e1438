SELECT event_date, COUNT(*) AS wrong_users
FROM (
  SELECT COALESCE(features.event_date, DATE_ADD(week.event_date, INTERVAL 30 DAY)) AS event_date
  FROM first_week AS week
  FULL JOIN first_week_features AS features
    ON features.user_id = week.user_id AND features.event_date = DATE_ADD(week.event_date, INTERVAL 30 DAY)
  WHERE week.user_id IS NULL
    OR features.user_id IS NULL
    OR features.joined_on != week.joined_on
    OR features.basis != week.basis
    OR features.active_days != week.active_days
    OR features.sessions != week.sessions
    OR features.events != week.events
    OR features.app_opens != week.app_opens
    OR COALESCE(features.platform, '') != COALESCE(week.platform, '')
    OR ARRAY_LENGTH(features.behaviours) != ARRAY_LENGTH(week.behaviours)
    OR features.outcome_active_days < 0
    OR features.outcome_active_days > 30
    OR features.returned != (features.outcome_active_days > 0)
) AS wrong
GROUP BY event_date
