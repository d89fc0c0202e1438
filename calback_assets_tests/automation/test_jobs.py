"""What the daily job covers, and that a range of days is one run of it."""

from pathlib import Path

from dagster import BackfillPolicy, Definitions

from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.definitions import build_defs
from calback_assets.settings import Settings


def platform(tmp_path: Path) -> Definitions:
    return build_defs(Settings.from_env({"CALBACK_START_DATE": "2024-01-01", "CALBACK_DATA_DIR": str(tmp_path)}))


def test_the_daily_job_holds_every_asset_that_is_made_and_every_check(tmp_path: Path) -> None:
    defs = platform(tmp_path)
    layer = defs.resolve_job_def(DAILY_JOB_NAME).asset_layer
    graph = defs.resolve_asset_graph()
    assert set(layer.executable_asset_keys) == set(graph.materializable_asset_keys)
    assert set(layer.asset_graph.asset_check_keys) == set(graph.asset_check_keys)


def test_a_range_of_days_is_one_run_because_every_daily_asset_says_so(tmp_path: Path) -> None:
    defs = platform(tmp_path)
    policies = {node.key.to_user_string(): node.backfill_policy for node in defs.resolve_asset_graph().asset_nodes}
    daily = {node.key.to_user_string() for node in defs.resolve_asset_graph().asset_nodes if node.is_partitioned}
    assert {name for name, policy in policies.items() if policy == BackfillPolicy.single_run()} == daily
    assert defs.resolve_job_def(DAILY_JOB_NAME).backfill_policy == BackfillPolicy.single_run()
