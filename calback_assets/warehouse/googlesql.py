"""GoogleSQL models: parsed once, held to the allow-list, and rendered for an engine with constant day ranges.

The bridge between `.sql` files and engines belongs here: parsing, the allow-list check, parameters, pruned inputs and
the fix-ups that SQLGlot's DuckDB rendering needs. Running SQL belongs in the warehouses.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.generator import Generator
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from calback_assets.days import Stretch
from calback_assets.errors import ModelError
from calback_assets.partitions import Reach
from calback_assets.tables import EVENT_DATE, Table
from calback_assets.warehouse.functions import ALLOWED, UNITS


class Day(NamedTuple):
    """A day that is written, and the half-open range of instants that it covers."""

    event_date: date
    day_start: datetime
    day_end: datetime


Parameter: TypeAlias = date | datetime | int | str
Parameters: TypeAlias = Mapping[str, "Parameter | Sequence[Day]"]

SCHEMA = "calback"

DAYS = "days"
"""The name under which every model may read the days that are written."""
_DIALECT = "bigquery"
_DAY_COLUMNS = dict(zip(Day._fields, ("DATE", "TIMESTAMP", "TIMESTAMP"), strict=True))
_SYNTAX = frozenset(
    (
        *("ALL", "AND", "AS", "BETWEEN", "BY", "CASE", "DISTINCT", "ELSE", "EXCEPT", "EXISTS", "FROM", "FULL", "IN"),
        *("INNER", "INTERSECT", "JOIN", "LEFT", "LIMIT", "NOT", "ON", "OR", "OVER", "QUALIFY", "RIGHT", "SELECT"),
        *("STRUCT", "THEN", "UNION", "UNNEST", "USING", "VALUES", "WHEN", "WHERE", "WITH"),
    )
)
"""Words that may stand before a parenthesis without calling a function."""

_WITHOUT_PARENTHESES = frozenset({"CURRENT_DATE", "CURRENT_DATETIME", "CURRENT_TIME", "CURRENT_TIMESTAMP"})
_ALLOWED_CALLS = frozenset(f"{name}(… {unit})" if unit else name for name in ALLOWED for unit in UNITS.get(name, {""}))


@dataclass(frozen=True)
class Input:
    """A table that a model reads, and which of its days, seen from each day that is written."""

    table: Table
    reach: Reach | None
    """None for a snapshot, which has no days."""


class Model:
    """One GoogleSQL query in a `.sql` file, with the tables it reads, checked and rendered as it is loaded.

    Every table in the query must be one of `inputs` (by its alias there) or a CTE; every function must be in the
    allow-list. Parameters are written `@name`. The query yields the rows of all days of a stretch, whose days it may
    join as `days`: `event_date` (DATE), and `day_start`, `day_end` (TIMESTAMP), its half-open bounds in the
    deployment's time zone. An input holds the days that any day of the stretch reads.

    Attributes:
        duckdb_template: the query for DuckDB, with its parameters still open.
        bigquery_template: the query for BigQuery, likewise.
        lineage: for each output column, the (table, column) pairs that it is made from.

    Raises:
        ModelError: the file does not parse, or uses a function, operator or table that it may not; names the file.
    """

    def __init__(self, path: Path, inputs: Mapping[str, Input]) -> None:
        """Parse, check and render the file: what is wrong with it is said when definitions load, not at midnight."""
        self.path = path
        self.inputs = dict(inputs)
        self.sql = path.read_text(encoding="utf-8")
        try:
            tokens = sqlglot.tokenize(self.sql, read=_DIALECT)
            tree = sqlglot.parse_one(self.sql, read=_DIALECT)
        except SqlglotError as error:
            raise ModelError(f"{path.name}: not GoogleSQL: {str(error).splitlines()[0]}") from error
        if not isinstance(tree, exp.Query):
            raise ModelError(f"{path.name}: not one query: a model is a single SELECT")
        self._tree = tree
        self._check_functions(tokens)
        self._check_tables()
        self.duckdb_template = self._for_duckdb()
        self.bigquery_template = self._for_bigquery()
        self.lineage = self._followed()

    def _check_functions(self, tokens: list[Token]) -> None:
        for call, line in _calls(tokens):
            if call not in _ALLOWED_CALLS:
                raise ModelError(
                    f"{self.path.name}, line {line}: {call} is not in the allow-list of GoogleSQL; add it to "
                    "warehouse/functions.py with conformance rows, or write the model without it"
                )
        if self._tree.find(exp.Div):
            raise ModelError(
                f"{self.path.name}: the operator / divides by zero differently on each engine; use SAFE_DIVIDE"
            )

    def _check_tables(self) -> None:
        ctes = {cte.alias for cte in self._tree.find_all(exp.CTE)}
        for table in self._tree.find_all(exp.Table):
            if table.db or table.name not in ctes | self.inputs.keys() | {DAYS}:
                raise ModelError(
                    f"{self.path.name}: reads {table.sql(_DIALECT)}, which is none of its inputs: "
                    f"{', '.join(sorted(self.inputs)) or 'it has none'}"
                )

            if table.args.get("joins"):
                raise ModelError(
                    f"{self.path.name}: the join in parentheses with {table.name} cannot be carried over; "
                    "write it as a sub-query"
                )

    def _for_duckdb(self) -> "Template":
        tree = self._with_pruned_inputs()
        _lists_for_correlated_unnest(tree)
        _aware_timestamps(tree)
        _googlesql_values(tree)
        _unmaterialized(tree)
        return Template(tree.sql("duckdb", pretty=True), "duckdb")

    def _for_bigquery(self) -> "Template":
        """The query as the file writes it, over pruned inputs in the job's default dataset."""
        return Template(self._with_pruned_inputs(schema=None).sql(_DIALECT, pretty=True), _DIALECT)

    def _with_pruned_inputs(self, schema: str | None = SCHEMA) -> exp.Expr:
        """A copy of the query in which every input is a sub-query over its columns and its range of days."""
        tree = self._tree.copy()
        ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            if table.name in ctes:
                continue
            if table.name == DAYS:
                table.set("this", exp.Parameter(this=exp.var(DAYS)))
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.alias or DAYS)))
                continue
            source = self.inputs[table.name]
            pruned = exp.select(*source.table.column_names).from_(exp.table_(source.table.name, db=schema))
            if source.reach is not None:
                day = exp.column(EVENT_DATE)
                pruned = pruned.where(
                    day >= exp.Parameter(this=exp.var(f"{table.name}_from")),
                    day < exp.Parameter(this=exp.var(f"{table.name}_until")),
                )
            table.replace(pruned.subquery(table.alias_or_name))
        return tree

    def _followed(self) -> dict[str, frozenset[tuple[str, str]]]:
        """The lineage, followed on the DuckDB form, where a look-up in an UNNEST is a plain column reference."""
        tree = self._tree.copy()
        _lists_for_correlated_unnest(tree)
        schema: dict[str, object] = {DAYS: _DAY_COLUMNS}
        schema |= {
            alias: {column.name: column.type for column in source.table.columns}
            for alias, source in self.inputs.items()
        }
        qualified = qualify(
            tree, dialect=_DIALECT, schema=schema, quote_identifiers=False, validate_qualify_columns=False
        )
        scope = build_scope(qualified)
        if not isinstance(qualified, exp.Query):
            raise ModelError(f"{self.path.name}: not a query")
        return {
            name: frozenset(
                self._origins(lineage(name, qualified, scope=scope, dialect=_DIALECT, trim_selects=False, copy=False))
            )
            for name in qualified.named_selects
        }

    def _origins(self, root: Node) -> Iterator[tuple[str, str]]:
        for node in root.walk():
            if isinstance(node.source, exp.Table) and node.source.name in self.inputs:
                yield self.inputs[node.source.name].table.name, exp.to_column(node.name).name

    @property
    def reads(self) -> Mapping[str, Reach]:
        """The tables of which a day reads its own day, and perhaps others."""
        return {
            source.table.name: source.reach
            for source in self.inputs.values()
            if source.reach and source.reach.covers_its_day
        }

    def rows_read(self, written: Mapping[str, Mapping[date, int]], day: date) -> int:
        """How many rows a day reads, by the rows of each written day of the tables that it reads."""
        windows = (
            (written[name], *reach.of(Stretch.on(day), date.min, date.max)) for name, reach in self.reads.items()
        )
        return sum(
            days.get(start + timedelta(days=age), 0)
            for days, start, end in windows
            for age in range((end - start).days)
        )

    def window_parameters(self, stretch: Stretch, first: date, last: date) -> dict[str, Parameter]:
        """The day ranges of the inputs when a stretch is written, half open, within the data set's days.

        Args:
            stretch: the partitions that are written.
            first: the first partition of the data set; no input reaches further back.
            last: the last partition that may exist; no input reaches further on.
        """
        parameters: dict[str, Parameter] = {}
        for alias, source in self.inputs.items():
            if source.reach is not None:
                start, end = source.reach.of(stretch, first, last)
                parameters[f"{alias}_from"] = start
                parameters[f"{alias}_until"] = end
        return parameters


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


def _calls(tokens: list[Token]) -> Iterator[tuple[str, int]]:
    """Every function call as the file writes it, with its line; a date part that a call ends with is part of it."""
    for index, token in enumerate(tokens[:-1]):
        name = token.text.upper()
        is_call = name in _WITHOUT_PARENTHESES or tokens[index + 1].token_type is TokenType.L_PAREN
        is_word = re.fullmatch(r"[A-Z_]\w*", name) and token.token_type is not TokenType.STRING
        if not is_call or not is_word or name in _SYNTAX:
            continue
        if index > 1 and tokens[index - 1].token_type is TokenType.DOT:
            name = f"{tokens[index - 2].text.upper()}.{name}"
        if name in UNITS:
            name = f"{name}(… {_last_word(tokens, index + 1)})"
        yield name, token.line


def _last_word(tokens: list[Token], opening: int) -> str:
    """The last token within the parentheses that open at the index."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[index].token_type, 0)
        if depth == 0:
            return tokens[index - 1].text.upper()
    return tokens[-1].text.upper()


def _lists_for_correlated_unnest(tree: exp.Expr) -> None:
    """Turn sub-queries over one UNNEST into list functions, in place.

    SQLGlot renders `(SELECT … FROM UNNEST(params) AS p WHERE … LIMIT 1)` as a correlated join, which DuckDB runs
    8 times slower and with 6 times the memory of `LIST_FILTER`.
    """
    for node in list(tree.find_all(exp.Array, exp.Subquery)):
        select = node.this if isinstance(node, exp.Subquery) else next(iter(node.expressions), None)
        if not isinstance(select, exp.Select) or not isinstance(node.parent, exp.Expr):
            continue
        source = select.args.get("from_")
        if source is None or not isinstance(source.this, exp.Unnest):
            continue
        is_first = isinstance(node, exp.Subquery)
        if isinstance(node.parent, exp.From | exp.Join) or not _is_plain(select, is_first=is_first):
            continue
        items = _list_of(select, source.this)
        if is_first:
            node.replace(exp.Bracket(this=items, expressions=[exp.Literal.number(1)], offset=1))
        else:
            # ARRAY over a NULL array is empty in BigQuery.
            node.replace(exp.Coalesce(this=items, expressions=[exp.Array()]))


def _is_plain(select: exp.Select, *, is_first: bool) -> bool:
    """Whether list functions say the same: one expression of each item, a filter at most, sorted by itself at most."""
    clauses = {name for name, value in select.args.items() if value} - {"expressions", "from_", "where"}
    unnest = select.args["from_"].this
    if unnest.args.get("offset") or not unnest.args.get("alias") or len(select.expressions) != 1:
        return False
    if select.find(exp.AggFunc, exp.Window):
        return False
    if is_first:
        return clauses == {"limit"} and select.args["limit"].expression.name == "1"
    return not clauses or (clauses == {"order"} and select.args["order"].sql().strip() == "ORDER BY 1")


def _list_of(select: exp.Select, unnest: exp.Unnest) -> exp.Expr:
    (projection,) = select.expressions
    parameter = unnest.args["alias"].columns[0].name
    items: exp.Expr = unnest.expressions[0].copy()
    if where := select.args.get("where"):
        items = exp.func("LIST_FILTER", items, _lambda(parameter, where.this))
    items = exp.func("LIST_TRANSFORM", items, _lambda(parameter, projection))
    if select.args.get("order"):
        items = exp.func("LIST_SORT", items, exp.Literal.string("ASC"), exp.Literal.string("NULLS FIRST"))
    return items


def _lambda(parameter: str, body: exp.Expr) -> exp.Lambda:
    def field(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.parts[0].name == parameter:
            return exp.Dot.build([part.copy() for part in node.parts]) if len(node.parts) > 1 else node.this.copy()
        return node

    return exp.Lambda(this=body.copy().transform(field), expressions=[exp.to_identifier(parameter)], colon=True)


def _aware_timestamps(tree: exp.Expr) -> None:
    """Render TIMESTAMP_MICROS as a time-zone-aware timestamp, in place; SQLGlot's own rendering is naive."""
    for node in list(tree.find_all(exp.UnixToTime)):
        node.replace(exp.func("MAKE_TIMESTAMPTZ", node.this.copy()))


def _googlesql_values(tree: exp.Expr) -> None:
    """Give expressions the types and values of GoogleSQL, in place.

    A DATE_TRUNC of a day is a day, and so is a DATE_SUB, 2.5 is a FLOAT64, and a COUNTIF over no rows is 0, where
    DuckDB's is NULL.
    """
    for earlier in list(tree.find_all(exp.DateSub)):
        age = exp.cast(earlier.expression.copy(), "INT")  # An interval taken from a day would make a timestamp of it.
        earlier.replace(exp.paren(exp.Sub(this=earlier.this.copy(), expression=age), copy=False))
    for counted in list(tree.find_all(exp.CountIf)):
        is_true = exp.Case(ifs=[exp.If(this=counted.this.copy(), true=exp.Literal.number(1))])
        counted.replace(exp.Count(this=is_true))
    for truncated in list(tree.find_all(exp.DateTrunc)):
        truncated.replace(exp.cast(truncated.copy(), "DATE"))
    for literal in list(tree.find_all(exp.Literal)):
        if literal.is_number and not literal.is_int:
            literal.replace(exp.cast(literal.copy(), "DOUBLE"))


def _unmaterialized(tree: exp.Expr) -> None:
    """Let DuckDB run a CTE wherever it is read, in place.

    It would hold one that is read twice in memory, nested columns and all: 40 % of the peak
    of a day of a million events.
    """
    for cte in tree.find_all(exp.CTE):
        cte.set("materialized", False)
