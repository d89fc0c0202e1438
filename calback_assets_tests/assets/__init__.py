"""Tests of `calback_assets.assets`: single queries by group, and whole worlds beside this file."""
