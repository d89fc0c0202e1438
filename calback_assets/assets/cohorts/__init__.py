"""Assets of the group `cohorts`: one module and one `.sql` file each."""
