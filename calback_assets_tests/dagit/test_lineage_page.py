"""What a person sees of the lineage: the app's sources, every group, asset and edge, and where a column comes from."""

import re

import pytest
from playwright.sync_api import Page, expect

from calback_assets_tests.dagit.conftest import Morning
from calback_assets_tests.dagit.graph import APP, GRAPH, GROUPS

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lineage(morning: Morning, page: Page) -> Page:
    """The lineage of everything, with every group open, as large as it has to be for Dagit to draw all of it."""
    page.set_viewport_size({"width": 4400, "height": 5600})
    expanded = "%2C".join(f"global%40global%3A{group}" for group in GROUPS)
    page.goto(f"{morning.dagit.address}/asset-groups?expanded={expanded}")
    return page


def test_it_begins_at_the_app_and_shows_every_group_asset_and_edge(lineage: Page) -> None:
    graph = lineage.locator("svg").filter(has=lineage.locator("foreignObject")).last
    for group in GROUPS:
        expect(graph.get_by_text(group, exact=True)).to_be_visible()
    for name in (*APP, *GRAPH):
        shown = name.rpartition("/")[2]
        # Dagit cuts a long name short in its middle.
        expect(graph.get_by_text(re.compile(f"^({shown}|{shown[:8]}….*)$")).first).to_be_visible()
    edges = sum(len(node.upstream) for node in GRAPH.values())
    assert set(APP) < {upstream for node in GRAPH.values() for upstream in node.upstream}
    expect(graph.locator("path[marker-end]")).to_have_count(edges)


def test_the_page_of_a_metric_says_where_it_is_how_it_is_made_and_where_its_columns_come_from(
    morning: Morning, page: Page
) -> None:
    page.set_viewport_size({"width": 1600, "height": 3000})
    page.goto(f"{morning.dagit.address}/assets/daily_active_users?view=overview")
    dau = page.get_by_role("row").filter(has=page.get_by_text("dau", exact=True)).first
    expect(dau).to_contain_text("From user_daily_activity (event_date, user_id)")
    expect(dau).to_contain_text("analytics/events (event_timestamp, user_id, user_pseudo_id)")
    expect(page.get_by_title("calback.daily_active_users", exact=True)).to_be_visible()
    expect(page.get_by_title("daily_active_users.sql", exact=True)).to_be_visible()
    query = page.get_by_role("row").filter(has=page.get_by_text("query", exact=True))
    query.get_by_text("Show Markdown").click()
    expect(page.get_by_role("dialog")).to_contain_text("FROM counted")


def test_the_page_of_a_source_says_where_it_is_and_what_becomes_of_its_fields(morning: Morning, page: Page) -> None:
    page.set_viewport_size({"width": 1600, "height": 3000})
    page.goto(f"{morning.dagit.address}/assets/analytics/events?view=overview")
    expect(page.get_by_text("External Asset").first).to_be_visible()
    properties = page.get_by_role("row").filter(has=page.get_by_text("user_properties", exact=True))
    expect(properties).to_contain_text("Free-form, may name a person. Dropped.")
    expect(page.locator("a[href='https://support.google.com/analytics/answer/7029846']").first).to_be_visible()
    expect(page.get_by_text(re.compile("/data/analytics$")).first).to_be_visible()


def test_a_resource_shows_its_name_and_what_it_was_set_to(morning: Morning, page: Page) -> None:
    page.goto(f"{morning.dagit.address}/locations/__repository__@calback_assets.definitions/resources/warehouse")
    expect(page.get_by_text("DuckDBWarehouse", exact=True)).to_be_visible()
    expect(page.get_by_text("CALBACK_DUCKDB_PATH", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(r"warehouse\.duckdb")).first).to_be_visible()
