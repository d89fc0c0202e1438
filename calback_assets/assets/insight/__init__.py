"""Assets of the group `insight`: who comes back, what they do, and who will; one module each."""
