"""Rows that come from Python, held to a table contract: by name, without a lossy cast.

Conversion of pandas and Arrow tables to the contract's exact Arrow types belongs here; what needs an engine does not.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from calback_assets.errors import ContractError
from calback_assets.tables import Column, Table

_SCALARS = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}

SLICE_ROWS = 32_768
"""As many as are in memory at once."""


@cache
def arrow_type(googlesql_type: str) -> pa.DataType:
    """The Arrow type of a GoogleSQL type of a contract, ARRAY and STRUCT included."""
    return _arrow_type(exp.DataType.build(googlesql_type, dialect="bigquery"))


def _arrow_type(node: exp.DataType) -> pa.DataType:
    if node.is_type("array"):
        return pa.list_(_arrow_type(node.expressions[0]))
    if node.is_type("struct"):
        return pa.struct([(part.name, _arrow_type(part.args["kind"])) for part in node.expressions])
    return _SCALARS[node.sql("bigquery")]


def arrow_schema(table: Table, columns: Sequence[str] | None = None) -> pa.Schema:
    """The Arrow schema of a contract, or of those of its columns."""
    return pa.schema([(name, arrow_type(table.column(name).type)) for name in columns or table.column_names])


def conform(rows: pa.Table | pd.DataFrame, table: Table) -> pa.Table:
    """The rows with exactly the contract's columns, in its order and Arrow types.

    Raises:
        ContractError: a column is missing or not in the contract, or holds a value that its type cannot take unchanged.
    """
    given = rows if isinstance(rows, pa.Table) else _from_pandas(rows, table)
    check_names(given.column_names, table)
    return pa.table({column.name: _conform_column(given[column.name], column, table) for column in table.columns})


class ConformedRows:
    """Rows as `conform` makes them, a slice at a time and anew for each reader: no second copy stands in memory.

    DuckDB reads it as a table (Arrow's C stream interface).
    """

    def __init__(self, rows: pa.Table | pd.DataFrame | Callable[[], Iterator[pa.RecordBatch]], table: Table) -> None:
        """Name the rows, or what reads them anew a batch at a time; nothing is converted yet."""
        self._rows = rows
        self.table = table
        self.schema = arrow_schema(table)

    def slices(self) -> Iterator[pa.Table]:
        """The rows in their order; at least one slice, which may be empty.

        Raises:
            ContractError: the rows break the contract.
        """
        if callable(self._rows):
            yield conform(self.schema.empty_table(), self.table)  # There may be no batch.
            for batch in self._rows():
                yield conform(pa.Table.from_batches([batch]), self.table)
            return
        for start in range(0, max(len(self._rows), 1), SLICE_ROWS):
            if isinstance(self._rows, pa.Table):
                yield conform(self._rows.slice(start, SLICE_ROWS), self.table)
            else:
                yield conform(self._rows.iloc[start : start + SLICE_ROWS], self.table)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The slices as an Arrow stream."""
        batches = (batch for part in self.slices() for batch in part.to_batches())
        return pa.RecordBatchReader.from_batches(self.schema, batches).__arrow_c_stream__(requested_schema)


def check_names(given: list[str], table: Table) -> None:
    """Compare column names with the contract.

    Raises:
        ContractError: names of columns that are missing, unknown or given twice.
    """
    expected = table.column_names
    if missing := [name for name in expected if name not in given]:
        raise ContractError(f"{table.name}: column {', '.join(missing)} of the contract is missing from the data")
    if extra := [name for name in given if name not in expected]:
        raise ContractError(
            f"{table.name}: column {', '.join(extra)} is not in the contract; declare it in calback_assets/tables or "
            "leave it out"
        )
    if len(given) != len(expected):
        raise ContractError(f"{table.name}: a column is given twice: {', '.join(given)}")


def _from_pandas(frame: pd.DataFrame, table: Table) -> pa.Table:
    check_names([str(name) for name in frame.columns], table)
    arrays = {}
    for name in frame.columns:
        try:
            arrays[str(name)] = pa.array(frame[name], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
            # Arrow's own message quotes a value, which may be personal.
            raise _refusal(table.column(str(name)), table, "values of mixed types", None) from None
    return pa.table(arrays)


def _conform_column(values: pa.ChunkedArray, column: Column, table: Table) -> pa.ChunkedArray:
    target = arrow_type(column.type)
    if values.type == target:
        return values
    if not _may_become(values.type, target):
        raise _refusal(column, table, f"type {values.type}", _first(values))
    given = values.type
    if pa.types.is_dictionary(given):
        values = values.cast(given.value_type)
    try:
        taken = values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _refusal(column, table, f"type {given}", _first_lossy(values, target)) from None
    # Arrow's safe cast drops the time of day without a word.
    if pa.types.is_timestamp(values.type) and pa.types.is_date(target):
        cut = pc.not_equal(taken.cast(values.type), values)
        if pc.any(cut).as_py():
            raise _refusal(column, table, f"type {given}", values.filter(cut)[0].as_py())
    return taken


def _may_become(given: pa.DataType, target: pa.DataType) -> bool:
    """Whether a cast only changes the representation; each value is still checked by the safe cast."""
    kinds = pa.types
    if given == target or kinds.is_null(given):
        return True
    if kinds.is_dictionary(given):
        return _may_become(given.value_type, target)
    if kinds.is_list(target):
        return (kinds.is_list(given) or kinds.is_large_list(given)) and _may_become(given.value_type, target.value_type)
    if kinds.is_struct(target):
        return (
            kinds.is_struct(given)
            and [part.name for part in given] == [part.name for part in target]
            and all(_may_become(one.type, other.type) for one, other in zip(given, target, strict=True))
        )
    is_number = kinds.is_integer(given) or kinds.is_floating(given)
    return (
        ((kinds.is_int64(target) or kinds.is_float64(target)) and is_number)
        or (kinds.is_string(target) and (kinds.is_large_string(given) or kinds.is_string_view(given)))
        or (kinds.is_date32(target) and (kinds.is_date(given) or (kinds.is_timestamp(given) and given.tz is None)))
        or (kinds.is_timestamp(target) and kinds.is_timestamp(given) and given.tz is not None)
    )


def _first(values: pa.ChunkedArray) -> object:
    kept = values.drop_null()
    return kept[0].as_py() if len(kept) else None


def _first_lossy(values: pa.ChunkedArray, target: pa.DataType) -> object:
    for value in values.drop_null():
        try:
            pc.cast(value, target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return value.as_py()
    return None


def _refusal(column: Column, table: Table, what: str, value: object) -> ContractError:
    shown = "a value that is not shown, it may be personal" if column.is_personal else repr(value)
    return ContractError(
        f"{table.name}.{column.name}: {what} cannot be stored as {column.type} without loss, for example {shown}; "
        "nothing was written"
    )
