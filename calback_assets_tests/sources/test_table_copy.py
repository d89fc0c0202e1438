"""Tests of the sources in BigQuery for a warehouse in DuckDB: what is copied, and what DuckDB makes of it."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import duckdb
import pytest

from calback_assets.errors import SourceError
from calback_assets.sources.access_log_table import AccessLogTable
from calback_assets.sources.bigquery_catalog import BigQueryCatalog
from calback_assets.sources.bigquery_rows import BigQueryRows
from calback_assets.sources.file_query import FileQuery
from calback_assets.sources.ga4_export import Ga4Export
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets_tests.bigquery.emulator import Emulator
from calback_assets_tests.sources.helpers import MARK
from calback_assets_tests.sources.tables import PROJECT, Tables
from calback_assets_tests.sources.test_ga4_export import EXPORT, GOOD, NOON

DAY, SEOUL = date(2024, 3, 14), "Asia/Seoul"
MICROSECONDS_A_DAY = 24 * 60 * 60 * 1_000_000


@pytest.fixture(params=["storage", "rest"])
def rows(request: pytest.FixtureRequest, tables: Tables, emulator: Emulator) -> BigQueryRows:
    """Reads the emulator's tables, by either way."""
    reader = emulator.reader() if request.param == "storage" else None
    return BigQueryRows(lambda: tables.client, lambda _: reader)


def result(query: object) -> list[dict[str, object]]:
    assert isinstance(query, FileQuery)
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        try:
            return engine.sql(query.sql).to_arrow_table().to_pylist()
        except (duckdb.Error, OSError) as error:
            raise query.explain(error) from None


def events(tables: Tables, rows: BigQueryRows) -> FileQuery:
    now = datetime(2024, 6, 1, tzinfo=ZoneInfo(SEOUL))
    catalog = BigQueryCatalog(lambda: tables.client)
    found = Ga4Export(catalog, PROJECT, tables.dataset, SEOUL, lambda: now, rows).look(DAY).day(DAY)
    assert isinstance(found, FileQuery)
    return found


def test_the_events_of_the_day_are_copied_from_the_tables_that_may_hold_them(
    tables: Tables, rows: BigQueryRows
) -> None:
    others = [GOOD | {"event_timestamp": NOON + days * MICROSECONDS_A_DAY} for days in (-1, 1)]
    value = {"string_value": None, "int_value": 7, "float_value": None, "double_value": None}
    tables.add(
        "events_20240314",
        EXPORT,
        [
            GOOD
            | {
                "user_id": "a",
                "device": {"category": "mobile", "operating_system": "iOS", "advertising_id": MARK},
                "event_params": [{"key": "n", "value": value}],
            },
            *others,
        ],
    )
    tables.add("events_intraday_20240315", {"event_timestamp": "INT64", "event_name": "STRING"}, [GOOD, *others])
    found = events(tables, rows)
    assert found.facts == {
        "tables": "events_20240314, events_intraday_20240315",
        "kinds": "daily 2024-03-14, intraday 2024-03-15",
    }
    first, second = sorted(result(found), key=lambda row: not row["is_final"])
    assert result(found)  # It can run more than once.
    assert (first["event_date"], first["event_timestamp"], first["user_id"]) == (DAY, NOON, "a")
    assert (first["device_category"], first["operating_system"], first["country"]) == ("mobile", "iOS", None)
    assert first["event_params"] == [{"key": "n", "value": value}]
    assert (second["event_timestamp"], second["user_id"], second["is_final"]) == (NOON, None, False)


def test_no_events_are_no_rows(tables: Tables, rows: BigQueryRows) -> None:
    tables.add("events_20240314", EXPORT, [])
    assert result(events(tables, rows)) == []


@pytest.mark.parametrize(
    ("columns", "row", "problem"),
    [
        ({}, {"event_timestamp": None}, "event_timestamp is missing"),
        ({"user_first_touch_timestamp": "STRING"}, {"user_first_touch_timestamp": MARK}, "{} is not an INT64"),
    ],
)
def test_a_row_that_cannot_be_taken_is_told_and_not_quoted(
    tables: Tables, rows: BigQueryRows, columns: dict[str, str], row: dict[str, object], problem: str
) -> None:
    tables.add("events_20240314", EXPORT | columns, [GOOD | row])
    with pytest.raises(SourceError) as caught:
        result(events(tables, rows))
    (name,) = row
    assert str(caught.value) == (
        f"{tables.dataset}.events_20240314: {problem.format(name)}. Correct or remove such rows."
    )


@pytest.mark.parametrize(
    ("type_", "of_day", "others"),
    [
        ("DATE", ["2024-03-14"], ["2024-03-13", "2024-03-15", None]),
        ("TIMESTAMP", ["2024-03-13 15:00:00", "2024-03-14 14:59:59.9"], ["2024-03-13 14:59:59", None]),
        ("INT64", [NOON, NOON // 1000, NOON // 1_000_000], [5, NOON - MICROSECONDS_A_DAY, None]),
    ],
)
@pytest.mark.parametrize("into", ["duckdb", "bigquery"])
def test_the_log_s_day_is_cut_by_a_date_and_by_a_time(
    tables: Tables, emulator: Emulator, type_: str, of_day: list[object], others: list[object], into: str
) -> None:
    columns = {"userId": "INT64", "date": type_, "offset": "INT64"}
    tables.add("opens", columns, [{"userId": 7, "offset": 1, "date": value} for value in [*of_day, *others]])
    reader = emulator.reader()
    rows = BigQueryRows(lambda: tables.client, lambda _: reader) if into == "duckdb" else None
    catalog = BigQueryCatalog(lambda: tables.client)
    found = AccessLogTable(catalog, PROJECT, f"{tables.dataset}.opens", SEOUL, rows=rows).look(DAY)
    assert found.has(DAY)
    query = found.day(DAY)
    made = result(query) if into == "duckdb" else tables.read(query, RAW_ACCESS_LOG)
    expected = {"event_date": DAY, "user_id": "7", "topic": None, "partition": None, "offset": 1}
    assert made == [expected] * len(of_day)
