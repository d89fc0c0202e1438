"""Tests of the assets of the group `cohorts`, a module each."""
