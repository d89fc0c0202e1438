-- The first weeks of people whose outcome window is over; who they are is not asked.
SELECT joined_on, active_days, sessions, behaviours, returned, frequent
FROM first_week_features
