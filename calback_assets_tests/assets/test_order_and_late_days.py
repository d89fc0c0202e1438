"""Whatever the order in which days are built and rebuilt, and how many at once, the tables are those of days in order.

The random worlds go through the code that writes, below Dagster: a Dagster run would take most of their time. The
directed ones at the end are real runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetKey, PartitionKeyRange, build_output_context, build_resources
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.sql_asset import dependents
from calback_assets.checks import CHECKS, _violations
from calback_assets.days import Stretch, stretches
from calback_assets.partitions import daily_partitions
from calback_assets.settings import SOURCES
from calback_assets.tables import TABLES, Table
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.io_manager import Output, _Write
from calback_assets.warehouse.warehouse import AtOnce
from calback_assets_tests.assets import oracle
from calback_assets_tests.assets.given import (
    CALENDAR,
    PARAMETERS,
    Row,
    arrow,
    at,
    event,
    insert,
    opened,
)
from calback_assets_tests.assets.worlds import (
    SQL_BY_TABLE,
    Platform,
    contents,
    materializations,
    write_lines,
    write_opens,
)
from calback_assets_tests.dagit.graph import GRAPH

DAY_0 = date(2024, 1, 1)
PARTITIONS = daily_partitions(CALENDAR.first, CALENDAR.last, CALENDAR.timezone)
DAILY = tuple(
    table
    for name, table in TABLES.items()
    if table.is_partitioned and (name in SQL_BY_TABLE or name.startswith("raw_"))
)
# What insight is made of; its own tables are daily ones like any other.
INSIGHT = ("user_joined", "user_behaviour", *(name for name, node in GRAPH.items() if node.group.endswith("_insight")))
ACTIVITY = tuple(table for table in DAILY if table.name not in INSIGHT)


def nth(offset: int) -> date:
    return DAY_0 + timedelta(days=offset)


@dataclass(frozen=True)
class Happening:
    """What the sources say of one day."""

    events: tuple[tuple[int, str | None, str | None, str], ...] = ()
    """Hour, device, user, name."""
    opens: tuple[str, ...] = ()

    def raw(self, day: date) -> dict[str, list[Row]]:
        """The day as rows of the raw tables."""
        return {
            "raw_events": [
                event(f"{day} {hour:02}:00", device, user, name, params={"ga_session_id": hour})
                for hour, device, user, name in self.events
            ],
            "raw_access_log": [opened(str(day), user) for user in self.opens],
        }


Input = Mapping[date, Happening]
Run = tuple[Stretch, Input, AtOnce]


@dataclass(frozen=True)
class Builds:
    """A warehouse in memory, of which these tables are written as a run of the daily job writes them."""

    session: DuckDBSession
    tables: tuple[Table, ...] = DAILY

    def run(self, given: Input, stretch: Stretch, last_table: str | None = None) -> None:
        """Write the days of the stretch in every table, in the order of the graph, up to one that is named."""
        rows: dict[str, list[Row]] = {"raw_events": [], "raw_access_log": []}
        for day, happening in given.items():
            if day in stretch:
                for name, found in happening.raw(day).items():
                    rows[name] += found
        for table in self.tables:
            context = build_output_context(
                asset_key=AssetKey(table.name),
                run_id="a run",
                resources=_resources(),
                asset_partitions_def=PARTITIONS,
                asset_partition_key_range=PartitionKeyRange(str(stretch.first), str(stretch.last)),
            )
            _Write(context, self.session, table, CALENDAR).run(_output(table, rows))
            if table.name == last_table:
                return

    def violations(self, days: Sequence[date]) -> list[str]:
        """What the checks find on these days."""
        checks = [check for check in CHECKS if check.table in self.tables]
        return [found for check in checks for found in _violations(self.session, check.model, CALENDAR, days)]

    def activity(self) -> dict[date, frozenset[str]]:
        """Who is active on each built day."""
        found = self.session.execute(
            "SELECT ledger.event_date, LIST(activity.user_id) FROM calback.partition_ledger AS ledger "
            "LEFT JOIN calback.user_daily_activity AS activity USING (event_date) "
            "WHERE ledger.table_name = 'user_daily_activity' GROUP BY ALL ORDER BY ALL"
        )
        return {day: frozenset(user for user in users if user is not None) for day, users in found}


@contextmanager
def empty(documents: Mapping[str, Sequence[Row]] | None = None, tables: Sequence[Table] = DAILY) -> Iterator[Builds]:
    """Nothing built yet but the snapshots, which stay as they are."""
    # So few rows take a second thread more time to hand out than to work on.
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        session = DuckDBSession(connection, Path("memory"), dependents(SQL_ASSETS))
        session.prepare()
        for table in TABLES.values():
            session.ensure(table)
        for name, rows in (documents or {}).items():
            insert(session, TABLES[name], rows)
        yield Builds(session, tables)


@cache
def _resources() -> Any:
    """None, made once: a context that is given none makes an instance of its own to look for them, for each write."""
    with build_resources({}) as none:
        return none


def _output(table: Table, rows: Mapping[str, Sequence[Row]]) -> Output:
    if table.name in rows:
        return arrow(table, rows[table.name])
    return SQL_BY_TABLE[table.name].query(PARAMETERS)


PEOPLE = st.sampled_from(("ann", "bob"))
EVENTS = st.tuples(
    st.integers(0, 3),
    st.sampled_from(("phone", "phone", "tablet", None)),
    st.none() | PEOPLE,
    st.sampled_from(("tap", "tap", "session_start", "app_remove")),
)
OPENS = st.sampled_from((("ann",), ("bob",), ("ann", "bob"), ("bob", "bob")))
# App events make whole months of later days stale, through the identity of devices; opens move first days alone.
HAPPENINGS = st.one_of(
    st.builds(Happening, st.lists(EVENTS, min_size=1, max_size=3).map(tuple), OPENS | st.just(())),
    st.builds(Happening, opens=OPENS),
    st.builds(Happening, opens=OPENS),
    st.just(Happening()),
)
AT_ONCE = st.sampled_from((AtOnce(1), AtOnce(2), AtOnce(366, rows=4), AtOnce(366), AtOnce(366)))
# Days that lie 1, 5, 28 to 31 and more days apart from each other, over 80 days and the ends of two months.
STARTS = (0, 1, 6, 28, 30, 31, 59, 60, 79)


@st.composite
def runs(draw: st.DrawFn) -> list[Run]:
    """Ranges to build in this order, each with what the sources say of its days by then; some are built again.

    How many days are written at once, of the range and of those that it makes stale, is drawn, too.
    """
    found: list[Run] = []
    for start in [*draw(st.permutations(STARTS))[:4], *draw(st.lists(st.sampled_from(STARTS), min_size=1, max_size=2))]:
        stretch = Stretch(nth(start), nth(start + draw(st.integers(0, 3))))
        found.append((stretch, {day: draw(HAPPENINGS) for day in stretch.days}, draw(AT_ONCE)))
    return found


DOCUMENTS = st.fixed_dictionaries(
    {
        "raw_users": st.lists(
            st.tuples(PEOPLE, st.sampled_from(STARTS)), max_size=2, unique_by=lambda user: user[0]
        ).map(lambda users: [{"user_id": name, "created_at": at(f"{nth(start)} 12:00")} for name, start in users]),
        "raw_meetings": st.lists(st.tuples(PEOPLE, st.sampled_from(STARTS), st.booleans()), max_size=2).map(
            lambda meetings: [
                {
                    "meeting_id": f"m{index}",
                    "owner_id": owner,
                    "created_at": at(f"{nth(start)} 13:00"),
                    "is_pending": is_pending,
                }
                for index, (owner, start, is_pending) in enumerate(meetings)
            ]
        ),
    }
)


def check_any_order(order: list[Run], documents: Mapping[str, list[Row]], tables: Sequence[Table]) -> None:
    final: dict[date, Happening] = {}
    with empty(documents, tables) as built, empty(documents, tables) as by_days:
        for stretch, given_then, at_once in order:
            built.session.at_once = at_once
            built.run(given_then, stretch)
            final.update(given_then)
        by_days.session.at_once = AtOnce(1)
        for stretch in stretches(final):
            by_days.run(final, stretch)
        assert contents(built.session) == contents(by_days.session)
        built.session.at_once = AtOnce(366)
        assert built.violations(sorted(final)) == []
        check_against_oracle(built)
        if set(DAILY) <= set(tables):
            check_insight_against_oracle(built)


def check_against_oracle(built: Builds) -> None:
    activity = built.activity()
    names: Sequence[str] = ("dau", "wau", "mau", "stickiness", "new_users", "returning_users", "resurrected_users")
    metrics = built.session.execute(f"SELECT event_date, {', '.join(names)} FROM calback.daily_active_users")
    assert {day: dict(zip(names, row, strict=True)) for day, *row in metrics} == oracle.lifecycle(activity)
    frequent: dict[date, dict[str, tuple[int, int]]] = {day: {} for day in activity}
    for day, *row in built.session.execute(
        "SELECT event_date, user_id, active_days_30d, active_days_mtd FROM calback.frequent_users"
    ):
        user, *counts = row
        frequent[day][user] = (counts[0], counts[1])
    assert frequent == oracle.frequent(activity)


def check_insight_against_oracle(built: Builds) -> None:
    activity = built.activity()
    flows = built.session.execute("SELECT * FROM calback.user_lifecycle")
    names: Sequence[str] = TABLES["user_lifecycle"].column_names[1:]
    assert {day: dict(zip(names, row, strict=True)) for day, *row in flows} == oracle.flows(activity)
    power: dict[date, dict[int, int]] = {day: {} for day in activity}
    for day, active_days, users in built.session.execute("SELECT * FROM calback.power_curve"):
        power[day][active_days] = users
    assert power == oracle.power(activity)


# Without shrinking, which would take minutes on a failure: the example is small as it is.
@settings(derandomize=True, database=None, deadline=None, max_examples=2, phases=[Phase.generate])
@given(runs(), DOCUMENTS)
def test_any_ranges_in_any_order_and_stretches_end_in_the_tables_of_a_build_by_days(
    order: list[Run], documents: dict[str, list[Row]]
) -> None:
    check_any_order(order, documents, DAILY)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(derandomize=True, database=None, deadline=None, max_examples=4)
@given(runs(), DOCUMENTS)
def test_many_more_ranges_in_any_order_and_stretches_end_in_the_activity_of_a_build_by_days(
    order: list[Run], documents: dict[str, list[Row]]
) -> None:
    check_any_order(order, documents, ACTIVITY)


def alone(offset: int) -> Stretch:
    return Stretch.on(nth(offset))


def tapped(*users: str) -> Happening:
    return Happening(tuple((hour, f"phone of {user}", user, "tap") for hour, user in enumerate(users)))


def metrics(built: Builds, offset: int, *names: str) -> tuple[object, ...]:
    (found,) = built.session.execute(
        f"SELECT {', '.join(names)} FROM calback.daily_active_users WHERE event_date = DATE '{nth(offset)}'"
    )
    return found


def first_days(built: Builds) -> dict[str, int]:
    found = built.session.execute("SELECT user_id, event_date FROM calback.user_first_seen")
    return {user: (day - DAY_0).days for user, day in found}


def test_a_day_built_after_later_ones_takes_its_new_users_and_counts_in_their_windows() -> None:
    with empty(tables=ACTIVITY) as built:
        for offset in (5, 34, 35, 36, 0):
            built.run({nth(offset): tapped("ann") if offset in (0, 5, 36) else Happening()}, alone(offset))
        assert first_days(built) == {"ann": 0}
        assert metrics(built, 5, "wau", "mau", "new_users", "returning_users") == (1, 1, 0, 1)
        assert metrics(built, 36, "mau", "resurrected_users") == (1, 1)


def test_a_rebuild_that_takes_away_a_users_first_day_moves_the_user_to_the_next() -> None:
    with empty(tables=ACTIVITY) as built:
        for offset in (0, 40, 75):
            built.run({nth(offset): tapped("ann", "bob")}, alone(offset))
        built.run({nth(0): tapped("bob")}, alone(0))
        assert first_days(built) == {"ann": 40, "bob": 0}
        assert metrics(built, 40, "new_users", "resurrected_users") == (1, 1)
        built.run({nth(40): tapped("bob")}, alone(40))
        assert first_days(built) == {"ann": 75, "bob": 0}
        built.run({nth(75): Happening()}, alone(75))
        assert first_days(built) == {"bob": 0}


def test_a_range_that_takes_a_user_from_several_days_at_once_moves_them_past_all_of_them() -> None:
    with empty(tables=ACTIVITY) as built:
        built.run({nth(offset): tapped("ann") for offset in range(4)}, Stretch(nth(0), nth(3)))
        built.run({}, Stretch(nth(0), nth(2)))
        assert first_days(built) == {"ann": 3}
        built.run({nth(1): tapped("ann")}, Stretch(nth(0), nth(3)))
        assert first_days(built) == {"ann": 1}


def test_a_sign_in_that_arrives_late_names_the_device_on_later_days() -> None:
    silent = Happening(((1, "phone", None, "tap"),))
    with empty(tables=ACTIVITY) as built:
        for offset in (0, 29, 30):
            built.run({nth(offset): silent}, alone(offset))
        assert first_days(built) == {"phone": 0}
        built.run({nth(0): Happening((*silent.events, (2, "phone", "ann", "login")))}, alone(0))
        # Day 29 is the last that looks back to day 0.
        assert first_days(built) == {"ann": 0, "phone": 30}
        assert metrics(built, 29, "identified_users", "anonymous_users") == (1, 0)
        assert metrics(built, 30, "identified_users", "anonymous_users") == (0, 1)
        built.run({nth(0): silent}, alone(0))
        assert first_days(built) == {"phone": 0}


BEFORE, AFTER = Happening(((1, "phone", None, "tap"),)), Happening(((1, "phone", "ann", "tap"),))


@pytest.fixture(scope="module")
def chronological() -> Mapping[str, Sequence[object]]:
    """What a build in order makes of the days of a run that will crash, and of those before and after it."""
    with empty() as built:
        for offset, happening in ((0, AFTER), (5, BEFORE), (79, BEFORE)):
            built.run({nth(offset): happening}, alone(offset))
        return contents(built.session)


@pytest.mark.parametrize("last_table", ["raw_events", "device_identity", "user_daily_activity"])
def test_what_a_crashed_run_left_stale_is_repaired_by_a_later_run_of_other_days(
    chronological: Mapping[str, Sequence[object]], last_table: str
) -> None:
    with empty() as built:
        for offset in (0, 5):
            built.run({nth(offset): BEFORE}, alone(offset))
        built.run({nth(0): AFTER}, alone(0), last_table)  # and then the process dies
        built.run({nth(79): BEFORE}, alone(79))
        assert contents(built.session) == chronological


def write(platform: Platform, offset: int, *events: tuple[str, str | None], opens: Sequence[str] = ()) -> None:
    """Write the files of a day: app events of (device, user), all at noon in Seoul, and app opens."""
    write_lines(
        platform.data / "analytics" / f"events_{nth(offset):%Y%m%d}.jsonl",
        (
            {
                "event_timestamp": str(int(at(f"{nth(offset)} 12:00").timestamp()) * 1_000_000),
                "event_name": "tap",
                "event_params": [],
                "user_pseudo_id": device,
                "user_id": user,
            }
            for device, user in events
        ),
    )
    write_opens(platform.data, nth(offset), ({"userId": user} for user in opens))


def write_three_days(platform: Platform) -> None:
    for offset in range(3):
        write(platform, offset, ("phone", None), ("tablet", "ann" if offset else None), opens=["bob"] * offset)


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform after one run over its three days, for reading and for copies."""
    platform = Platform(tmp_path_factory.mktemp("three") / "days", first=nth(0), last=nth(80))
    write_three_days(platform)
    platform.build(nth(0), nth(2))
    return platform


def test_a_run_says_which_later_days_it_has_rebuilt_too(three_days: Platform, tmp_path: Path) -> None:
    platform = three_days.copied(tmp_path / "copy")
    write(platform, 40, ("phone", "ann"))
    platform.build(nth(40), nth(40))
    write(platform, 0, ("phone", None), ("tablet", "ann"))
    result = platform.build(nth(0), nth(0))
    told = {
        table: {found.partition: found.metadata.get("stale_days_rebuilt") for found in materializations(result, table)}
        for table in (daily.name for daily in DAILY)
    }
    rebuilt = {table: set(days) for table, days in told.items()}
    # Ann is now new on day 0, so no longer on day 1; day 40 is out of every window, and never had her as new.
    seen, same = {str(nth(0)), str(nth(1))}, {str(nth(0))}
    changed = {*seen, str(nth(2))}
    assert rebuilt == {
        "raw_events": same,
        "raw_access_log": same,
        "device_identity": same,
        "unified_events": changed,
        "user_daily_activity": changed,
        "user_first_seen": seen,  # Who was active on day 2 is the same.
        "daily_active_users": changed,
        "active_users_by": changed,
        "frequent_users": changed,
        "user_joined": changed,
        "user_behaviour": changed,
        "first_week": changed,
        "first_week_features": changed,
        "user_lifecycle": changed,
        "power_curve": changed,
        "return_propensity": same,  # Of nobody's first week.
    }
    assert {value.value for value in told["user_first_seen"].values() if value is not None} == {1}
    assert [(row["event_date"], row["new_users"]) for row in platform.rows("daily_active_users")] == [
        (nth(0), 2),  # Ann, and whoever has the phone.
        (nth(1), 1),  # Bob.
        (nth(2), 0),
        (nth(40), 0),
    ]


def test_a_run_from_unchanged_input_materializes_its_own_days_alone(three_days: Platform, tmp_path: Path) -> None:
    result = three_days.copied(tmp_path / "copy").build(nth(0), nth(1))
    materialized = {found.asset_key for found in result.get_asset_materialization_events() if found.asset_key}
    assert {key.to_user_string() for key in materialized} == {*SOURCES, *SQL_BY_TABLE}
    for name in (key.to_user_string() for key in materialized):
        days = [found.partition for found in materializations(result, name)]
        assert days == ([str(nth(0)), str(nth(1))] if name in {daily.name for daily in DAILY} else [None])


def test_ranges_in_another_order_end_in_the_tables_of_one_run(three_days: Platform, tmp_path: Path) -> None:
    other = Platform(tmp_path, three_days.first, three_days.last)
    write_three_days(other)
    for first, last in ((1, 2), (0, 1)):
        other.build(nth(first), nth(last))
    with three_days.warehouse.session() as one, other.warehouse.session() as another:
        assert contents(one) == contents(another)
