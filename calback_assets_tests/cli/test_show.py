"""Tests of `calback show`: which rows, in which form, and what is said of those that are not there."""

import io
import json
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as some

from calback_assets.cli import main
from calback_assets.cli.formats import write
from calback_assets.days import Stretch
from calback_assets.tables.core import UNIFIED_EVENTS
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS, FREQUENT_USERS
from calback_assets.tables.raw import RAW_USERS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.rows import arrow_schema
from calback_assets.warehouse.warehouse import newest_portions
from calback_assets_tests.warehouse.helpers import DAY, EmbeddedWarehouse, frequent, metrics

DAYS = [DAY + timedelta(days=age) for age in range(4)]
LONG = "가" * 50
PROPERTIES = [{"key": "screen", "value": {"string_value": LONG, "int_value": None, "float_value": None,
                                          "double_value": None}}]  # fmt: skip


def show(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["show", *arguments], prog_name="calback")


def error_of(*arguments: str) -> str:
    result = show(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line.removeprefix("error: ").removesuffix("; see calback show --help")


def event(event_id: str, **changed: object) -> dict[str, Any]:
    row = dict.fromkeys(UNIFIED_EVENTS.column_names)
    at = datetime(2024, 1, 9, 15, 30, tzinfo=UTC)
    row |= {"event_date": DAY, "event_id": event_id, "event_timestamp": at, "user_id": "u1", "is_anonymous": False}
    return row | {"source": "analytics", "event_name": "스크린, 본", "is_activity": True} | changed


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """Four days of metrics, three users a day, two events, no user in Firestore; and a copy of it."""
    embedded = EmbeddedWarehouse(tmp_path_factory.mktemp("shown"))
    embedded.put(DAILY_ACTIVE_USERS, [metrics(day, dau=1000 + day.day) for day in DAYS])
    embedded.put(FREQUENT_USERS, [frequent(day, user) for day in DAYS for user in ("u2", "u3", "u1")])
    embedded.put(UNIFIED_EVENTS, [event("e2", properties=PROPERTIES), event("e1", session_id="[bold]s")])
    embedded.put(RAW_USERS, [])
    warehouse = DuckDBWarehouse(embedded.path)
    with warehouse.kept_open(), warehouse.session():
        pass
    return warehouse


@pytest.fixture(autouse=True)
def narrow(warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(warehouse.path))
    monkeypatch.setenv("CALBACK_START_DATE", str(DAYS[0]))
    monkeypatch.setenv("COLUMNS", "80")


def cells(result: Result) -> list[list[str]]:
    """What stands in the grid."""
    assert max(len(line) for line in result.stdout.splitlines() if line[:1] in "┏┃│└") <= 80
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in result.stdout.splitlines()
        if line.startswith("│")
    ]


def test_the_newest_days_come_first_and_in_a_day_the_order_of_the_key() -> None:
    shown = cells(show("frequent_users", "--columns", "event_date,user_id", "--limit", "4"))
    assert shown == [[str(DAYS[3]), "u1"], [str(DAYS[3]), "u2"], [str(DAYS[3]), "u3"], [str(DAYS[2]), "u1"]]


def test_days_can_be_chosen_on_either_side() -> None:
    def days(*arguments: str) -> list[str]:
        return [row[0][-2:] for row in cells(show("daily_active_users", "--columns", "event_date", *arguments))]

    assert days("--from", "2024-01-12") == ["13", "12"]
    assert days("--to", "2024-01-11") == ["11", "10"]
    assert days("--from", "2024-01-11", "--to", "2024-01-12") == ["12", "11"]


def test_what_has_no_room_is_named_below_the_grid() -> None:
    result = show("daily_active_users", "--limit", "1")
    assert cells(result) == [["2024-01-13", "1013", "3", "4", "0.500", "1", "1"]]
    assert result.stdout.splitlines()[-1] == (
        "No room for: resurrected_users, identified_users, anonymous_users, app_opens, sessions, events, "
        "meetings_created; choose with --columns"
    )


def test_chosen_columns_are_all_shown_one_record_below_the_other_where_they_must() -> None:
    chosen = "event_date,dau,wau,mau,stickiness,new_users,returning_users,resurrected_users"
    shown = cells(show("daily_active_users", "--limit", "1", "--columns", chosen))
    assert shown == [
        ["event_date", "2024-01-13"],
        ["dau", "1013"],
        ["wau", "3"],
        ["mau", "4"],
        ["stickiness", "0.500"],
        ["new_users", "1"],
        ["returning_users", "1"],
        ["resurrected_users", "0"],
    ]


def test_a_long_value_is_cut_and_square_brackets_are_no_markup() -> None:
    result = show("unified_events", "--columns", "event_id,session_id,properties")
    assert [row[:2] for row in cells(result)] == [["e1", "[bold]s"], ["e2", "–"]]
    assert cells(result)[1][2].endswith("…")
    assert result.stdout.splitlines()[-1] == "Long values end with …; whole: --format json"


def test_csv_holds_every_row_and_what_is_nested_as_json() -> None:
    result = show("unified_events", "--format", "csv", "--columns", "event_id,event_timestamp,event_name,properties")
    assert result.stderr == ""
    found = pa.csv.read_csv(io.BytesIO(result.stdout_bytes)).to_pylist()
    assert [row["event_id"] for row in found] == ["e1", "e2"]
    assert found[1]["event_timestamp"] == datetime(2024, 1, 9, 15, 30, tzinfo=UTC)
    assert found[1]["event_name"] == "스크린, 본"
    assert json.loads(found[1]["properties"]) == PROPERTIES


def test_json_is_one_object_a_line() -> None:
    first, second = show("unified_events", "--format", "json").stdout.splitlines()
    assert list(json.loads(first)) == list(UNIFIED_EVENTS.column_names)
    assert json.loads(first)["properties"] is None
    assert json.loads(second)["properties"] == PROPERTIES
    assert json.loads(second)["event_date"] == "2024-01-10"
    assert "스크린" in second


def test_parquet_has_the_types_of_the_contract() -> None:
    result = show("unified_events", "--format", "parquet")
    found = pa.parquet.read_table(io.BytesIO(result.stdout_bytes))
    assert found.schema.equals(arrow_schema(UNIFIED_EVENTS))
    assert found["properties"].to_pylist() == [None, PROPERTIES]


def test_without_a_limit_a_program_gets_all_rows_and_a_person_twenty() -> None:
    assert len(show("frequent_users", "--format", "csv").stdout.splitlines()) == 1 + 12
    assert len(show("frequent_users", "--format", "csv", "--limit", "5").stdout.splitlines()) == 1 + 5


def test_parquet_is_not_sent_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import _NamedTextIOWrapper

    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True)
    assert error_of("frequent_users", "--format", "parquet") == (
        "Parquet is nothing for a terminal; send it to a file: > rows.parquet"
    )


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_who_reads_may_stop_when_it_has_enough(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, said = os.pipe()
    os.close(heard)
    schema = arrow_schema(FREQUENT_USERS)
    batch = pa.RecordBatch.from_pylist([frequent()] * 1000, schema)
    with open(said, "w") as out:  # noqa: PTH123 - a pipe
        monkeypatch.setattr(sys, "stdout", out)
        write(form, FREQUENT_USERS, pa.RecordBatchReader.from_batches(schema, iter([batch] * 20)))
        monkeypatch.undo()


def test_wrong_usage_is_told_in_a_line() -> None:
    assert error_of("daily_active_users", "--columns", "dua") == (
        "daily_active_users has no column 'dua'; did you mean dau?"
    )
    assert error_of("frequent_users", "--columns", "zzz") == (
        "frequent_users has no column 'zzz'; it has event_date, user_id, active_days_30d, active_days_mtd, "
        "is_frequent, is_frequent_month"
    )
    assert error_of("frequent_users", "--from", "2024-01-12", "--to", "2024-01-11") == (
        "--from 2024-01-12 lies after --to 2024-01-11; swap them"
    )
    assert error_of("raw_users", "--from", "2024-01-12") == "raw_users has no days; leave out --from and --to"
    assert error_of("frequent_users", "--limit", "10001") == (
        "--limit 10001 is more than the 10000 rows of a table that somebody reads; take another --format, or fewer"
    )


@pytest.mark.parametrize("form", ["table", "csv"])
def test_days_without_rows_are_told_beside_those_that_have_some(form: str) -> None:
    result = show("frequent_users", "--from", "2024-02-01", "--to", "2024-02-02", "--format", form)
    assert result.exit_code == 0
    assert result.stderr == (
        "note: frequent_users has no rows from 2024-02-01 to 2024-02-02; it has 2024-01-10 to 2024-01-13\n"
    )
    assert len(result.stdout.splitlines()) == 1  # The names of the columns.


def test_an_empty_table_says_which_columns_it_has() -> None:
    assert show("raw_users").stdout.startswith("raw_users has no rows; its columns are user_id, ")


def test_rows_of_a_copy_that_was_left_behind_come_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = EmbeddedWarehouse(tmp_path)
    embedded.put(DAILY_ACTIVE_USERS, [metrics(DAYS[0])])
    warehouse = DuckDBWarehouse(embedded.path)
    with warehouse.kept_open(), warehouse.session():
        pass
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(embedded.path))
    assert show("daily_active_users").stderr == ""
    embedded.put(DAILY_ACTIVE_USERS, [metrics(DAYS[1])])
    result = show("daily_active_users")
    assert [row[0] for row in cells(result)] == [str(DAYS[0])]
    published = warehouse.published()
    assert published is not None
    assert result.stderr == (
        f"note: this is what the read copy of {published.at:%Y-%m-%d %H:%M} UTC holds; a run has written since, or "
        "writes now, and publishes at its end\n"
    )


def test_a_few_rows_do_not_read_the_days_before_them(warehouse: DuckDBWarehouse) -> None:
    with warehouse.reading() as session:
        with duckdb.connect(str(warehouse.path), read_only=True) as connection:
            assert connection.execute("SELECT COUNT(*) FROM calback.frequent_users").fetchone() == (12,)
        batches = session.newest(FREQUENT_USERS, ["event_date"], limit=2)
        assert [row["event_date"] for batch in batches for row in batch.to_pylist()] == [DAYS[3], DAYS[3]]


@given(some.dictionaries(some.dates(date(2024, 1, 1), date(2024, 2, 15)), some.integers(0, 9)), some.integers(1, 30))
def test_portions_are_all_days_from_the_newest_each_as_long_as_it_may(row_counts: dict[date, int], rows: int) -> None:
    portions: list[Stretch] = list(newest_portions(row_counts, rows))
    days = [[day for day in sorted(row_counts) if day in portion] for portion in portions]
    assert [day for portion in days for day in reversed(portion)] == sorted(row_counts, reverse=True)
    totals = [sum(row_counts[day] for day in portion) for portion in days]
    assert all(total <= rows or len(portion) == 1 for total, portion in zip(totals, days, strict=True))
    assert all(total + row_counts[older[-1]] > rows for total, older in zip(totals, days[1:], strict=False))
