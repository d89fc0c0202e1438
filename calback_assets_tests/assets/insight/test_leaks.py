"""What may not be known is not: the insight tables of a whole sample, after what they must not see has been changed.

The tables are made anew by their own queries over the platform's other tables, once these are as a test leaves them.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from calback_assets.assets.insight.first_week import ASSET as FIRST_WEEK
from calback_assets.assets.insight.first_week_features import ASSET as FEATURES
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.days import Stretch
from calback_assets.sample.writer import write_sample
from calback_assets.settings import SOURCES
from calback_assets.tables.core import USER_BEHAVIOUR, USER_DAILY_ACTIVITY
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.io_manager import Calendar
from calback_assets_tests.assets import oracle
from calback_assets_tests.assets.given import PARAMETERS, Row, active, did, insert
from calback_assets_tests.assets.worlds import Platform

FIRST, LAST = date(2024, 1, 1), date(2024, 2, 14)
OUTCOMES = ("outcome_active_days", "returned", "frequent")
DAYS = 45
NEEDED = (
    "device_identity", "unified_events", "user_daily_activity", "user_first_seen", "user_joined", "user_behaviour",
    "first_week", "first_week_features", "retention_cohorts",
)  # fmt: skip


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A sample of 45 days, built: nine days of people have a whole outcome window."""
    found = Platform(tmp_path_factory.mktemp("sample"), FIRST, LAST)
    write_sample(found.data, users=150, days=DAYS)
    found.build(FIRST, LAST, *SOURCES, *NEEDED)
    return found


@pytest.fixture
def session(platform: Platform) -> Iterator[DuckDBSession]:
    """Its warehouse; what a test changes in it is taken back."""
    with platform.warehouse.session() as opened:
        opened.execute("BEGIN TRANSACTION")
        yield opened
        opened.execute("ROLLBACK")


def rows(session: DuckDBSession, declared: SqlAsset) -> list[Row]:
    """All days of a table as its query makes them now."""
    calendar = Calendar(FIRST, LAST, "Asia/Seoul")
    settings = {name: PARAMETERS[name] for name in declared.parameters}
    sql = declared.model.duckdb_template.fill({**settings, **calendar.parameters(declared.model, Stretch(FIRST, LAST))})
    found: list[Row] = session.arrow(f"SELECT * FROM ({sql}) ORDER BY user_id").to_pylist()
    assert found
    return found


def without(rows: list[Row], *columns: str) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]


def change(session: DuckDBSession, first_day: int, last_day: int) -> None:
    """Take away what people did on these days of theirs, and let each do something else on every one of them."""
    joined = session.execute("SELECT user_id, event_date FROM calback.user_joined")
    days = [
        (user, day_1 + timedelta(days=number - 1))
        for user, day_1 in joined
        for number in range(first_day, last_day + 1)
    ]
    changed = [(str(day), user) for user, day in days if FIRST <= day <= LAST]
    for table in (USER_DAILY_ACTIVITY, USER_BEHAVIOUR):
        session.execute(
            f"DELETE FROM calback.{table.name} AS done USING calback.user_joined AS joined "
            "WHERE joined.user_id = done.user_id "
            f"AND done.event_date - joined.event_date + 1 BETWEEN {first_day} AND {last_day}"
        )
    insert(session, USER_DAILY_ACTIVITY, [active(day, user, sessions=7) for day, user in changed])
    insert(session, USER_BEHAVIOUR, [did(day, user, "leak", 7, times_on_web=7) for day, user in changed])


def test_nothing_after_the_seventh_day_of_a_person_is_in_their_first_week(session: DuckDBSession) -> None:
    before = rows(session, FIRST_WEEK)
    change(session, 8, DAYS)
    assert rows(session, FIRST_WEEK) == before
    # The seventh day itself is: the change that was made is one that is seen.
    change(session, 7, 7)
    assert all(
        row["behaviours"] != seen["behaviours"] for row, seen in zip(rows(session, FIRST_WEEK), before, strict=True)
    )


def test_nothing_before_the_eighth_day_of_a_person_is_in_their_outcome(session: DuckDBSession) -> None:
    before = [{name: row[name] for name in ("user_id", *OUTCOMES)} for row in rows(session, FEATURES)]
    assert {row["returned"] for row in before} == {True, False}
    change(session, -DAYS, 7)
    session.execute("UPDATE calback.first_week SET active_days = 0, events = 0, platform = NULL, behaviours = []")
    assert [{name: row[name] for name in ("user_id", *OUTCOMES)} for row in rows(session, FEATURES)] == before
    change(session, 8, 8)
    assert {row["returned"] for row in rows(session, FEATURES)} == {True}


def test_nothing_after_the_37th_day_of_a_person_is_in_their_row(session: DuckDBSession) -> None:
    before = rows(session, FEATURES)
    change(session, 38, DAYS)
    assert rows(session, FEATURES) == before


def test_features_are_first_weeks_and_what_came_after(session: DuckDBSession) -> None:
    weeks = {row["user_id"]: row for row in rows(session, FIRST_WEEK)}
    for row in without(rows(session, FEATURES), *OUTCOMES):
        week = weeks[row["user_id"]]
        assert row == {**week, "event_date": week["event_date"] + timedelta(days=30)}


def test_people_without_a_whole_window_are_in_no_denominator(platform: Platform) -> None:
    joined = {row["user_id"]: row["event_date"] for row in platform.rows("user_joined")}
    weeks, features = (
        {row["user_id"]: row["joined_on"] for row in platform.rows(name)}
        for name in ("first_week", "first_week_features")
    )
    assert weeks == {user: day for user, day in joined.items() if day + timedelta(days=6) <= LAST}
    assert features == {user: day for user, day in joined.items() if day + timedelta(days=36) <= LAST}
    assert 0 < len(features) < len(weeks) < len(joined)


def test_retention_is_over_those_alone_who_have_had_the_chance(platform: Platform) -> None:
    joined = {row["user_id"]: row["event_date"] for row in platform.rows("user_joined")}
    activity: dict[date, set[str]] = {}
    for row in platform.rows("user_daily_activity"):
        activity.setdefault(row["event_date"], set()).add(row["user_id"])
    found = {
        (row["cohort_week"], row["measure"], row["period"]): (row["cohort_size"], row["eligible"], row["retained"])
        for row in platform.rows("retention_cohorts")
    }
    assert found == oracle.retention(joined, {day: frozenset(people) for day, people in activity.items()}, LAST)


def test_who_registered_before_the_data_begins_is_in_no_cohort_however_active(platform: Platform) -> None:
    registered = {row["user_id"]: row["created_at"].date() for row in platform.rows("raw_users")}
    old = {user for user, day in registered.items() if day < FIRST - timedelta(days=1)}
    assert {row["user_id"] for row in platform.rows("user_daily_activity")} & old
    for name in ("user_joined", "first_week", "first_week_features"):
        assert not {row["user_id"] for row in platform.rows(name)} & old
    sizes = {row["cohort_week"]: row["cohort_size"] for row in platform.rows("retention_cohorts")}
    assert sum(sizes.values()) <= len(platform.rows("user_joined"))
