"""Table contracts and models as Dagster shows them: column schema, column lineage, grain, privacy.

Only what is known before anything runs belongs here; figures of a run are attached by the I/O manager.
"""

from typing import Any

from dagster import (
    AssetKey,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
)

from calback_assets.tables import Privacy, Table
from calback_assets.warehouse.googlesql.model import Model


def contract_metadata(table: Table) -> dict[str, Any]:
    """The definition metadata of an asset with that contract."""
    treated = [f"{column.name}: {column.privacy}" for column in table.declared if column.privacy is not Privacy.KEEP]
    return {
        "dagster/column_schema": column_schema(table),
        "dagster/table_name": table.name,
        "grain": MetadataValue.text(table.grain),
        "privacy": MetadataValue.text("; ".join(treated) or "every column is kept"),
    }


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


def column_lineage(model: Model, table: Table) -> TableColumnLineage:
    """Dagster's form of a model's column lineage; what statistics add to its columns hangs on all of them."""
    everything = set().union(*model.lineage.values())
    return TableColumnLineage(
        {
            column: [TableColumnDep(AssetKey(name), of) for name, of in sorted(model.lineage.get(column, everything))]
            for column in table.column_names
        }
    )
