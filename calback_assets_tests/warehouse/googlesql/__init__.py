"""Tests of warehouse / googlesql."""
