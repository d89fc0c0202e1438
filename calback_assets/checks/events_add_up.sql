SELECT @day AS event_date, counted.events AS events_of_people, happened.events AS activity_rows
FROM (SELECT COALESCE(SUM(events), 0) AS events FROM user_daily_activity) AS counted
CROSS JOIN (SELECT COUNTIF(is_activity) AS events FROM unified_events) AS happened
WHERE counted.events != happened.events
