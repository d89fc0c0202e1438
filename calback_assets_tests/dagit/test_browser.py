"""What a person sees in Dagit with a browser."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from calback_assets_tests.dagit.conftest import Morning
from calback_assets_tests.dagit.graph import GRAPH

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = Path("/usr/bin/chromium")
WAIT_MILLISECONDS = 60_000


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is missing; install it: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            # Chromium refuses its sandbox to root, and phones home on its own account unless told not to.
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        page = browser.new_page(viewport={"width": 1800, "height": 1000})
        page.set_default_timeout(WAIT_MILLISECONDS)
        expect.set_options(timeout=WAIT_MILLISECONDS)
        # Dagit's pages may fetch from elsewhere; this test must not.
        page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
        yield page
        browser.close()


def test_the_lineage_shows_every_asset_once_the_groups_are_opened(morning: Morning, page: Page) -> None:
    groups = sorted({node.group for node in GRAPH.values()})
    expanded = "%2C".join(f"global%40global%3A{group}" for group in groups)
    page.goto(f"{morning.dagit.address}/asset-groups?expanded={expanded}")
    for name in GRAPH:
        # Dagit cuts a long name short in its middle.
        shown = re.compile(f"^({name}|{name[:8]}….*)$")
        expect(page.get_by_text(shown).first).to_be_visible()


def test_the_page_of_daily_active_users_shows_the_latest_day_and_its_plot(morning: Morning, page: Page) -> None:
    page.goto(f"{morning.dagit.address}/assets/daily_active_users?view=overview")
    expect(page.get_by_text(re.compile("|".join(str(day) for day in morning.days))).first).to_be_visible()
    plot = page.get_by_role("row").filter(has=page.get_by_text("plot", exact=True))
    plot.get_by_text("Show Markdown").click()
    picture = page.get_by_role("img", name="Active people per day, week and month")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 500
