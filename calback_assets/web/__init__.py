"""Dagster's web application for people's browsers: what guards it, and how it is served with all that it needs."""
