"""A small world on disk and the whole platform over it: input files, real Dagster runs, and the tables they end in.

Only what several tests of whole worlds share belongs here; rows for a single query are in `given`.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from unittest.mock import patch

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    ExecuteInProcessResult,
    JobDefinition,
)

from calback_assets.assets import SQL_ASSETS
from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from calback_assets.settings import SOURCES, Settings
from calback_assets.tables import TABLES
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.googlesql.model import SCHEMA
from calback_assets.warehouse.io_manager import _Write
from calback_assets_tests.assets.given import Row
from calback_assets_tests.warehouse.helpers import error_of

with pytest.MonkeyPatch.context() as environment:
    # The module's last line builds the deployment of the environment, which must name a first day.
    environment.setenv("CALBACK_START_DATE", "2024-01-01")
    from calback_assets.definitions import build_defs


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    """Write a file of JSON lines, in a folder that is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def write_opens(data: Path, day: date, rows: Iterable[Row]) -> None:
    """Write the access log of a day."""
    write_lines(data / "access_log" / f"date={day}" / "part-0.jsonl", ({**row, "date": str(day)} for row in rows))


PROJECT = "calback-test"
SQL_BY_TABLE = {declared.table.name: declared for declared in SQL_ASSETS}


@dataclass(frozen=True)
class Platform:
    """The platform over a folder `data` in `home`, with a warehouse file beside it."""

    home: Path
    first: date
    last: date
    timezone: str = "Asia/Seoul"
    firestore: str | None = None
    """The address of a live Firestore; without one, the collections come from files."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Other settings of this deployment, as environment variables."""

    @property
    def data(self) -> Path:
        """The input folder."""
        return self.home / "data"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of this deployment."""
        return {
            "CALBACK_DATA_DIR": str(self.data),
            "CALBACK_DUCKDB_PATH": str(self.home / "warehouse.duckdb"),
            "CALBACK_START_DATE": str(self.first),
            "CALBACK_END_DATE": str(self.last),
            "CALBACK_TIMEZONE": self.timezone,
            **({"FIRESTORE_EMULATOR_HOST": self.firestore, "CALBACK_GCP_PROJECT": PROJECT} if self.firestore else {}),
            **self.more,
        }

    @cached_property
    def warehouse(self) -> DuckDBWarehouse:
        """The warehouse, for reading and for damaging it on purpose."""
        return DuckDBWarehouse(self.home / "warehouse.duckdb")

    @cached_property
    def _job(self) -> JobDefinition:
        return build_defs(Settings.from_env(self.environ)).resolve_job_def(DAILY_JOB_NAME)

    def run(self, first: date, last: date, *assets: str) -> ExecuteInProcessResult:
        """Materialize a range of days, all assets or those named, as one Dagster run; a failure is in the result."""
        return _over(self._job, first, last, [AssetKey(name) for name in assets] or None)

    def build(self, first: date, last: date, *tables: str) -> ExecuteInProcessResult:
        """A run that must not fail, of all tables or those named, without pictures, checks and pages of them."""
        keys = {AssetKey(name) for name in tables or (*SOURCES, *SQL_BY_TABLE)}
        with patch.object(_Write, "_pictures", return_value={}):
            result = _over(self._job.get_subset(asset_selection=keys, asset_check_selection=set()), first, last)
        assert result.success, error_of(result)
        return result

    def copied(self, home: Path) -> "Platform":
        """The same world with the same warehouse, in files of its own."""
        shutil.copytree(self.home, home)
        return replace(self, home=home)

    def check(self, table: str, *names: str, tags: Mapping[str, str] | None = None) -> ExecuteInProcessResult:
        """Run checks of a table by themselves, as Dagit's Checks tab does."""
        job = self._job.get_subset(
            asset_selection=set(), asset_check_selection={AssetCheckKey(AssetKey(table), name) for name in names}
        )
        with DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)

    def rows(self, table: str) -> list[Row]:
        """All rows of a table, by its key where it has one."""
        with self.warehouse.session(read_only=True) as session:
            key = ", ".join(TABLES[table].key) or "ALL"
            rows: list[Row] = session.arrow(f"SELECT * FROM {SCHEMA}.{table} ORDER BY {key}").to_pylist()
            return rows


def _over(
    job: JobDefinition, first: date, last: date, assets: Sequence[AssetKey] | None = None
) -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            tags={RANGE_START_TAG: str(first), RANGE_END_TAG: str(last)},
            asset_selection=assets,
            raise_on_error=False,
        )


def materializations(result: ExecuteInProcessResult, table: str) -> list[AssetMaterialization]:
    """What a run says it materialized of a table, in order."""
    events = result.get_asset_materialization_events()
    return [event.materialization for event in events if event.asset_key == AssetKey(table)]


def contents(session: DuckDBSession, tables: Sequence[str] | None = None) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the tables, but for the columns that tell the time of the run, and the ledger of partitions.

    Without names, of all that have been written.
    """
    found = {}
    for name in tables or [name for name, table in TABLES.items() if session.exists(table)]:
        columns = ", ".join(f'"{column.name}"' for column in TABLES[name].columns if not column.wall_clock)
        found[name] = session.execute(f"SELECT {columns} FROM {SCHEMA}.{name} ORDER BY ALL")
    ledger = f"SELECT table_name, event_date, row_count, is_stale FROM {SCHEMA}.partition_ledger ORDER BY ALL"
    return found | {"partition_ledger": session.execute(ledger)}
