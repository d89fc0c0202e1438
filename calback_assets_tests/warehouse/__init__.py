"""Tests of the warehouse: the write contract and the GoogleSQL bridge."""
