"""Tests of `calback_assets`; the folders mirror the package."""
