-- The first weeks that ended on the days, to be scored by the promoted model, which stands beside them.
SELECT event_date, user_id, joined_on, active_days, sessions, events, app_opens, platform, behaviours
FROM first_week
