"""Tests of how many days are written at once."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance
from hypothesis import given
from hypothesis import strategies as some

from calback_assets.days import Stretch
from calback_assets.errors import SourceError, UnavailableError
from calback_assets.partitions import SAME_DAY
from calback_assets.settings import DEVELOPMENT_KEY, Settings
from calback_assets.sources.file_query import FileQuery
from calback_assets.tables.metrics import FREQUENT_USERS
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.duckdb.schema import duckdb_type
from calback_assets.warehouse.googlesql.model import Input
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets.warehouse.output import Files
from calback_assets.warehouse.warehouse import AtOnce
from calback_assets_tests.warehouse.helpers import (
    CALENDAR,
    DAY,
    FIRST,
    SEOUL,
    EmbeddedWarehouse,
    asset_of,
    error_of,
    metadata,
    query,
    run,
)

counts = some.dictionaries(some.dates(date(2024, 1, 1), date(2024, 2, 15)), some.integers(0, 9), min_size=1)


@given(counts, some.integers(1, 12), some.none() | some.integers(0, 30))
def test_days_that_are_due_are_written_in_order_each_once_and_within_bounds(
    rows: Mapping[date, int], most_days: int, most_rows: int | None
) -> None:
    at_once, due, written = AtOnce(most_days, most_rows), set(rows), list[Stretch]()
    while due:
        written.append(at_once.of(due, lambda stretch: sum(rows.get(day, 0) for day in stretch.days)))
        due.difference_update(written[-1].days)

    assert [day for stretch in written for day in stretch.days] == sorted(rows)
    for stretch in written:
        read = sum(rows[day] for day in stretch.days)
        assert len(stretch.days) <= most_days
        assert most_rows is None or read <= most_rows or stretch.first == stretch.last
        # And no stretch ends where its next day would have fit.
        if stretch.until in rows and len(stretch.days) < most_days:
            assert most_rows is not None
            assert read + rows[stretch.until] > most_rows


@pytest.mark.parametrize(
    ("rows_at_once", "written"),
    [
        (1, ["", "", "", ""]),
        (3, ["2024-01-10 to 2024-01-11", "2024-01-10 to 2024-01-11", "", ""]),
        (100, ["2024-01-10 to 2024-01-13"] * 4),
    ],
)
def test_the_setting_bounds_the_rows_that_are_read_at_once(
    tmp_path: Path, instance: DagsterInstance, rows_at_once: int, written: list[str]
) -> None:
    days = [DAY + timedelta(days=after) for after in range(4)]
    embedded = EmbeddedWarehouse(tmp_path)
    embedded.put(
        RAW_ACCESS_LOG,
        [
            dict.fromkeys(RAW_ACCESS_LOG.column_names) | {"event_date": day, "user_id": str(number)}
            for day, opens in zip(days, (1, 2, 5, 1), strict=True)
            for number in range(opens)
        ],
    )
    settings = Settings(tmp_path, embedded.path, FIRST, None, SEOUL, DEVELOPMENT_KEY, rows_at_once=rows_at_once)
    counted = query(
        "SELECT event_date, user_id, 1 AS active_days_30d, 1 AS active_days_mtd, TRUE AS is_frequent, "
        "TRUE AS is_frequent_month FROM raw_access_log",
        {"raw_access_log": Input(RAW_ACCESS_LOG, SAME_DAY)},
        tmp_path,
    )

    manager = WarehouseIOManager(warehouse_of(settings), CALENDAR)
    result = run(asset_of(FREQUENT_USERS, lambda: counted), manager, instance, days)

    assert [metadata(result, day).get("written_at_once", "") for day in days] == written
    assert [metadata(result, day)["row_count"] for day in days] == [1, 2, 5, 1]


@pytest.mark.parametrize(
    ("fault", "told", "tried", "written"),
    [
        (
            SourceError,
            "SourceError: it broke; the day that broke is 2024-01-13",
            [(0, 4), (0, 1), (2, 3), (2, 2), (3, 3)],
            3,
        ),
        (UnavailableError, "UnavailableError: it broke.", [(0, 4)], 0),
    ],
    ids=["a day is at fault", "no day is"],
)
def test_a_stretch_that_fails_is_halved_down_to_the_day_at_fault_if_one_is(
    tmp_path: Path,
    instance: DagsterInstance,
    fault: type[SourceError],
    told: str,
    tried: Sequence[tuple[int, int]],
    written: int,
) -> None:
    days = [DAY + timedelta(days=after) for after in range(5)]
    read: list[tuple[int, int]] = []

    def reading(stretch: Stretch) -> FileQuery:
        read.append((days.index(stretch.first), days.index(stretch.last)))
        if days[3] in stretch:
            raise fault("it broke.")
        rows = (
            "SELECT event_date, 'u' AS user_id, NULL AS topic, NULL::BIGINT AS partition, NULL::BIGINT AS \"offset\" "
        )
        listed = ", ".join(f"(DATE '{day}')" for day in stretch.days)
        return FileQuery(f"{rows} FROM (VALUES {listed}) AS days(event_date)", fault, {})

    embedded = EmbeddedWarehouse(tmp_path)
    log = asset_of(RAW_ACCESS_LOG, lambda: Files(reading, lambda _: 1))
    result = run(log, embedded.io_manager(), instance, days)

    assert error_of(result) == told
    assert read == tried
    assert [row["event_date"] for row in embedded.rows(RAW_ACCESS_LOG)] == days[:written]


def test_files_are_read_at_once_by_the_rows_that_they_are_said_to_hold(
    tmp_path: Path, instance: DagsterInstance
) -> None:
    read: list[int] = []

    def reading(stretch: Stretch) -> FileQuery:
        read.append(len(stretch.days))
        columns = (f'CAST(NULL AS {duckdb_type(column.type)}) AS "{column.name}"' for column in RAW_EVENTS.columns)
        return FileQuery(f"SELECT {', '.join(columns)} LIMIT 0", SourceError, {})

    settings = Settings(tmp_path, tmp_path / "w.duckdb", FIRST, None, SEOUL, DEVELOPMENT_KEY, rows_at_once=30)
    manager = WarehouseIOManager(warehouse_of(settings), CALENDAR)
    days = [DAY + timedelta(days=after) for after in range(4)]
    result = run(asset_of(RAW_EVENTS, lambda: Files(reading, lambda _: 10)), manager, instance, days)

    assert result.success, error_of(result)
    assert read == [3, 1]
