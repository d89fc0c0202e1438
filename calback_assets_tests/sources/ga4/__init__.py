"""Tests of sources / ga4."""
