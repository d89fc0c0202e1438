"""Tests of commands as processes: how they end."""
