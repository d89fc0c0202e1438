"""Tests of the assets of the group `core`, a module each."""
