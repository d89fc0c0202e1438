"""Bringing what a BigQuery table holds into the types of a contract, exactly or not at all.

The rules of `coercion`, for tables instead of files: the GoogleSQL for a column that comes in another type than its
contract's, or that lacks fields, or that is not there. Which columns are read from which table is for the sources
to say.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from sqlglot import exp

from calback_assets.errors import SourceError
from calback_assets.sources.bigquery.query import Dataset
from calback_assets.tables.contract import Table

_Type = exp.DataType.Type
_EXACT_DOUBLE = 2**53
"""Up to here a double holds every integer; beyond, its digits are no longer those that were sent."""


class TableColumns:
    """The columns of one table, as GoogleSQL expressions in the types of a contract."""

    def __init__(
        self, dataset: Dataset, table: str, columns: Mapping[str, str], *, alias: str, required: Iterable[str]
    ) -> None:
        """Takes what the catalog told.

        Args:
            dataset: that of the table.
            table: its name in the dataset.
            columns: GoogleSQL types by column.
            alias: the table's name in the query.
            required: columns that the table cannot lack.

        Raises:
            SourceError: the table lacks one of them.
        """
        self._dataset = dataset
        self._table = table
        self._columns = columns
        self._alias = alias
        for name in required:
            if name not in columns:
                raise dataset.problem(table, f"no column {name}, which every row must have")

    def read(self, target: str, name: str, *fields: str) -> str:
        """A column, or a field within it, as a `target`; NULL where the table has none.

        A value that would have to be changed ends the query with an error.

        Raises:
            SourceError: no value of the column's type can be taken for a `target`.
        """
        value, source = f"{self._alias}.{_quoted(name)}", self._type(name)
        for field in fields:
            if source is None:
                break
            if source.this is not _Type.STRUCT:
                raise self._impossible(source, "STRUCT", name)
            value, name, source = f"{value}.{_quoted(field)}", f"{name}.{field}", _fields(source).get(field)
        return _null(target) if source is None else self._coerce(value, source, _parsed(target), name)

    def has(self, name: str, *fields: str) -> bool:
        """Whether the table has a column, and this field within it."""
        source = self._type(name)
        for field in fields:
            source = _fields(source).get(field) if source is not None else None
        return source is not None

    def filled(self, value: str, name: str) -> str:
        """The value, whose NULL ends the query with an error that names the column."""
        return f"IFNULL({value}, {self._failure(f'{name} is missing')})"

    def _type(self, name: str) -> exp.DataType | None:
        return _parsed(self._columns[name]) if name in self._columns else None

    def _coerce(self, value: str, source: exp.DataType, target: exp.DataType, name: str) -> str:
        if source == target:
            return value
        match target.this, source.this:
            case _Type.ARRAY, _Type.ARRAY:
                item = self._coerce("item", _item(source), _item(target), name)
                items = f"UNNEST({value}) AS item WITH OFFSET AS position"
                return f"ARRAY(SELECT {item} FROM {items} ORDER BY position)"
            case _Type.STRUCT, _Type.STRUCT:
                return self._coerce_struct(value, source, target, name)
            case (_Type.TEXT | _Type.DOUBLE, _Type.BIGINT):
                return f"CAST({value} AS {_sql(target)})"
            case _Type.BIGINT, _Type.TEXT:
                exact = f"IF(REGEXP_CONTAINS({value}, '^-?[0-9]{{1,19}}$'), SAFE_CAST({value} AS INT64), NULL)"
            case _Type.BIGINT, _Type.DOUBLE:
                is_exact = f"{value} = TRUNC({value}) AND ABS({value}) <= {_EXACT_DOUBLE}"
                exact = f"IF({is_exact}, SAFE_CAST({value} AS INT64), NULL)"
            case _Type.BOOLEAN, _Type.TEXT:
                exact = f"CASE {value} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
            case _:
                raise self._impossible(source, _kind(target), name)
        failure = self._failure(f"{name} does not hold an exact {_kind(target)}")
        return f"IF({value} IS NULL, NULL, IFNULL({exact}, {failure}))"

    def _coerce_struct(self, value: str, source: exp.DataType, target: exp.DataType, name: str) -> str:
        found = _fields(source)
        # A STRUCT is matched by position, so every field of the contract has to stand in its place.
        parts = (
            self._coerce(f"{value}.{_quoted(field)}", found[field], type_, f"{name}.{field}")
            if field in found
            else _null(_sql(type_))
            for field, type_ in _fields(target).items()
        )
        named = (f"{part} AS {_quoted(field)}" for part, field in zip(parts, _fields(target), strict=True))
        return f"IF({value} IS NULL, NULL, STRUCT({', '.join(named)}))"

    def _impossible(self, source: exp.DataType, target: str, name: str) -> SourceError:
        return self._dataset.problem(self._table, f"column {name} is {_kind(source)} where {target} is expected")

    def _failure(self, problem: str) -> str:
        """A GoogleSQL expression that ends the query with the problem; the value, perhaps personal, is not told."""
        message = f"{self._dataset.name}.{self._table}: {problem}. Correct or remove such rows."
        return f"ERROR('{message}')"


def select(table: Table, expressions: Mapping[str, str]) -> str:
    """The SELECT list that gives a contract's columns, in its order."""
    return "SELECT\n  " + ",\n  ".join(f"{expressions[name]} AS {_quoted(name)}" for name in table.column_names)


def no_rows(table: Table) -> str:
    """A query that has the contract's columns, and no row."""
    return f"{select(table, {column.name: _null(column.type) for column in table.columns})}\nLIMIT 0"


@cache
def _parsed(googlesql: str) -> exp.DataType:
    type_ = exp.DataType.build(googlesql, dialect="bigquery")
    for name in type_.find_all(exp.Identifier):
        name.set("quoted", True)  # A field is the same field with backticks and without.
    return type_


def _sql(type_: exp.DataType) -> str:
    return type_.sql(dialect="bigquery")


def _kind(type_: exp.DataType) -> str:
    """The type's name, without its fields."""
    return _sql(exp.DataType(this=type_.this))


def _item(array: exp.DataType) -> exp.DataType:
    item: exp.DataType = array.expressions[0]
    return item


def _fields(struct: exp.DataType) -> dict[str, exp.DataType]:
    return {field.name: field.kind for field in struct.expressions}


def _null(googlesql: str) -> str:
    return f"CAST(NULL AS {googlesql})"


def _quoted(name: str) -> str:
    return f"`{name}`"
