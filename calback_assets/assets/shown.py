"""What Dagit shows of every asset beside its graph: what is known of it wherever it is declared, and said here once.

Groups in the order of the data, the engine, the table's full name, the contract, the lineage of its columns, its query
and where it is defined belong here; what an asset is made of, and when, stands in its own declaration.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetKey,
    AssetSpec,
    BetaWarning,
    CodeReferencesMetadataValue,
    LocalFileCodeReference,
    MetadataValue,
)

from calback_assets.assets import GROUPS, SQL_ASSETS
from calback_assets.assets.lineage import Lineage
from calback_assets.tables import TABLES, Table
from calback_assets.warehouse.metadata import column_schema, contract_metadata, description
from calback_assets.warehouse.warehouse import Warehouse

_DECLARED = {declared.table.name: declared for declared in SQL_ASSETS}
_REPOSITORY = Path(__file__).parents[2]


def shown(warehouse: Warehouse, lineage: Lineage) -> Callable[[AssetSpec], AssetSpec]:
    """What makes of an asset as it was declared the one that a person sees.

    Args:
        warehouse: where the tables are.
        lineage: of their columns.
    """

    def dressed(spec: AssetSpec) -> AssetSpec:
        numbered = spec.replace_attributes(group_name=numbered_group(spec.group_name))
        table = TABLES.get(spec.key.path[-1])
        if table is None or spec.key.path[:-1]:
            return numbered
        return numbered.replace_attributes(description=description(table)).merge_attributes(
            kinds={warehouse.kind},
            tags={"dagster/storage_kind": warehouse.kind},
            metadata=_metadata(table, warehouse, lineage),
        )

    return dressed


def numbered_group(name: str | None) -> str:
    """A group's name as Dagit, which sorts by it, is given it: with its place in the order in which data flows.

    Raises:
        ValueError: the group is not in `GROUPS`.
    """
    if name not in GROUPS:
        raise ValueError(f"group {name} has no place in GROUPS of calback_assets/assets; give it one")
    return f"{GROUPS.index(name) + 1}_{name}"


def _metadata(table: Table, warehouse: Warehouse, lineage: Lineage) -> Mapping[str, Any]:
    key, address = AssetKey(table.name), warehouse.address(table.name)
    declared = _DECLARED.get(table.name)
    is_link = address.uri.startswith("https:")
    return {
        **contract_metadata(table),
        "dagster/table_name": address.name,
        "dagster/uri": MetadataValue.url(address.uri) if is_link else MetadataValue.text(address.uri),
        "dagster/column_schema": column_schema(table, lineage.said(key)),
        "dagster/column_lineage": lineage.of(key),
        "dagster/code_references": _code_references([declared.sql] if declared else [], table),
        **({"query": MetadataValue.md(f"```sql\n{declared.model.sql.strip()}\n```")} if declared else {}),
    }


def _code_references(queries: Sequence[Path], table: Table) -> CodeReferencesMetadataValue:
    """Links that open the query, and the page that says what the table means, in the editor of whoever runs Dagit."""
    page, _, _ = table.defined_in.partition("#")
    with warnings.catch_warnings():
        # Beta since 2024, and the one way to a link under "Source code".
        warnings.filterwarnings("ignore", "Class `(LocalFileCodeReference|CodeReferencesMetadataValue)`", BetaWarning)
        return CodeReferencesMetadataValue(
            code_references=[
                LocalFileCodeReference(file_path=str(path), label=path.name)
                for path in (*queries, *([_REPOSITORY / "docs" / page] if page else []))
            ]
        )
