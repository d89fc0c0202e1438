"""Tests of the assets of the group `delivery`, a module each."""
