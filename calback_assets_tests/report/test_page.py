"""The page: its figures are those of the tables, no name gets out of it, and no small count into it."""

import base64
import re
from datetime import date, timedelta
from functools import cache
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from calback_assets.report.findings import Insight
from calback_assets.report.page import LANGUAGES, reports_of
from calback_assets_tests.report.given import MONDAY, cohort, flows, insight, lift, model, null, plain, power, rate
from calback_assets_tests.report.read import Page

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg><script>alert(1)</script>",
    "![x](javascript:alert(1))",
    "$\\frac{1}{2}$ @0@ {{ 7*7 }} {% raw %}",
    "\u202egnp.exe\x00\x1b[31m",
)


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    return {code: Page(report.page()) for code, report in reports_of(plain()).items()}


def test_the_figures_of_the_first_week_are_those_of_the_table(pages: dict[str, Page]) -> None:
    words, korean = LANGUAGES["en"].labels, LANGUAGES["ko"].labels
    # 400 of 1,000 and 750 of 3,000: odds 2/3 and 1/3, and Woolf's interval by hand.
    assert pages["en"].row(words.forest_title, "made a meeting with others") == {
        words.behaviour: "made a meeting with others",
        words.people: "4,000",
        words.did_it: "1,000",
        words.share_back: "40%",
        words.share_back_others: "25%",
        words.odds_alone: "2.00 (1.72 to 2.33)",
        words.odds_adjusted: "2.35 (2.13 to 2.60)",
        words.found: "yes",
        words.could_be_seen: "1.25",
        words.e_value: "2.05 (1.55)",
    }
    assert pages["ko"].row(f"{korean.months_title} {korean.months_text}", "다른 사람과 함께하는 모임 만들기") == {
        "행동": "다른 사람과 함께하는 모임 만들기",
        "가입 월 2024-01": "2.20(1.70~2.90)",
        "가입 월 2024-02": "2.20(1.70~2.90)",
    }


def test_the_figures_of_retention_are_those_of_the_table(pages: dict[str, Page]) -> None:
    for code, unfinished in (("en", "not over yet"), ("ko", "미완료")):
        _, first, second = pages[code].tables[LANGUAGES[code].labels.retention_title]
        assert first[1:] == ["200", "32%", "26%", "20%", "15%"]
        assert second[1:] == ["200", "30%", "24%", unfinished, unfinished]
    assert pages["en"].tables[LANGUAGES["en"].labels.pooled_title][1:] == [
        ["1", "on that very day", "400", "120", "30% (26% to 35%)"],
        ["7", "on that day or later", "200", "31", "16% (11% to 21%)"],
    ]


def test_the_figures_of_the_people_who_keep_coming_back_are_those_of_the_tables(pages: dict[str, Page]) -> None:
    words = LANGUAGES["en"].labels
    rates = {row[0]: row for row in pages["en"].tables[words.rates_title]}
    assert rates["opened a meeting"] == [
        "opened a meeting",
        "400 (40%)",
        "0.40",
        "500 (25%)",
        "0.28",
        "1.45 (1.31 to 1.60)",
    ]
    assert pages["en"].tables[words.power_title][1:4] == [
        ["1", "50.0%", "50.0%"],
        ["2", "30.0%", "31.2%"],
        ["3", "12.0%", "12.5%"],
    ]
    assert pages["en"].tables[f"{words.lifecycle_title} ({words.per_day})"][1] == [
        "5 February 2024",
        "50",
        "300",
        "20",
        "40",
    ]


def test_the_figures_of_the_model_are_those_of_the_table(pages: dict[str, Page]) -> None:
    words = LANGUAGES["en"].labels
    assert pages["en"].tables[words.deciles_title][1] == ["1", "280", "11%", "35", "12%", "0.34 (0.31 to 0.38)"]
    assert pages["en"].tables[words.models_title][2] == [
        "logistic regression",
        "yes",
        "0.71 (0.69 to 0.73)",
        "0.53 (0.49 to 0.57)",
        "0.181 (0.174 to 0.189)",
        "1.01",
        "0123456789ab",
    ]


def test_both_pages_say_the_same_in_their_language(pages: dict[str, Page]) -> None:
    english, korean = pages["en"], pages["ko"]
    assert [tag for tag, _ in english.elements if tag in ("h2", "h3", "table", "svg", "li")] == [
        tag for tag, _ in korean.elements if tag in ("h2", "h3", "table", "svg", "li")
    ]
    assert [attributes["lang"] for tag, attributes in english.elements if tag == "html"] == ["en"]
    assert [attributes["lang"] for tag, attributes in korean.elements if tag == "html"] == ["ko"]
    assert "29 April 2024" in english.text
    assert "2024년 4월 29일" in korean.text
    assert not re.search("[가-힣]", english.text)
    # What is left of Latin letters in the Korean page is names.
    names = {"AUC", "Benjamini", "Hochberg", "Google", "Analytics", "IOS"}
    assert set(re.findall("[A-Za-z]{3,}", korean.text)) <= names


def test_a_picture_has_a_text_in_its_place_and_no_id_stands_twice(pages: dict[str, Page]) -> None:
    for page in pages.values():
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        pictures = [attributes for tag, attributes in page.elements if tag == "svg"]
        assert len(pictures) == 6
        for attributes in pictures:
            assert attributes["role"] == "img"
            assert {*str(attributes["aria-labelledby"]).split()} <= {*ids}


def test_nothing_on_the_page_asks_for_anything(pages: dict[str, Page]) -> None:
    for page in pages.values():
        policy = [attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes]
        assert policy == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
        for tag, attributes in page.elements:
            assert tag not in ("script", "link", "img", "iframe", "object", "image", "a", "form")
            assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset")]
            assert str(attributes.get("xlink:href", "#")).startswith("#")
        assert not re.search(r"url\((?!#)|@import", page.html)


def test_the_same_tables_give_the_same_bytes(pages: dict[str, Page]) -> None:
    first = {code: page.html for code, page in pages.items()}
    assert {code: report.page() for code, report in reports_of(plain()).items()} == first


def hostile() -> Insight:
    group = {"people": 99, "base_rate": 0.5, "mean_score": 0.5, "auc": 0.7}
    return insight(
        behaviour=[rate(name, (1.45, 1.31, 1.6)) for name in HOSTILE],
        lift=[
            *(lift(name, (2.35, 2.13, 2.6)) for name in HOSTILE),
            *(lift(f"{name}2", (1.03, 0.93, 1.13), (1300, 480, 2700, 670)) for name in HOSTILE),
            *(lift(name, (2.35, 1.9, 2.6), period="2024-01") for name in HOSTILE),
        ],
        models=[
            model(
                name,
                (0.7, 0.68, 0.72),
                version=name,
                importance=[{"feature": name, "auc_lost": 0.1, "auc_lost_sd": 0.01} for name in HOSTILE],
                worst_served=[
                    {"group_name": f"{kind}{name}", **group} for kind in ("", "platform ") for name in HOSTILE
                ],
            )
            for name in HOSTILE
        ],
    )


def test_a_name_from_a_stranger_stays_a_name(pages: dict[str, Page]) -> None:
    usual = {tag for page in pages.values() for tag, _ in page.elements} | {"code"}
    for report in reports_of(hostile()).values():
        page = Page(report.page())
        assert {tag for tag, _ in page.elements} <= usual
        assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
        for name in HOSTILE:
            assert page.text.count("".join(letter if letter.isprintable() else "�" for letter in name)) > 10
        assert "\u202e" not in page.html
        for picture in report.pictures:
            if picture.svg:
                written = re.fullmatch(
                    r"!\[[^\[\]()<>]*\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", picture.markdown
                )
                assert written
                drawn = base64.b64decode(written[1])
                tags = {element.tag.partition("}")[2] for element in ElementTree.fromstring(drawn).iter()}  # noqa: S314
                assert tags <= {*"svg title desc defs g path use text clipPath rect pattern".split()}  # noqa: SIM905


def few(one: int, other: int) -> Insight:
    """A world in which only these two counts of people are small; what they add up to is always the same."""
    people = 4000
    day = date(2024, 4, 29)
    part = {
        "decile": 1,
        "people": 280,
        "came_back": one,
        "mean_score": 0.05,
        "share": one / 280,
        "lift": one / 100,
        "lift_low": one / 120,
        "lift_high": one / 80,
    }
    group = {"group_name": "platform WEB", "people": 100, "base_rate": one / 100, "mean_score": 0.1, "auc": 0.6}
    return insight(
        retention=[*cohort(MONDAY, [64, one, other]), *cohort(MONDAY + timedelta(7), [one], size=max(1, other))],
        lifecycle=[flows(MONDAY + timedelta(days=number), resurrected=one, dormant=other) for number in range(60)],
        power=power(day, [500, 300, one, 9 - one]),
        behaviour=[
            rate("meeting_open", (1.45, 1.31, 1.6)),
            rate("search", (1.0 + one, 0.5 + one, 2.0 + one), (one, 300), other_per_active_day=0.1),
            rate("tap", (1.0 + one, 0.5 + one, 2.0 + one), (300, other), frequent_per_active_day=0.1),
        ],
        lift=[
            lift("meeting_with_others", (2.35, 2.13, 2.6)),
            lift("search", (1.0 + one, 0.5, 9.0), (one, min(one, other), people - one, 1150 - min(one, other))),
            lift("tap", (1.0 + one, 0.5, 9.0), (1000, one, 3000, 1150 - one)),
            lift("meeting_with_others", (1.0 + one, 0.5, 9.0), (100, one, 300, 100), period="2024-01"),
        ],
        models=[model("logistic", (0.7, 0.68, 0.72), deciles=[part], worst_served=[group])],
    )


@cache
def pages_of_few(one: int, other: int) -> dict[str, str]:
    return {code: report.page() for code, report in reports_of(few(one, other)).items()}


@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate])
@example(0, 0)
@given(st.integers(0, 9), st.integers(0, 9))
def test_nothing_on_the_page_depends_on_a_count_of_fewer_than_ten(one: int, other: int) -> None:
    assert pages_of_few(one, other) == pages_of_few(4, 7)


def test_a_world_without_effects_draws_and_tabulates_as_well() -> None:
    for report in reports_of(null()).values():
        page = Page(report.page())
        assert sum(tag == "svg" for tag, _ in page.elements) == 3
