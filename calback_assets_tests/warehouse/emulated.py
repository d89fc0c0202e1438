"""The BigQuery warehouse on the emulator and in a real project, for the tests that every warehouse must pass.

Apart from the other helpers, because the emulator takes seconds to import.
"""

import io
import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import MappingProxyType
from uuid import uuid4

from dagster_gcp import BigQueryResource
from google.cloud import bigquery

from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables import Table
from calback_assets.warehouse.bigquery.jobs import EmulatedBigQuery, client_of, resource_of
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.warehouse import Warehouse
from calback_assets_tests.bigquery.clients import client
from calback_assets_tests.warehouse.helpers import CALENDAR, Row

LOCATION = "asia-northeast3"


class BigQueryUnderTest:
    """A dataset of BigQuery."""

    name = "bigquery"
    types: Mapping[str, str] = MappingProxyType({"text": "STRING", "fraction": "FLOAT64"})

    def __init__(self, client: bigquery.Client, resource: BigQueryResource, dataset: str) -> None:
        self.client = client
        self.resource = resource
        self.dataset = dataset

    def uri(self, table: Table) -> str:
        place = f"p={self.client.project}&d={self.dataset}&t={table.name}"
        return f"https://console.cloud.google.com/bigquery?{place}&page=table"

    @property
    def figures(self) -> Collection[str]:
        return ("bytes_processed", "bytes_billed", "slot_milliseconds", "job")

    def quoted(self, name: str) -> str:
        return f"`{name}`"

    def opened(self, dependents: Dependents | None = None, pseudonym_key: bytes = DEVELOPMENT_KEY) -> Warehouse:
        return BigQueryWarehouse(self.resource, self.dataset, dependents, pseudonym_key=pseudonym_key)

    def io_manager(self, dependents: Dependents | None = None) -> WarehouseIOManager:
        return WarehouseIOManager(self.opened(dependents), CALENDAR)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        with BigQueryWarehouse(self.resource, self.dataset).session() as session:
            session.ensure(table)
        self._load(table.name, rows)
        if table.is_partitioned:
            counted = Counter(row["event_date"] for row in rows)
            entry = {"table_name": table.name, "run_id": "put", "is_stale": False, "cause": "put"}
            now = datetime.now(UTC)
            days = [{**entry, "event_date": day, "row_count": n, "entered_at": now} for day, n in counted.items()]
            self._load("partition_ledger", days)

    def _load(self, table_name: str, rows: Sequence[Row]) -> None:
        table = self.client.get_table(f"{self.dataset}.{table_name}")
        config = bigquery.LoadJobConfig(schema=table.schema, source_format="NEWLINE_DELIMITED_JSON")
        lines = "".join(f"{json.dumps(row, default=str)}\n" for row in rows)
        self.client.load_table_from_file(io.BytesIO(lines.encode()), table, job_config=config).result()

    def rows(self, table: Table) -> list[Row]:
        found = self.client.list_rows(self.client.get_table(f"{self.dataset}.{table.name}"))
        return sorted((dict(row.items()) for row in found), key=_order)

    def ledger(self) -> list[Row]:
        latest: dict[tuple[str, date], Row] = {}
        entries = self.client.list_rows(self.client.get_table(f"{self.dataset}.partition_ledger"))
        for entry in sorted((dict(row.items()) for row in entries), key=lambda row: row["entered_at"]):
            latest[entry["table_name"], entry["event_date"]] = entry
        return [latest[key] for key in sorted(latest)]


def _order(row: Row) -> list[tuple[bool, object]]:
    return [(value is None, repr(value) if isinstance(value, list) else value) for value in row.values()]


class EmulatedWarehouse(BigQueryUnderTest):
    """BigQuery, as the emulator speaks it; each test has a project of its own."""

    def __init__(self, url: str) -> None:
        project = f"test-{uuid4().hex[:12]}"
        super().__init__(client(url, project), EmulatedBigQuery(project=project, location=LOCATION), "calback")
        made = bigquery.Dataset(f"{project}.calback")
        made.location = LOCATION
        self.client.create_dataset(made)


@contextmanager
def real_warehouse(project: str) -> Iterator[BigQueryUnderTest]:
    """A dataset of its own in a real project, which is dropped at the end, and by its expiry where a test is killed."""
    location = os.environ.get("CALBACK_BIGQUERY_LOCATION", LOCATION)
    resource = resource_of(project, location)
    connected = client_of(resource)
    made = bigquery.Dataset(f"{project}.calback_test_{uuid4().hex[:12]}")
    made.location = location
    made.default_table_expiration_ms = 24 * 60 * 60 * 1000
    connected.create_dataset(made)
    try:
        yield BigQueryUnderTest(connected, resource, made.dataset_id)
    finally:
        connected.delete_dataset(made, delete_contents=True)
