"""Tests of sources / bigquery."""
