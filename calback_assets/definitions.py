"""Assembly of the platform: `build_defs(settings)`. No I/O, no network and no credentials at import.

Only the last line reads the environment; tests call `build_defs` with settings of their own.
"""

import os
import warnings
from datetime import UTC, datetime

from dagster import AssetKey, BetaWarning, Definitions, in_process_executor

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.raw import raw_assets
from calback_assets.assets.sql_asset import dependents
from calback_assets.automation.erasure import erase_job
from calback_assets.automation.jobs import daily_job
from calback_assets.automation.schedules import nightly_schedule
from calback_assets.checks import CHECKS, build_checks
from calback_assets.partitions import daily_partitions
from calback_assets.settings import Settings
from calback_assets.sources.access_log_files import AccessLogFiles
from calback_assets.sources.access_log_table import AccessLogTable
from calback_assets.sources.firestore import FirestoreSource, collections
from calback_assets.sources.firestore_files import FirestoreFiles
from calback_assets.sources.ga4_export import Ga4Export
from calback_assets.sources.ga4_files import Ga4Files
from calback_assets.warehouse.duckdb import DuckDBWarehouse
from calback_assets.warehouse.io_manager import Calendar, opened_once_a_run
from calback_assets.warehouse.warehouse import Warehouse


def warehouse_of(settings: Settings) -> Warehouse:
    """The warehouse of a deployment; nothing is opened or called."""
    if settings.bigquery is None:
        return DuckDBWarehouse(settings.duckdb_path, dependents(SQL_ASSETS), pseudonym_key=settings.pseudonym_key)
    # Google's libraries take a second to import, which the local deployment need not pay.
    from calback_assets.warehouse.bigquery import BigQueryWarehouse
    from calback_assets.warehouse.bigquery_jobs import Limits, resource_of

    given = settings.bigquery
    limits = Limits(given.timeout_seconds, given.maximum_bytes_billed)
    return BigQueryWarehouse(
        resource_of(given.project, given.location),
        given.dataset,
        dependents(SQL_ASSETS),
        limits,
        pseudonym_key=settings.pseudonym_key,
    )


def _sources(settings: Settings) -> dict[str, object]:
    """Where the raw tables come from, by the names under which the raw assets ask for it."""

    def now() -> datetime:
        return datetime.now(UTC)

    firestore = _firestore(settings)
    if settings.bigquery is None:
        return {
            "firestore": firestore,
            "ga4": Ga4Files(settings.data_dir / "analytics", settings.timezone, now, settings.max_line_bytes),
            "access_log": AccessLogFiles(settings.data_dir / "access_log", settings.max_line_bytes),
        }
    from calback_assets.sources.bigquery_catalog import BigQueryCatalog
    from calback_assets.warehouse.bigquery_jobs import client_of, resource_of

    given = settings.bigquery
    catalog = BigQueryCatalog(lambda: client_of(resource_of(given.project, given.location)))
    return {
        "firestore": firestore,
        "ga4": Ga4Export(catalog, given.project, given.ga4_dataset, settings.timezone, now),
        "access_log": AccessLogTable(catalog, given.project, given.access_log_table),
    }


def _firestore(settings: Settings) -> FirestoreSource:
    declared = collections(settings.pseudonym_key, settings.max_rejected_share)
    if settings.firestore_project is None:
        return FirestoreFiles(settings.data_dir / "firestore", declared, settings.max_line_bytes)
    from calback_assets.sources.firestore_client import connected
    from calback_assets.sources.firestore_live import LiveFirestore

    return LiveFirestore(settings.firestore_project, connected, declared)


def build_defs(settings: Settings) -> Definitions:
    """The platform for these settings: assets, checks, jobs, schedule and resources.

    Raises:
        ModelError: a `.sql` file uses what not every engine can run.
    """
    partitions = daily_partitions(settings.start_date, settings.end_date, settings.timezone)
    calendar = Calendar(settings.start_date, settings.end_date, settings.timezone)
    warehouse = warehouse_of(settings)
    parameters = {
        "frequent_min_days": settings.frequent_min_days,
        "frequent_window_days": settings.frequent_window_days,
    }
    with warnings.catch_warnings():
        # Both have been beta since 2023 and are what ranges in one run and trailing windows need.
        for name in ("backfill_policy", "allow_nonexistent_upstream_partitions"):
            warnings.filterwarnings("ignore", f"Parameter `{name}`", BetaWarning)
        daily = [declared.build(partitions, parameters) for declared in SQL_ASSETS]
        raw = raw_assets(partitions)
    partitioned = [AssetKey(built.key.path) for built in raw + daily if built.partitions_def is not None]
    return Definitions(
        assets=raw + daily,
        asset_checks=build_checks(CHECKS, calendar),
        jobs=[daily_job, erase_job],
        schedules=[nightly_schedule(partitions, partitioned, settings.timezone, settings.end_date)],
        resources={
            "io_manager": opened_once_a_run(warehouse, calendar),
            "warehouse": warehouse,
            **_sources(settings),
        },
        # DuckDB has one writer, and a process for each step costs seconds.
        executor=in_process_executor,
    )


defs = build_defs(Settings.from_env(os.environ))
