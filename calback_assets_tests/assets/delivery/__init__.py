"""Tests of assets / delivery."""
