"""Tests of what runs on BigQuery, through its own client: the emulator, and what goes wrong on the way to it."""
