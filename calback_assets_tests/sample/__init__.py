"""Tests of the sample data, on samples that are really written."""
