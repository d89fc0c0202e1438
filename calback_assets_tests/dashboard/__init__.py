"""Tests of the dashboard: its figures, its pages, and how they are in a browser."""
