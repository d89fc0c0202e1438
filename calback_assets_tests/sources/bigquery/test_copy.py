"""Tests of the sources in BigQuery for a warehouse in DuckDB: what is copied, and what DuckDB makes of it."""

import weakref
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import duckdb
import grpc
import numpy as np
import pyarrow as pa
import pytest
from google.api_core.exceptions import DeadlineExceeded, Forbidden, GoogleAPICallError, NotFound, PermissionDenied
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.sources.access_log.table import AccessLogTable
from calback_assets.sources.bigquery.catalog import BigQueryCatalog
from calback_assets.sources.bigquery.client import retrying
from calback_assets.sources.bigquery.copy import copied
from calback_assets.sources.bigquery.query import Dataset
from calback_assets.sources.bigquery.rows import BigQueryRows
from calback_assets.sources.file_query import FileQuery
from calback_assets.sources.ga4.tables import Ga4Export
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets_tests.bigquery.clients import Emulator, client
from calback_assets_tests.bigquery.proxy import Fault, FaultProxy
from calback_assets_tests.sources.bigquery.tables import PROJECT, Tables
from calback_assets_tests.sources.ga4.test_tables import EXPORT, GOOD, NOON
from calback_assets_tests.sources.helpers import MARK

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
    found = Ga4Export(catalog, PROJECT, tables.dataset, SEOUL, lambda: now, rows).look(DAY).read(Stretch.on(DAY))
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
    assert found.facts[DAY] == {
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
    query = found.read(Stretch.on(DAY))
    made = result(query) if into == "duckdb" else tables.read(query, RAW_ACCESS_LOG)
    expected = {"event_date": DAY, "user_id": "7", "topic": None, "partition": None, "offset": 1}
    assert made == [expected] * len(of_day)


def opens(tables: Tables, rows: BigQueryRows) -> FileQuery:
    catalog = BigQueryCatalog(lambda: tables.client)
    query = (
        AccessLogTable(catalog, PROJECT, f"{tables.dataset}.opens", SEOUL, rows=rows).look(DAY).read(Stretch.on(DAY))
    )
    assert isinstance(query, FileQuery)
    return query


@pytest.mark.parametrize(
    ("columns", "row", "problem"),
    [
        ({}, {"userId": None}, "userId is missing"),
        ({"userId": "STRING"}, {"userId": ""}, "userId is missing"),
        ({"offset": "STRING"}, {"userId": 1, "offset": MARK}, "offset is not an INT64"),
    ],
)
def test_a_row_of_the_log_that_cannot_be_taken_is_told_and_not_quoted(
    tables: Tables, columns: dict[str, str], row: dict[str, object], problem: str
) -> None:
    tables.add("opens", {"userId": "INT64", "date": "DATE"} | columns, [row | {"date": str(DAY)}])
    query = opens(tables, BigQueryRows(lambda: tables.client, lambda _: None))
    with pytest.raises(SourceError) as caught:
        result(query)
    assert str(caught.value) == f"{tables.dataset}.opens: {problem}. Correct or remove such rows."


class Refusing:
    """A Storage Read API that answers every session with an error."""

    def __init__(self, error: GoogleAPICallError) -> None:
        self._error = error

    def create_read_session(self, **_: object) -> None:
        raise self._error


def refused(tables: Tables, reader: object) -> str:
    with pytest.raises(SourceError) as caught:
        opens(tables, BigQueryRows(lambda: tables.client, lambda _: reader))
    assert MARK not in str(caught.value)
    assert caught.value.__suppress_context__
    return str(caught.value)


@pytest.fixture
def one_open(tables: Tables) -> Tables:
    tables.add("opens", {"userId": "INT64", "date": "DATE"}, [{"userId": 7, "date": str(DAY)}])
    return tables


def test_where_the_storage_api_is_denied_the_rows_come_from_a_query(one_open: Tables) -> None:
    reader = Refusing(PermissionDenied(MARK))
    (row,) = result(opens(one_open, BigQueryRows(lambda: one_open.client, lambda _: reader)))
    assert row["user_id"] == "7"


def test_where_both_are_denied_the_roles_are_named(one_open: Tables) -> None:
    catalog = BigQueryCatalog(lambda: one_open.client)
    rows = BigQueryRows(lambda: one_open.client, lambda _: Refusing(PermissionDenied(MARK)))
    found = AccessLogTable(catalog, PROJECT, f"{one_open.dataset}.opens", SEOUL, rows=rows).look(DAY)
    with (
        patch.object(one_open.client, "query", side_effect=Forbidden(f"Access Denied: User {MARK}")),
        pytest.raises(SourceError) as caught,
    ):
        found.read(Stretch.on(DAY))
    said = (
        f"CALBACK_ACCESS_LOG_TABLE: table {one_open.dataset}.opens in project {PROJECT} may not be read; grant the "
        "platform's account roles/bigquery.dataViewer on its dataset, and roles/bigquery.readSessionUser and "
        "roles/bigquery.jobUser on the project that CALBACK_GCP_PROJECT names"
    )
    assert str(caught.value) == said
    # The look at the log's days is a query, too.
    with (
        patch.object(one_open.client, "query", side_effect=Forbidden(f"Access Denied: User {MARK}")),
        pytest.raises(SourceError) as caught,
    ):
        opens(one_open, rows)
    assert str(caught.value) == said


def test_a_table_that_went_away_since_it_was_looked_at(one_open: Tables) -> None:
    assert refused(one_open, Refusing(NotFound(f"Not found: Table {MARK}"))) == (
        f"{one_open.dataset}.opens: went away while it was read. Run the day again."
    )


def test_missing_credentials_are_said_in_a_line(one_open: Tables) -> None:
    def connect() -> object:
        raise DefaultCredentialsError(MARK)

    rows = BigQueryRows(connect)
    with pytest.raises(SourceError, match=r"^no Google credentials were found; ") as caught:
        opens(one_open, rows)
    assert MARK not in str(caught.value)


def test_a_storage_api_that_does_not_answer_is_given_up(one_open: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calback_assets.sources.bigquery.rows.retrying", lambda: retrying(0.2))
    with grpc.insecure_channel("127.0.0.1:1") as channel:
        reader = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
        assert refused(one_open, reader) == (
            "BigQuery did not answer (ServiceUnavailable); what was there before stands; try again later"
        )


def test_a_query_that_does_not_answer_is_given_up(
    one_open: Tables, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calback_assets.sources.bigquery.rows.retrying", lambda: retrying(0.2))
    with FaultProxy(emulator.url) as between, client(between.url, PROJECT) as connected:
        between.arm(Fault.UNAVAILABLE, times=1000)
        with pytest.raises(SourceError, match=r"^BigQuery did not answer \(ServiceUnavailable\); "):
            opens(one_open, BigQueryRows(lambda: connected, lambda _: None))


def test_a_stream_that_falls_silent_is_given_up(one_open: Tables, emulator: Emulator) -> None:
    reader = emulator.reader()
    with patch.object(reader, "read_rows", side_effect=DeadlineExceeded(MARK)) as asked:
        assert refused(one_open, reader) == (
            "BigQuery did not answer (DeadlineExceeded); what was there before stands; try again later"
        )
    assert asked.call_args.kwargs["timeout"] <= 3600


class Batches:
    """Batches of 8 MiB, of which it knows how many are held by anybody; ends with an error where there is one."""

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        self._count = count
        self._error = error
        self._alive = 0
        self.most = 0

    def batches(self, *_: object, **__: object) -> Iterator[pa.RecordBatch]:
        for _ in range(self._count):
            yield self._batch()
        if self._error:
            raise self._error

    def _batch(self) -> pa.RecordBatch:
        numbers = np.zeros(1024 * 1024, np.int64)
        weakref.finalize(numbers, self._gone)
        self._alive += 1
        self.most = max(self.most, self._alive)
        return pa.record_batch({"n": pa.array(numbers)})

    def _gone(self) -> None:
        self._alive -= 1


def files() -> set[str]:
    """What this process holds open."""
    return {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


def copy_of(batches: Any) -> object:
    return copied(batches, Dataset(PROJECT, "d", "CALBACK_GA4_DATASET", "a dataset"), "t", ["n"])


def test_the_copy_holds_a_group_of_batches_and_is_gone_with_who_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    batches = Batches(20)
    copy = copy_of(batches)
    assert batches.most <= 8  # A group is four; the first tells the columns, and the next is there already.
    assert [name for name in files() if name.startswith(str(tmp_path))] != []
    del copy
    assert [name for name in files() if name.startswith(str(tmp_path))] == []


@pytest.mark.parametrize("error", [SourceError("the line was cut"), KeyboardInterrupt()])
def test_nothing_stays_of_a_copy_that_does_not_come_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(type(error)):
        copy_of(Batches(6, error))
    assert [name for name in files() if name.startswith(str(tmp_path))] == []
    assert list(tmp_path.iterdir()) == []
