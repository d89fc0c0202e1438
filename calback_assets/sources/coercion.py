"""Bringing what a file holds into the types of a contract, exactly or not at all.

The rules for a value that comes in another form than its contract's (an INT64 as text or as a double, a
struct that lacks fields) belong here: as DuckDB SQL, and once more as Python for the search of an offending
line. Which columns are read from which file is for the sources to say.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from calback_assets.errors import SourceError

Refuse: TypeAlias = Callable[[str], SourceError]
"""Makes the error for a file or table that is not what it should be, of what is wrong with it."""
_NARROW_INTEGERS = frozenset({"tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger"})
_WIDE_INTEGERS = frozenset({"ubigint", "hugeint", "uhugeint"})
_INTEGER_TEXT = "-?[0-9]{1,19}"
_INT64_RANGE = range(-(2**63), 2**63)
_EXACT_DOUBLE = 2**53
"""Up to here a double holds every integer; beyond, its digits are no longer those that were sent."""
_OBJECT_SIZE = 2**24
"""DuckDB's own."""
_MARK = "calback: "
"""Opens the messages that our own SQL raises, which, unlike DuckDB's, hold no value."""


@cache
def stored_type(googlesql: str) -> DuckDBPyType:
    """The DuckDB type in which a contract's GoogleSQL type is stored."""
    return DuckDBPyType(exp.DataType.build(googlesql, dialect="bigquery").sql(dialect="duckdb"))


def json_type(target: DuckDBPyType) -> DuckDBPyType:
    """The type in which DuckDB has to read a JSON value that shall become `target`.

    Integers and booleans are read as text: DuckDB reads 1.5 into a BIGINT as 2, and into a BOOLEAN as true.
    """
    if target.id == "list":
        return DuckDBPyType(f"{json_type(_item(target))}[]")
    if target.id == "struct":
        fields = (f"{identifier(name)} {json_type(type_)}" for name, type_ in fields_of(target).items())
        return DuckDBPyType(f"STRUCT({', '.join(fields)})")
    return DuckDBPyType("VARCHAR") if target.id in ("bigint", "boolean") else target


def coerce(value: str, source: DuckDBPyType, target: DuckDBPyType, *, name: str, refuse: Refuse) -> str:
    """An SQL expression that is `value`, of type `source`, as `target`; it raises rather than change a value.

    Args:
        value: SQL expression.
        source: its type.
        target: the type to come to.
        name: of the column, for messages.
        refuse: makes the error of what is wrong with the whole.

    Raises:
        SourceError: no value of type `source` can be taken for a `target`.
    """
    if source == target:
        return value
    if source.id == "null":
        return f"CAST(NULL AS {target})"
    if target.id == source.id == "list":
        item = coerce("x", _item(source), _item(target), name=name, refuse=refuse)
        return f"list_transform({value}, lambda x: {item})"
    if target.id == source.id == "struct":
        return _coerce_struct(value, source, target, name=name, refuse=refuse)
    taken = exact(value, source, target, name=name, refuse=refuse)
    return f"CASE WHEN {value} IS NOT NULL THEN coalesce({taken}, {failure(not_a(target, name))}) END"


def exact(value: str, source: DuckDBPyType, target: DuckDBPyType, *, name: str, refuse: Refuse) -> str:
    """An SQL expression that is a `value` which is no list or struct, as `coerce`, but NULL where that would raise.

    Raises:
        SourceError: no value of type `source` can be taken for a `target`.
    """
    if source.id == "null":
        return f"CAST(NULL AS {target})"
    taken = value if source == target else _exact(value, source.id, target.id)
    if taken is None:
        raise refuse(f"column {name} is {source.id.upper()} where {target.id.upper()} is expected")
    return taken


def _coerce_struct(value: str, source: DuckDBPyType, target: DuckDBPyType, *, name: str, refuse: Refuse) -> str:
    found = fields_of(source)
    parts = (
        f"{identifier(field)} := "
        + (
            coerce(f"{value}.{identifier(field)}", found[field], type_, name=f"{name}.{field}", refuse=refuse)
            if field in found
            else f"CAST(NULL AS {type_})"
        )
        for field, type_ in fields_of(target).items()
    )
    return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"


def _exact(value: str, source: str, target: str) -> str | None:
    """An expression that is NULL where `value` is not exactly a `target`; None where none can be."""
    match target, source:
        case "bigint", "varchar":
            digits = f"CASE WHEN regexp_full_match({value}, '{_INTEGER_TEXT}') THEN {value} END"
            return f"TRY_CAST({digits} AS BIGINT)"
        case "bigint", "double" | "float":
            fits = f"{value} = trunc({value}) AND abs({value}) <= {_EXACT_DOUBLE}"
            return f"CASE WHEN {fits} THEN CAST({value} AS BIGINT) END"
        case "boolean", "varchar":
            return f"CASE {value} WHEN 'true' THEN true WHEN 'false' THEN false END"
        case ("bigint", _) if source in _NARROW_INTEGERS | _WIDE_INTEGERS:
            return f"TRY_CAST({value} AS BIGINT)"
        case ("double", _) if source in _NARROW_INTEGERS | {"float", "bigint"}:
            return f"CAST({value} AS DOUBLE)"
        case ("varchar", _) if source in _NARROW_INTEGERS | _WIDE_INTEGERS | {"bigint", "enum"}:
            return f"CAST({value} AS VARCHAR)"
    return None


def mismatch(value: object, target: DuckDBPyType, name: str) -> str | None:
    """What is wrong with a value that Python parsed from JSON, by the rules of `json_type` and `coerce`.

    Returns:
        The column and what it should be, never the value; None where the value can be taken.
    """
    if value is None:
        return None
    if target.id == "list":
        if not isinstance(value, list):
            return not_a(target, name)
        return next(filter(None, (mismatch(item, _item(target), name) for item in value)), None)
    if target.id == "struct":
        if not isinstance(value, dict):
            return not_a(target, name)
        fields = fields_of(target).items()
        return next(filter(None, (mismatch(value.get(f), type_, f"{name}.{f}") for f, type_ in fields)), None)
    return None if _is_a(value, target.id) else not_a(target, name)


def _is_a(value: object, target: str) -> bool:
    match target:
        case "bigint":
            text = value if isinstance(value, str) else str(value)
            return re.fullmatch(_INTEGER_TEXT, text) is not None and int(text) in _INT64_RANGE
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        case "double":
            try:
                return isinstance(value, str | int | float) and float(value) is not None
            except ValueError:
                return False
    return True


def not_a(target: DuckDBPyType, name: str) -> str:
    """The sentence for a value that is not what its column holds."""
    kinds = {
        "bigint": "an INT64",
        "double": "a FLOAT64",
        "boolean": "a BOOL",
        "list": "an ARRAY",
        "struct": "a STRUCT",
    }
    return f"{name} is not {kinds[target.id]}" if target.id in kinds else f"{name} is not a {target}"


def failure(problem: str) -> str:
    """An SQL expression that raises `problem`, so that `own_message` finds it again."""
    return f"error({literal(_MARK + problem)})"


def failing(problem: str) -> str:
    """As `failure`, for a problem that is an SQL expression itself."""
    return f"error({literal(_MARK)} || {problem})"


def own_message(error: Exception) -> str | None:
    """The problem that `failure` raised; None where the error is DuckDB's own and may quote a value."""
    found = re.search(f"{_MARK}(.*)", str(error))
    return found[1] if found else None


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """An SQL name."""
    return '"' + name.replace('"', '""') + '"'


def object_size(longest: int) -> int:
    """What to tell DuckDB's JSON reader of the longest line: each thread reads into a buffer twice as large."""
    return max(_OBJECT_SIZE, longest + 1)


def _item(array: DuckDBPyType) -> DuckDBPyType:
    return fields_of(array)["child"]


def fields_of(nested: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """The fields of a struct, by name; of a list, its one `child`."""
    return {name: type_ for name, type_ in nested.children if isinstance(type_, DuckDBPyType)}
