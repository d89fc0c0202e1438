"""Tests of the assets of the group `metrics`, a module each."""
