"""A reader gets the rows of its partition through the Storage Read API, and through REST where that is denied.

The write contract's tests read over REST; here the same rows come both ways, and memory holds one batch at a time.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from dagster import DagsterInstance
from google.api_core.exceptions import PermissionDenied
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.types import CreateReadSessionRequest, ReadSession

from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.bigquery.jobs import EmulatedBigQuery
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.rows import arrow_schema
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.warehouse.emulated import LOCATION, EmulatedWarehouse
from calback_assets_tests.warehouse.helpers import CALENDAR, DAY, FRAME, Desk, metrics, rows_of_reader

DAYS = [DAY, DAY.replace(day=DAY.day + 1)]


class Asked(BigQueryReadClient):
    """A client of the emulator's Storage API that remembers what it asked for, and may be denied it."""

    def __init__(self, emulator: Emulator, *, is_denied: bool = False) -> None:
        super().__init__(transport=emulator.reader().transport)
        self.is_denied = is_denied
        self.sessions: list[ReadSession] = []

    def create_read_session(self, request: CreateReadSessionRequest | None = None, **given: object) -> ReadSession:
        if self.is_denied:
            raise PermissionDenied("bigquery.readsessions.create")
        self.sessions.append(given["read_session"])
        return super().create_read_session(request, **given)


class StorageWarehouse(EmulatedWarehouse):
    """BigQuery with a client of its Storage API."""

    def __init__(self, url: str, reader: Asked) -> None:
        super().__init__(url)
        self.reader = reader

    def opened(self, dependents: Dependents | None = None) -> BigQueryWarehouse:
        resource = EmulatedBigQuery(project=self.client.project, location=LOCATION)
        return BigQueryWarehouse(resource, "calback", dependents, connect_reader=lambda _: self.reader)

    def io_manager(self, dependents: Dependents | None = None) -> WarehouseIOManager:
        return WarehouseIOManager(self.opened(dependents), CALENDAR)


@pytest.fixture
def reader(emulator: Emulator) -> Asked:
    return Asked(emulator)


@pytest.fixture
def warehouse(emulator: Emulator, reader: Asked, monkeypatch: pytest.MonkeyPatch) -> StorageWarehouse:
    monkeypatch.setenv(EMULATOR_HOST, emulator.url)
    return StorageWarehouse(emulator.url, reader)


@pytest.fixture
def desk(warehouse: StorageWarehouse, tmp_path: Path) -> Iterator[Desk]:
    with DagsterInstance.ephemeral() as instance:
        made = Desk(warehouse, instance, tmp_path)
        assert made.write(DAILY_ACTIVE_USERS, [metrics(day) for day in DAYS], FRAME, DAYS).success
        yield made


@pytest.mark.parametrize("is_denied", [False, True], ids=["storage", "rest"])
@pytest.mark.parametrize("annotation", [pd.DataFrame, pa.Table, pa.RecordBatchReader])
def test_an_asset_gets_the_same_rows_whichever_way(
    desk: Desk, reader: Asked, annotation: type, *, is_denied: bool
) -> None:
    reader.is_denied = is_denied
    rows = rows_of_reader(desk, annotation)
    table = pa.Table.from_pandas(rows, DAILY_ACTIVE_SCHEMA) if annotation is pd.DataFrame else rows
    assert table.schema == DAILY_ACTIVE_SCHEMA
    assert table.to_pylist() == [metrics(DAY)]


DAILY_ACTIVE_SCHEMA = arrow_schema(DAILY_ACTIVE_USERS)


def test_no_other_day_and_no_other_column_leaves_the_warehouse(desk: Desk, reader: Asked) -> None:
    reader.sessions.clear()
    assert rows_of_reader(desk, pa.Table, ["dau", "mau"]).to_pylist() == [{"dau": 2, "mau": 4}]
    (asked,) = [session for session in reader.sessions if session.table.endswith("/daily_active_users")]
    assert list(asked.read_options.selected_fields) == ["dau", "mau"]
    assert asked.read_options.row_restriction == "event_date >= DATE '2024-01-10' AND event_date < DATE '2024-01-11'"


@pytest.mark.usefixtures("desk")
def test_a_few_rows_begin_no_stream(warehouse: StorageWarehouse, reader: Asked) -> None:
    reader.sessions.clear()
    with warehouse.opened().session() as session:
        rows = session.read(TableRef(DAILY_ACTIVE_USERS, DAYS[0], DAYS[1] + timedelta(days=1)), ["dau"], limit=1)
    assert rows.to_pylist() == [{"dau": 2}]
    assert reader.sessions == []


def test_of_a_large_partition_memory_holds_a_few_batches(warehouse: StorageWarehouse) -> None:
    at = "TIMESTAMP '2024-01-10 00:00:00+00'"
    with warehouse.opened().session() as session:
        session.ensure(USER_DAILY_ACTIVITY)
        warehouse.client.query_and_wait(
            f"INSERT INTO calback.user_daily_activity SELECT DATE '{DAY}', CONCAT('user-', CAST(i AS STRING)), "
            f"FALSE, 1, 1, 1, 1, {at}, {at}, [] FROM UNNEST(GENERATE_ARRAY(1, 600000)) AS i"
        )
        before, most, rows, size = pa.total_allocated_bytes(), 0, 0, 0
        for batch in session.batches(TableRef(USER_DAILY_ACTIVITY, DAY, DAYS[1])):
            rows += batch.num_rows
            size += batch.nbytes
            most = max(most, pa.total_allocated_bytes() - before)
    assert rows == 600_000
    assert most < size / 2  # The emulator, in this process, holds some of it, too.
