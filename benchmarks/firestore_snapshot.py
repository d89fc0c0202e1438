"""What does a snapshot of a live Firestore cost, in parallel and in a single stream, over Google's own client?

The server is that of the tests, in another process. Memory is told for 100,000 documents, above that for none.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from dagster import AssetKey, AssetsDefinition, asset, materialize
from dagster_duckdb_pandas import DuckDBPandasIOManager

from benchmarks.harness import Scale, Work, in_child, in_turns
from benchmarks.platform_run import SCHEMA, WAREHOUSE, instance
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY, TIMEZONE, write_documents
from calback_assets.assets.raw import raw_assets
from calback_assets.partitions import daily_partitions
from calback_assets.sources.firestore.client import connected
from calback_assets.sources.firestore.documents import collections
from calback_assets.sources.firestore.live import LiveFirestore
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.intake import Intake, Policy, Sources
from calback_assets.warehouse.io_manager import Calendar, WarehouseIOManager
from calback_assets_tests.firestore.process import serving

_PROJECT = "calback-test"
_MEMORY_BOUND_MB = 300
_STREAMS = 8
_MEETINGS_A_DAY = 500
_DECLARED = collections(b"key of a benchmark", tolerated=0.01)


def answer(work: Path, scale: Scale) -> list[Row]:
    """20,000 users and 50,000 meetings, at full size."""
    users, meetings = scale.users // 5, scale.users // 2
    write_documents(work / "app", users, meetings, _MEETINGS_A_DAY)
    write_documents(work / "large", scale.users, 1, _MEETINGS_A_DAY)
    write_documents(work / "empty", 0, 0, _MEETINGS_A_DAY)
    with serving(work / "app", _PROJECT) as host:
        costs = in_turns(
            work,
            scale.runs,
            {
                "parallel": in_child(ours, _counted, host=host, streams=_STREAMS),
                "single": in_child(ours, _counted, host=host, streams=1),
                "stock": in_child(stock, _counted, host=host),
            },
        )
    made = costs["parallel"].made
    assert made == costs["single"].made == costs["stock"].made == [users, meetings], "they store different documents"
    peaks = {}
    for name in ("large", "empty"):
        with serving(work / name, _PROJECT) as host:
            peaks[name] = in_child(ours, _counted, host=host, streams=_STREAMS)(work / name).megabytes
    what, peer = f"{users:,} users and {meetings:,} meetings from Firestore", "Google's client, stock manager"
    parallel, single, by_client = (costs[name] for name in ("parallel", "single", "stock"))
    documents = users + meetings
    print(*(f"{name}: {documents / cost.seconds:,.0f} documents a second" for name, cost in costs.items()), sep="; ")
    return [
        Row("h", f"{what}, {_STREAMS} streams", "s", parallel.seconds, single.seconds, "a single stream", None),
        Row("h", "the same, peak memory", "MB", parallel.megabytes, single.megabytes, "a single stream", None),
        Row("h", f"{what}, {_STREAMS} streams", "s", parallel.seconds, by_client.seconds, peer, 1),
        Row("h", "the same, peak memory", "MB", parallel.megabytes, by_client.megabytes, peer, 1),
        Row(
            "h",
            f"memory of {scale.users:,} users, above that of none",
            "MB",
            peaks["large"] - peaks["empty"],
            _MEMORY_BOUND_MB,
            "the bound",
            1,
        ),
    ]


def ours(host: str, streams: int, folder: str) -> Work:
    """Both raw tables, through the platform's source and I/O manager."""
    os.environ["FIRESTORE_EMULATOR_HOST"] = host
    (snapshot, *_) = raw_assets(daily_partitions(FIRST_DAY, FIRST_DAY, TIMEZONE))
    warehouse = DuckDBWarehouse(Path(folder) / WAREHOUSE)
    live = LiveFirestore(_PROJECT, connected, _DECLARED, streams=streams)
    resources = {
        "io_manager": WarehouseIOManager(warehouse, Calendar(FIRST_DAY, FIRST_DAY, TIMEZONE)),
        "intake": Intake(Sources(live, _DECLARED, {}), Policy(), warehouse, ()),
    }
    return _materialization([snapshot], resources, folder)


def stock(host: str, folder: str) -> Work:
    """The same documents as Google's client gives them, in DataFrames through the stock I/O manager."""
    os.environ["FIRESTORE_EMULATOR_HOST"] = host
    made = [_by_client(name) for name in _DECLARED]
    return _materialization(
        made, {"io_manager": DuckDBPandasIOManager(database=f"{folder}/{WAREHOUSE}", schema=SCHEMA)}, folder
    )


def _by_client(table: str) -> AssetsDefinition:
    declared = _DECLARED[table]

    def documents() -> Iterator[dict[str, object]]:
        with connected(_PROJECT) as client:
            for found in client.collection(declared.name).select(list(declared.fields)).stream():
                data = {"id": found.id, "created_at": found.create_time, **found.to_dict()}
                # Old documents hold any type, and DuckDB takes one a column.
                yield {name: json.dumps(value) if isinstance(value, list) else value for name, value in data.items()}

    @asset(name=table)
    def made() -> pd.DataFrame:
        return pd.DataFrame(documents())

    return made


def _materialization(made: list[AssetsDefinition], resources: dict[str, Any], folder: str) -> Work:
    records = instance(Path(folder))

    def work() -> None:
        names = [AssetKey(name) for name in _DECLARED]
        assert materialize(made, selection=names, instance=records, resources=resources).success

    return work


def _counted(folder: Path) -> list[int]:
    with duckdb.connect(str(folder / WAREHOUSE), read_only=True) as connection:
        return [connection.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{name}").fetchall()[0][0] for name in _DECLARED]
