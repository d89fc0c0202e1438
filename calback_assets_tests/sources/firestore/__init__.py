"""Tests of sources / firestore."""
