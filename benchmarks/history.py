"""What does one more day cost with a year of history, over a month of it?

The history stands in the tables before the clock starts, made by SQL from one day that the platform wrote: nine in ten
of its people and devices on every day, others each time. Raw and unified events of past days are a fiftieth of it: no
day reads those of another, and a year of them would be 365 million rows. The ledger and the Dagster instance know every
day. The Firestore snapshots are the same on both sides: their cost goes by the documents, not by the days.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
from dagster import AssetMaterialization

from benchmarks import workload
from benchmarks.harness import Contestant, Cost, Scale, in_child, in_turns
from benchmarks.platform_run import SCHEMA, WAREHOUSE, contents, daily_job, instance
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY
from calback_assets.tables import TABLES
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse

_FIFTIETH = ("raw_events", "raw_access_log", "unified_events")
"""Tables of which no day reads another's."""
_PARTITIONED = [table for table in TABLES.values() if table.is_partitioned]


def answer(work: Path, scale: Scale) -> list[Row]:
    """The day after the history, all assets and checks."""
    data, model = work / "data", work / "model"
    workload.write(data, scale, days=1)
    model.mkdir()
    _one_day(data, FIRST_DAY)(model)
    costs = in_turns(
        work,
        scale.runs,
        {f"after {days}": _after(model, data, days) for days in (scale.short_history, scale.long_history)},
    )
    short, long = costs.values()
    what = f"one more day after {scale.long_history} days"
    return [Row("c", what, "s", long.seconds, short.seconds, f"after {scale.short_history} days", 1.15)]


def _one_day(data: Path, data_first: date) -> Contestant:
    day = str(FIRST_DAY)
    return in_child(daily_job, contents, data=str(data), data_first=str(data_first), first=day, last=day)


def _after(model: Path, data: Path, count: int) -> Contestant:
    days = [FIRST_DAY - timedelta(days=age) for age in range(count, 0, -1)]
    history = model.with_name(f"history-{count}")
    history.mkdir()
    _write_tables(history, model, days)
    _tell_dagster(history, days)
    one_more = _one_day(data, days[0])

    def measure(folder: Path) -> Cost:
        shutil.copytree(history, folder, dirs_exist_ok=True)
        return one_more(folder)

    return measure


def _write_tables(history: Path, model: Path, days: Sequence[date]) -> None:
    with DuckDBWarehouse(history / WAREHOUSE).session() as session:
        for table in _PARTITIONED:
            session.ensure(table)
    with duckdb.connect(str(history / WAREHOUSE)) as connection:
        connection.execute(f"SET TimeZone = 'UTC'; ATTACH '{model / WAREHOUSE}' AS model (READ_ONLY)")
        for name in _FIFTIETH:
            connection.execute(f"CREATE TEMP TABLE {name} AS FROM model.{SCHEMA}.{name} WHERE hash(rowid) % 50 = 0")
        for day in days:
            for statement in _past_day(day):
                connection.execute(statement)
        connection.execute(
            f"INSERT INTO {SCHEMA}.user_first_seen BY NAME "
            f"SELECT MIN(event_date) AS event_date, user_id FROM {SCHEMA}.user_daily_activity GROUP BY user_id"
        )


def _past_day(day: date) -> Iterator[str]:
    kept = {
        "device_identity": f"hash(user_pseudo_id, '{day}') % 10 > 0",
        "user_daily_activity": f"hash(user_id, '{day}') % 10 > 0",
        "daily_active_users": "TRUE",
    }
    for name in _FIFTIETH:
        yield (f"INSERT INTO {SCHEMA}.{name} BY NAME SELECT * REPLACE (DATE '{day}' AS event_date) FROM temp.{name}")
    for name, condition in kept.items():
        yield (
            f"INSERT INTO {SCHEMA}.{name} BY NAME SELECT * REPLACE (DATE '{day}' AS event_date) "
            f"FROM model.{SCHEMA}.{name} WHERE {condition}"
        )
    yield (
        f"INSERT INTO {SCHEMA}.frequent_users SELECT event_date, user_id, 27, 10, TRUE, TRUE "
        f"FROM {SCHEMA}.user_daily_activity WHERE event_date = DATE '{day}'"
    )
    for table in _PARTITIONED:
        yield f"INSERT INTO {SCHEMA}.partition_ledger VALUES ('{table.name}', DATE '{day}', 1000000, 'history', FALSE)"


def _tell_dagster(history: Path, days: Sequence[date]) -> None:
    with instance(history) as records:
        for table in _PARTITIONED:
            for day in days:
                records.report_runless_asset_event(AssetMaterialization(table.name, partition=str(day)))
