"""Dagit and the daemon, started as `make ui` starts them, asked through GraphQL as its pages ask."""

from datetime import date
from typing import Any

import pytest

from calback_assets_tests.dagit.conftest import Morning
from calback_assets_tests.dagit.graph import APP, DAILY, GRAPH
from calback_assets_tests.dagit.server import RUN_SECONDS

pytestmark = pytest.mark.slow

ASSETS = """{ assetNodes {
    assetKey { path } groupName description kinds isPartitioned dependencyKeys { path }
    owners { ... on TeamAssetOwner { team } ... on UserAssetOwner { email } } } }"""
MATERIALIZATIONS = """query($asset: AssetKeyInput!) { assetOrError(assetKey: $asset) { ... on Asset {
    assetMaterializations { partition runId
        metadataEntries { label ... on IntMetadataEntry { intValue } ... on MarkdownMetadataEntry { mdStr } } } } } }"""
RUNS = """query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs {
    results { id status tags { key value } } } } }"""
HISTORY = """query($asset: AssetKeyInput!, $before: String, $cursor: String) {
    assetOrError(assetKey: $asset) { ... on Asset { assetEventHistory(
        limit: 4, beforeTimestampMillis: $before, cursor: $cursor, eventTypeSelectors: [MATERIALIZATION]) {
            results { ... on MaterializationEvent { runId timestamp partition } } cursor } } } }"""
"""As Dagit's Events tab asks, but for a page of 100."""
BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


def keys(names: list[str]) -> list[dict[str, list[str]]]:
    return [{"path": [name]} for name in names]


def tag(run: dict[str, Any], name: str) -> str | None:
    return next((pair["value"] for pair in run["tags"] if pair["key"] == name), None)


def covered(run: dict[str, Any]) -> tuple[str | None, str | None]:
    return tag(run, "dagster/asset_partition_range_start"), tag(run, "dagster/asset_partition_range_end")


def materializations(morning: Morning, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = morning.dagit.ask(MATERIALIZATIONS, asset={"path": [name]})["assetOrError"][
        "assetMaterializations"
    ]
    return found


def metadata(materialization: dict[str, Any]) -> dict[str, Any]:
    return {entry.pop("label"): entry for entry in materialization["metadataEntries"]}


def text(days: list[date]) -> list[str]:
    return [str(day) for day in days]


def test_a_missed_tick_is_made_up_for_by_one_run_over_exactly_the_due_days(morning: Morning) -> None:
    assert morning.tick["status"] == "SUCCESS"
    filters = {"tags": [{"key": "dagster/schedule_name", "value": "nightly"}]}
    (run,) = morning.dagit.ask(RUNS, filter=filters)["runsOrError"]["results"]
    assert [run["id"]] == morning.tick["runIds"]
    assert run["status"] == "SUCCESS"
    assert covered(run) == (str(morning.days[1]), str(morning.days[-1]))
    for name in DAILY:
        built = [event["partition"] for event in materializations(morning, name) if event["runId"] == run["id"]]
        assert sorted(built) == text(morning.days[1:]), name


def test_every_asset_group_and_edge_of_the_design_is_there(morning: Morning) -> None:
    nodes = {"/".join(node["assetKey"]["path"]): node for node in morning.dagit.ask(ASSETS)["assetNodes"]}
    assert nodes.keys() == GRAPH.keys() | APP.keys()
    for name, expected in (GRAPH | APP).items():
        node = nodes[name]
        assert {"/".join(key["path"]) for key in node["dependencyKeys"]} == expected.upstream
        assert (node["groupName"], set(node["kinds"])) == (expected.group, expected.kinds)
        assert node["isPartitioned"] == expected.is_daily
        assert node["owners"] == [{"team": "analytics"}]
        assert node["description"]


def test_yesterday_has_the_numbers_and_the_plot(morning: Morning) -> None:
    newest = next(
        event
        for event in materializations(morning, "daily_active_users")
        if event["partition"] == str(morning.days[-1])
    )
    shown = metadata(newest)
    assert shown["row_count"]["intValue"] == 1
    assert "data:image/png;base64," in shown["plot"]["mdStr"]
    assert f"{len(morning.days)}" in shown["preview"]["mdStr"]


def test_the_events_tab_tells_every_materialization_of_a_range_apart(morning: Morning) -> None:
    known: dict[str, str] = {}
    before = cursor = None
    while cursor != "-1":
        page = morning.dagit.ask(HISTORY, asset={"path": ["daily_active_users"]}, before=before, cursor=cursor)
        history = page["assetOrError"]["assetEventHistory"]
        # What Dagit knows an event by.
        known |= {f"{event['runId']}{event['timestamp']}": event["partition"] for event in history["results"]}
        before = str(min(int(event["timestamp"]) for event in history["results"])) if history["results"] else None
        cursor = history["cursor"] if history["results"] else "-1"
    of_run = [partition for key, partition in known.items() if key.startswith(morning.tick["runIds"][0])]
    assert of_run == text(morning.days[:0:-1])


def test_a_backfill_of_a_range_is_one_run(morning: Morning) -> None:
    # Of what other days read as well, Dagster makes a later run, which also has those days.
    selected = keys(["raw_events", "raw_access_log", "device_identity"])
    params = {"assetSelection": selected, "partitionNames": text(morning.days[:3])}
    launched = morning.dagit.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    filters = {"tags": [{"key": "dagster/backfill", "value": launched["backfillId"]}]}

    def runs() -> list[dict[str, Any]] | None:
        return morning.dagit.ask(RUNS, filter=filters)["runsOrError"]["results"] or None

    (run,) = morning.dagit.wait_for("run of the backfill", RUN_SECONDS, runs)
    assert morning.dagit.finished_run(run["id"]) == "SUCCESS"
    assert covered(run) == (str(morning.days[0]), str(morning.days[2]))
