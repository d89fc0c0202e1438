SELECT event_date, COUNT(*) AS wrong_users
FROM (
  SELECT COALESCE(person.event_date, DATE_ADD(joined.event_date, INTERVAL 6 DAY)) AS event_date
  FROM user_joined AS joined
  FULL JOIN first_week AS person
    ON person.user_id = joined.user_id AND person.event_date = DATE_ADD(joined.event_date, INTERVAL 6 DAY)
  WHERE joined.user_id IS NULL
    OR person.user_id IS NULL
    OR person.joined_on != joined.event_date
    OR person.active_days < 0
    OR person.active_days > 7
) AS wrong
GROUP BY event_date
