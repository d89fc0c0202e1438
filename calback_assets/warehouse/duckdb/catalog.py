"""Which tables a file has.

Only the question whether a table is there belongs here; what it must look like is decided in `schema`.
"""

import duckdb


def has(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether there is a table of that name, schema and all, but for what the open transaction has made.

    It is selected from, beside the transaction, which an error would end. `duckdb_tables()` knows as well, but first
    makes all of DuckDB's own views, and so does the search for names that are like a missing one: ten milliseconds
    for every file that is opened, more than half of what opening takes.
    """
    with connection.cursor() as beside:
        beside.execute("SET catalog_error_max_schemas = 0")
        try:
            beside.execute(f"SELECT 1 FROM {name} LIMIT 0")
        except duckdb.CatalogException:
            return False
    return True
