"""Assembly of the platform: `build_defs(settings)`. No I/O, no network and no credentials at import.

Only the last line reads the environment; tests call `build_defs` with settings of their own.
"""

import warnings
from functools import partial

from dagster import AssetKey, BetaWarning, Definitions, in_process_executor

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.app import app_sources
from calback_assets.assets.delivery.dashboard import dashboard_asset
from calback_assets.assets.delivery.exports import export_assets
from calback_assets.assets.insight.insight_report import insight_report_asset
from calback_assets.assets.lineage import Lineage, Steps
from calback_assets.assets.raw import raw_assets
from calback_assets.assets.shown import shown
from calback_assets.assets.sql_asset import dependents
from calback_assets.automation.erasure import erase_job
from calback_assets.automation.jobs import daily_job
from calback_assets.automation.schedules import nightly_schedule
from calback_assets.checks import CHECKS, build_checks
from calback_assets.checks.drift import build_drift_check
from calback_assets.checks.volume import build_volume_checks
from calback_assets.partitions import daily_partitions
from calback_assets.settings import Settings, environment
from calback_assets.tables.insight import RETURN_MODEL
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.deployed_sources import sources_of
from calback_assets.warehouse.googlesql.template import Parameter
from calback_assets.warehouse.intake import Policy, arrived_everywhere, intake_resource
from calback_assets.warehouse.io_manager import Calendar
from calback_assets.warehouse.resources import io_manager_resource, warehouse_resource


def build_defs(settings: Settings) -> Definitions:
    """The platform for these settings: assets, checks, jobs, schedule and resources.

    Raises:
        ModelError: a `.sql` file uses what not every engine can run.
    """
    partitions = daily_partitions(settings.start_date, settings.end_date, settings.timezone)
    calendar = Calendar(settings.start_date, settings.end_date, settings.timezone)
    warehouse = warehouse_of(settings, dependents(SQL_ASSETS))
    sources = sources_of(settings)
    parameters: dict[str, Parameter] = {
        "frequent_min_days": settings.frequent_min_days,
        "frequent_window_days": settings.frequent_window_days,
        "start_date": settings.start_date,
    }
    with warnings.catch_warnings():
        # Both have been beta since 2023 and are what ranges in one run and trailing windows need.
        for name in ("backfill_policy", "allow_nonexistent_upstream_partitions"):
            warnings.filterwarnings("ignore", f"Parameter `{name}`", BetaWarning)
        raw = raw_assets(partitions)
        assets = [
            *raw,
            *(declared.build(partitions, parameters) for declared in SQL_ASSETS),
            insight_report_asset(settings.report_dir),
            dashboard_asset(settings.report_dir, settings.annotations, settings.frequent_min_days),
            *export_assets(settings, partitions),
        ]
    app = app_sources(settings)
    steps: dict[AssetKey, Steps] = {AssetKey(source.table): source.lineage for source in app}
    steps |= {AssetKey(declared.table.name): declared.lineage for declared in SQL_ASSETS}
    as_shown = shown(warehouse, Lineage(steps))
    partitioned = [built.key for built in assets if built.partitions_def is not None]
    snapshots = [key for built in raw if built.partitions_def is None for key in built.keys]
    without_days = [key for built in assets[len(raw) :] if built.partitions_def is None for key in built.keys]
    return Definitions(
        assets=[*(as_shown(source.spec) for source in app), *(built.map_asset_specs(as_shown) for built in assets)],
        asset_checks=[
            *build_checks(CHECKS, calendar),
            *build_volume_checks((RAW_USERS, RAW_MEETINGS, RAW_EVENTS, RAW_ACCESS_LOG), calendar),
            build_drift_check(),
        ],
        jobs=[daily_job, erase_job],
        schedules=[
            nightly_schedule(
                partitions,
                partitioned,
                settings.timezone,
                settings.end_date,
                partial(arrived_everywhere, sources),
                snapshots,
                others=dict.fromkeys(without_days, 0) | {AssetKey(RETURN_MODEL.name): settings.model_every_days},
            )
        ],
        resources={
            "io_manager": io_manager_resource(warehouse, calendar),
            "warehouse": warehouse_resource(warehouse, settings),
            "intake": intake_resource(sources, Policy(settings.expected_sources, settings.max_lost_share), warehouse),
        },
        # DuckDB has one writer, and a process for each step costs seconds.
        executor=in_process_executor,
    )


defs = build_defs(Settings.from_env(environment()))
