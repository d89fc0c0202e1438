"""Tests of rows from Python: what becomes the contract's types, and what is refused."""

import decimal
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from calback_assets.errors import ContractError
from calback_assets.tables import TABLES, Column, Table
from calback_assets.warehouse.rows import ConformedRows, arrow_type, conform

ACTIONS = "ARRAY<STRUCT<event_name STRING, events INT64>>"
COUNTED = pa.struct([("event_name", pa.string()), ("events", pa.int32())])


def table_of(googlesql_type: str, *, is_personal: bool = False) -> Table:
    column = Column("value", googlesql_type, "A value.", is_personal=is_personal)
    return Table("things", "Things.", "thing", (), (column,), is_partitioned=False)


def conformed(values: Any, googlesql_type: str) -> list[Any]:
    """The values after conforming, from pandas unless they are Arrow's already."""
    is_arrow = isinstance(values, pa.Array | pa.ChunkedArray)
    given_rows = pa.table({"value": values}) if is_arrow else pd.DataFrame({"value": values})
    result = conform(given_rows, table_of(googlesql_type))
    assert result.schema == pa.schema([("value", arrow_type(googlesql_type))])
    return list(result["value"].to_pylist())


TAKEN = {
    "integers with NaN, as pandas makes of NULL": ([1.0, np.nan], "INT64", [1, None]),
    "nullable integers": (pd.array([1, None], dtype="Int64"), "INT64", [1, None]),
    "narrow integers": (np.array([1, 2], dtype="int8"), "INT64", [1, 2]),
    "integers as floats": ([3], "FLOAT64", [3.0]),
    "only NULL": ([None, None], "INT64", [None, None]),
    "midnights": (pd.to_datetime(["2024-01-10", None]), "DATE", [date(2024, 1, 10), None]),
    "dates": ([date(2024, 1, 10), None], "DATE", [date(2024, 1, 10), None]),
    "dates in milliseconds": (pa.array([date(2024, 1, 10)], pa.date64()), "DATE", [date(2024, 1, 10)]),
    "instants of another zone": (
        pd.to_datetime(["2024-01-10 09:00"]).tz_localize("Asia/Seoul"),
        "TIMESTAMP",
        [datetime(2024, 1, 10, tzinfo=UTC)],
    ),
    "strings of pandas": (pd.array(["a", None], dtype="string"), "STRING", ["a", None]),
    "large strings": (pa.array(["a"], pa.large_string()), "STRING", ["a"]),
    "dictionary strings": (pa.array(["a", "b", "a"]).dictionary_encode(), "STRING", ["a", "b", "a"]),
    "categories": (pd.Categorical(["a", None, "a"]), "STRING", ["a", None, "a"]),
    "lists": ([["a"], None, []], "ARRAY<STRING>", [["a"], None, []]),
    "structs": ([[{"event_name": "a", "events": 1}]], ACTIONS, [[{"event_name": "a", "events": 1}]]),
    "structs of narrow integers": (
        pa.array([[{"event_name": "a", "events": 1}]], pa.list_(COUNTED)),
        ACTIONS,
        [[{"event_name": "a", "events": 1}]],
    ),
    "chunks": (pa.chunked_array([pa.array([1.0]), pa.array([2.0])]), "INT64", [1, 2]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_values_that_change_only_their_form_are_taken(case: str) -> None:
    values, googlesql_type, expected = TAKEN[case]
    assert conformed(values, googlesql_type) == expected


REFUSED = {
    "a fraction": ([1.6], "INT64", "type double", "1.6"),
    "the offending value, not the first": ([1.0, 1.6], "INT64", "type double", "1.6"),
    "NaN that is not NULL": (pa.array([float("nan")]), "INT64", "type double", "nan"),
    "infinity": ([float("inf")], "INT64", "type double", "inf"),
    "a float beyond INT64": ([2.0**63], "INT64", "type double", "9.223372036854776e+18"),
    "an unsigned beyond INT64": (np.array([2**63], "uint64"), "INT64", "type uint64", "9223372036854775808"),
    "an integer that no float holds": ([2**53 + 1], "FLOAT64", "type int64", "9007199254740993"),
    "text for a number": (["5"], "INT64", "type string", "'5'"),
    "a number for text": ([5], "STRING", "type int64", "5"),
    "a truth for a number": ([True], "INT64", "type bool", "True"),
    "a number for a truth": ([1], "BOOL", "type int64", "1"),
    "bytes for text": ([b"a"], "STRING", "type binary", "b'a'"),
    "a day for an instant": ([date(2024, 1, 10)], "TIMESTAMP", "type date32[day]", "datetime.date(2024, 1, 10)"),
    "an instant for a day": (
        pa.array([datetime(2024, 1, 10, tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
        "DATE",
        "type timestamp[us, tz=UTC]",
        "datetime.datetime(2024, 1, 10, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))",
    ),
    "a time of day for a day": (
        pa.array([datetime(2024, 1, 10), datetime(2024, 1, 10, 12)], pa.timestamp("us")),
        "DATE",
        "type timestamp[us]",
        "datetime.datetime(2024, 1, 10, 12, 0)",
    ),
    "a time without a zone": (
        pa.array([datetime(2024, 1, 10, 12)], pa.timestamp("us")),
        "TIMESTAMP",
        "type timestamp[us]",
        "datetime.datetime(2024, 1, 10, 12, 0)",
    ),
    "a nanosecond": (
        pd.to_datetime([1], utc=True),
        "TIMESTAMP",
        "type timestamp[ns, tz=UTC]",
        "Timestamp('1970-01-01 00:00:00.000000001+0000', tz='UTC')",
    ),
    "a decimal": ([decimal.Decimal("1.5")], "FLOAT64", "type decimal128(2, 1)", "Decimal('1.5')"),
    "a struct with other fields": (
        pa.array([[{"name": "a", "events": 1}]]),
        ACTIONS,
        "type list<item: struct<name: string, events: int64>>",
        "[{'name': 'a', 'events': 1}]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_would_change_are_refused_with_an_example(case: str) -> None:
    values, googlesql_type, given_as, example = REFUSED[case]
    with pytest.raises(ContractError) as caught:
        conformed(values, googlesql_type)

    assert str(caught.value) == (
        f"things.value: {given_as} cannot be stored as {googlesql_type} without loss, for example {example}; "
        "nothing was written"
    )


@pytest.mark.parametrize(
    ("values", "googlesql_type"),
    [(["a", 1], "STRING"), ([1, "a"], "INT64"), ([2**70], "INT64"), (["\ud800"], "STRING")],
    ids=["text and a number", "a number and text", "a number beyond 64 bits", "half a character"],
)
def test_what_arrow_cannot_hold_is_an_error_of_the_contract(values: list[object], googlesql_type: str) -> None:
    with pytest.raises(ContractError, match=r"^things\.value: "):
        conformed(values, googlesql_type)


def test_a_time_of_day_in_pandas_is_no_day() -> None:
    with pytest.raises(ContractError, match=r"^things\.value: .* cannot be stored as DATE without loss"):
        conformed(pd.to_datetime(["2024-01-10 00:00", "2024-01-10 12:00"]), "DATE")


@pytest.mark.parametrize("values", [["hong"], ["hong", 1], [b"hong"]])
def test_an_example_of_a_personal_column_is_not_shown(values: list[object]) -> None:
    with pytest.raises(ContractError) as caught:
        conform(pd.DataFrame({"value": values}, dtype=object), table_of("INT64", is_personal=True))
    assert "hong" not in str(caught.value)
    assert "a value that is not shown, it may be personal" in str(caught.value)


def test_a_column_given_twice_is_refused() -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["value", "value"])
    with pytest.raises(ContractError, match=r"^things: a column is given twice: value, value$"):
        conform(twice, table_of("INT64"))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_types_of_every_contract_have_a_form_in_arrow(table: Table) -> None:
    empty = pd.DataFrame(columns=list(table.column_names))
    assert conform(empty, table).column_names == list(table.column_names)


SCALARS: dict[pa.DataType, some.SearchStrategy[object]] = {
    pa.int64(): some.integers(-(2**63), 2**63 - 1),
    pa.int16(): some.integers(-(2**15), 2**15 - 1),
    pa.uint64(): some.integers(0, 2**64 - 1),
    pa.float64(): some.floats() | some.integers(-5, 5).map(float),
    pa.bool_(): some.booleans(),
    pa.string(): some.text(max_size=5),
    pa.large_string(): some.text(max_size=5),
    pa.date32(): some.dates(),
    pa.timestamp("us"): some.datetimes() | some.dates().map(lambda day: datetime(day.year, day.month, day.day)),
    pa.timestamp("us", tz="Asia/Seoul"): some.datetimes(
        datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=some.just(UTC)
    ),
}


@some.composite
def columns(draw: some.DrawFn) -> pa.Array:
    kind = draw(some.sampled_from(list(SCALARS)))
    values = draw(some.lists(some.none() | SCALARS[kind], max_size=4))
    array = pa.array(values, kind)
    shape = draw(some.sampled_from(["plain", "dictionary", "list", "chunks"]))
    if shape == "dictionary":
        return array.dictionary_encode()
    if shape == "list":
        return pa.array([values, None, []], pa.list_(kind))
    return pa.chunked_array([array, array]) if shape == "chunks" else array


GOOGLESQL_TYPES = ["STRING", "INT64", "FLOAT64", "BOOL", "DATE", "TIMESTAMP", "ARRAY<STRING>", "ARRAY<INT64>"]


@settings(max_examples=300, deadline=None)
@given(columns(), some.sampled_from(GOOGLESQL_TYPES))
def test_conform_never_changes_a_value_that_it_takes(column: pa.Array, googlesql_type: str) -> None:
    try:
        taken = conform(pa.table({"value": column}), table_of(googlesql_type))
    except ContractError:
        return
    assert [comparable(value) for value in taken["value"].to_pylist()] == [
        comparable(value) for value in column.to_pylist()
    ]


def comparable(value: object) -> object:
    """Equal for equal values: one NaN like another, an instant in whatever zone, a midnight as its day."""
    if isinstance(value, list):
        return [comparable(part) for part in value]
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value


@pytest.mark.parametrize("rows", [0, 1, 4, 5])
@pytest.mark.parametrize("form", [pd.DataFrame, pa.table], ids=["pandas", "arrow"])
def test_every_reader_of_conformed_rows_gets_all_slices(rows: int, form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calback_assets.warehouse.rows.SLICE_ROWS", 2)
    given_rows = ConformedRows(form({"value": np.arange(rows, dtype="int32")}), table_of("INT64"))

    for _ in range(2):
        read = pa.RecordBatchReader.from_stream(given_rows).read_all()
        assert read.schema == pa.schema([("value", pa.int64())])
        assert read["value"].to_pylist() == list(range(rows))


def test_a_value_in_a_later_slice_is_held_to_the_contract_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calback_assets.warehouse.rows.SLICE_ROWS", 2)
    given_rows = ConformedRows(pd.DataFrame({"value": [1.0, 2.0, 3.0, 4.5]}), table_of("INT64"))

    with pytest.raises(
        ContractError, match=r"^things\.value: type double cannot be stored as INT64 without loss, .* 4\.5"
    ):
        list(given_rows.slices())
