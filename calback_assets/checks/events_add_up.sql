SELECT days.event_date, COALESCE(counted.events, 0) AS events_of_people, COALESCE(happened.events, 0) AS activity_rows
FROM days
LEFT JOIN (
  SELECT event_date, SUM(events) AS events FROM user_daily_activity GROUP BY event_date
) AS counted ON counted.event_date = days.event_date
LEFT JOIN (
  SELECT event_date, COUNTIF(is_activity) AS events FROM unified_events GROUP BY event_date
) AS happened ON happened.event_date = days.event_date
WHERE COALESCE(counted.events, 0) != COALESCE(happened.events, 0)
