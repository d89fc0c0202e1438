"""Assembly of the platform: `build_defs(settings)`. No I/O, no network and no credentials at import.

Only the last line reads the environment; tests call `build_defs` with settings of their own.
"""

import warnings
from datetime import UTC, datetime
from functools import cache, partial

from dagster import AssetKey, BetaWarning, Definitions, in_process_executor

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.raw import raw_assets
from calback_assets.assets.sql_asset import dependents
from calback_assets.automation.erasure import erase_job
from calback_assets.automation.jobs import daily_job
from calback_assets.automation.schedules import nightly_schedule
from calback_assets.checks import CHECKS, build_checks
from calback_assets.checks.volume import build_volume_checks
from calback_assets.partitions import daily_partitions
from calback_assets.settings import Settings, environment
from calback_assets.sources.access_log import Fields
from calback_assets.sources.access_log_files import AccessLogFiles
from calback_assets.sources.daily import DailySource
from calback_assets.sources.data_folder import DataFolder, Reads
from calback_assets.sources.firestore import FirestoreSource, collections
from calback_assets.sources.firestore_files import FirestoreFiles
from calback_assets.sources.ga4_files import Ga4Files
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.intake import Policy, Sources, arrived_everywhere, intake_resource
from calback_assets.warehouse.io_manager import Calendar, opened_once_a_run


def sources_of(settings: Settings) -> Sources:
    """Where the raw tables come from; nothing is opened or called."""

    def now() -> datetime:
        return datetime.now(UTC)

    declared = collections(settings.pseudonym_key, settings.max_rejected_share)
    # None for a source that is not read from files, whose folder is nobody's business then.
    readers: dict[str, Reads | None] = {"firestore": None, "analytics": None, "access_log": None}
    documents: FirestoreSource
    if settings.firestore_project is None:
        documents = files = FirestoreFiles(settings.data_dir / "firestore", declared, settings.max_line_bytes)
        readers["firestore"] = files.reads
    else:
        from calback_assets.sources.firestore_client import connected
        from calback_assets.sources.firestore_live import LiveFirestore

        documents = LiveFirestore(settings.firestore_project, connected, declared)
    fields = Fields(settings.access_log_user_field, settings.access_log_date_field)
    daily: dict[str, DailySource] = {}
    if settings.ga4_dataset is None:
        daily[RAW_EVENTS.name] = Ga4Files(
            settings.data_dir / "analytics", settings.timezone, now, settings.max_line_bytes
        )
        readers["analytics"] = Ga4Files.reads
    if settings.access_log_table is None:
        daily[RAW_ACCESS_LOG.name] = AccessLogFiles(
            settings.data_dir / "access_log",
            settings.timezone,
            fields,
            settings.max_rejected_share,
            settings.max_line_bytes,
        )
        readers["access_log"] = AccessLogFiles.reads
    if settings.bigquery_sources:
        from calback_assets.sources.access_log_table import AccessLogTable
        from calback_assets.sources.bigquery_catalog import BigQueryCatalog
        from calback_assets.sources.bigquery_rows import BigQueryRows
        from calback_assets.sources.ga4_export import Ga4Export
        from calback_assets.warehouse.bigquery_jobs import client_of, resource_of

        place = settings.bigquery_sources
        connect = cache(lambda: client_of(resource_of(place.project, place.location)))
        catalog = BigQueryCatalog(connect)
        # A warehouse in BigQuery reads their tables itself.
        rows = None if settings.bigquery else BigQueryRows(connect)
        if settings.ga4_dataset:
            daily[RAW_EVENTS.name] = Ga4Export(
                catalog, place.project, settings.ga4_dataset, settings.timezone, now, rows
            )
        if settings.access_log_table:
            daily[RAW_ACCESS_LOG.name] = AccessLogTable(
                catalog, place.project, settings.access_log_table, settings.timezone, fields, rows
            )
    return Sources(
        documents, declared, daily, DataFolder(settings.data_dir, readers) if any(readers.values()) else None
    )


def build_defs(settings: Settings) -> Definitions:
    """The platform for these settings: assets, checks, jobs, schedule and resources.

    Raises:
        ModelError: a `.sql` file uses what not every engine can run.
    """
    partitions = daily_partitions(settings.start_date, settings.end_date, settings.timezone)
    calendar = Calendar(settings.start_date, settings.end_date, settings.timezone)
    warehouse = warehouse_of(settings, dependents(SQL_ASSETS))
    sources = sources_of(settings)
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
        asset_checks=[
            *build_checks(CHECKS, calendar),
            *build_volume_checks((RAW_USERS, RAW_MEETINGS, RAW_EVENTS, RAW_ACCESS_LOG), calendar),
        ],
        jobs=[daily_job, erase_job],
        schedules=[
            nightly_schedule(
                partitions, partitioned, settings.timezone, settings.end_date, partial(arrived_everywhere, sources)
            )
        ],
        resources={
            "io_manager": opened_once_a_run(warehouse, calendar),
            "warehouse": warehouse,
            "intake": intake_resource(sources, Policy(settings.expected_sources, settings.max_lost_share), warehouse),
        },
        # DuckDB has one writer, and a process for each step costs seconds.
        executor=in_process_executor,
    )


defs = build_defs(Settings.from_env(environment()))
