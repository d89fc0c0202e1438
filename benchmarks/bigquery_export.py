"""What does a day of the GA4 export cost that stands in BigQuery and goes into DuckDB, by the Storage Read API?

BigQuery is the tests' emulator, in another process than the platform.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from dagster import materialize
from google.cloud import bigquery

from benchmarks.harness import Scale, Work, in_child, in_turns
from benchmarks.platform_run import SCHEMA, WAREHOUSE, instance
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY, TIMEZONE, write
from calback_assets.assets.raw import raw_assets
from calback_assets.partitions import daily_partitions
from calback_assets.sources.bigquery.catalog import BigQueryCatalog
from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets.sources.bigquery.rows import BigQueryRows
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets.sources.ga4.files import Ga4Files
from calback_assets.sources.ga4.tables import Ga4Export
from calback_assets.tables.raw import RAW_EVENTS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.intake import Intake, Policy, Sources
from calback_assets.warehouse.io_manager import Calendar, WarehouseIOManager
from calback_assets_tests.bigquery.clients import Emulator, client
from calback_assets_tests.bigquery.emulator import running_emulator
from calback_assets_tests.bigquery.test_both_engines import field_of

_PROJECT, _DATASET = "benchmark-export", "analytics_1"
_MEMORY_BOUND_MB = 1000


def answer(work: Path, scale: Scale) -> list[Row]:
    """1,000,000 events, at full size."""
    write(work / "data", scale, 1)
    with running_emulator() as emulator:
        for file in sorted((work / "data" / "analytics").iterdir()):
            _load(emulator, file)
        at = {"url": emulator.url, "endpoint": emulator.storage_endpoint, "data": str(work / "data")}
        costs = in_turns(
            work,
            scale.runs,
            {"bigquery": in_child(fetched, _counted, **at), "files": in_child(from_files, _counted, **at)},
        )
    by_storage, by_files = costs["bigquery"], costs["files"]
    assert by_storage.made == by_files.made, "they store different events"
    print(f"{by_storage.made} events, {scale.events / by_storage.seconds:,.0f} events a second from BigQuery")
    what = f"raw_events of {scale.events:,} events from BigQuery into DuckDB"
    return [
        Row("i", what, "s", by_storage.seconds, by_files.seconds, "the same in a Parquet file", None),
        Row("i", "the same, peak memory", "MB", by_storage.megabytes, _MEMORY_BOUND_MB, "the bound", 1),
    ]


def fetched(url: str, endpoint: str, data: str, folder: str) -> Work:
    """The day from BigQuery."""
    os.environ[EMULATOR_HOST] = url
    reader = Emulator(url, endpoint).reader()
    connected = client(url, _PROJECT)
    rows = BigQueryRows(lambda: connected, lambda _: reader)
    return _run(
        Ga4Export(BigQueryCatalog(lambda: connected), _PROJECT, _DATASET, TIMEZONE, lambda: datetime.now(UTC), rows),
        data,
        folder,
    )


def from_files(url: str, endpoint: str, data: str, folder: str) -> Work:  # noqa: ARG001
    """The day from the files that were loaded."""
    return _run(Ga4Files(Path(data) / "analytics", TIMEZONE, lambda: datetime.now(UTC)), data, folder)


def _run(source: Ga4Export | Ga4Files, data: str, folder: str) -> Work:
    _, events, _ = raw_assets(daily_partitions(FIRST_DAY, FIRST_DAY, TIMEZONE))
    warehouse = DuckDBWarehouse(Path(folder) / WAREHOUSE)
    documents = FirestoreFiles(Path(data) / "firestore", {}, 2**20)
    resources = {
        "io_manager": WarehouseIOManager(warehouse, Calendar(FIRST_DAY, FIRST_DAY, TIMEZONE)),
        "intake": Intake(Sources(documents, {}, {RAW_EVENTS.name: source}), Policy(), warehouse, ()),
    }
    records = instance(Path(folder))

    def work() -> None:
        assert materialize([events], instance=records, resources=resources, partition_key=str(FIRST_DAY)).success

    return work


def _counted(folder: Path) -> int:
    with duckdb.connect(str(folder / WAREHOUSE), read_only=True) as connection:
        return int(connection.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{RAW_EVENTS.name}").fetchall()[0][0])


def _load(emulator: Emulator, file: Path) -> None:
    """A file of the export as the table that it was extracted from."""
    with client(emulator.url, _PROJECT) as connected:
        connected.create_dataset(f"{_PROJECT}.{_DATASET}", exists_ok=True)
        name = f"{_PROJECT}.{_DATASET}.{file.name.partition('.')[0]}"
        schema = [field_of(field.name, field.type) for field in pq.read_schema(file)]
        connected.create_table(bigquery.Table(name, schema=schema))
        config = bigquery.LoadJobConfig(source_format="PARQUET", schema=schema)
        config.parquet_options = bigquery.ParquetOptions()
        config.parquet_options.enable_list_inference = True
        connected.load_table_from_file(pa.OSFile(str(file)), name, job_config=config, rewind=False).result()
