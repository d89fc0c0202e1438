"""What `make ui-readonly` serves on what `make demo` leaves behind: everything to see, and nothing to change."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from calback_assets_tests.dagit.conftest import Demo
from calback_assets_tests.dagit.graph import GRAPH
from calback_assets_tests.dagit.hostile_page import MARK_OF_DAGIT, READING, attack, traces
from calback_assets_tests.dagit.server import LOCATION, REPOSITORY
from calback_assets_tests.web.hostile import changing

pytestmark = pytest.mark.slow

MUTATIONS = {
    "launchRun": "launchRun(executionParams: $run) { __typename }",
    "launchMultipleRuns": """launchMultipleRuns(executionParamsList: [$run]) { __typename
        ... on LaunchMultipleRunsResult { launchMultipleRunsResult { __typename } } }""",
    "launchPartitionBackfill": """launchPartitionBackfill(backfillParams: {
        assetSelection: [{path: ["raw_access_log"]}], partitionNames: ["2024-01-01", "2024-01-02"]}) { __typename }""",
    "wipeAssets": 'wipeAssets(assetPartitionRanges: [{assetKey: {path: ["raw_users"]}}]) { __typename }',
    "deletePipelineRun": 'deletePipelineRun(runId: "%s") { __typename }',
    "reportRunlessAssetEvents": """reportRunlessAssetEvents(
        eventParams: {eventType: ASSET_MATERIALIZATION, assetKey: {path: ["raw_users"]}}) { __typename }""",
}


@pytest.mark.browser
def test_a_run_of_the_command_is_seen_on_overview(demo: Demo, stranger: Page) -> None:
    stranger.goto(f"{demo.dagit.address}/overview/activity/timeline")
    expect(stranger.get_by_role("link", name="daily_metrics")).to_be_visible()
    # How many runs of our definitions there are in these hours; a row alone may stand for a tick to come.
    expect(stranger.get_by_text("1", exact=True)).to_be_visible()


@pytest.mark.browser
def test_a_run_of_the_command_is_seen_on_the_page_of_its_job(demo: Demo, stranger: Page) -> None:
    job = f"{demo.dagit.address}/locations/calback_assets.definitions/jobs/daily_metrics"
    stranger.goto(job)
    expect(stranger.get_by_text("Latest run:")).to_be_visible()
    stranger.goto(f"{job}/runs")
    expect(stranger.get_by_role("link", name=demo.run_id[:8])).to_be_visible()


@pytest.mark.browser
def test_the_numbers_of_a_data_set_that_has_ended_are_plotted_where_its_asset_is_looked_at(
    demo: Demo, stranger: Page
) -> None:
    asked = """{ assetNodeOrError(assetKey: {path: ["daily_active_users"]}) { ... on AssetNode {
        partitionKeyConnection(limit: 120, ascending: false) { results } } } }"""
    newest = demo.dagit.ask(asked)["assetNodeOrError"]["partitionKeyConnection"]["results"]
    assert newest == [f"2024-01-0{day}" for day in range(5, 0, -1)]
    stranger.goto(f"{demo.dagit.address}/assets/daily_active_users?view=overview")
    stranger.get_by_role("button", name="Plots").click()
    # Dagit says so under plots by partition, and nowhere else.
    expect(stranger.get_by_text("When graphing values by partition")).to_be_visible()
    group = GRAPH["daily_active_users"].group
    stranger.goto(f"{demo.dagit.address}/asset-groups?expanded=global%40global%3A{group}")
    stranger.get_by_text("daily_active_users", exact=True).first.click()
    expect(stranger.get_by_text("When graphing values by partition")).to_be_attached()
    for name in ("dau", "wau", "mau"):
        # Above its plot, and not in the words of the description.
        expect(stranger.get_by_text(name, exact=True).and_(stranger.locator("span"))).to_be_attached()


@pytest.mark.browser
def test_nothing_can_be_materialized_or_checked_by_clicking(demo: Demo, stranger: Page) -> None:
    stranger.goto(f"{demo.dagit.address}/assets/daily_active_users?view=checks")
    expect(stranger.get_by_text("Succeeded", exact=True).first).to_be_visible()
    for ends in ("Execute all", "Execute", "Materialize…"):
        # Its name begins with that of its icon.
        expect(stranger.get_by_role("button", name=re.compile(f"{ends}$"))).to_be_disabled()
    stranger.goto(f"{demo.dagit.address}/asset-groups")
    expect(stranger.get_by_role("button", name=re.compile("Materialize all"))).to_be_disabled()


@pytest.mark.browser
def test_a_page_of_another_origin_does_not_even_look(demo: Demo, site: int, stranger: Page) -> None:
    before = traces(demo.dagit.ask)
    told, shown = attack(stranger.context, f"http://127.0.0.1:{site}", demo.dagit.address)
    assert told == dict.fromkeys(READING)
    assert MARK_OF_DAGIT not in shown
    assert traces(demo.dagit.ask) == before


def test_no_hostile_request_gets_through_by_hand(demo: Demo) -> None:
    before = traces(demo.dagit.ask)
    for way, request in changing("report", demo.dagit.port).items():
        assert 400 <= request.to(demo.dagit.port).status < 500, way
    assert traces(demo.dagit.ask) == before


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_who_looks_changes_nothing(demo: Demo, mutation: str) -> None:
    selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "jobName": "daily_metrics"}
    asked = MUTATIONS[mutation].replace("%s", demo.run_id)
    head = "mutation($run: ExecutionParams!)" if "$run" in asked else "mutation"
    before = traces(demo.dagit.ask)
    told: dict[str, Any] = demo.dagit.ask(
        f"{head} {{ answer: {asked} }}", run={"selector": selector, "runConfigData": "{}"}
    )["answer"]
    assert [told["__typename"]] == ["UnauthorizedError"] or told["launchMultipleRunsResult"] == [
        {"__typename": "UnauthorizedError"}
    ]
    assert traces(demo.dagit.ask) == before


def test_the_run_of_the_command_can_be_looked_at_without_a_token(demo: Demo) -> None:
    query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status repositoryOrigin { repositoryName } } } }"
    assert demo.dagit.ask(query, id=demo.run_id)["runOrError"] == {
        "status": "SUCCESS",
        "repositoryOrigin": {"repositoryName": REPOSITORY},
    }
