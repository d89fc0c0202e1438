"""The warehouse in a DuckDB file: opening it, writing it, its ledger, erasure from it.

What is true of both warehouses does not belong here, nor what a table holds.
"""
