"""Every check passes on good data and fails on data that breaks it, and a failure stops what is downstream."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from dagster import AssetCheckEvaluation, ExecuteInProcessResult
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from calback_assets.checks import CHECKS, _violations
from calback_assets.days import Stretch
from calback_assets.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from calback_assets.tables.core import USER_FIRST_SEEN
from calback_assets.warehouse.warehouse import AtOnce
from calback_assets_tests.assets.given import Row, Tables, active, day, filled, first_seen, insert, warehouse
from calback_assets_tests.assets.worlds import Platform, write_opens
from calback_assets_tests.warehouse.helpers import CALENDAR

DAY = "2024-03-14"
DAYS = (date(2024, 3, 13), date(2024, 3, 14))
BY_NAME = {check.name: check for check in CHECKS}


def violations(name: str, tables: Tables) -> list[Row]:
    """The rows that a check's query finds on the day."""
    with warehouse(tables) as session:
        rows: list[Row] = session.arrow(filled(BY_NAME[name].model, DAY, {})).to_pylist()
    assert {row.pop("event_date", day(DAY)) for row in rows} <= {day(DAY)}
    return rows


def metric(**counts: int) -> Row:
    """The day's row of `daily_active_users`."""
    return {"event_date": day(DAY), **counts}


def happened(number: int, *, is_activity: bool = True) -> Row:
    return {"event_date": day(DAY), "event_id": str(number), "is_activity": is_activity}


def frequent(user: str, window: int, month: int) -> Row:
    return {"event_date": day(DAY), "user_id": user, "active_days_30d": window, "active_days_mtd": month}


def first_week(user: str, ended: str = DAY, **figures: object) -> Row:
    joined_on = day(ended) - timedelta(days=6)
    row = {"event_date": day(ended), "user_id": user, "joined_on": joined_on, "basis": "registration", "active_days": 2}
    return row | {"platform": "IOS", "behaviours": [{"behaviour": "tap", "times": 1, "days": 1}], **figures}


def features(user: str, **figures: object) -> Row:
    """Of somebody whose first week ended 30 days before, and who came on one day since."""
    row = {**first_week(user, ended="2024-02-13"), "event_date": day(DAY), "outcome_active_days": 1, "returned": True}
    return row | figures


def flows(**counts: int) -> Row:
    return {"event_date": day(DAY), **counts}


def curve(active_days: int, users: int) -> Row:
    return {"event_date": day(DAY), "active_days": active_days, "users": users}


def cohort(cohort_size: int, eligible: int, retained: int) -> Row:
    row = {"as_of": day(DAY), "cohort_week": day("2024-03-04"), "basis": "registration", "measure": "day", "period": 7}
    return row | {"cohort_size": cohort_size, "eligible": eligible, "retained": retained}


def lifted(**more: object) -> Row:
    row = {"behaviour": "search", "at_least": 1, "outcome": "returned", "period": "all", "adjustment": ""}
    counts = {"people": 50, "did": 20, "did_came_back": 9, "others_came_back": 5, "adjusted_q": 0.01}
    days = {"joined_from": day(DAY), "joined_to": day(DAY)}
    return row | counts | days | {"is_supported": True, "is_found": True} | more


LIFT_SHOWN = (
    "behaviour", "at_least", "outcome", "period", "people", "did", "did_came_back", "others_came_back", "adjusted_q",
)  # fmt: skip

GOOD: Tables = {
    "unified_events": [happened(1), happened(2), happened(3, is_activity=False)],
    "user_daily_activity": [
        active(DAY, "ann"),
        active(DAY, "bob"),
        active("2024-03-13", "ann", events=7),
        active("2024-02-14", "ann"),
    ],
    "user_first_seen": [first_seen(DAY, "bob"), first_seen("2024-02-14", "ann")],
    "daily_active_users": [
        metric(dau=2, wau=3, mau=3, new_users=1, returning_users=1, identified_users=1, anonymous_users=1),
        {"event_date": day("2024-03-13"), "dau": 9},
    ],
    "frequent_users": [frequent("ann", 3, 2)],
    "user_joined": [{"event_date": day("2024-03-08"), "user_id": "cho", "basis": "registration"}],
    "first_week": [first_week("cho"), first_week("dan", ended="2024-02-13")],
    "first_week_features": [features("dan")],
    "user_lifecycle": [
        flows(current_users=2, new_users=1, returning_users=1, active_to_active=1),
        {"event_date": day("2024-03-13"), "current_users": 1},
    ],
    "power_curve": [curve(1, 1), curve(3, 1)],
    "retention_cohorts": [cohort(3, 2, 1)],
    "first_week_lift": [lifted()],
}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_check_finds_nothing_in_good_data(name: str) -> None:
    assert violations(name, GOOD) == []


@pytest.mark.parametrize("name", BY_NAME)
def test_a_check_finds_nothing_where_nothing_ever_happened(name: str) -> None:
    assert violations(name, {"daily_active_users": [metric()]}) == []


@pytest.mark.parametrize(
    ("name", "broken", "found"),
    [
        (
            "events_add_up",
            {"user_daily_activity": [active(DAY, "ann", events=2), active(DAY, "bob")]},
            [{"events_of_people": 3, "activity_rows": 2}],
        ),
        ("events_add_up", {"user_daily_activity": []}, [{"events_of_people": 0, "activity_rows": 2}]),
        ("events_add_up", {"unified_events": []}, [{"events_of_people": 2, "activity_rows": 0}]),
        (
            "first_day_is_active_and_only",
            {"user_first_seen": [first_seen(DAY, "cho")]},
            [{"idle_users": 1, "repeated_users": 0}],
        ),
        (
            "first_day_is_active_and_only",
            {"user_first_seen": [first_seen(DAY, "bob"), first_seen("2023-03-14", "bob")]},
            [{"idle_users": 0, "repeated_users": 1}],
        ),
        (
            "first_day_is_active_and_only",
            {"user_first_seen": [first_seen(DAY, "bob"), first_seen("2025-03-14", "bob")]},
            [{"idle_users": 0, "repeated_users": 1}],
        ),
        ("windows_are_nested", {"daily_active_users": [metric(dau=2, wau=1, mau=3)]}, [{"dau": 2, "wau": 1, "mau": 3}]),
        ("windows_are_nested", {"daily_active_users": [metric(dau=1, wau=3, mau=2)]}, [{"dau": 1, "wau": 3, "mau": 2}]),
        ("dau_is_everyone_active", {"daily_active_users": [metric(dau=3)]}, [{"dau": 3, "active_users": 2}]),
        ("dau_is_everyone_active", {"daily_active_users": []}, [{"dau": 0, "active_users": 2}]),
        ("frequent_users_are_active", {"frequent_users": [frequent("ann", 4, 2)]}, [{"wrong_users": 1}]),
        ("frequent_users_are_active", {"frequent_users": [frequent("ann", 2, 2)]}, [{"wrong_users": 1}]),
        ("frequent_users_are_active", {"frequent_users": [frequent("ann", 3, 4)]}, [{"wrong_users": 1}]),
        ("frequent_users_are_active", {"frequent_users": [frequent("ann", 3, 1)]}, [{"wrong_users": 1}]),
        (
            "frequent_users_are_active",
            {"frequent_users": [frequent("cho", 0, 0), frequent("dan", 3, 3), frequent("ann", 3, 2)]},
            [{"wrong_users": 2}],
        ),
        ("first_weeks_are_of_who_joined", {"first_week": []}, [{"wrong_users": 1}]),
        ("first_weeks_are_of_who_joined", {"user_joined": []}, [{"wrong_users": 1}]),
        ("first_weeks_are_of_who_joined", {"first_week": [first_week("eve")]}, [{"wrong_users": 2}]),
        ("first_weeks_are_of_who_joined", {"first_week": [first_week("cho", active_days=8)]}, [{"wrong_users": 1}]),
        (
            "first_weeks_are_of_who_joined",
            {"first_week": [first_week("cho", joined_on=day("2024-03-07"))]},
            [{"wrong_users": 1}],
        ),
        ("features_are_first_weeks", {"first_week": []}, [{"wrong_users": 1}]),
        ("features_are_first_weeks", {"first_week_features": []}, [{"wrong_users": 1}]),
        *[
            ("features_are_first_weeks", {"first_week_features": [features("dan", **wrong)]}, [{"wrong_users": 1}])
            for wrong in (
                {"active_days": 3},
                {"platform": None},
                {"behaviours": []},
                {"outcome_active_days": 31},
                {"outcome_active_days": 0},
                {"returned": False},
            )
        ],
        ("power_curve_is_everyone_active", {"power_curve": [curve(3, 1)]}, [{"users": 1, "active_users": 2}]),
        ("power_curve_is_everyone_active", {"power_curve": []}, [{"users": 0, "active_users": 2}]),
        *[
            (
                "retained_had_the_chance",
                {"retention_cohorts": [cohort(*counts)]},
                [{**{name: value for name, value in cohort(*counts).items() if name not in ("as_of", "basis")}}],
            )
            for counts in ((3, 2, 3), (2, 3, 1), (3, 0, 0))
        ],
        *[
            (
                "lift_counts_are_people",
                {"first_week_lift": [lifted(**wrong)]},
                [{name: lifted(**wrong)[name] for name in LIFT_SHOWN}],
            )
            for wrong in (
                {"did": 51},
                {"did_came_back": 21},
                {"others_came_back": 31},
                {"is_supported": False},
                {"adjusted_q": 0.05},
                {"adjusted_q": None},
            )
        ],
    ],
)
def test_a_check_finds_what_breaks_it(name: str, broken: Tables, found: Sequence[Row]) -> None:
    assert violations(name, {**GOOD, **broken}) == list(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_users": 1, "returning_users": 0, "resurrected_users": 0, "identified_users": 2},
        {"new_users": 1, "returning_users": 1, "resurrected_users": 1, "identified_users": 2},
        {"new_users": 2, "identified_users": 1},
        {"new_users": 2, "identified_users": 2, "anonymous_users": 1},
    ],
)
def test_the_parts_of_dau_must_add_up_to_it(wrong: dict[str, int]) -> None:
    (found,) = violations("lifecycle_adds_up", {"daily_active_users": [metric(dau=2, wau=2, mau=2, **wrong)]})
    assert wrong.items() <= found.items()


@pytest.mark.parametrize(
    "wrong",
    [
        {"current_users": 3},
        {"new_users": 2},
        {"returning_users": 2},
        {"resurrected_users": 1},
        {"dormant_users": 1},
        {"active_to_active": 0},
        {"idle_to_active": 1},
        {"active_to_idle": 1},
        {"idle_to_idle": 1},
    ],
)
def test_the_flows_of_a_day_must_add_up(wrong: dict[str, int]) -> None:
    (good, before) = GOOD["user_lifecycle"]
    (found,) = violations("flows_add_up", {**GOOD, "user_lifecycle": [good | wrong, before]})
    assert wrong.items() <= found.items()
    assert (found["active_users"], found["active_the_day_before"], found["current_users_before"]) == (2, 1, 1)


def test_of_a_day_whose_day_before_was_never_built_current_users_are_compared_with_its_own_flows_alone() -> None:
    (good, _) = GOOD["user_lifecycle"]
    assert violations("flows_add_up", {**GOOD, "user_lifecycle": [good | {"dormant_users": 7}]}) == []


def evaluations(result: ExecuteInProcessResult) -> dict[str, AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def materialized(result: ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def test_every_day_of_a_long_run_is_checked_and_told_in_order_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2024, 3, 1) + timedelta(days=after) for after in range(21)]
    wrong = [days[0], days[9], days[10], days[-1]]
    not_of_the_run = days.pop(5)
    tables: Tables = {
        "daily_active_users": [{"event_date": at, "dau": 9, "wau": 3, "mau": 3} for at in [*wrong, not_of_the_run]]
    }
    with warehouse(tables) as session:
        monkeypatch.setattr(session, "at_once", AtOnce(10))
        found = list(_violations(session, BY_NAME["windows_are_nested"].model, CALENDAR, days))
    assert found == [f"event_date {at}, dau 9, wau 3, mau 3" for at in wrong]


CHECKED = Stretch(date(2024, 2, 28), date(2024, 3, 2))
ANY_DAY = some.sampled_from([day("2024-01-30"), day("2024-02-22"), *CHECKED.days, day("2024-03-03")])
ANYBODY, FEW = some.sampled_from(("ann", "bob")), some.integers(0, 2)


def any_rows(key: tuple[str, ...], **columns: some.SearchStrategy[object]) -> some.SearchStrategy[list[Row]]:
    """Rows, right or wrong, with no key twice."""
    drawn = some.fixed_dictionaries({"event_date": ANY_DAY, **columns})
    return some.lists(drawn, max_size=6, unique_by=lambda row: tuple(row[name] for name in key))


DAY_AND_USER = ("event_date", "user_id")
ANY_TABLES = some.fixed_dictionaries(
    {
        "unified_events": any_rows(
            ("event_date", "event_id"), event_id=some.sampled_from("abcd"), is_activity=some.booleans()
        ),
        "user_daily_activity": any_rows(DAY_AND_USER, user_id=ANYBODY, events=FEW),
        "user_first_seen": any_rows(DAY_AND_USER, user_id=ANYBODY),
        "daily_active_users": any_rows(
            ("event_date",),
            **dict.fromkeys(("dau", "wau", "mau", "new_users", "identified_users", "anonymous_users"), FEW),
        ),
        "frequent_users": any_rows(DAY_AND_USER, user_id=ANYBODY, active_days_30d=FEW, active_days_mtd=FEW),
        "user_joined": any_rows(DAY_AND_USER, user_id=ANYBODY, basis=some.just("registration")),
        "first_week": any_rows(
            DAY_AND_USER, user_id=ANYBODY, joined_on=ANY_DAY, basis=some.just("registration"), active_days=FEW
        ),
        "first_week_features": any_rows(
            DAY_AND_USER, user_id=ANYBODY, joined_on=ANY_DAY, basis=some.just("registration"), active_days=FEW
        ),
        "user_lifecycle": any_rows(("event_date",), **dict.fromkeys(("current_users", "new_users"), FEW)),
        "power_curve": any_rows(("event_date", "active_days"), active_days=FEW, users=FEW),
    }
)


@settings(derandomize=True, database=None, deadline=None, max_examples=12, phases=[Phase.generate])
@given(ANY_TABLES)
def test_a_check_of_several_days_at_once_finds_what_it_finds_day_by_day(tables: Tables) -> None:
    with warehouse(tables) as session, pytest.MonkeyPatch.context() as patch:
        for check in CHECKS:
            found = []
            for days in (1, 366):
                patch.setattr(session, "at_once", AtOnce(days))
                found.append(list(_violations(session, check.model, CALENDAR, CHECKED.days)))
            assert found[0] == found[1], check.name


@dataclass(frozen=True)
class Built:
    """The platform, and the run that built it."""

    platform: Platform
    run: ExecuteInProcessResult


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Ann opens the app on two days of three; those two are built."""
    platform = Platform(tmp_path_factory.mktemp("world"), date(2024, 3, 13), date(2024, 3, 15))
    for opened_on in DAYS:
        write_opens(platform.data, opened_on, [{"userId": "ann"}])
    return Built(platform, platform.run(*DAYS))


def test_a_run_over_good_data_passes_every_check_and_says_for_how_many_days(built: Built) -> None:
    assert built.run.success
    found = {name: one for name, one in evaluations(built.run).items() if name in BY_NAME}
    assert found.keys() == BY_NAME.keys()
    assert all(one.passed for one in found.values())
    days = {name: one.metadata["days"].value for name, one in found.items() if "days" in one.metadata}
    assert days == {name: 2 for name, check in BY_NAME.items() if check.table.is_partitioned}
    assert {one.metadata["first_violations"].value for one in found.values()} == {"none"}


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        pytest.param({}, 2, id="all there are"),
        pytest.param({PARTITION_TAG: "2024-03-14"}, 1, id="the day it names"),
        pytest.param({RANGE_START_TAG: "2024-03-14", RANGE_END_TAG: "2024-03-15"}, 1, id="those of the range it names"),
    ],
)
def test_a_check_runs_by_itself_over_the_days_there_are(built: Built, tags: dict[str, str], days: int) -> None:
    # One of three that share a step.
    result = built.platform.check("daily_active_users", "windows_are_nested", tags=tags)
    assert result.success
    assert {name: (one.passed, one.metadata["days"].value) for name, one in evaluations(result).items()} == {
        "windows_are_nested": (True, days)
    }
    assert materialized(result) == set()


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("raw_access_log", "volume_is_usual"),
        ("raw_users", "volume_is_usual"),
        ("retention_cohorts", "retained_had_the_chance"),
        ("return_propensity", "people_are_as_learned"),
    ],
)
def test_checks_of_every_other_kind_run_by_themselves(built: Built, table: str, name: str) -> None:
    result = built.platform.check(table, name)
    assert result.success
    assert evaluations(result)[name].passed


def test_a_check_of_a_table_that_was_never_written_says_so(tmp_path: Path) -> None:
    empty = Platform(tmp_path, date(2024, 3, 13), date(2024, 3, 15))
    for table, name in (("daily_active_users", "windows_are_nested"), ("retention_cohorts", "retained_had_the_chance")):
        result = empty.check(table, name)
        (failed,) = result.get_step_failure_events()
        assert f"table {table} does not exist yet: materialize {table} first" in str(failed.step_failure_data.error)


def test_a_failed_check_says_what_it_found_and_stops_what_is_downstream(built: Built) -> None:
    with built.platform.warehouse.session() as session:
        # Ann is new on 13 March; written behind the platform's back, she is on a day that nobody has built, too.
        insert(session, USER_FIRST_SEEN, [first_seen("2024-03-15", "ann")])
    every = materialized(built.run)
    result = built.platform.run(DAYS[0], DAYS[0])
    found = evaluations(result)["first_day_is_active_and_only"]
    assert not result.success
    assert (found.passed, found.blocking) == (False, True)
    assert (found.metadata["violations"].value, found.metadata["first_violations"].value) == (
        1,
        "event_date 2024-03-13, idle_users 0, repeated_users 1",
    )
    stopped = {"daily_active_users", "user_joined", "user_lifecycle", "retention_cohorts", "insight_report"}
    stopped |= {"active_users_by", "dashboard"}
    stopped |= {name for name in every if name.startswith(("first_week", "return_"))}
    assert materialized(result) == every - stopped
