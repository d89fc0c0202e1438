"""Table contracts as BigQuery tables: schema, partitions, clustering, descriptions.

What a contract becomes in BigQuery, and what a stored table lacks of it, belongs here; calling BigQuery does not.
"""

from collections.abc import Sequence

from google.cloud import bigquery
from sqlglot import exp

from calback_assets.errors import ContractError
from calback_assets.tables import EVENT_DATE, Table

LABELS = {"managed_by": "calback"}

_LEGACY = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
"""The API answers with the type names of legacy SQL."""
_CLUSTERABLE = frozenset({"STRING", "INT64", "DATE", "TIMESTAMP", "BOOL"})
_MOST_CLUSTERED = 4


def schema_of(table: Table) -> list[bigquery.SchemaField]:
    """The columns of a contract, with descriptions."""
    return [
        _field(
            column.name,
            exp.DataType.build(column.type, dialect="bigquery"),
            mode="REQUIRED" if column.required else "NULLABLE",
            description=column.description,
        )
        for column in table.columns
    ]


def nullable_schema_of(table: Table) -> list[bigquery.SchemaField]:
    """The columns of a contract without its NOT NULL."""
    return [_field(column.name, exp.DataType.build(column.type, dialect="bigquery")) for column in table.columns]


def _field(name: str, kind: exp.DataType, mode: str = "NULLABLE", description: str = "") -> bigquery.SchemaField:
    if kind.is_type("array"):
        # An array is never NULL in BigQuery, and REPEATED is the only mode that it has.
        return _field(name, kind.expressions[0], "REPEATED", description)
    if kind.is_type("struct"):
        parts = [_field(part.name, part.args["kind"]) for part in kind.expressions]
        return bigquery.SchemaField(name, "STRUCT", mode, description=description, fields=parts)
    return bigquery.SchemaField(name, kind.sql("bigquery"), mode, description=description)


def googlesql_type(field: bigquery.SchemaField) -> str:
    """The GoogleSQL type of a field as BigQuery answers it."""
    kind = _LEGACY.get(field.field_type, field.field_type)
    if kind == "STRUCT":
        kind = f"STRUCT<{', '.join(f'{part.name} {googlesql_type(part)}' for part in field.fields)}>"
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind


def table_of(table: Table, reference: bigquery.TableReference) -> bigquery.Table:
    """The table that BigQuery makes of a contract."""
    made = bigquery.Table(reference, schema=schema_of(table))
    made.description = table.description
    made.labels = LABELS
    made.clustering_fields = clustering_of(table) or None
    if table.is_partitioned:
        made.time_partitioning = bigquery.TimePartitioning(field=EVENT_DATE)
        made.require_partition_filter = True
    return made


def clustering_of(table: Table) -> list[str]:
    """The columns that a table is clustered by: those of its key, without the day that it is partitioned by."""
    keys = [table.column(name) for name in table.key if name != EVENT_DATE]
    return [column.name for column in keys if column.type in _CLUSTERABLE][:_MOST_CLUSTERED]


def missing_columns(table: Table, stored: Sequence[bigquery.SchemaField]) -> list[bigquery.SchemaField]:
    """The nullable columns that the contract has gained since the table was made.

    Raises:
        ContractError: the stored table differs in any other way.
    """
    found = {field.name: field for field in stored}
    missing = []
    for wanted in schema_of(table):
        field = found.pop(wanted.name, None)
        if field is None and wanted.mode != "REQUIRED":
            missing.append(wanted)
        elif field is None or _shown(field) != _shown(wanted):
            raise ContractError(
                f"{table.name}.{wanted.name}: the contract says {_shown(wanted)}, the warehouse has "
                f"{_shown(field)}; only a new nullable column is added by itself: rename the old table away and "
                "materialize its days again"
            )
    if found:
        gone = sorted(found)
        raise ContractError(
            f"{table.name}: the warehouse has column {', '.join(gone)}, which the contract lacks; declare it again, or "
            f"drop it: ALTER TABLE {table.name} DROP COLUMN {gone[0]}"
        )
    return missing


def _shown(field: bigquery.SchemaField | None) -> str:
    if field is None:
        return "no such column"
    return f"{googlesql_type(field)}{' NOT NULL' if field.mode == 'REQUIRED' else ''}"
