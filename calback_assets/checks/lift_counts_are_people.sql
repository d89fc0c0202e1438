SELECT behaviour, at_least, outcome, period, people, did, did_came_back, others_came_back, adjusted_q
FROM first_week_lift
WHERE
  did NOT BETWEEN 0 AND people
  OR did_came_back NOT BETWEEN 0 AND did
  OR others_came_back NOT BETWEEN 0 AND people - did
  OR is_found AND (NOT is_supported OR COALESCE(adjusted_q, 1) >= 0.05)
