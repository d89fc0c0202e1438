"""The page as text: it asks for nothing, no name gets out of it, and it is small enough for a telephone."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from calback_assets.dashboard.annotations import Annotation
from calback_assets.dashboard.page import pages_of
from calback_assets.dashboard.words import LABELS
from calback_assets_tests.dashboard.given import MONDAY, active, rows, used, world
from calback_assets_tests.report.read import Page

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe\x00",
    "${alert(1)} {{7*7}} datum.x",
)
MEGABYTE = 1024 * 1024


def content(text: str) -> dict[str, Any]:
    """The data in a page."""
    (found,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    read: dict[str, Any] = json.loads(found)
    return read


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    return pages_of(world(), [], 3)


def test_only_the_scripts_that_are_in_the_page_may_run_and_nothing_may_be_asked_for(pages: Mapping[str, str]) -> None:
    for text in pages.values():
        page = Page(text)
        scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
        assert len(hashes) == 2
        assert [attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes] == [
            f"default-src 'none'; script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}'; style-src 'unsafe-inline'; "
            "base-uri 'none'; form-action 'none'"
        ]
        for tag, attributes in page.elements:
            assert tag not in ("link", "img", "iframe", "object", "form")
            assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset")]
        assert [attributes["href"] for tag, attributes in page.elements if tag == "a"] in (
            ["dashboard.ko.html", "insight.en.html"],
            ["dashboard.en.html", "insight.ko.html"],
        )


def test_both_pages_hold_the_same_in_their_language(pages: Mapping[str, str]) -> None:
    english, korean = (Page(pages[language]) for language in ("en", "ko"))
    assert [tag for tag, _ in english.elements] == [tag for tag, _ in korean.elements]
    figures = [{name: content(text)[name] for name in ("days", "weeks", "cohorts")} for text in pages.values()]
    assert figures[0] == figures[1]
    assert not re.search("[가-힣]", english.text.replace(LABELS["en"].other_language, ""))
    for label, other in zip(vars(LABELS["en"]).items(), vars(LABELS["ko"]).items(), strict=True):
        places = [sorted(re.findall(r"\{\w+\}", text)) for _, text in (label, other)]
        assert places[0] == places[1], label


def test_a_name_from_a_stranger_stays_a_name() -> None:
    notes = [Annotation(date(2024, 3, 1), name, name) for name in HOSTILE]
    usual = [tag for tag, _ in Page(pages_of(world(), [], 3)["en"]).elements]
    text = pages_of(world(HOSTILE), notes, 3)["en"]
    assert [tag for tag, _ in Page(text).elements] == usual
    held = content(text)
    assert [note["text"] for note in held["notes"]] == [*HOSTILE]
    assert {*held["values"]["country"]["names"]} == {*HOSTILE[:3], "�gnp.exe�", HOSTILE[4], "the rest"}


def test_a_stranger_cannot_take_the_name_of_the_rest() -> None:
    by = [used(MONDAY, "the rest", 50), used(MONDAY, "unknown", 30), used(MONDAY, "not known", 20)]
    held = content(pages_of(rows([active(MONDAY, 100)], by), [], 3)["en"])
    assert held["values"]["platform"]["names"] == ["the rest", "'not known'", "'the rest'", "not known"]


def test_no_count_of_under_ten_people_is_in_a_breakdown(pages: Mapping[str, str]) -> None:
    held = content(pages["en"])
    people = [count for values in held["values"].values() for _, _, count in values["cells"]]
    assert "<10" in people
    assert min(count for count in people if isinstance(count, int)) >= 10


def test_without_a_day_the_page_says_so() -> None:
    for language, text in pages_of(rows([]), [], 3).items():
        assert LABELS[language].nothing in Page(text).text
        assert "window.vegaEmbed" not in text


def test_three_years_of_many_values_make_a_page_of_two_megabytes_at_most() -> None:
    days = [MONDAY + timedelta(days=number) for number in range(3 * 366)]
    by = [
        used(day, f"A country with a long name {name + day.month}", 1000 + name, dimension)
        for day in days
        for dimension in ("platform", "country", "app_version")
        for name in range(14)
    ]
    text = pages_of(rows([active(day, 123_456) for day in days], by), [], 3)["en"]
    assert MEGABYTE < len(text.encode()) < 2 * MEGABYTE


def test_the_same_rows_give_the_same_bytes(pages: Mapping[str, str]) -> None:
    assert pages_of(world(), [], 3) == pages
