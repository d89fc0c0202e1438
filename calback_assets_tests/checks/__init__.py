"""Tests of `calback_assets.checks`."""
