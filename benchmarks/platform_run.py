"""The platform as it is run: its daily job, by Dagster, on an instance that keeps its records on disk.

What several questions need to run ours belongs here.
"""

import gc
import os
import shutil
from datetime import date
from pathlib import Path

import duckdb
from dagster import AssetKey, DagsterInstance

import calback_assets
from benchmarks.harness import Work
from benchmarks.workload import TIMEZONE
from calback_assets.settings import Settings
from calback_assets.tables import TABLES

WAREHOUSE = "warehouse.duckdb"
"""The file that every contestant leaves in its folder."""
SCHEMA = "calback"
TO_METRICS = (
    "raw_users", "raw_meetings", "raw_events", "raw_access_log", "device_identity", "unified_events",
    "user_daily_activity", "user_first_seen", "daily_active_users", "frequent_users",
)  # fmt: skip
"""The way from raw data to metrics, which the peers go as well."""


def settings(data: Path, folder: Path, first: date, last: date) -> Settings:
    """A closed data set of the days `first` to `last`, its warehouse in the folder."""
    return Settings.from_env(
        {
            "CALBACK_DATA_DIR": str(data),
            "CALBACK_DUCKDB_PATH": str(folder / WAREHOUSE),
            "CALBACK_START_DATE": str(first),
            "CALBACK_END_DATE": str(last),
            "CALBACK_TIMEZONE": TIMEZONE,
        }
    )


def instance(folder: Path) -> DagsterInstance:
    """The Dagster instance kept in the folder, with the settings that the platform comes with."""
    home = folder / "dagster"
    home.mkdir(exist_ok=True)
    shutil.copy(Path(calback_assets.__file__).parent / "dagster.yaml", home)
    os.environ["DAGSTER_HOME"] = str(home)
    return DagsterInstance.from_config(str(home))


def daily_job(
    data: str,
    folder: str,
    data_first: str,
    first: str,
    last: str,
    selected: str = ",".join(TO_METRICS),
) -> Work:
    """One run of the daily job, with the checks of its assets, over the days `first` to `last`.

    Args:
        data: folder of the exports.
        folder: where warehouse and instance are, or are made.
        data_first: first day of the data set.
        first: first day of the run.
        last: last day of the run and of the data set.
        selected: the assets, with commas between.
    """
    # The module ends in definitions made from the environment; these are not the ones that run.
    os.environ["CALBACK_START_DATE"] = data_first
    # The one import that the platform leaves for later; like all others it is made before the clock runs.
    import matplotlib.figure  # noqa: F401

    from calback_assets.automation.jobs import DAILY_JOB_NAME
    from calback_assets.definitions import build_defs

    definitions = build_defs(
        settings(Path(data), Path(folder), date.fromisoformat(data_first), date.fromisoformat(last))
    )
    job = definitions.resolve_job_def(DAILY_JOB_NAME)
    records = instance(Path(folder))
    gc.freeze()  # As `calback run` does.

    def work() -> None:
        assets = [AssetKey(name) for name in selected.split(",")]
        result = job.execute_in_process(instance=records, tags=range_tags(first, last), asset_selection=assets)
        assert result.success

    return work


def range_tags(first: str, last: str) -> dict[str, str]:
    """What makes a run cover the days `first` to `last`."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def contents(folder: Path) -> dict[str, object]:
    """What must be the same whoever made it: how many rows each table has, and the metrics themselves."""
    with duckdb.connect(str(folder / WAREHOUSE), read_only=True) as connection:
        # The stock I/O manager makes no table for no rows.
        written = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        rows = {
            name: connection.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{name}").fetchall()[0][0]
            if (name,) in written
            else 0
            for name in TO_METRICS
        }
        columns = ", ".join(TABLES["daily_active_users"].column_names[1:])
        query = f"SELECT CAST(event_date AS DATE), {columns} FROM {SCHEMA}.daily_active_users ORDER BY event_date"
        return {"rows": rows, "metrics": connection.execute(query).fetchall()}
