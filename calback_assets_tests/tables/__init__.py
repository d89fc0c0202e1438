"""Tests of the table contracts and of the asset graph that stands on them."""
