"""Tests of `calback_assets.analysis`."""
