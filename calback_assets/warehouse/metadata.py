"""A table contract as Dagster shows it: column schema, grain, layout.

Only what is known before anything runs belongs here.
"""

from typing import Any

from dagster import MetadataValue, TableColumn, TableColumnConstraints, TableSchema

from calback_assets.tables import Table

OWNERS = ["team:analytics"]


def column_schema(table: Table) -> TableSchema:
    """Dagster's column schema of a contract, with descriptions."""
    return TableSchema(
        columns=[
            TableColumn(
                column.name,
                type=column.type,
                description=column.description,
                constraints=TableColumnConstraints(nullable=not column.required, unique=table.key == (column.name,)),
            )
            for column in table.columns
        ]
    )


def contract_metadata(table: Table) -> dict[str, Any]:
    """The definition metadata of an asset with that contract."""
    return {
        "dagster/column_schema": column_schema(table),
        "dagster/table_name": table.name,
        "grain": MetadataValue.text(table.grain),
        "privacy": MetadataValue.text(
            "; ".join(f"{column.name}: {column.privacy}" for column in table.declared if column.privacy != "keep")
            or "every column is kept"
        ),
    }
