"""The page as a person sees it: in a real browser, on a telephone and a large screen, by day and by night, on paper."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from calback_assets.report.page import LANGUAGES, reports_of
from calback_assets_tests.browser import chromium, quiet
from calback_assets_tests.report.given import plain
from calback_assets_tests.report.read import Page as Read

pytestmark = pytest.mark.browser

WIDTHS = (360, 1440)


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with chromium() as started:
        yield started.new_page()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    files = {code: folder / f"insight.{code}.html" for code in LANGUAGES}
    for code, report in reports_of(plain()).items():
        files[code].write_text(report.page(), encoding="utf-8")
    return files


@pytest.fixture
def page(window: Page) -> Iterator[Page]:
    with quiet(window) as page:
        yield page


def luminance(colour: str) -> float:
    """How bright a colour is that the browser has computed, from 0 to 255."""
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_page_can_be_read_at_every_width_by_day_and_by_night(page: Page, files: dict[str, Path], code: str) -> None:
    page.goto(files[code].as_uri())
    for details in page.locator("details").all():
        details.evaluate("details => details.open = true")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            # Nothing but what scrolls by itself, and can be reached with a key, is wider than the screen.
            assert page.evaluate("document.documentElement.scrollWidth") == width
            wide = page.locator(".wide").all()
            assert all(region.get_attribute("tabindex") == "0" for region in wide)
        paper, ink = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert (luminance(paper) > luminance(ink)) == (scheme == "light")
        bar = page.locator("#power svg path[style*='--blue']").first
        blue = bar.evaluate("path => getComputedStyle(path).fill")
        assert luminance(blue) < 110 if scheme == "light" else luminance(blue) > 140
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in found] == []


def test_the_figures_that_a_person_sees_are_those_of_the_tables(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["en"].as_uri())
    words = LANGUAGES["en"].labels
    answer = page.get_by_role("region", name=words.answer, exact=True)
    expect(answer).to_contain_text("odds 2.35 times as high, 95% interval 2.13 to 2.60; 1,000 people")
    page.locator("#forest summary").click()
    row = page.locator("#forest tbody tr").filter(has_text="made a meeting with others").first
    expect(row).to_contain_text("2.35 (2.13 to 2.60)")
    expect(page.get_by_role("img", name=words.retention_title)).to_be_visible()
    shown = page.locator("#retention svg text").all_text_contents()
    assert [text for text in shown if "%" in text] == ["32%", "26%", "20%", "15%", "30%", "24%"]


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_page_is_printed_on_paper(page: Page, files: dict[str, Path], code: str) -> None:
    page.goto(files[code].as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) > 250
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 20


def test_korean_words_are_broken_between_words(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["ko"].as_uri())
    word_break, fonts = page.evaluate(
        "[getComputedStyle(document.body).wordBreak, getComputedStyle(document.body).fontFamily]"
    )
    assert word_break == "keep-all"
    assert {"Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR"} <= {name.strip(' "') for name in fonts.split(",")}


def test_what_the_browser_makes_of_the_page_is_what_was_written(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["en"].as_uri())
    written = Read(files["en"].read_text(encoding="utf-8"))
    assert page.locator("table").count() == len(written.tables)
    assert page.locator("svg").count() == 6
