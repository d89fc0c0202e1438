"""Assets of the group `core`: one module and one `.sql` file each."""
