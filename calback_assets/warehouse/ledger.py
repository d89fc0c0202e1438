"""What the ledgers of partitions have in common: which entries a change makes stale, as conditions on them.

Conditions that every engine understands belong here; how an engine keeps its ledger stands in `duckdb.ledger` and
`bigquery.ledger`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

from calback_assets.days import Stretch, stretches
from calback_assets.partitions import SAME_DAY, Reach
from calback_assets.tables import EVENT_DATE, Table

Dependents: TypeAlias = Mapping[str, Sequence[tuple[str, Reach]]]
"""For each table, the partitioned tables that read it and the days they read."""


def within(start: date, end: date) -> str:
    """The condition on a half-open range of days; constant, so that it prunes partitions."""
    return f"{EVENT_DATE} >= DATE '{start}' AND {EVENT_DATE} < DATE '{end}'"


def during(stretch: Stretch) -> str:
    """The condition on the days of a stretch, in the form that prunes partitions."""
    return within(stretch.first, stretch.until)


def listed(days: Iterable[date]) -> str:
    """Days for an IN."""
    return ", ".join(f"DATE '{day}'" for day in days)


def of_table(name: str, days: str) -> str:
    """The condition on a table's entries for days that a condition names."""
    return f"(table_name = '{name}' AND {days})"


def in_tables(names: Iterable[str]) -> str:
    """The condition on the entries of tables."""
    quoted = [f"'{name}'" for name in names]
    return f"table_name IN ({', '.join(quoted)})" if quoted else "FALSE"


def staled_by(
    table: Table, days: Iterable[date], rippled: Sequence[date], dependents: Dependents
) -> tuple[list[str], list[str]]:
    """Conditions on the entries that a write of days may make stale: of the table itself, and of those that read it.

    Args:
        table: what is written.
        days: its days.
        rippled: other days of the table that change with them.
        dependents: who reads it.
    """
    own = [of_table(table.name, f"{EVENT_DATE} IN ({listed(rippled)})")] if rippled else []
    others = [
        of_table(name, within(*reach.dependents(stretch)))
        for stretch in stretches(days)
        for name, reach in dependents.get(table.name, ())
    ]
    return own, others


def is_watched(table: Table, dependents: Dependents) -> bool:
    """Whether other days hang on whether a day of the table has changed."""
    return any(reach != SAME_DAY for _, reach in dependents.get(table.name, ()))
