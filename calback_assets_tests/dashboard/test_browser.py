"""The dashboard as a person uses it: days are chosen, pictures and tables follow, and nothing leaves the page."""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from calback_assets.dashboard.annotations import Annotation
from calback_assets.dashboard.page import pages_of
from calback_assets.dashboard.published import Published, published_in
from calback_assets.dashboard.words import LABELS
from calback_assets_tests.browser import chromium, quiet
from calback_assets_tests.dashboard.given import dau_of, world
from calback_assets_tests.dashboard.test_page import HOSTILE

pytestmark = pytest.mark.browser

WIDTHS = (360, 1440)
FORMULAS = ("=1+1", "+1", "-1", "@A1", "\uff1d1+1")
"""The last begins with the wide form of =, which Excel in Korean takes for the same."""
MARCH = "#from=2024-03-01&to=2024-03-31"
NOTES = [Annotation(date(2024, 3, 8), "Version 2.0", "2.0 버전"), Annotation(date(2024, 4, 10), "Election", "총선")]
LABEL = LABELS["en"]
EVERY_PICTURE = "#from=2024-01-01&to=2024-02-12"
"""Days of which there are cohorts, full weeks and all else."""


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with chromium() as started:
        yield started.new_page()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("pages")
    for language, text in pages_of(world(), NOTES, 3).items():
        (folder / f"dashboard.{language}.html").write_text(text, encoding="utf-8")
    hostile = [Annotation(date(2024, 3, 8), name, name) for name in HOSTILE]
    (folder / "hostile.html").write_text(pages_of(world(HOSTILE), hostile, 3)["en"], encoding="utf-8")
    (folder / "formulas.html").write_text(pages_of(world(FORMULAS), [], 3)["en"], encoding="utf-8")
    return folder


@pytest.fixture
def page(window: Page) -> Iterator[Page]:
    with quiet(window) as page:
        yield page


def opened(page: Page, file: Path, days: str = "") -> None:
    """Open a page and wait until it is drawn."""
    page.goto(file.as_uri() + days)
    expect(page.locator("html[data-drawn]")).to_be_attached()


def drawn(page: Page, first: str, last: str) -> None:
    """Wait until the pictures are those of these days."""
    expect(page.locator(f"html[data-drawn='{first} {last}']")).to_be_attached()


def table(page: Page, picture: str) -> list[list[str]]:
    """The table under a picture, the newest day first, without its head."""
    page.locator(f"#{picture} details:not([open]) summary").all() and page.locator(f"#{picture} summary").click()
    expect(page.locator(f"#{picture} thead th").first).to_be_attached()  # The browser tells of the opening later.
    rows = page.locator(f"#{picture} tbody tr")
    found: list[list[str]] = rows.evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")
    return found


@pytest.mark.parametrize("language", LABELS)
def test_the_page_can_be_read_at_every_width_by_day_and_by_night(page: Page, folder: Path, language: str) -> None:
    opened(page, folder / f"dashboard.{language}.html", EVERY_PICTURE)
    page.locator("#retention summary").click()
    assert page.locator(".chart svg").count() == 9
    blues = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        blues.append(
            page.locator("#retention svg path[fill='var(--blue)']").first.evaluate(
                "path => getComputedStyle(path).fill"
            )
        )
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width
            if (scheme == "light") != (width == 1440):
                continue
            violations = Axe().run(page).response["violations"]
            assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in violations] == []
    assert blues[0] != blues[1]


def test_the_figures_are_those_of_the_tables_and_follow_the_days_that_are_chosen(page: Page, folder: Path) -> None:
    opened(page, folder / "dashboard.en.html")
    drawn(page, "2024-01-31", "2024-04-29")
    newest = dau_of(date(2024, 4, 29))
    assert table(page, "active")[0] == [
        "29 Apr 2024", f"{newest}", f"{4 * newest:,}", f"{10 * newest:,}", LABEL.not_final,
    ]  # fmt: skip
    assert len(table(page, "active")) == 90
    page.get_by_role("button", name=LABEL.range_newest.format(days=30)).click()
    drawn(page, "2024-03-31", "2024-04-29")
    assert len(table(page, "active")) == 30
    assert page.url.endswith("#from=2024-03-31&to=2024-04-29")
    tiles = page.locator("#tiles > div").all_text_contents()
    # The mean of 290 to 319, and of 260 to 289 but for 4 March, which is missing.
    before = [dau_of(date(2024, 3, 1) + timedelta(days=number)) for number in range(30) if number != 3]
    assert tiles[0] == f"{LABEL.mean_dau}305" + LABEL.up.format(
        change=f"{304.5 / (sum(before) / 29) - 1:.1%}", before=round(sum(before) / 29)
    )
    assert tiles[4].endswith(LABEL.no_earlier)  # A sum lacks the missing day.
    assert table(page, "frequent")[0][1:3] == ["500", f"{500 / (10 * newest):.1%}"]
    page.get_by_label(LABEL.range_from, exact=True).fill("2024-03-01")
    drawn(page, "2024-03-01", "2024-04-29")
    missing = table(page, "active")[-4]
    assert missing == ["4 Mar 2024", "–", "–", "–", ""]
    assert table(page, "platform")[-4:-2] == [["4 Mar 2024", "–", "–", "–", ""], ["3 Mar 2024", "172", "60", "–", ""]]
    assert [row[1] for row in table(page, "retention")] == []


def test_a_gap_is_a_gap_in_the_line(page: Page, folder: Path) -> None:
    opened(page, folder / "dashboard.en.html", MARCH)
    lines = page.locator("#stickiness svg .mark-line path").all()
    assert [len(re.findall("M", line.get_attribute("d") or "")) for line in lines] == [2]


def test_a_small_count_is_not_told_in_table_or_file(page: Page, folder: Path) -> None:
    opened(page, folder / "dashboard.en.html", MARCH)
    few = table(page, "platform")[-5]
    assert few == ["5 Mar 2024", f"{dau_of(date(2024, 3, 5)) - 90}", "–", LABEL.few]
    assert lines_of(page, "platform")[5] == ["2024-03-05", "174", "", "<10"]


def lines_of(page: Page, picture: str) -> Sequence[Sequence[str]]:
    """The file that is downloaded of a picture."""
    with page.expect_download() as download:
        page.locator(f"#{picture} .download").click()
    text = download.value.path().read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    return [*csv.reader(text.decode("utf-8-sig").splitlines())]


def test_every_picture_can_be_taken_home(page: Page, folder: Path) -> None:
    opened(page, folder / "dashboard.en.html", MARCH)
    names = page.locator("figure").evaluate_all("figures => figures.map(figure => figure.id)")
    files = {name: lines_of(page, name) for name in names}
    assert files["active"][:2] == [["Day", "DAU", "WAU", "MAU"], ["2024-03-01", "260", "1040", "2600"]]
    assert files["before"][1] == ["2024-03-01", "260", "2024-01-30", "229"]
    assert files["lifecycle"][1] == ["2024-03-04", "300", "50", "20", "40"]
    assert {len({len(line) for line in lines}) for lines in files.values()} == {1}


def test_what_happened_is_marked_and_told(page: Page, folder: Path) -> None:
    opened(page, folder / "dashboard.ko.html", MARCH)
    expect(page.locator("#notes li")).to_have_text(["2024. 3. 8.: 2.0 버전"])
    assert page.locator("#active svg text", has_text=re.compile("^1$")).count() == 1
    page.locator("#other").click()
    drawn(page, "2024-03-01", "2024-03-31")
    expect(page.locator("#notes li")).to_have_text(["8 Mar 2024: Version 2.0"])


def test_a_restated_day_is_told_shaded_and_marked_in_table_and_file(page: Page, tmp_path: Path) -> None:
    told = published_in(pages_of(world(), [], 3)["en"])
    counts = {**told.counts, "2024-03-05": (1, 2, 3)}
    (tmp_path / "page.html").write_text(pages_of(world(), [], 3, Published(counts))["en"], encoding="utf-8")
    opened(page, tmp_path / "page.html", MARCH)
    expect(page.locator("#restated")).to_contain_text("1 of these days")
    marked = [row[0] for row in table(page, "active") if row[-1] == LABEL.restated]
    assert marked == ["5 Mar 2024"]
    assert lines_of(page, "active")[5][-1] == LABEL.restated
    assert page.locator("#active svg .mark-rect path").count() == 1


def test_names_of_strangers_are_text_in_pictures_tables_and_files(page: Page, folder: Path) -> None:
    opened(page, folder / "hostile.html", MARCH)
    assert HOSTILE[0] in page.locator("#notes").inner_text()
    shown = "".join(page.locator("#country svg text").all_text_contents())
    assert HOSTILE[1] in shown
    page.locator("#country svg .mark-symbol path").first.hover(force=True)
    expect(page.locator("#vg-tooltip-element")).to_contain_text(HOSTILE[0])
    assert page.evaluate("document.querySelectorAll('main script, img').length") == 0


def test_no_cell_of_a_file_is_a_formula(page: Page, folder: Path) -> None:
    opened(page, folder / "formulas.html", MARCH)
    assert lines_of(page, "app_version")[0][1:] == [f"'{name}" for name in FORMULAS]


@pytest.mark.parametrize("days", ["#from=2024-03-31&to=2024-03-01", "#from=1999-01-01&to=2024-03-01", "#from=<b>"])
def test_days_that_are_none_are_the_newest_ninety(page: Page, folder: Path, days: str) -> None:
    opened(page, folder / "dashboard.en.html", days)
    drawn(page, "2024-01-31", "2024-04-29")


def test_the_page_is_used_with_the_keyboard_and_printed_on_paper(page: Page, folder: Path) -> None:
    opened(page, folder / "dashboard.en.html")
    page.get_by_role("button", name=LABEL.range_all).focus()
    page.keyboard.press("Enter")
    drawn(page, "2024-01-01", "2024-04-29")
    page.locator("#active summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#active tbody tr")).to_have_count(120)
    expect(page.get_by_role("img", name=f"{LABEL.active_title}. {LABEL.active_text}")).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".choice")).to_be_hidden()
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) <= 6
