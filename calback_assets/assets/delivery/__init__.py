"""Assets of the group `delivery`: what leaves the warehouse for people and their tools."""
