"""Rendered SQL with open parameters, and the literals that fill them.

What a parameter may be belongs here, and how each engine writes it; what the SQL says does not.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache, lru_cache
from typing import NamedTuple, TypeAlias

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.generator import Generator


class Day(NamedTuple):
    """A day that is written, and the half-open range of instants that it covers."""

    event_date: date
    day_start: datetime
    day_end: datetime


Parameter: TypeAlias = date | datetime | int | str
Parameters: TypeAlias = Mapping[str, "Parameter | Sequence[Day]"]


class Template:
    """Rendered SQL whose parameters are filled in as literals, so that every engine sees constants to prune by."""

    def __init__(self, sql: str, dialect: str) -> None:
        """Split the SQL at its parameters."""
        self.sql = sql
        self._dialect = dialect
        marker = {"duckdb": r"\$", "bigquery": "@"}[dialect]
        parameter = rf"{marker}(?P<name>[a-z_][a-z0-9_]*)"
        self._pieces = [""]
        # A string literal is matched first, as a whole: what looks like a parameter in it is text.
        for part in re.finditer(rf"'(?:[^']|'')*'|{parameter}|.", sql, re.DOTALL):
            if part["name"]:
                self._pieces += [part["name"], ""]
            else:
                self._pieces[-1] += part[0]

    def fill(self, parameters: Parameters) -> str:
        """The SQL with every parameter as a literal.

        Raises:
            KeyError: a parameter of the query has no value.
        """
        pieces = list(self._pieces)
        pieces[1::2] = [self._literal(parameters[name]) for name in pieces[1::2]]
        return "".join(pieces)

    def _literal(self, value: "Parameter | Sequence[Day]") -> str:
        if isinstance(value, date | datetime | int | str):
            return _literal(value, self._dialect)
        # As a relation, in the words of each engine.
        rows = [[_literal(part, self._dialect) for part in day] for day in value]
        if self._dialect == "duckdb":
            listed = ", ".join(f"({', '.join(row)})" for row in rows)
            return f"(SELECT * FROM (VALUES {listed}) AS listed({', '.join(Day._fields)}))"
        structs = (", ".join(f"{part} AS {name}" for part, name in zip(row, Day._fields, strict=True)) for row in rows)
        listed = ", ".join(f"STRUCT({struct})" for struct in structs)
        return f"(SELECT {', '.join(f'listed.{name}' for name in Day._fields)} FROM UNNEST([{listed}]) AS listed)"


@lru_cache(maxsize=4096)
def _literal(value: Parameter, dialect: str) -> str:
    return _writer(dialect).generate(exp.convert(value))


@cache
def _writer(dialect: str) -> Generator:
    """SQLGlot's writer of a dialect, which where SQLGlot is compiled takes as long to make as sixty literals."""
    return Dialect.get_or_raise(dialect).generator()
