"""Table contracts and models as Dagster shows them: description, column schema, column lineage, grain, privacy.

Only what is known before anything runs belongs here; figures of a run are attached by the I/O manager.
"""

from collections.abc import Mapping, Sequence
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


def description(table: Table) -> str:
    """What a person should know of a table before they use it, as Markdown; its first line stands for all of it."""
    parts = (
        table.description,
        f"**A row** is one {table.grain}.",
        f"**Use.** {table.use}" if table.use else "",
        f"**Mind.** {table.caution}" if table.caution else "",
    )
    return "\n\n".join(part for part in parts if part)


def contract_metadata(table: Table) -> dict[str, Any]:
    """The definition metadata of an asset with that contract."""
    treated = [f"{column.name}: {column.privacy}" for column in table.declared if column.privacy is not Privacy.KEEP]
    return {
        "grain": MetadataValue.text(table.grain),
        "privacy": MetadataValue.text("; ".join(treated) or "every column is kept"),
    }


def column_schema(table: Table, origins: Mapping[str, str] | None = None) -> TableSchema:
    """Dagster's column schema of a contract, with descriptions.

    Args:
        table: the contract.
        origins: what more its columns' descriptions say: where each comes from, as Markdown.
    """
    return TableSchema(
        columns=[
            TableColumn(
                column.name,
                type=column.type,
                description="\n\n".join([column.description, *([origins[column.name]] if origins else [])]),
                constraints=TableColumnConstraints(nullable=not column.required, unique=table.key == (column.name,)),
            )
            for column in table.columns
        ]
    )


def column_lineage(model: Model, table: Table, beside: Sequence[Table] = ()) -> TableColumnLineage:
    """Dagster's form of a model's column lineage.

    What statistics add to its columns hangs on all of them, and on all of the tables that these are given beside it.
    """
    everything = set().union(*model.lineage.values())
    everything |= {(other.name, column) for other in beside for column in other.column_names}
    return TableColumnLineage(
        {
            column: [TableColumnDep(AssetKey(name), of) for name, of in sorted(model.lineage.get(column, everything))]
            for column in table.column_names
        }
    )
