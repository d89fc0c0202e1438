"""Tests of warehouse / duckdb."""
