"""Tests of writers that are killed: whatever the moment, a reader finds all of the old rows or all of the new.

Real processes on real files: each attempt is a child that writes the next generation of rows and is killed on the way.
Children come from a fork server that has imported everything, so that hundreds of them take seconds.
"""

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from calback_assets.days import Stretch
from calback_assets.partitions import SAME_DAY, trailing
from calback_assets.tables import Table
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.tables.raw import RAW_USERS
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.forked import fork_server

TIMES, FEW = 20, 4
"""Where the moment is drawn, and where a writer dies at the same statement each time."""
STRETCH, OTHER_DAY = Stretch(date(2024, 1, 10), date(2024, 1, 12)), date(2024, 1, 13)
# A window beyond the day makes the write take fingerprints and mark what it made stale.
DEPENDENTS = {USER_DAILY_ACTIVITY.name: [(DAILY_ACTIVE_USERS.name, trailing(31)), ("nobody", SAME_DAY)]}
LEDGER = "calback.partition_ledger"
CHANGES = "INSERT INTO calback.changes"
STRETCH_STAGES = (
    "BEGIN",
    "SELECT event_date, COUNT(*), SUM",
    "DELETE FROM calback.user_daily_activity",
    "INSERT INTO calback.user_daily_activity",
    f"DELETE FROM {LEDGER}",
    f"INSERT INTO {LEDGER}",
    CHANGES,
    f"UPDATE {LEDGER}",
    "COMMIT",
)
SNAPSHOT_STAGES = (
    "BEGIN",
    "SELECT arg_max(fingerprint, entered_at) FROM calback.pseudonym_key",
    "CREATE OR REPLACE TEMP TABLE departed",
    "DELETE FROM calback.raw_users",
    "INSERT INTO calback.raw_users",
    "DROP TABLE departed",
    CHANGES,
    "COMMIT",
)
SMALL, LARGE = 40, 20_000


def write_stretch(session: DuckDBSession, generation: int, rows: int) -> None:
    """Days whose every row says which generation it is of."""
    at = "TIMESTAMPTZ '2024-01-10 00:00:00+00'"
    days = ", ".join(f"(DATE '{day}')" for day in STRETCH.days)
    sql = (
        f"SELECT event_date, 'u' || i AS user_id, FALSE AS is_anonymous, {generation} AS events, "
        f"0 AS sessions, 0 AS app_opens, 0 AS meetings_created, {at} AS first_event_at, {at} AS last_event_at, "
        f"NULL AS actions FROM range({a_day(generation, rows)}) AS numbers(i), (VALUES {days}) AS days(event_date)"
    )
    session.replace_days(USER_DAILY_ACTIVITY, STRETCH, Statement(sql), f"run-{generation}")


def a_day(generation: int, rows: int) -> int:
    """How many of about so many rows each day has."""
    return rows // len(STRETCH.days) + generation % 3


def write_snapshot(session: DuckDBSession, generation: int, rows: int) -> None:
    """A snapshot that has lost one document of the generation before."""
    at = "TIMESTAMPTZ '2024-01-10 00:00:00+00'"
    nulls = ", ".join(
        f"NULL AS {column.name}" for column in RAW_USERS.columns if not column.required and column.name != "flag"
    )
    sql = (
        f"SELECT 'u' || i AS user_id, {generation} AS flag, {nulls}, {at} AS created_at, {at} AS updated_at, "
        f"{at} AS snapshot_at FROM range({rows}) AS numbers(i) WHERE i <> {generation % rows}"
    )
    session.replace_snapshot(RAW_USERS, sql, f"run-{generation}")


@dataclass(frozen=True)
class State:
    """What a reader finds in the file."""

    generation: int
    rows: list[tuple[Any, ...]]
    ledger: list[tuple[Any, ...]]


def look_at_stretch(session: DuckDBSession) -> State:
    rows = session.execute(
        "SELECT event_date, events, COUNT(*) FROM calback.user_daily_activity GROUP BY ALL ORDER BY ALL"
    )
    return State(rows[0][1], rows, session.execute(f"SELECT * FROM {LEDGER} ORDER BY ALL"))


def look_at_snapshot(session: DuckDBSession) -> State:
    rows = session.execute(
        "SELECT deleted_at IS NULL, flag, COUNT(*), MIN(user_id), COUNT(DISTINCT user_id) FROM calback.raw_users "
        "GROUP BY ALL ORDER BY ALL DESC"
    )
    return State(rows[0][1], rows, session.execute(f"SELECT * FROM {LEDGER}"))


def stretch_of(generation: int, rows: int, *, is_new: bool) -> State:
    """All rows of a generation, on all days, with the ledger that goes with them."""
    count = a_day(generation, rows)
    return State(
        generation,
        [*((day, generation, count) for day in STRETCH.days), (OTHER_DAY, -1, rows // len(STRETCH.days))],
        [
            (DAILY_ACTIVE_USERS.name, OTHER_DAY, 1, "run", is_new),
            *((USER_DAILY_ACTIVITY.name, day, count, f"run-{generation}", False) for day in STRETCH.days),
        ],
    )


def snapshot_of(generation: int, rows: int, *, is_new: bool) -> State:  # noqa: ARG001 - as for days
    """All documents of a generation but one, which has its row from the generation before."""
    lost = generation % rows
    there = (True, generation, rows - 1, "u1" if lost == 0 else "u0", rows - 1)
    return State(generation, [there, (False, generation - 1, 1, f"u{lost}", 1)], [])


def write_and_die(path: Path, kind: "Kind", rows: int, stage: str | None, moment: str, signals: Connection) -> None:
    """Runs in the child: tells what the one before it left, and writes the next generation up to its end.

    That comes before or after a stage by its own hand, or from the parent, to whom the stage is announced.
    """
    execute = DuckDBSession.execute

    def watched(session: DuckDBSession, sql: str) -> list[tuple[Any, ...]]:
        is_due = stage is not None and sql.startswith(stage)
        if is_due and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if is_due and moment == "announced before":
            signals.send(sql)
        result = execute(session, sql)
        if is_due and moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        if is_due and moment == "announced after":
            signals.send(sql)
        return result

    with DuckDBWarehouse(path, DEPENDENTS).session() as session:
        found = kind.look(session)
        signals.send(found)
        session.execute(f"UPDATE {LEDGER} SET is_stale = FALSE WHERE is_stale")
        DuckDBSession.execute = watched  # type: ignore[method-assign]
        kind.write(session, found.generation + 1, rows)


@dataclass(frozen=True)
class Kind:
    """A kind of write: how it is done, what is then found, and the statements it is made of."""

    table: Table
    write: Callable[[DuckDBSession, int, int], None]
    look: Callable[[DuckDBSession], State]
    expected: Callable[..., State]
    stages: tuple[str, ...]


PARTITIONS = Kind(USER_DAILY_ACTIVITY, write_stretch, look_at_stretch, stretch_of, STRETCH_STAGES)
SNAPSHOT = Kind(RAW_USERS, write_snapshot, look_at_snapshot, snapshot_of, SNAPSHOT_STAGES)


class Victim:
    """One warehouse file, and the children that write to it, each after the death of the one before."""

    def __init__(self, context: ForkServerContext, path: Path, kind: Kind, rows: int) -> None:
        self.context = context
        self.path = path
        self.kind = kind
        self.rows = rows
        self.possible = [kind.expected(1, rows, is_new=False)]
        with DuckDBWarehouse(path, DEPENDENTS).session() as session:
            session.ensure(kind.table)
            # Twice, so that the snapshot has lost a document.
            for generation in (0, 1):
                kind.write(session, generation, rows)
            if kind is PARTITIONS:
                session.execute(
                    f"INSERT INTO calback.user_daily_activity BY NAME SELECT * REPLACE (DATE '{OTHER_DAY}' AS "
                    f"event_date, -1 AS events) FROM calback.user_daily_activity "
                    f"LIMIT {rows // len(STRETCH.days)}"
                )
                session.execute(f"INSERT INTO {LEDGER} VALUES ('daily_active_users', '{OTHER_DAY}', 1, 'run', FALSE)")

    def attempt(self, stage: str | None, moment: str, delay: float | None = None) -> int | None:
        """Let one child write, check what it found, and return how it ended."""
        reader, writer = self.context.Pipe(duplex=False)
        child = self.context.Process(
            target=write_and_die, args=(self.path, self.kind, self.rows, stage, moment, writer)
        )
        child.start()
        writer.close()
        found = reader.recv()
        if delay is not None:
            reader.recv()
            child.join(timeout=delay)
            child.kill()
        child.join()
        reader.close()
        assert found in self.possible
        old = self.kind.expected(found.generation, self.rows, is_new=False)
        self.possible = [old, self.kind.expected(found.generation + 1, self.rows, is_new=True)]
        return child.exitcode

    def check(self) -> None:
        """Assert that the last child, too, left all old or all new."""
        with DuckDBWarehouse(self.path).session() as session:
            assert self.kind.look(session) in self.possible

    def keep_old(self) -> None:
        """Expect of the last child that it changed nothing."""
        self.possible = self.possible[:1]

    def keep_new(self) -> None:
        """Expect of the last child that its rows are there."""
        self.possible = self.possible[1:]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    # SQLGlot loads its dialects late: each child would load them again.
    return fork_server(__name__, "sqlglot.dialects.bigquery", "sqlglot.dialects.duckdb", "sqlglot.typing")


@pytest.fixture
def victim(request: pytest.FixtureRequest, processes: ForkServerContext, tmp_path: Path) -> Victim:
    kind, rows = request.param
    return Victim(processes, tmp_path / "warehouse.duckdb", kind, rows)


def both(rows: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "victim", [(PARTITIONS, rows), (SNAPSHOT, rows)], indirect=True, ids=["stretch", "snapshot"]
    )


@pytest.mark.parametrize(
    ("victim", "stage"),
    [((kind, SMALL), stage) for kind in (PARTITIONS, SNAPSHOT) for stage in kind.stages],
    indirect=["victim"],
    ids=[f"stretch-{stage}" for stage in STRETCH_STAGES] + [f"snapshot-{stage}" for stage in SNAPSHOT_STAGES],
)
def test_a_writer_killed_before_a_statement_leaves_all_old(victim: Victim, stage: str) -> None:
    """Just after a statement is just before the next: the file does not change between them."""
    for _ in range(FEW):
        assert victim.attempt(stage, "before") == -signal.SIGKILL
        victim.keep_old()
    victim.check()


@both(SMALL)
def test_a_writer_killed_just_after_its_commit_leaves_all_new(victim: Victim) -> None:
    for _ in range(FEW):
        assert victim.attempt("COMMIT", "after") == -signal.SIGKILL
        victim.keep_new()
    victim.check()


@both(LARGE)
def test_a_writer_killed_at_any_time_while_it_writes_leaves_all_old_or_all_new(victim: Victim) -> None:
    delays = random.Random(20)  # noqa: S311 - not for secrets
    for _ in range(TIMES):
        victim.attempt("DELETE FROM", "announced before", delay=delays.uniform(0, 0.05))
    victim.check()


@both(LARGE)
def test_a_writer_killed_while_it_closes_the_file_leaves_all_new(victim: Victim) -> None:
    delays = random.Random(21)  # noqa: S311 - not for secrets
    for _ in range(TIMES):
        victim.attempt("COMMIT", "announced after", delay=delays.uniform(0, 0.02))
        victim.keep_new()
    victim.check()


@both(SMALL)
def test_a_writer_that_nobody_kills_leaves_all_new(victim: Victim) -> None:
    assert victim.attempt(None, "never") == 0
    victim.keep_new()
    victim.check()


@both(SMALL)
def test_the_stages_are_all_statements_of_a_write(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    execute = DuckDBSession.execute

    def recorded(session: DuckDBSession, sql: str) -> list[tuple[Any, ...]]:
        seen.append(sql)
        return execute(session, sql)

    with DuckDBWarehouse(victim.path, DEPENDENTS).session() as session:
        monkeypatch.setattr(DuckDBSession, "execute", recorded)
        victim.kind.write(session, 2, victim.rows)

    assert [sql for sql in seen if not sql.startswith(victim.kind.stages)] == []
    assert [stage for stage in victim.kind.stages if not any(sql.startswith(stage) for sql in seen)] == []
