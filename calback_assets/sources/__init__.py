"""Where raw data comes from: each module reads one source in the shape of its raw table's contract.

A source knows files or a service and its table contract; nothing of the warehouse, of Dagster or of the
settings belongs here. What it hands over is a query that the warehouse runs itself (`FileQuery`), or an Arrow
table.
"""
