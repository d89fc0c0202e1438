"""Tests of the report: findings, words, pictures and pages."""
