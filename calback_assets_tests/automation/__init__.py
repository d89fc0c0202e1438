"""Tests of `calback_assets.automation`."""
