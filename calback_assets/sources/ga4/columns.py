"""The columns of `raw_events` from rows of the export that DuckDB reads, whatever holds them.

Which columns are wanted, and how those that are there become the contract's, belongs here; where the rows come from
does not.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from duckdb.sqltypes import DuckDBPyType

from calback_assets.sources.coercion import Refuse, coerce, failure, fields_of, identifier, stored_type
from calback_assets.sources.ga4.export import FIELDS, OURS, REQUIRED, TIMESTAMP, Part, day_of, is_within
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_EVENTS


@cache
def wanted() -> Mapping[str, DuckDBPyType]:
    """The columns of the export that are read, in the types in which they are stored."""
    structs: dict[str, list[str]] = {}
    plain: dict[str, DuckDBPyType] = {}
    for column in RAW_EVENTS.columns:
        if column.name in FIELDS:
            struct, field = FIELDS[column.name]
            structs.setdefault(struct, []).append(f"{identifier(field)} {stored_type(column.type)}")
        elif column.name not in OURS:
            plain[column.name] = stored_type(column.type)
    return plain | {struct: DuckDBPyType(f"STRUCT({', '.join(fields)})") for struct, fields in structs.items()}


def select(
    scan: str,
    columns: Mapping[str, DuckDBPyType],
    part: Part[Any],
    zone: ZoneInfo,
    refuse: Refuse,
    *,
    is_final: bool,
    is_timed: bool = False,
) -> str:
    """The SQL that reads the events of a part as `raw_events`; a value that would have to be changed ends it.

    Args:
        scan: what is read, as SQL.
        columns: those that it has.
        part: its days are those of the events.
        zone: what a day is.
        refuse: makes the error for what is read as a whole.
        is_final: whether it will not be rewritten.
        is_timed: whether it is known that every event has its timestamp.

    Raises:
        SourceError: a column is of a type that can never hold what it should.
    """
    expressions = _expressions(columns, refuse)
    timestamp = expressions[TIMESTAMP]
    if not is_timed:
        timestamp = f"coalesce({timestamp}, {failure(is_missing(TIMESTAMP))})"
    expressions[EVENT_DATE] = day_of(timestamp, part, zone)
    expressions["is_final"] = str(is_final).lower()
    selected = ",\n  ".join(f"{expressions[name]} AS {identifier(name)}" for name in RAW_EVENTS.column_names)
    return f"SELECT\n  {selected}\nFROM {scan}\nWHERE {is_within(timestamp, part, zone)}"


def _expressions(columns: Mapping[str, DuckDBPyType], refuse: Refuse) -> dict[str, str]:
    """The SQL that reads each column of the contract from what has these columns."""
    expressions = {}
    for column in RAW_EVENTS.columns:
        if column.name in OURS:
            continue
        target = stored_type(column.type)
        source_name, *field = FIELDS.get(column.name, (column.name,))
        source, value, name = columns.get(source_name), identifier(source_name), source_name
        if field and source is not None:
            if source.id not in ("struct", "null"):
                raise refuse(f"column {source_name} is {source.id.upper()} where STRUCT is expected")
            source = fields_of(source).get(field[0]) if source.id == "struct" else None
            value, name = f"{value}.{identifier(field[0])}", f"{source_name}.{field[0]}"
        if source is None:
            expressions[column.name] = f"CAST(NULL AS {target})"
            continue
        expression = coerce(value, source, target, name=name, refuse=refuse)
        if column.name in REQUIRED and column.name != TIMESTAMP:
            expression = f"coalesce({expression}, {failure(is_missing(name))})"
        expressions[column.name] = expression
    return expressions


def no_rows() -> str:
    """A query that has the contract's columns, and no row."""
    columns = (f"CAST(NULL AS {stored_type(c.type)}) AS {identifier(c.name)}" for c in RAW_EVENTS.columns)
    return f"SELECT {', '.join(columns)} WHERE false"


def is_missing(name: str) -> str:
    """The sentence for a value that every event has, and one has not."""
    return f"{name} is missing"
