SELECT cohort_week, measure, period, cohort_size, eligible, retained
FROM retention_cohorts
WHERE retained > eligible OR eligible > cohort_size OR retained < 0 OR eligible < 1
