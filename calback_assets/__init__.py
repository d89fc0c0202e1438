"""Dagster asset platform that turns Calback's users, meetings and app events into numbers people trust."""
