-- Everybody whose first week and outcome window are over: what they did first, and whether they came back.
SELECT user_id, joined_on, active_days, sessions, events, app_opens, platform, behaviours, returned
FROM first_week_features
