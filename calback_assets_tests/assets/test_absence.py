"""Absence is not zero: whatever goes missing after a good build, the rows stand until a person accepts it by name.

The raw assets, over files into DuckDB and over Google's services into BigQuery; what is built on them has tests below.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    ExecuteInProcessResult,
    JobDefinition,
    RunRequest,
    build_schedule_context,
)
from google.cloud import bigquery

import calback_assets
from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.days import days_between
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from calback_assets.settings import SOURCES, Settings
from calback_assets.tables import TABLES
from calback_assets_tests.assets.given import Row, micros
from calback_assets_tests.assets.worlds import Platform, build_defs, contents, write_lines, write_opens
from calback_assets_tests.bigquery.clients import Emulator, client
from calback_assets_tests.warehouse.helpers import error_of

if TYPE_CHECKING:
    from calback_assets_tests.firestore.server import Firestore

DAYS = days_between(date(2024, 3, 1), date(2024, 3, 4))
FIRST, LAST = DAYS[0], DAYS[-1]
USERS = 12
ACTIVITY = (
    *SOURCES,
    *("device_identity", "unified_events", "user_daily_activity", "user_first_seen", "daily_active_users"),
)
"""The raw tables, and enough of what is built on them."""


def events_of(day: date, number: int) -> list[Row]:
    return [{"event_timestamp": micros(f"{day} 12:00:{second:02}"), "event_name": "tap"} for second in range(number)]


class World(Protocol):
    """Sources whose parts can be taken away and given back, and the platform over them."""

    environ: Mapping[str, str]

    def events(self, day: date, number: int | None) -> None:
        """The day's table of the export, with so many events; None takes the table away."""

    def opens(self, day: date, number: int | None) -> None:
        """The day of the access log."""

    def users(self, number: int) -> None:
        """So many documents of users, and one meeting."""

    def stored(self) -> Mapping[str, Sequence[Any]]:
        """Every row of the raw tables, but for the time of the run."""


class Files:
    """Files and DuckDB."""

    def __init__(self, home: Path) -> None:
        self.platform = Platform(home, FIRST, LAST)
        self.environ = self.platform.environ

    def events(self, day: date, number: int | None) -> None:
        path = self.platform.data / "analytics" / f"events_{day:%Y%m%d}.jsonl"
        path.unlink(missing_ok=True)
        if number is not None:
            write_lines(path, events_of(day, number))

    def opens(self, day: date, number: int | None) -> None:
        path = self.platform.data / "access_log" / f"date={day}" / "part-0.jsonl"
        path.unlink(missing_ok=True)
        if number is not None:
            write_opens(self.platform.data, day, [{"userId": user} for user in range(number)])

    def users(self, number: int) -> None:
        at = {"create_time": "2024-02-01T00:00:00Z", "update_time": "2024-02-01T00:00:00Z", "data": {}}
        folder = self.platform.data / "firestore"
        write_lines(folder / "userCollection.jsonl", [{"id": f"u{user:02}", **at} for user in range(number)])
        write_lines(folder / "meetingsCollection.jsonl", [{"id": "m1", **at}])

    def stored(self) -> Mapping[str, Sequence[Any]]:
        with self.platform.warehouse.session(read_only=True) as session:
            gone = session.records("SELECT user_id FROM calback.raw_users WHERE deleted_at IS NOT NULL ORDER BY 1")
            return {**contents(session, SOURCES), "gone": gone}


class Services:
    """BigQuery and Firestore, as their emulators speak."""

    def __init__(self, emulator: Emulator, firestore: "Firestore") -> None:
        project = firestore.project
        self._firestore = firestore
        self._client = client(emulator.url, project)
        for name in ("calback", "analytics_1", "access_log"):
            made = bigquery.Dataset(f"{project}.{name}")
            made.location = "asia-northeast3"
            self._client.create_dataset(made)
        self._documents: set[str] = set()
        self._days: dict[tuple[str, date], int | None] = {}
        firestore.store.put("meetingsCollection/m1", {})
        self._sql("CREATE TABLE access_log.opens (userId STRING, date DATE)")
        self.environ = {
            "CALBACK_DEPLOYMENT": "gcp",
            "CALBACK_GCP_PROJECT": project,
            "CALBACK_GA4_DATASET": "analytics_1",
            "CALBACK_ACCESS_LOG_TABLE": "access_log.opens",
            "CALBACK_PSEUDONYM_KEY": "a-key-of-the-tests",
            "CALBACK_START_DATE": str(FIRST),
            "CALBACK_END_DATE": str(LAST),
        }

    def _sql(self, sql: str) -> Any:
        return self._client.query(sql).result()

    def _is_so(self, source: str, day: date, number: int | None) -> bool:
        """Whether the day is as it is wanted already; it is taken to become so."""
        was, self._days[source, day] = self._days.get((source, day)), number
        return was == number

    def events(self, day: date, number: int | None) -> None:
        if self._is_so("events", day, number):
            return
        table = f"analytics_1.events_{day:%Y%m%d}"
        self._client.delete_table(f"{self._client.project}.{table}", not_found_ok=True)
        if number is not None:
            self._sql(f"CREATE TABLE {table} (event_timestamp INT64, event_name STRING)")
        if number:
            self._client.load_table_from_json(events_of(day, number), f"{self._client.project}.{table}").result()

    def opens(self, day: date, number: int | None) -> None:
        if self._is_so("opens", day, number):
            return
        self._sql(f"DELETE FROM access_log.opens WHERE date = DATE '{day}'")
        for user in range(number or 0):
            self._sql(f"INSERT INTO access_log.opens VALUES ('{user}', DATE '{day}')")

    def users(self, number: int) -> None:
        there = {f"userCollection/u{user:02}" for user in range(number)}
        for path in self._documents - there:
            self._firestore.store.delete(path)
        for path in there - self._documents:
            self._firestore.store.put(path, {})
        self._documents = there

    def stored(self) -> Mapping[str, Sequence[Any]]:
        found = {
            name: [dict(row) for row in self._client.list_rows(f"{self._client.project}.calback.{name}")]
            for name in SOURCES
        }
        kept = {
            name: sorted(repr([row[column] for column in row if column not in wall_clock(name)]) for row in rows)
            for name, rows in found.items()
        }
        return {**kept, "gone": sorted(row["user_id"] for row in found["raw_users"] if row["deleted_at"])}


def wall_clock(table: str) -> list[str]:
    # A document that is made anew is another one in Firestore, of the same name.
    anew = ("created_at", "updated_at")
    return [column.name for column in TABLES[table].columns if column.wall_clock or column.name in anew]


class Built:
    """A world that was built once without a fault."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.good: Mapping[str, Sequence[Any]] = {}

    @cached_property
    def _job(self) -> JobDefinition:
        return build_defs(Settings.from_env(self.world.environ)).resolve_job_def(DAILY_JOB_NAME)

    def give(self) -> None:
        """Everything that there is."""
        for day in DAYS:
            self.world.events(day, 2)
            self.world.opens(day, 1)
        self.world.users(USERS)

    def run(self, *accepted: str, assets: Sequence[str] = SOURCES) -> ExecuteInProcessResult:
        """Materialize raw tables without their checks, which no refusal hangs on."""
        keys = {AssetKey(name) for name in assets}
        with DagsterInstance.ephemeral() as instance:
            return self._job.get_subset(asset_selection=keys, asset_check_selection=set()).execute_in_process(
                instance=instance,
                tags={RANGE_START_TAG: str(FIRST), RANGE_END_TAG: str(LAST)},
                run_config={"resources": {"intake": {"config": {"accept_empty": list(accepted)}}}},
                raise_on_error=False,
            )


@pytest.fixture(scope="module", params=["files", "services"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    if request.param == "files":
        yield _good(Built(Files(tmp_path_factory.mktemp("world"))))
        return
    from calback_assets_tests.firestore.server import Firestore  # Seconds, which few tests need.

    emulator = request.getfixturevalue("emulator")
    with Firestore("absence") as firestore, pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
        environment.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
        yield _good(Built(Services(emulator, firestore)))


def _good(built: Built) -> Built:
    built.give()
    assert built.run().success
    built.good = built.world.stored()
    return built


def all_days(take: Callable[[date, None], None]) -> None:
    for day in DAYS:
        take(day, None)


WAYS: dict[str, tuple[str, Callable[[World], None], str]] = {
    "a day of the export": (
        "raw_events",
        lambda world: world.events(DAYS[1], None),
        "has nothing of 2024-03-02, and the warehouse has 2 rows of it; nothing was written. ",
    ),
    "the newest day of the export": (
        "raw_events",
        lambda world: world.events(LAST, None),
        "has nothing of 2024-03-04, and the warehouse has 2 rows of it; nothing was written. ",
    ),
    "an empty day of the export": (
        "raw_events",
        lambda world: world.events(DAYS[1], 0),
        "raw_events: 0 rows were read of 2024-03-02, and the warehouse has 2; nothing was written. ",
    ),
    "the whole export": (
        "raw_events",
        lambda world: all_days(world.events),
        "has nothing, and the warehouse has rows of it; nothing was written. ",
    ),
    "a day of the log": (
        "raw_access_log",
        lambda world: world.opens(DAYS[1], None),
        "has nothing of 2024-03-02, and the warehouse has 1 rows of it; nothing was written. ",
    ),
    "the whole log": (
        "raw_access_log",
        lambda world: all_days(world.opens),
        "has nothing, and the warehouse has rows of it; nothing was written. ",
    ),
    "half of the documents": (
        "raw_users",
        lambda world: world.users(USERS // 2),
        "raw_users: 6 of 12 rows (50.0%) are not among the 6 that were read, more than the 10.0% that may go at once; ",
    ),
    "all documents": (
        "raw_users",
        lambda world: world.users(0),
        "raw_users: 12 of 12 rows (100.0%) are not among the 0 that were read, more than the 10.0% that may go at ",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_goes_missing_leaves_the_rows_until_it_is_accepted_by_name_or_comes_back(built: Built, way: str) -> None:
    table, take, message = WAYS[way]
    take(built.world)
    refused = built.run(assets=[table])
    assert not refused.success
    assert message in error_of(refused)
    assert f": calback run --accept-empty {table}, or accept_empty of the resource intake " in error_of(refused)
    assert built.world.stored() == built.good

    assert built.run(table, assets=[table]).success
    assert built.world.stored() != built.good

    built.give()
    assert built.run(assets=[table]).success
    assert built.world.stored() == built.good


def test_a_source_that_is_gone_stops_every_raw_asset_before_it_is_written(built: Built) -> None:
    all_days(built.world.events)
    refused = built.run()
    steps = {event.step_key for event in refused.all_events if event.is_step_failure}
    assert steps == {"firestore_snapshot", "raw_events", "raw_access_log"}
    assert [event for event in refused.all_events if event.is_step_materialization] == []
    built.give()


def test_a_source_that_was_never_there_stays_empty_in_peace_unless_it_is_expected(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.opens(LAST, 1)
    assert Built(files).run().success
    stored = files.stored()
    assert [len(stored[name]) for name in SOURCES] == [0, 0, 0, 1]
    files.environ = {**files.environ, "CALBACK_EXPECTED_SOURCES": "raw_events"}
    refused = Built(files).run(assets=["raw_access_log"])
    assert f"raw_events: {tmp_path}/data/analytics has nothing, and CALBACK_EXPECTED_SOURCES names it; " in error_of(
        refused
    )


def test_days_that_have_not_arrived_are_neither_written_nor_built_on(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for day in DAYS[:3]:
        files.events(day, 2)
        files.opens(day, 1)
    files.events(LAST, 2)
    refused = files.platform.run(FIRST, LAST, *ACTIVITY)
    assert not refused.success
    assert error_of(refused) == (
        f"SourceError: raw_access_log: {LAST} has not arrived, the source ends with {DAYS[2]}; nothing was written of "
        "it. Run it again when it is there, or accept that there is none: calback run --accept-empty raw_access_log, "
        "or accept_empty of the resource intake in Dagit's launchpad"
    )
    # Whoever asks for a later table alone is told which day is not there.
    files.platform.build(FIRST, DAYS[2], *ACTIVITY)
    alone = files.platform.run(LAST, LAST, "unified_events")
    assert error_of(alone) == (
        f"WarehouseError: unified_events: raw_access_log has never been written for {LAST}, so nothing can be built on "
        "it; nothing was written; materialize raw_access_log for these days first"
    )
    assert max(row["event_date"] for row in files.platform.rows("daily_active_users")) == DAYS[2]

    files.opens(LAST, 1)
    files.platform.build(FIRST, LAST, *ACTIVITY)
    assert max(row["event_date"] for row in files.platform.rows("daily_active_users")) == LAST


def test_a_part_of_a_day_is_not_taken_for_the_whole_where_another_date_of_the_export_is_gone(tmp_path: Path) -> None:
    """A property whose days begin elsewhere has most of our day in the table of the date before."""
    files = Files(tmp_path)
    for day in DAYS:
        noon, evening = events_of(day, 2), events_of(day + timedelta(days=1), 3)
        write_lines(files.platform.data / "analytics" / f"events_{day:%Y%m%d}.jsonl", noon + evening)
    files.platform.build(FIRST, LAST, "raw_events")
    files.events(DAYS[1], None)
    refused = files.platform.run(DAYS[2], LAST, "raw_events")
    assert (
        f"raw_events: 2 rows were read of {DAYS[2]}, and the warehouse has 5; not there: events_20240302; nothing was "
        "written. "
    ) in error_of(refused)
    with files.platform.warehouse.session(read_only=True) as session:
        assert session.row_counts(["raw_events"])["raw_events"][DAYS[2]] == 5


def test_a_table_of_the_export_without_its_day_is_no_loss_where_nothing_is_missing(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for day in DAYS:
        files.events(day, 20)
    files.platform.build(FIRST, LAST, "raw_events")
    files.events(DAYS[1], 3)  # Google has taken something back.
    files.platform.build(FIRST, LAST, "raw_events")


class Nights:
    """The schedule over files that come and go, on one instance."""

    def __init__(self, home: Path, instance: DagsterInstance) -> None:
        self.files = Files(home)
        self._instance = instance
        environ = {name: value for name, value in self.files.environ.items() if name != "CALBACK_END_DATE"}
        defs = build_defs(Settings.from_env(environ))
        self._schedule = defs.resolve_schedule_def("nightly")
        self._job = defs.resolve_job_def(DAILY_JOB_NAME)

    def night(self, today: date) -> list[tuple[str, str, bool]]:
        """The runs of the night in which a day begins: first day, last day, whether it succeeded."""
        midnight = datetime(today.year, today.month, today.day, tzinfo=ZoneInfo("Asia/Seoul"))
        # Left open, the context would leave its instance as the one that definitions of later tests are loaded with.
        with build_schedule_context(instance=self._instance, scheduled_execution_time=midnight) as context:
            requests = self._schedule.evaluate_tick(context).run_requests or []
        return [
            (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG], self._is_success(request))
            for request in requests
        ]

    def _is_success(self, request: RunRequest) -> bool:
        """Run what was asked for, but for the pages and checks, which are made of tables alone."""
        tables = {key for key in request.asset_selection or () if key.path[-1] in TABLES}
        job = self._job.get_subset(asset_selection=tables, asset_check_selection=set())
        return job.execute_in_process(instance=self._instance, tags=request.tags, raise_on_error=False).success


@pytest.fixture
def nights(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Nights]:
    home = tmp_path_factory.mktemp("instance")
    shutil.copy(Path(calback_assets.__file__).with_name("dagster.yaml"), home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")  # Its log sets it where it is not, and for good.
    with DagsterInstance.from_config(str(home)) as instance:
        yield Nights(tmp_path, instance)


def test_the_nightly_schedule_over_a_vanished_disk_destroys_nothing_and_mends_itself(nights: Nights) -> None:
    files, data = nights.files, nights.files.platform.data
    Built(files).give()
    assert nights.night(date(2024, 3, 5)) == [("2024-03-01", "2024-03-04", True)]
    everything = contents_of(files.platform)
    files.events(date(2024, 3, 5), 2)
    files.opens(date(2024, 3, 5), 1)

    data.rename(away := data.with_name("away"))
    assert nights.night(date(2024, 3, 6)) == [("2024-03-02", "2024-03-05", False)]
    assert contents_of(files.platform) == everything

    away.rename(data)
    assert nights.night(date(2024, 3, 7)) == [("2024-03-02", "2024-03-05", True), ("2024-03-06", "2024-03-06", False)]
    assert [row["dau"] for row in files.platform.rows("daily_active_users")] == [1] * 5

    files.events(date(2024, 3, 6), 2)
    files.opens(date(2024, 3, 6), 1)
    files.events(date(2024, 3, 7), 2)
    files.opens(date(2024, 3, 7), 1)
    assert nights.night(date(2024, 3, 8))[-1] == ("2024-03-04", "2024-03-07", True)
    assert [row["dau"] for row in files.platform.rows("daily_active_users")] == [1] * 7


def contents_of(platform: Platform) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of days, without the ledger."""
    with platform.warehouse.session(read_only=True) as session:
        return {
            name: rows for name, rows in contents(session).items() if name in TABLES and TABLES[name].is_partitioned
        }
