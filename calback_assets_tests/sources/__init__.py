"""Tests of `calback_assets.sources`, a module each."""
