"""What is said of a day with unusually many or few rows, by counts worked out by hand."""

from datetime import date, timedelta

import pytest

from calback_assets.checks.volume import _made, unusual, usual
from calback_assets.tables.raw import RAW_USERS
from calback_assets.warehouse.io_manager import Calendar
from calback_assets_tests.assets.given import Row, at, warehouse

FRIDAY = date(2024, 3, 29)


def fridays(*counts: int) -> dict[date, int]:
    """Rows of the Fridays before, the nearest first, among other days that must not count."""
    others = {FRIDAY - timedelta(days=age): 1_000_000 for age in range(1, 60) if age % 7}
    return others | {FRIDAY - timedelta(weeks=weeks): count for weeks, count in enumerate(counts, start=1)}


def test_usual_is_the_median_of_the_same_weekday_in_the_eight_weeks_before() -> None:
    assert usual(fridays(100, 300, 200), FRIDAY) == 200
    assert usual(fridays(100, 300, 200, 400), FRIDAY) == 250
    assert usual(fridays(*[100] * 8, 9_000, 9_000, 9_000), FRIDAY) == 100
    assert usual(fridays(0, 100, 0, 300, 200), FRIDAY) == 200


def test_with_fewer_than_three_weeks_that_had_rows_nothing_is_usual() -> None:
    assert usual(fridays(100, 100, 0, 0, 0), FRIDAY) is None
    assert unusual(fridays(100, 100) | {FRIDAY: 0}, [FRIDAY]) == []


@pytest.mark.parametrize(
    ("rows", "is_told"),
    [(0, True), (499, True), (500, False), (1_000, False), (2_000, False), (2_001, True)],
)
def test_less_than_half_and_more_than_twice_is_told(rows: int, is_told: bool) -> None:
    found = unusual(fridays(1_000, 1_000, 1_000) | {FRIDAY: rows}, [FRIDAY])
    assert found == ([f"Friday 2024-03-29 has {rows:,} rows, usual are 1,000"] if is_told else [])


@pytest.mark.parametrize(("rows", "is_told"), [(0, False), (3, False), (18, False), (19, True)])
def test_what_chance_does_to_a_small_log_is_not_told(rows: int, is_told: bool) -> None:
    # Three times the square root of 9 is 9: from 0 to 18 rows are chance.
    assert bool(unusual(fridays(9, 9, 9) | {FRIDAY: rows}, [FRIDAY])) is is_told


def test_every_day_is_compared_with_its_own_weekday() -> None:
    days = {FRIDAY - timedelta(days=age): 100 if age % 7 else 1_000 for age in range(60)}
    assert unusual(days, list(days)[:14]) == []


def user(name: str, created: str) -> Row:
    return {"user_id": name, "created_at": at(created), "snapshot_at": at("2024-03-04 03:00")}


@pytest.mark.parametrize(("last", "judged"), [(None, "2024-03-03"), (date(2024, 3, 2), "2024-03-02")])
def test_of_a_snapshot_the_documents_made_on_its_last_whole_day_count(last: date | None, judged: str) -> None:
    users = [user("u1", "2024-03-01 23:59"), user("u2", "2024-03-02 00:00"), user("u3", "2024-03-02 12:00")]
    with warehouse({"raw_users": users}) as session:
        counts, days = _made(session, RAW_USERS, Calendar(date(2024, 1, 1), last, "Asia/Seoul"))
    made = {date(2024, 3, 1): 1, date(2024, 3, 2): 2, date(2024, 3, 3): 0}
    assert days == [date.fromisoformat(judged)]
    assert counts == {day: count for day, count in made.items() if day <= days[0]}


def test_of_a_snapshot_without_documents_nothing_is_said() -> None:
    with warehouse({}) as session:
        assert _made(session, RAW_USERS, Calendar(date(2024, 1, 1), None, "Asia/Seoul")) == ({}, [])
