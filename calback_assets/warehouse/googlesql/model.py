"""GoogleSQL models: parsed once, held to the allow-list, and rendered for an engine with constant day ranges.

Parsing, the allow-list check, pruned inputs and lineage belong here. Parameters stand in `template`, what DuckDB needs
in `duckdb_rendering`; running SQL belongs in the warehouses.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from calback_assets.days import Stretch
from calback_assets.errors import ModelError
from calback_assets.partitions import Reach
from calback_assets.tables import EVENT_DATE, Table
from calback_assets.warehouse.googlesql.duckdb_rendering import (
    aware_timestamps,
    googlesql_values,
    lists_for_correlated_unnest,
    unmaterialized,
)
from calback_assets.warehouse.googlesql.functions import ALLOWED, UNITS
from calback_assets.warehouse.googlesql.template import Day, Parameter, Template

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
    """One GoogleSQL query in a `.sql` file, with the tables it reads, checked as it is loaded.

    Every table in the query must be one of `inputs` (by its alias there) or a CTE; every function must be in the
    allow-list. Parameters are written `@name`. The query yields the rows of all days of a stretch, whose days it may
    join as `days`: `event_date` (DATE), and `day_start`, `day_end` (TIMESTAMP), its half-open bounds in the
    deployment's time zone. An input holds the days that any day of the stretch reads.

    Raises:
        ModelError: the file does not parse, or uses a function, operator or table that it may not; names the file.
    """

    def __init__(self, path: Path, inputs: Mapping[str, Input]) -> None:
        """Parse and check the file: what is wrong with it is said when definitions load, not at midnight."""
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
        for name in tree.find_all(exp.Identifier):
            name.meta.clear()  # Where it stands in the file, which every copy of the tree would copy.
        self._tree = tree
        self._check_functions(tokens)
        self._check_tables()

    def _check_functions(self, tokens: list[Token]) -> None:
        for call, line in _calls(tokens):
            if call not in _ALLOWED_CALLS:
                raise ModelError(
                    f"{self.path.name}, line {line}: {call} is not in the allow-list of GoogleSQL; add it to "
                    "warehouse/googlesql/functions.py with conformance rows, or write the model without it"
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

    @cached_property
    def duckdb_template(self) -> Template:
        """The query for DuckDB, over pruned inputs in our schema, with its parameters still open."""
        tree = self._with_pruned_inputs()
        lists_for_correlated_unnest(tree)
        aware_timestamps(tree)
        googlesql_values(tree)
        unmaterialized(tree)
        return Template(tree.sql("duckdb", pretty=True, copy=False), "duckdb")

    @cached_property
    def bigquery_template(self) -> Template:
        """The query as the file writes it, over pruned inputs in the job's default dataset."""
        return Template(self._with_pruned_inputs(schema=None).sql(_DIALECT, pretty=True, copy=False), _DIALECT)

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
            columns = [exp.column(name) for name in source.table.column_names]
            pruned = exp.Select(expressions=columns).from_(exp.table_(source.table.name, db=schema), copy=False)
            if source.reach is not None:
                day = exp.column(EVENT_DATE)
                pruned = pruned.where(
                    day >= exp.Parameter(this=exp.var(f"{table.name}_from")),
                    day < exp.Parameter(this=exp.var(f"{table.name}_until")),
                    copy=False,
                )
            table.replace(pruned.subquery(table.alias_or_name, copy=False))
        return tree

    @cached_property
    def lineage(self) -> Mapping[str, frozenset[tuple[str, str]]]:
        """For each output column, the (table, column) pairs that it is made from.

        Those are the ones whose values go into it, and of a count the keys of the rows that it counts. The day that is
        written is that of what is read.

        Raises:
            ModelError: the query, its columns resolved, is none.
        """
        # On the DuckDB form a look-up in an UNNEST is a plain column reference.
        tree = self._tree.copy()
        lists_for_correlated_unnest(tree)
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
            name: self._origins(lineage(name, qualified, scope=scope, dialect=_DIALECT, trim_selects=False, copy=False))
            for name in qualified.named_selects
        }

    def _origins(self, root: Node) -> frozenset[tuple[str, str]]:
        values, is_day = self._values(root)
        if is_day and not values:
            values = self._written_days
        if not values or any(map(_counts_rows, root.walk())):
            tables = {table for table, _ in values} or {source.table for source in self.inputs.values()}
            values |= {(table, name) for table in tables for name in table.key or (EVENT_DATE,)}
        return frozenset((table.name, column) for table, column in values)

    def _values(self, node: Node) -> tuple[frozenset[tuple[Table, str]], bool]:
        """The columns whose values go into a node, and whether the day that is written does."""
        if isinstance(node.source, exp.Table):
            source = self.inputs.get(node.source.name)
            column = exp.to_column(node.name).name
            return frozenset({(source.table, column)} if source else ()), node.source.name == DAYS
        parts = [self._values(below) for below in node.downstream]
        values = frozenset().union(*(values for values, _ in parts))
        # SQLGlot numbers the columns of a UNION's parts. One that has the day alone has that of its own rows.
        is_of_union = any(str(below.name).isdigit() for below in node.downstream)
        if is_of_union and any(is_day and not of_part for of_part, is_day in parts):
            values |= self._written_days
        return values, any(is_day for _, is_day in parts)

    @property
    def _written_days(self) -> frozenset[tuple[Table, str]]:
        return frozenset((source.table, EVENT_DATE) for source in self.inputs.values() if source.reach)

    @property
    def reads(self) -> Mapping[str, Reach]:
        """The tables of which a day reads its own day, and perhaps others."""
        return {
            source.table.name: source.reach
            for source in self.inputs.values()
            if source.reach and source.reach.covers_its_day
        }

    def rows_read(self, written: Mapping[str, Mapping[date, int]], stretch: Stretch) -> int:
        """How many rows a stretch reads, by the rows of each written day of the tables that it reads.

        What is joined with `days` is there once for each day of the stretch whose window it is in; all else once.
        """
        days_of_fanned = [Stretch.on(day) for day in stretch.days]
        total = 0
        for alias, source in self.inputs.items():
            if source.reach is None or not source.reach.covers_its_day:
                continue
            rows = written[source.table.name]
            for seen_from in days_of_fanned if alias in self._fanned_out else [stretch]:
                start, end = source.reach.of(seen_from, date.min, date.max)
                total += sum(rows.get(start + timedelta(days=age), 0) for age in range((end - start).days))
        return total

    @cached_property
    def _fanned_out(self) -> Collection[str]:
        """The inputs whose rows a join with `days` repeats, before anything has grouped them."""
        ctes = {cte.alias: cte.this for cte in self._tree.find_all(exp.CTE)}

        def ungrouped(relation: exp.Expr) -> set[str]:
            """The inputs, and `days`, whose rows a relation may pass on one by one."""
            if isinstance(relation, exp.Table):
                return ungrouped(ctes[relation.name]) if relation.name in ctes else {relation.name}
            if isinstance(relation, exp.Select):
                return set() if relation.args.get("group") else joined(relation)
            if isinstance(relation, exp.SetOperation):
                return ungrouped(relation.left) | ungrouped(relation.right)
            return ungrouped(relation.this) if isinstance(relation, exp.Subquery) else set()

        def joined(select: exp.Select) -> set[str]:
            sources = [select.args.get("from_"), *select.args.get("joins", ())]
            return set().union(*(ungrouped(source.this) for source in sources if source))

        joins = [joined(select) for select in self._tree.find_all(exp.Select) if select.args.get("joins")]
        return set().union(*(sources for sources in joins if DAYS in sources)) - {DAYS}

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


def _counts_rows(node: Node) -> bool:
    counts = node.expression.find_all(exp.Count, exp.CountIf)
    return any(not isinstance(count.this, exp.Distinct) for count in counts)


def _last_word(tokens: list[Token], opening: int) -> str:
    """The last token within the parentheses that open at the index."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[index].token_type, 0)
        if depth == 0:
            return tokens[index - 1].text.upper()
    return tokens[-1].text.upper()
