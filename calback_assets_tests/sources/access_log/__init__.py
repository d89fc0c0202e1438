"""Tests of sources / access_log."""
