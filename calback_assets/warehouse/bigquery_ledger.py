"""The ledger of partitions in BigQuery: which day was written when, and which has become stale since.

Its shape, and how its last word is read, belongs here. It is append only: no two writers wait for each other.
"""

from google.cloud import bigquery

LEDGER = "partition_ledger"
SCHEMA = [
    bigquery.SchemaField("table_name", "STRING", "REQUIRED"),
    bigquery.SchemaField("event_date", "DATE", "REQUIRED"),
    bigquery.SchemaField("row_count", "INT64", "REQUIRED"),
    bigquery.SchemaField("run_id", "STRING", "REQUIRED"),
    bigquery.SchemaField("is_stale", "BOOL", "REQUIRED"),
    bigquery.SchemaField("cause", "STRING", "REQUIRED", description="The write that made this entry."),
    bigquery.SchemaField("entered_at", "TIMESTAMP", "REQUIRED"),
]
COLUMNS = ", ".join(field.name for field in SCHEMA)


def latest() -> str:
    """The ledger's last word on each partition."""
    return (
        f"SELECT * FROM {LEDGER} WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name, event_date "
        "ORDER BY entered_at DESC) = 1"
    )
