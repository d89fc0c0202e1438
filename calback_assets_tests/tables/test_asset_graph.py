"""Tests of the graph that stands on the contracts: assets, edges with their days, jobs, schedules, checks."""

import pytest
from dagster import AssetKey, AssetsDefinition, BackfillPolicy, Definitions, TableSchema, TimeWindowPartitionMapping

from calback_assets.tables import TABLES

SAME = (0, 0)
EDGES: dict[str, dict[str, tuple[int, int] | None]] = {
    "raw_users": {},
    "raw_meetings": {},
    "raw_events": {},
    "raw_access_log": {},
    "device_identity": {"raw_events": SAME},
    "unified_events": {
        "raw_events": SAME,
        "raw_access_log": SAME,
        "raw_users": None,
        "raw_meetings": None,
        "device_identity": (-29, 0),
    },
    "user_daily_activity": {"unified_events": SAME},
    "user_first_seen": {"user_daily_activity": SAME},
    "daily_active_users": {"user_daily_activity": (-30, 0), "user_first_seen": SAME},
    "frequent_users": {"user_daily_activity": (-30, 0)},
}
"""The edges of the design, each with the first and last day it reads, seen from the day that is written.

`daily_active_users` reads one day more than its window: whether someone returns hangs on the 30 days before the day.
"""
GROUPS = {
    "raw_users": "raw",
    "raw_meetings": "raw",
    "raw_events": "raw",
    "raw_access_log": "raw",
    "device_identity": "core",
    "unified_events": "core",
    "user_daily_activity": "core",
    "user_first_seen": "core",
    "daily_active_users": "metrics",
    "frequent_users": "cohorts",
}
every_asset = pytest.mark.parametrize("name", EDGES)


def definition(defs: Definitions, name: str) -> AssetsDefinition:
    return defs.resolve_assets_def(AssetKey(name))


def test_the_assets_are_the_tables(defs: Definitions) -> None:
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys}
    assert keys == set(TABLES) == set(EDGES)


@every_asset
def test_an_asset_reads_what_the_design_says_and_the_days_it_says(defs: Definitions, name: str) -> None:
    (spec,) = definition(defs, name).specs
    edges = {dep.asset_key.to_user_string(): days_of(dep.partition_mapping) for dep in spec.deps}

    assert edges == EDGES[name]


def days_of(mapping: object) -> tuple[int, int] | None:
    if mapping is None:
        return None
    assert isinstance(mapping, TimeWindowPartitionMapping)
    assert mapping.allow_nonexistent_upstream_partitions
    return mapping.start_offset, mapping.end_offset


@every_asset
def test_an_asset_tells_a_person_what_it_is(defs: Definitions, name: str) -> None:
    (spec,) = definition(defs, name).specs

    assert spec.group_name == GROUPS[name]
    assert spec.description == TABLES[name].description
    assert list(spec.owners) == ["team:analytics"]
    assert spec.kinds


@every_asset
def test_an_asset_shows_the_columns_of_its_contract(defs: Definitions, name: str) -> None:
    (spec,) = definition(defs, name).specs
    schema = spec.metadata["dagster/column_schema"]

    assert isinstance(schema, TableSchema)
    assert [
        (column.name, column.type, column.description, not column.constraints.nullable) for column in schema.columns
    ] == [(column.name, column.type, column.description, column.required) for column in TABLES[name].columns]


@every_asset
def test_a_range_of_days_is_one_run_of_every_partitioned_asset(defs: Definitions, name: str) -> None:
    built = definition(defs, name)
    if TABLES[name].is_partitioned:
        assert built.backfill_policy == BackfillPolicy.single_run()
        assert built.partitions_def is not None
        assert built.partitions_def.get_partition_keys() == [f"2024-01-0{day}" for day in range(1, 8)]
    else:
        assert built.partitions_def is None


def test_the_job_takes_all_assets(defs: Definitions) -> None:
    job = defs.resolve_job_def("daily_metrics")

    assert {key.to_user_string() for key in job.asset_layer.selected_asset_keys} == set(TABLES)
    assert [job.name for job in defs.jobs or []] == ["daily_metrics"]


def test_the_schedule_runs_the_job_at_midnight_in_the_time_zone(defs: Definitions) -> None:
    (schedule,) = defs.schedules or []

    assert schedule.name == "nightly"
    assert schedule.job_name == "daily_metrics"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 0 * * *", "Asia/Seoul")


def test_the_invariants_are_checks_that_stop_what_is_downstream(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name): graph.get(key) for key in graph.asset_check_keys}

    assert set(checks) == {
        ("user_daily_activity", "events_add_up"),
        ("user_first_seen", "first_day_is_active_and_only"),
        ("daily_active_users", "windows_are_nested"),
        ("daily_active_users", "lifecycle_adds_up"),
        ("daily_active_users", "dau_is_everyone_active"),
        ("frequent_users", "frequent_users_are_active"),
    }
    assert all(check.blocking and check.description for check in checks.values())


def test_definitions_load(defs: Definitions) -> None:
    Definitions.validate_loadable(defs)
