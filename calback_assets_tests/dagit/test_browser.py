"""What a person sees and does in Dagit with a browser; the lineage has tests of its own."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from calback_assets_tests.dagit.conftest import Morning, leave
from calback_assets_tests.dagit.server import RUN_SECONDS
from calback_assets_tests.dagit.test_dagit import materializations, metadata

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVENTS = """{ assetOrError(assetKey: {path: ["raw_access_log"]}) { ... on Asset {
    assetMaterializations { partition runId } } } }"""
RUNS = "{ runsOrError(limit: 1) { ... on Runs { results { id } } } }"


def launch(button: Locator) -> None:
    """Click, and leave the page once it is done."""
    page = button.page
    with page.expect_response(lambda answer: bool(re.search("mutation.*launch", answer.request.post_data or "", re.S))):
        button.click()
    leave(page)


def test_the_page_of_daily_active_users_shows_the_latest_day_and_its_plot(morning: Morning, page: Page) -> None:
    page.goto(f"{morning.dagit.address}/assets/daily_active_users?view=overview")
    expect(page.get_by_text(re.compile("|".join(str(day) for day in morning.days))).first).to_be_visible()
    plot = page.get_by_role("row").filter(has=page.get_by_text("plot", exact=True))
    plot.get_by_text("Show Markdown").click()
    picture = page.get_by_role("img", name="Active people per day, week and month")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 500


def test_a_person_with_the_token_materializes_a_partition_by_clicking(morning: Morning, page: Page) -> None:
    def events() -> list[str]:
        found = morning.dagit.ask(EVENTS)["assetOrError"]["assetMaterializations"]
        return [event["runId"] for event in found if event["partition"] == str(morning.days[-1])]

    before = events()
    page.goto(f"{morning.dagit.address}/assets/raw_access_log")
    page.get_by_text("Materialize…").first.click()
    page.get_by_role("button", name="Latest", exact=True).click()
    launch(page.get_by_role("button", name="Launch 1 run"))
    added = morning.dagit.wait_for(
        "materialization", RUN_SECONDS, lambda: [run for run in events() if run not in before] or None
    )
    assert morning.dagit.finished_run(added[0]) == "SUCCESS"
    (event,) = [event for event in materializations(morning, "raw_access_log") if event["runId"] == added[0]]
    assert event["partition"] == str(morning.days[-1])
    shown = metadata(event)
    assert shown["row_count"]["intValue"] == len(morning.days)
    assert shown["files"]["intValue"] == 1
    assert shown["sql"]["mdStr"].startswith("```sql\n")
    # What the run has printed is kept for whoever looks at it.
    assert list(morning.dagit.log.parent.glob(f"storage/{added[0]}/compute_logs/*.err"))


def test_a_person_with_the_token_materializes_seven_days_in_one_run_by_clicking(morning: Morning, page: Page) -> None:
    week = [str(day) for day in morning.days[:7]]

    def events() -> list[tuple[str, str]]:
        found = morning.dagit.ask(EVENTS)["assetOrError"]["assetMaterializations"]
        return [(event["runId"], event["partition"]) for event in found]

    before = {run for run, _ in events()}
    page.goto(f"{morning.dagit.address}/assets/raw_access_log")
    page.get_by_text("Materialize…").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(week[0], exact=True)).to_be_visible()  # The days are known now, and can be named.
    range_of_days = dialog.get_by_role("textbox").first
    range_of_days.fill(f"[{week[0]}...{week[-1]}]")
    range_of_days.press("Enter")
    expect(dialog.get_by_text("7 partitions")).to_be_visible()
    launch(dialog.get_by_role("button", name="Launch backfill"))

    def added() -> list[tuple[str, str]] | None:
        found = sorted(event for event in events() if event[0] not in before)
        return found if len(found) >= len(week) else None

    built = morning.dagit.wait_for("seven materializations", RUN_SECONDS, added)
    assert [day for _, day in built] == week
    (run,) = {run for run, _ in built}
    assert morning.dagit.finished_run(run) == "SUCCESS"


def test_a_person_with_the_token_runs_the_checks_of_a_table_by_themselves(morning: Morning, page: Page) -> None:
    def newest() -> str:
        (run,) = morning.dagit.ask(RUNS)["runsOrError"]["results"]
        return str(run["id"])

    before = newest()
    checks = f"{morning.dagit.address}/assets/daily_active_users?view=checks"
    page.goto(checks)
    launch(page.get_by_role("button", name="Execute all"))
    run = morning.dagit.wait_for("run", RUN_SECONDS, lambda: newest() if newest() != before else None)
    assert morning.dagit.finished_run(run) == "SUCCESS"
    page.goto(checks)
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(3)
    # The first day is known to the instance alone.
    expect(page.get_by_role("row", name=f"days {len(morning.days) - 1}", exact=True)).to_be_visible()
