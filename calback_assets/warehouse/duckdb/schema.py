"""Contracts as DuckDB has them: types, tables, and what may change in a stored one.

Only what can be said without a connection belongs here; who runs it is in `session`.
"""

from collections.abc import Mapping
from functools import cache

from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from calback_assets.errors import ContractError
from calback_assets.sources.coercion import identifier
from calback_assets.tables import Table
from calback_assets.warehouse.googlesql.model import SCHEMA

_INTEGERS = frozenset(
    f"{sign}{size}" for sign in ("", "u") for size in ("tinyint", "smallint", "integer", "bigint", "hugeint")
)


@cache
def duckdb_type(googlesql_type: str) -> str:
    """The DuckDB type of a GoogleSQL type, as DuckDB prints it."""
    return exp.DataType.build(googlesql_type, dialect="bigquery").sql("duckdb")


def create_table(table: Table) -> str:
    """The statement that makes the table of a contract."""
    columns = ", ".join(
        f"{identifier(column.name)} {duckdb_type(column.type)}{' NOT NULL' if column.required else ''}"
        for column in table.columns
    )
    return f"CREATE TABLE {SCHEMA}.{table.name} ({columns})"


def added_columns(table: Table, stored: Mapping[str, tuple[str, bool]]) -> list[str]:
    """Statements that add the nullable columns which the contract has gained.

    Args:
        table: the contract.
        stored: the columns of the stored table: type, and whether they are required.

    Raises:
        ContractError: the stored table differs in any other way.
    """
    statements = []
    for column in table.columns:
        wanted = (str(DuckDBPyType(duckdb_type(column.type))), column.required)
        if column.name not in stored and not column.required:
            statements.append(f"ALTER TABLE {SCHEMA}.{table.name} ADD COLUMN {identifier(column.name)} {wanted[0]}")
        elif stored.get(column.name) != wanted:
            raise ContractError(
                f"{table.name}.{column.name}: the contract says {_shown(wanted)}, the warehouse has "
                f"{_shown(stored.get(column.name))}; only a new nullable column is added by itself: rename the old "
                "table away and materialize its days again"
            )
    if gone := sorted(set(stored) - set(table.column_names)):
        raise ContractError(
            f"{table.name}: the warehouse has column {', '.join(gone)}, which the contract lacks; declare it "
            f"again, or drop it: ALTER TABLE {SCHEMA}.{table.name} DROP COLUMN {gone[0]}"
        )
    return statements


def is_same_kind(given: DuckDBPyType, googlesql_type: str) -> bool:
    """Whether both hold the same kind of value, so that a cast changes the width alone and fails on overflow."""
    return _is_same_kind(given, DuckDBPyType(duckdb_type(googlesql_type)))


def _is_same_kind(given: DuckDBPyType, target: DuckDBPyType) -> bool:
    if given == target or given.id == "null":
        return True
    if target.id == "bigint":
        return given.id in _INTEGERS
    if target.id == "double":
        return given.id in ("float", "decimal")
    if target.id != given.id or target.id not in ("list", "struct"):
        return False
    ours, theirs = _parts(given), _parts(target)
    return list(ours) == list(theirs) and all(_is_same_kind(ours[name], theirs[name]) for name in ours)


def _parts(nested: DuckDBPyType) -> dict[str, DuckDBPyType]:
    return {name: part for name, part in nested.children if isinstance(part, DuckDBPyType)}


def _shown(column: tuple[str, bool] | None) -> str:
    return "no such column" if column is None else f"{column[0]}{' NOT NULL' if column[1] else ''}"
