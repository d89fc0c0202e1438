"""The warehouse in a dataset of BigQuery: its jobs, what they write, its ledger, erasure from it.

What is true of both warehouses does not belong here, nor reading a source's tables.
"""
