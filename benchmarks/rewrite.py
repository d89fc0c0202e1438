"""What does an atomic rewrite of a partition cost, over the stock I/O manager's, which deletes first and then loads?

The same DataFrame is returned by the same asset to both managers; the partition exists already.
"""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from dagster import AssetsDefinition, DailyPartitionsDefinition, IOManager, IOManagerDefinition, asset, materialize
from dagster_duckdb_pandas import DuckDBPandasIOManager

from benchmarks.harness import Scale, Work, in_child, in_turns
from benchmarks.platform_run import SCHEMA, WAREHOUSE, instance
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY, TIMEZONE
from calback_assets.tables import EVENT_DATE, TABLES, Column, Table
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.io_manager import Calendar, WarehouseIOManager

REWRITTEN = Table(
    name="rewritten",
    description="Eight columns of the usual types.",
    grain="row",
    key=(),
    declared=(
        Column(EVENT_DATE, "DATE", "The day.", required=True),
        Column("user_id", "STRING", "Someone.", required=True),
        Column("event_name", "STRING", "One of a few texts.", required=True),
        Column("events", "INT64", "A small number.", required=True),
        Column("bytes", "INT64", "A large number."),
        Column("score", "FLOAT64", "A fraction."),
        Column("is_new", "BOOL", "Yes or no.", required=True),
        Column("first_event_at", "TIMESTAMP", "When.", required=True),
    ),
)


def answer(work: Path, scale: Scale) -> list[Row]:
    """A million rows of eight columns, at full size."""
    rows = scale.rewritten_rows
    costs = in_turns(
        work, scale.runs, {"ours": in_child(ours, _sums, rows=rows), "stock": in_child(stock, _sums, rows=rows)}
    )
    assert costs["ours"].made == costs["stock"].made, "they store different rows"
    what = f"rewrite of {rows:,} × {len(REWRITTEN.columns)}"
    return [
        Row("e", what, "s", costs["ours"].seconds, costs["stock"].seconds, "stock manager", 1.1),
        Row("e", f"{what}, peak memory", "MB", costs["ours"].megabytes, costs["stock"].megabytes, "stock manager", 1),
    ]


def ours(rows: int, folder: str) -> Work:
    """The rewrite through our I/O manager."""
    # The contracts are fixed where the platform runs; here one more is needed.
    TABLES[REWRITTEN.name] = REWRITTEN
    warehouse = DuckDBWarehouse(Path(folder) / WAREHOUSE)
    return _rewrite(WarehouseIOManager(warehouse, Calendar(FIRST_DAY, FIRST_DAY, TIMEZONE)), rows, folder)


def stock(rows: int, folder: str) -> Work:
    """The rewrite through the stock I/O manager."""
    manager = DuckDBPandasIOManager(database=str(Path(folder) / WAREHOUSE), schema=SCHEMA)
    return _rewrite(manager, rows, folder)


def _rewrite(manager: IOManager | IOManagerDefinition | DuckDBPandasIOManager, rows: int, folder: str) -> Work:
    records, key = instance(Path(folder)), str(FIRST_DAY)

    def write(made: AssetsDefinition) -> None:
        resources = {"io_manager": manager}
        assert materialize([made], partition_key=key, instance=records, resources=resources).success

    write(returning(frame(rows, seed=1)))
    new = returning(frame(rows, seed=2))
    return lambda: write(new)


def returning(rows: pd.DataFrame) -> AssetsDefinition:
    """The asset whose one partition every manager writes."""

    @asset(
        name=REWRITTEN.name,
        partitions_def=DailyPartitionsDefinition(start_date=str(FIRST_DAY), timezone=TIMEZONE),
        metadata={"partition_expr": EVENT_DATE},
    )
    def rewritten() -> pd.DataFrame:
        return rows

    return rewritten


def frame(rows: int, seed: int) -> pd.DataFrame:
    """Rows of the table, all of one day."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp(date.isoformat(FIRST_DAY), tz=TIMEZONE).tz_convert("UTC")
    return pd.DataFrame(
        {
            EVENT_DATE: pd.Timestamp(FIRST_DAY),
            "user_id": [f"user-{number:08d}" for number in rng.integers(0, 100_000, rows)],
            "event_name": np.array(["screen_view", "session_start", "search"], dtype=object)[rng.integers(0, 3, rows)],
            "events": rng.integers(0, 100, rows),
            "bytes": rng.integers(0, 2**50, rows),
            "score": rng.random(rows),
            "is_new": rng.random(rows) < 0.5,
            "first_event_at": start + pd.to_timedelta(rng.integers(0, 86_400_000_000, rows), unit="us"),
        }
    )


def _sums(folder: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / WAREHOUSE), read_only=True) as connection:
        return connection.execute(
            "SELECT COUNT(*), COUNT(DISTINCT user_id), SUM(events), SUM(bytes), COUNTIF(is_new), MAX(first_event_at), "
            f"CAST(MIN({EVENT_DATE}) AS DATE) FROM {SCHEMA}.{REWRITTEN.name}"
        ).fetchall()
