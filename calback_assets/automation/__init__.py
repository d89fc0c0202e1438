"""What starts work: jobs and schedules. What the work is stands in `assets`."""
