"""Takes the pictures of this folder from a running Dagit: `python docs/take_screenshots.py ADDRESS`, as it was printed.

After `make demo`, with `make ui` running and Debian's chromium-headless-shell installed. The report and the dashboard
are taken from `data/report`.
"""

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Page, expect, sync_playwright

from calback_assets.assets import GROUPS
from calback_assets.assets.shown import numbered_group

DOCS = Path(__file__).parent
MARGIN = 10


def take_lineage(page: Page, address: str) -> None:
    """The global asset lineage with every group open, cropped to the graph."""
    page.set_viewport_size({"width": 4400, "height": 5600})  # Dagit draws what fits in, and no smaller.
    groups = "%2C".join(f"global%40global%3A{numbered_group(group)}" for group in GROUPS)
    page.goto(f"{address}/asset-groups?expanded={groups}")
    page.get_by_role("button", name="Hide navigation").click()
    page.get_by_role("button", name="panel_show_right").last.click()
    graph = page.locator("svg").filter(has_text="frequent_users").last
    expect(graph.get_by_text("Materialized").first).to_be_visible()
    expect(graph.get_by_text("Loading")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    boxes = [box for node in graph.locator("foreignObject").all() if (box := node.bounding_box())]
    left, top = (min(box[side] for box in boxes) - MARGIN for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    left, top = max(left, 0), max(top, 0)
    save(page, "lineage.png", {"x": left, "y": top, "width": right - left, "height": bottom - top})


def take_daily_active_users(page: Page, address: str) -> None:
    """The asset page of `daily_active_users`, with its plot open."""
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(f"{address}/assets/daily_active_users?view=overview")
    row = page.get_by_role("row").filter(has=page.get_by_text("plot", exact=True))
    row.get_by_text("Show Markdown").click()
    expect(page.get_by_role("img", name="Active people per day, week and month")).to_be_visible()
    save(page, "daily_active_users.png")


def take_report(page: Page) -> None:
    """The top of the report: the answer."""
    page.set_viewport_size({"width": 900, "height": 690})
    page.goto((DOCS.parent / "data" / "report" / "insight.en.html").as_uri())
    save(page, "insight_report.png")


def take_dashboard(page: Page) -> None:
    """The top of the dashboard's pictures, of two months."""
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.goto((DOCS.parent / "data" / "report" / "dashboard.en.html").as_uri() + "#from=2024-03-01&to=2024-04-29")
    expect(page.locator("html[data-drawn]")).to_be_attached()
    save(page, "dashboard.png")


def save(page: Page, name: str, clip: FloatRect | None = None) -> None:
    """A picture in 128 colours, a third of the size, and no wider than a screen."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(BytesIO(page.screenshot(clip=clip, animations="disabled"))).convert("RGB")
    picture.thumbnail((2200, 2200))
    picture.quantize(128).save(DOCS / name, optimize=True)


def main(way_in: str) -> None:
    """All pictures."""
    address, _, _ = way_in.partition("/?")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium-headless-shell", args=["--no-sandbox"])
        expect.set_options(timeout=30_000)
        page = browser.new_page()
        page.goto(way_in)
        take_lineage(page, address)
        take_daily_active_users(page, address)
        take_report(page)
        take_dashboard(page)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
