"""Tests of warehouse / bigquery."""
