"""Tests of what a page has told before, and of the days that count otherwise since."""

from datetime import date, timedelta

import pytest

from calback_assets.dashboard.figures import figures_of
from calback_assets.dashboard.page import pages_of
from calback_assets.dashboard.published import NOTHING, Published, published_in
from calback_assets_tests.dashboard.given import active, rows, used
from calback_assets_tests.report.given import MONDAY

TUESDAY, WEDNESDAY = (MONDAY + timedelta(days=after) for after in (1, 2))


def told(*counts: int | None, is_final: bool = True, before: Published = NOTHING) -> Published:
    """What a page of the days from Monday on tells; a day without a count is a gap."""
    days = [(MONDAY + timedelta(days=after), count) for after, count in enumerate(counts)]
    counted = [active(day, count) for day, count in days if count is not None]
    by = [used(day, "IOS", 50, is_final=is_final) for day, _ in days]
    return published_in(pages_of(rows(counted, by), [], 3, before)["en"])


def restated(*counts: int, before: Published) -> list[date]:
    figures = figures_of(
        rows([active(MONDAY + timedelta(days=after), count) for after, count in enumerate(counts)]), 3, before
    )
    assert figures
    return [*figures.restated]


def test_a_page_is_read_back_as_it_was_told() -> None:
    assert told(100, 0) == Published({"2024-01-01": (100, 400, 1000), "2024-01-02": (0, 0, 0)})


def test_a_final_day_that_counts_otherwise_is_restated() -> None:
    assert restated(100, 201, 300, before=told(100, 200)) == [TUESDAY]


def test_a_day_that_was_not_final_a_gap_or_not_there_is_not_restated() -> None:
    assert restated(100, 201, before=told(100, 200, is_final=False)) == []
    assert restated(100, 200, 300, before=told(100, None, 300)) == []
    assert restated(100, before=NOTHING) == []


def test_a_restated_day_stays_one_on_the_pages_that_follow() -> None:
    second = told(100, 201, 300, before=told(100, 200, 300))
    third = told(100, 201, 301, before=second)
    assert third.restated == {"2024-01-02", "2024-01-03"}
    assert restated(100, 201, 301, before=third) == [TUESDAY, WEDNESDAY]


@pytest.mark.parametrize(
    "page",
    ["", "<html></html>"]
    + [
        f'<script type="application/json" id="content">{text}</script>'
        for text in ("", "{", "[]", "{}", '{"restated":5}', '{"days":[{}]}')
    ],
)
def test_a_page_that_is_none_of_ours_has_told_nothing(page: str) -> None:
    assert published_in(page) == NOTHING
