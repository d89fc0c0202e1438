"""Tests of the assets of the group `insight`, a module each."""
