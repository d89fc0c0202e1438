"""Tests of the counts of `daily_active_users`, window edges first."""

import pytest

from calback_assets.assets.metrics.daily_active_users import ASSET
from calback_assets_tests.assets.given import Row, active, day, first_seen, rows_of

DAY = "2024-03-14"
ZERO: Row = dict.fromkeys(
    (
        "dau", "wau", "mau", "new_users", "returning_users", "resurrected_users", "identified_users",
        "anonymous_users", "app_opens", "sessions", "events", "meetings_created",
    ),
    0,
)  # fmt: skip


def metrics(activity: list[Row], seen: list[Row] | None = None) -> Row:
    """The day's row: there is always exactly one."""
    tables = {"user_daily_activity": activity, "user_first_seen": seen or []}
    (row,) = rows_of(ASSET, DAY, tables)
    return row


def test_a_day_on_which_nothing_ever_happened_has_a_row_of_zeros() -> None:
    assert metrics([]) == {"event_date": day(DAY), "stickiness": None, **ZERO}


def test_a_day_without_events_of_its_own_still_counts_the_windows() -> None:
    row = metrics([active("2024-03-13", "ann", app_opens=2, sessions=3, meetings_created=1)])
    assert row == {"event_date": day(DAY), "stickiness": 0.0, **ZERO, "wau": 1, "mau": 1}


@pytest.mark.parametrize(
    ("last_active", "wau", "mau"),
    [
        ("2024-03-14", 1, 1),
        ("2024-03-08", 1, 1),  # the 7 days that end with 14 March begin with 8 March
        ("2024-03-07", 0, 1),
        ("2024-02-14", 0, 1),  # the 30 days begin with 14 February: 2024 has a 29 February
        ("2024-02-13", 0, 0),
        ("2024-03-15", 0, 0),  # nothing of the day after
    ],
)
def test_the_windows_end_with_the_day_and_hold_7_and_30_days(last_active: str, wau: int, mau: int) -> None:
    row = metrics([active(last_active, "ann")])
    assert (row["wau"], row["mau"]) == (wau, mau)


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ("2024-03-13", "returning_users"),
        ("2024-02-13", "returning_users"),  # 30 days before: the last that makes a return
        ("2024-02-12", "resurrected_users"),
    ],
)
def test_who_was_active_within_the_30_days_before_returns_and_who_was_earlier_is_back(before: str, kind: str) -> None:
    row = metrics([active(before, "ann"), active(DAY, "ann")], [first_seen(before, "ann")])
    kinds = {"new_users": 0, "returning_users": 0, "resurrected_users": 0, kind: 1}
    assert {name: row[name] for name in kinds} == kinds


def test_the_first_day_ever_makes_a_user_new() -> None:
    row = metrics([active(DAY, "ann"), active(DAY, "bob")], [first_seen(DAY, "ann"), first_seen("2023-01-01", "bob")])
    assert (row["dau"], row["new_users"], row["resurrected_users"]) == (2, 1, 1)


def test_identified_and_anonymous_people_are_told_apart_by_the_day_itself() -> None:
    row = metrics(
        [
            active("2024-03-13", "phone", is_anonymous=True),
            active(DAY, "phone", is_anonymous=True),
            active("2024-03-13", "ann", is_anonymous=True),
            active(DAY, "ann", is_anonymous=False),
            active("2024-03-13", "tablet", is_anonymous=True),
        ]
    )
    assert (row["identified_users"], row["anonymous_users"]) == (1, 1)


def test_sums_are_of_the_day_alone_and_stickiness_is_its_part_of_the_month() -> None:
    counts = {"events": 5, "sessions": 2, "app_opens": 3, "meetings_created": 1}
    row = metrics(
        [
            active(DAY, "ann", **counts),
            active(DAY, "bob", **counts),
            active("2024-03-13", "ann", **counts),
            active("2024-03-12", "cho", **counts),
            active("2024-02-20", "dan", **counts),
        ]
    )
    assert {name: row[name] for name in counts} == {"events": 10, "sessions": 4, "app_opens": 6, "meetings_created": 2}
    assert (row["dau"], row["wau"], row["mau"], row["stickiness"]) == (2, 3, 4, 0.5)
