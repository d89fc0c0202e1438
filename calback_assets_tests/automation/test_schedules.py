"""Which days the nightly schedule asks for, at fixed times, against an instance with a past."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    BackfillPolicy,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DailyPartitionsDefinition,
    Definitions,
    Failure,
    JobDefinition,
    RunRequest,
    ScheduleDefinition,
    asset,
    build_schedule_context,
)
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import given
from hypothesis import strategies as st

from calback_assets.automation.jobs import DAILY_JOB_NAME, daily_job
from calback_assets.automation.schedules import (
    LOOK_BACK_DAYS,
    due_days,
    nightly_schedule,
    recent_days,
)
from calback_assets.definitions import build_defs
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG, daily_partitions
from calback_assets.settings import Settings
from calback_assets_tests.dagit.graph import DAILY

SEOUL = "Asia/Seoul"
TODAY = date(2024, 3, 31)
Stretch = tuple[date, date]


def march(day: int) -> date:
    return date(2024, 3, day)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=age) for age in range((last - first).days + 1)]


LAST_30 = days(march(1), march(30))
REWRITTEN = (march(27), march(30))
"""Yesterday and the three days before it, seen from TODAY."""


def evaluate(schedule: ScheduleDefinition, instance: DagsterInstance, moment: datetime) -> list[RunRequest] | str:
    """What the schedule asks for at that moment, or why it asks for nothing."""
    with build_schedule_context(instance=instance, scheduled_execution_time=moment) as context:
        outcome = schedule.evaluate_tick(context)
    if outcome.run_requests:
        assert outcome.skip_message is None
        return list(outcome.run_requests)
    assert outcome.skip_message
    return outcome.skip_message


def asked(schedule: ScheduleDefinition, instance: DagsterInstance, today: date) -> list[Stretch] | str:
    """What the schedule asks for at the midnight that begins the day, in Seoul."""
    outcome = evaluate(schedule, instance, datetime(today.year, today.month, today.day, tzinfo=ZoneInfo(SEOUL)))
    return outcome if isinstance(outcome, str) else [stretch(request) for request in outcome]


def stretch(request: RunRequest) -> Stretch:
    return date.fromisoformat(request.tags[RANGE_START_TAG]), date.fromisoformat(request.tags[RANGE_END_TAG])


def tags(first: date, last: date) -> dict[str, str]:
    return {RANGE_START_TAG: str(first), RANGE_END_TAG: str(last)}


class World:
    """Daily assets and the schedule that keeps them up to date, on an instance that remembers."""

    def __init__(self, instance: DagsterInstance, names: Sequence[str], first: date, last: date | None) -> None:
        self._instance = instance
        partitions = daily_partitions(first, last, SEOUL)
        self.source_is_broken = False
        self._assets = [self._asset(name, partitions) for name in names]
        self.arrived: date | None = None
        keys = [built.key for built in self._assets]
        self.schedule = nightly_schedule(partitions, keys, SEOUL, last, lambda _: self.arrived, (), others={})

    def _asset(self, name: str, partitions: DailyPartitionsDefinition) -> AssetsDefinition:
        @asset(name=name, partitions_def=partitions, backfill_policy=BackfillPolicy.single_run())
        def day() -> None:
            if self.source_is_broken:
                raise Failure

        return day

    def remember(self, known: Iterable[date]) -> None:
        for position in range(len(self._assets)):
            for day in known:
                self.remember_one(position, day)

    def remember_one(self, position: int, day: date) -> None:
        event = AssetMaterialization(self._assets[position].key, partition=str(day))
        self._instance.report_runless_asset_event(event)

    @property
    def _job(self) -> JobDefinition:
        return Definitions(self._assets, jobs=[daily_job]).resolve_job_def(DAILY_JOB_NAME)

    def run(self, first: date, last: date) -> bool:
        """Runs these days, and says whether that succeeded."""
        run = self._job.execute_in_process(instance=self._instance, tags=tags(first, last), raise_on_error=False)
        return run.success

    def start_run(self, first: date, last: date) -> DagsterRun:
        """A run over these days that is under way."""
        return self._instance.create_run_for_job(self._job, status=DagsterRunStatus.STARTED, tags=tags(first, last))

    def asked(self, today: date = TODAY) -> list[Stretch] | str:
        return asked(self.schedule, self._instance, today)

    def run_keys(self) -> dict[str | None, Stretch]:
        outcome = evaluate(self.schedule, self._instance, datetime(2024, 3, 31, tzinfo=ZoneInfo(SEOUL)))
        assert not isinstance(outcome, str)
        keys = {request.run_key: stretch(request) for request in outcome}
        assert len(keys) == len(outcome)
        return keys


class Worlds:
    """Makes worlds whose assets no other test knows."""

    def __init__(self, instance: DagsterInstance, name: str) -> None:
        self._instance = instance
        self._name = name

    def __call__(
        self, first: date = LAST_30[0], last: date | None = None, known: Iterable[date] = (), assets: int = 1
    ) -> World:
        world = World(self._instance, [f"{self._name}_{number}" for number in range(assets)], first, last)
        world.remember(known)
        return world


@pytest.fixture
def make_world(instance: DagsterInstance, request: pytest.FixtureRequest) -> Worlds:
    return Worlds(instance, request.function.__name__)


def test_with_nothing_missing_it_asks_for_yesterday_and_the_days_still_rewritten(make_world: Worlds) -> None:
    assert make_world(known=LAST_30).asked() == [REWRITTEN]


def test_an_instance_that_knows_nothing_is_asked_for_thirty_days_in_one_run(make_world: Worlds) -> None:
    assert make_world(first=date(2023, 1, 1)).asked() == [(march(1), march(30))]


def test_each_hole_is_a_run_of_its_own_and_the_oldest_comes_first(make_world: Worlds) -> None:
    holes = {march(5), march(6), march(20)}
    world = make_world(known=[day for day in LAST_30 if day not in holes])
    assert world.asked() == [(march(5), march(6)), (march(20), march(20)), REWRITTEN]


def test_days_that_have_not_arrived_are_a_run_of_their_own(make_world: Worlds) -> None:
    world = make_world(known=LAST_30)
    world.arrived = march(29)
    assert world.asked() == [(march(27), march(29)), (march(30), march(30))]
    world.arrived = march(30)
    assert world.asked() == [REWRITTEN]
    world.arrived = march(1)
    assert world.asked() == [REWRITTEN]
    world.arrived = None
    assert world.asked() == [REWRITTEN]


def test_a_hole_beside_the_rewritten_days_belongs_to_their_run(make_world: Worlds) -> None:
    world = make_world(first=march(25), known=[march(25)])
    assert world.asked() == [(march(26), march(30))]


def test_a_day_that_one_asset_lacks_is_a_hole(make_world: Worlds) -> None:
    world = make_world(first=march(7), known=[day for day in days(march(7), march(30)) if day != march(9)], assets=2)
    world.remember_one(0, march(9))
    assert world.asked() == [(march(9), march(9)), REWRITTEN]
    world.remember_one(1, march(9))
    assert world.asked() == [REWRITTEN]


def test_it_looks_back_thirty_days_and_no_further(make_world: Worlds) -> None:
    february = date(2024, 2, 29)
    world = make_world(first=february, known=days(march(2), march(30)))
    assert world.asked() == [(march(1), march(1)), REWRITTEN]


def test_after_three_days_of_silence_one_run_catches_up(make_world: Worlds) -> None:
    world = make_world(first=march(10), known=days(march(10), march(20)))
    assert world.asked(march(24)) == [(march(20), march(23))]
    assert world.asked(march(26)) == [(march(21), march(25))]


def test_on_the_first_day_ever_it_waits_for_the_day_to_end(make_world: Worlds) -> None:
    world = make_world(first=march(15))
    assert world.asked(march(14)) == "nothing to do: the first day, 2024-03-15, is not over yet"
    assert world.asked(march(15)) == "nothing to do: the first day, 2024-03-15, is not over yet"
    assert world.asked(march(16)) == [(march(15), march(15))]


def test_a_first_day_in_the_future_is_no_error(make_world: Worlds) -> None:
    assert make_world(first=date(9000, 1, 1)).asked() == "nothing to do: the first day, 9000-01-01, is not over yet"


def test_a_closed_data_set_is_rewritten_to_its_end_and_no_further(make_world: Worlds) -> None:
    world = make_world(first=march(15), last=march(20), known=days(march(15), march(20)))
    assert world.asked(march(21)) == [(march(17), march(20))]
    assert world.asked(march(24)) == [(march(20), march(20))]
    reason = "nothing to do: the data set ends with 2024-03-20, and no day of the last 30 is missing"
    assert world.asked(march(25)) == reason
    assert world.asked(date(2026, 1, 1)) == reason


def test_a_hole_in_a_closed_data_set_is_filled_while_it_is_in_sight(make_world: Worlds) -> None:
    world = make_world(last=march(4), known=[march(1), march(2), march(4)])
    assert world.asked(date(2024, 4, 2)) == [(march(3), march(3))]
    assert "no day of the last 30 is missing" in world.asked(date(2024, 4, 3))


def test_a_day_that_a_run_is_working_on_is_not_asked_for_again(make_world: Worlds, instance: DagsterInstance) -> None:
    world = make_world(first=march(19), known=days(march(22), march(30)))
    run = world.start_run(march(19), march(21))
    assert world.asked() == [REWRITTEN]
    instance.report_run_failed(run)
    assert world.asked() == [(march(19), march(21)), REWRITTEN]


def test_a_day_whose_run_was_cancelled_is_asked_for_again(make_world: Worlds, instance: DagsterInstance) -> None:
    world = make_world(first=march(19), known=days(march(22), march(30)))
    instance.report_run_canceled(world.start_run(march(19), march(21)))
    assert world.asked() == [(march(19), march(21)), REWRITTEN]


def test_a_tick_that_is_tried_again_repeats_the_run_keys_of_what_it_launched(make_world: Worlds) -> None:
    world = make_world(first=march(23), known=[march(24), march(25)])
    before = world.run_keys()
    assert list(before.values()) == [(march(23), march(23)), (march(26), march(30))]
    # Dagster had launched the second run when it lost the tick.
    world.start_run(march(26), march(30))
    again = world.run_keys()
    assert list(again.values()) == [(march(23), march(23)), REWRITTEN]
    assert list(again) == list(before)


def test_a_day_whose_run_failed_is_asked_for_even_when_it_had_succeeded_before(make_world: Worlds) -> None:
    world = make_world(first=march(24))
    assert world.run(march(24), march(26))
    assert world.asked() == [REWRITTEN]
    world.source_is_broken = True
    assert not world.run(march(24), march(24))
    assert world.asked() == [(march(24), march(24)), REWRITTEN]
    world.source_is_broken = False
    assert world.run(march(24), march(24))
    assert world.asked() == [REWRITTEN]


def test_it_watches_every_daily_asset_of_the_platform(instance: DagsterInstance, tmp_path: Path) -> None:
    """Each asset lacks a day of its own, so that every day is due exactly if every asset is looked at."""
    first = date(2024, 5, 1)
    last = first + timedelta(days=len(DAILY) - 1)
    environment = {"CALBACK_START_DATE": str(first), "CALBACK_END_DATE": str(last), "CALBACK_DATA_DIR": str(tmp_path)}
    defs = build_defs(Settings.from_env(environment))
    daily = [node.key for node in defs.resolve_asset_graph().asset_nodes if node.is_partitioned]
    for lacking, key in zip(days(first, last), daily, strict=True):
        for day in days(first, last):
            if day != lacking:
                instance.report_runless_asset_event(AssetMaterialization(key, partition=str(day)))
    assert asked(defs.resolve_schedule_def("nightly"), instance, date(2024, 5, 20)) == [(first, last)]


def test_the_model_is_learned_anew_only_when_it_is_old_enough(instance: DagsterInstance) -> None:
    daily, snapshot, model = (AssetKey(f"{name}_of_a_week") for name in ("daily", "snapshot", "model"))
    today = datetime.now(ZoneInfo(SEOUL)).date()
    partitions = daily_partitions(today - timedelta(days=10), None, SEOUL)
    others = {snapshot: 0, model: 7}
    schedule = nightly_schedule(partitions, [daily], SEOUL, None, lambda _: None, (), others=others)

    def selected(day: date) -> list[AssetKey]:
        outcome = evaluate(schedule, instance, datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(SEOUL)))
        assert not isinstance(outcome, str)
        assert [request.run_key for request in outcome] == [str(day - timedelta(days=1))]
        return list(outcome[0].asset_selection or [])

    assert selected(today) == [daily, snapshot, model], "nothing was ever learned"
    for key in (snapshot, model):
        instance.report_runless_asset_event(AssetMaterialization(key))
    assert selected(today + timedelta(days=1)) == [daily, snapshot]
    assert selected(today + timedelta(days=6)) == [daily, snapshot]
    assert selected(today + timedelta(days=7)) == [daily, snapshot, model]


@pytest.mark.parametrize(
    ("arrived", "runs"),
    [
        pytest.param(None, ["5", "20", "30 and what days make"], id="all has arrived"),
        pytest.param(march(29), ["5", "20", "29 and what days make", "30"], id="a run that will fail makes nothing"),
        pytest.param(march(1), ["5", "20", "30 and what days make"], id="nothing has arrived"),
    ],
)
def test_of_several_runs_the_last_that_can_succeed_makes_the_tables_that_are_made_of_days(
    instance: DagsterInstance, request: pytest.FixtureRequest, arrived: date | None, runs: list[str]
) -> None:
    daily, snapshot, table = (AssetKey(f"{name}_{request.node.callspec.id}") for name in ("daily", "snapshot", "table"))
    for day in set(LAST_30) - {march(5), march(20)}:
        instance.report_runless_asset_event(AssetMaterialization(daily, partition=str(day)))
    schedule = nightly_schedule(
        daily_partitions(march(1), None, SEOUL), [daily], SEOUL, None, lambda _: arrived, [snapshot], others={table: 0}
    )
    outcome = evaluate(schedule, instance, datetime(2024, 3, 31, tzinfo=ZoneInfo(SEOUL)))
    assert not isinstance(outcome, str)
    told = {(daily, snapshot): "", (daily, snapshot, table): " and what days make"}
    assert [f"{stretch(one)[1].day}{told[tuple(one.asset_selection or [])]}" for one in outcome] == runs


@pytest.mark.parametrize(
    ("timezone", "around"),
    [
        (SEOUL, date(2024, 2, 29)),
        ("UTC", date(2024, 12, 31)),
        ("Europe/Berlin", date(2024, 3, 31)),
        ("Europe/Berlin", date(2024, 10, 27)),
        pytest.param("America/Santiago", date(2024, 9, 8), id="a day without a midnight"),
        pytest.param("America/Havana", date(2024, 11, 3), id="a day with two midnights"),
    ],
)
def test_every_day_has_one_tick_at_which_yesterday_is_the_newest_partition(
    instance: DagsterInstance, timezone: str, around: date
) -> None:
    first, last = around - timedelta(days=2), around + timedelta(days=1)
    partitions = daily_partitions(first, None, timezone)
    nightly = nightly_schedule(partitions, [], timezone, None, lambda _: None, (), others={})
    zone = ZoneInfo(timezone)
    start = datetime(first.year, first.month, first.day, 12, tzinfo=zone).timestamp()
    ticks = takewhile(
        lambda tick: tick.astimezone(zone).date() <= last,
        schedule_execution_time_iterator(start, nightly.cron_schedule, nightly.execution_timezone),
    )
    newest = []
    for tick in ticks:
        requests = evaluate(nightly, instance, tick)
        assert not isinstance(requests, str)
        newest.append(stretch(requests[-1])[1])
        assert partitions.get_partition_keys(current_time=tick)[-1] == str(newest[-1])
    assert newest == days(first, last - timedelta(days=1))


DATES = st.dates(date(2023, 1, 1), date(2025, 12, 31))


@given(today=DATES, first=DATES, length=st.none() | st.integers(0, 400), ages=st.sets(st.integers(1, 40)))
def test_the_due_days_are_the_missing_and_the_rewritten_ones_of_the_data_set(
    today: date, first: date, length: int | None, ages: set[int]
) -> None:
    last = None if length is None else first + timedelta(days=length)
    missing = {today - timedelta(days=age) for age in ages}
    due = due_days(today, recent_days(today, first, last), missing)
    assert due == sorted(set(due))
    for age in range(-1, 45):
        day = today - timedelta(days=age)
        exists = first <= day and (last is None or day <= last)
        wanted = 1 <= age <= 4 or (day in missing and age <= LOOK_BACK_DAYS)
        assert (day in due) == (exists and wanted)
