"""Tests of `power_curve`: window edges by hand; any activity is compared with plain sets beside the lifecycle's."""

from calback_assets.assets.insight.power_curve import ASSET
from calback_assets_tests.assets.given import active, rows_of

DAY = "2024-03-14"


def curve(**days: list[str]) -> dict[int, int]:
    """People by active days, given the days of each."""
    activity = [active(text, user) for user, texts in days.items() for text in texts]
    return {row["active_days"]: row["users"] for row in rows_of(ASSET, DAY, {"user_daily_activity": activity})}


def test_people_are_counted_by_their_active_days() -> None:
    assert curve(ann=[DAY, "2024-03-13"], bob=["2024-03-01"], cho=["2024-03-02"]) == {1: 2, 2: 1}


def test_the_window_holds_the_30_days_that_end_with_the_day() -> None:
    assert curve(ann=["2024-02-13", "2024-02-14", "2024-03-15"], bob=["2024-02-13"]) == {1: 1}


def test_where_nobody_came_there_is_no_row() -> None:
    assert curve() == {}
