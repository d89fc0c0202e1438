"""Assets of the group `metrics`: one module and one `.sql` file each."""
