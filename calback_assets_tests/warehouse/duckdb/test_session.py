"""Tests of the embedded warehouse itself: opening and locking, drift of stored tables, the ledger of partitions.

What holds for every warehouse is in `test_write_contract`.
"""

import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from calback_assets.days import Stretch
from calback_assets.errors import CalbackError, ContractError, WarehouseError
from calback_assets.partitions import SAME_DAY, Reach, trailing
from calback_assets.tables import Column, Table
from calback_assets.tables.core import USER_DAILY_ACTIVITY, USER_FIRST_SEEN
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.warehouse import Statement, break_off, progress, share_done
from calback_assets_tests.warehouse.helpers import DAY

OPEN = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
THINGS = Table(
    "things",
    "Things.",
    "thing",
    ("event_date",),
    (Column("event_date", "DATE", "The day.", required=True), Column("number", "INT64", "A number.", required=True)),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@contextmanager
def opened_elsewhere(path: Path) -> Iterator[int]:
    """Another process that has the file open, by its id."""
    with subprocess.Popen(
        [sys.executable, "-c", OPEN, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        try:
            yield process.pid
        finally:
            process.communicate()


def can_be_opened_elsewhere(path: Path) -> bool:
    with opened_elsewhere(path):
        return True


def row_groups(path: Path) -> list[int]:
    """How many rows each has of the table of things."""
    with duckdb.connect(str(path), read_only=True) as connection:
        stored = connection.execute(
            "SELECT SUM(count) FROM pragma_storage_info('calback.things') "
            "WHERE column_name = 'number' AND segment_type != 'VALIDITY' GROUP BY row_group_id ORDER BY row_group_id"
        ).fetchall()
    return [int(count) for (count,) in stored]


def test_a_warehouse_makes_its_folder_and_its_ledger(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "warehouse.duckdb"
    with DuckDBWarehouse(path).session() as session:
        assert session.execute("SELECT * FROM calback.partition_ledger") == []
    assert path.exists()


def test_reading_where_there_is_no_warehouse_says_what_to_do_and_makes_nothing(path: Path) -> None:
    with pytest.raises(WarehouseError) as caught, DuckDBWarehouse(path).session(read_only=True):
        pass
    assert str(caught.value) == (
        f"there is no warehouse at {path}: materialize something first, or set CALBACK_DUCKDB_PATH"
    )
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "folder" / "warehouse.duckdb"
    with pytest.raises(WarehouseError) as caught, DuckDBWarehouse(path).session():
        pass
    assert str(caught.value) == (
        f"the warehouse {path} cannot be made: Not a directory; set CALBACK_DUCKDB_PATH to a file in a folder that can "
        "be written"
    )


def test_a_folder_in_the_place_of_the_file_is_named_with_the_remedy(path: Path) -> None:
    path.mkdir()
    with pytest.raises(WarehouseError) as caught, DuckDBWarehouse(path).session():
        pass
    assert str(caught.value).startswith(f"the warehouse {path} cannot be opened")
    assert "set CALBACK_DUCKDB_PATH to a file" in str(caught.value)


def test_a_file_that_is_no_duckdb_file_is_named_and_left_as_it_is(path: Path) -> None:
    path.write_bytes(content := b"a letter to a friend\n" * 1000)
    with pytest.raises(WarehouseError) as caught, DuckDBWarehouse(path).session():
        pass
    assert str(caught.value) == (
        f"{path} is not a DuckDB file; set CALBACK_DUCKDB_PATH to a warehouse, or to a file that does not exist yet"
    )
    assert path.read_bytes() == content


def test_a_file_in_use_by_another_process_is_an_error_that_names_the_process(path: Path) -> None:
    with (
        opened_elsewhere(path) as process,
        pytest.raises(WarehouseError) as caught,
        DuckDBWarehouse(path, lock_timeout_seconds=0.1).session(),
    ):
        pass
    assert str(caught.value) == (
        f"the warehouse {path} is in use by process {process}; wait for that run to end, or stop it, and try again"
    )


def test_a_file_is_waited_for_while_another_process_has_it_open(path: Path) -> None:
    closes_itself = "import duckdb, sys, threading; held = duckdb.connect(sys.argv[1]); print('open', flush=True); " + (
        "threading.Event().wait(0.3)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", closes_itself, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        with DuckDBWarehouse(path, lock_timeout_seconds=60).session() as session:
            assert session.execute("SELECT 1") == [(1,)]


class Interrupted(BaseException):
    """What a person's Ctrl-C is: no Exception."""


@pytest.mark.parametrize("failure", [ValueError("x"), Interrupted()], ids=["error", "interrupt"])
def test_the_file_is_free_at_once_after_a_failure(path: Path, failure: BaseException) -> None:
    with pytest.raises(type(failure)), DuckDBWarehouse(path).session():
        raise failure
    assert can_be_opened_elsewhere(path)


def test_the_file_is_free_at_once_after_a_write_that_failed(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
    with pytest.raises(duckdb.Error), DuckDBWarehouse(path).session() as session:
        session.replace_days(THINGS, Stretch.on(DAY), Statement("SELECT error('no')"), "run")
    assert can_be_opened_elsewhere(path)


def test_a_session_goes_on_after_a_write_that_failed(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        with pytest.raises(duckdb.Error):
            session.replace_days(THINGS, Stretch.on(DAY), Statement("SELECT error('no')"), "run")
        assert put(session, THINGS, DAY, 1) == 1


def put(session: DuckDBSession, table: Table, day: date, *numbers: int, run_id: str = "run") -> int:
    """Replace a day of a table like THINGS by these numbers."""
    listed = ", ".join(str(number) for number in numbers)
    sql = f"SELECT DATE '{day}' AS event_date, UNNEST([{listed}]::BIGINT[]) AS number"
    return session.replace_days(table, Stretch.on(day), Statement(sql), run_id).row_counts[day]


def test_a_reader_beside_a_writer_sees_all_days_of_a_stretch_old_or_all_new(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, list[int]]] = []
    execute = DuckDBSession.execute

    def watched(session: DuckDBSession, sql: str) -> list[tuple[object, ...]]:
        result = execute(session, sql)
        numbers = beside.execute("SELECT number FROM calback.things ORDER BY event_date").fetchall()
        seen.append((sql.split(" ")[0], [number for (number,) in numbers]))
        return result

    stretch = Stretch(DAY, DAY + timedelta(days=2))

    def write(session: DuckDBSession, number: int) -> None:
        rows = " UNION ALL ".join(f"SELECT DATE '{day}' AS event_date, {number} AS number" for day in stretch.days)
        session.replace_days(THINGS, stretch, Statement(rows), "run")

    with DuckDBWarehouse(path).session() as session, duckdb.connect(str(path)) as beside:
        session.ensure(THINGS)
        write(session, 1)
        monkeypatch.setattr(DuckDBSession, "execute", watched)
        write(session, 2)

    assert [statement for statement, numbers in seen if numbers == [2, 2, 2]] == ["COMMIT"]
    assert [numbers for statement, numbers in seen if statement != "COMMIT"] == [[1, 1, 1]] * (len(seen) - 1)


def changed(*columns: Column) -> Table:
    return replace(THINGS, declared=columns)


EVENT_DATE, NUMBER = THINGS.declared


def test_a_new_nullable_column_is_added_and_old_rows_have_none(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        put(session, THINGS, DAY, 1)
        grown = changed(EVENT_DATE, NUMBER, Column("notes", "ARRAY<STRING>", "Notes."))

        session.ensure(grown)
        session.ensure(grown)

        assert session.execute("SELECT number, notes FROM calback.things") == [(1, None)]


DRIFTS = {
    "a new required column": (
        changed(EVENT_DATE, NUMBER, Column("other", "STRING", "Other.", required=True)),
        "things.other: the contract says VARCHAR NOT NULL, the warehouse has no such column; only a new nullable "
        "column is added by itself: rename the old table away and materialize its days again",
    ),
    "another type": (
        changed(EVENT_DATE, Column("number", "FLOAT64", "A number.", required=True)),
        "things.number: the contract says DOUBLE NOT NULL, the warehouse has BIGINT NOT NULL; only a new nullable "
        "column is added by itself: rename the old table away and materialize its days again",
    ),
    "no longer required": (
        changed(EVENT_DATE, Column("number", "INT64", "A number.")),
        "things.number: the contract says BIGINT, the warehouse has BIGINT NOT NULL; only a new nullable column is "
        "added by itself: rename the old table away and materialize its days again",
    ),
    "a column dropped": (
        changed(EVENT_DATE),
        "things: the warehouse has column number, which the contract lacks; declare it again, or drop it: ALTER TABLE "
        "calback.things DROP COLUMN number",
    ),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_any_other_change_of_a_contract_is_an_error_and_the_table_stays(path: Path, drift: str) -> None:
    table, message = DRIFTS[drift]
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        put(session, THINGS, DAY, 1)
        with pytest.raises(ContractError, match=f"^{re.escape(message)}$"):
            session.ensure(table)
        assert session.execute("SELECT * FROM calback.things") == [(DAY, 1)]


def test_columns_of_a_contract_may_change_their_order(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        session.ensure(turned := changed(NUMBER, EVENT_DATE))
        put(session, turned, DAY, 7)
        assert session.execute("SELECT event_date, number FROM calback.things") == [(DAY, 7)]


def days_after(*offsets: int) -> list[date]:
    return [DAY + timedelta(days=offset) for offset in offsets]


def stale_after(path: Path, reach: Reach, replaced: date, before: Sequence[int], after: Sequence[int]) -> set[date]:
    """The days of a reader that are stale once a day of THINGS went from some numbers to others."""
    reader = replace(THINGS, name="reader")
    with DuckDBWarehouse(path, {"things": [("reader", reach)]}).session() as session:
        for table in (THINGS, reader):
            session.ensure(table)
        put(session, THINGS, replaced, *before)
        for day in days_after(*range(-3, 4)):
            put(session, reader, day, 0)
        put(session, THINGS, replaced, *after)
        assert session.stale_days(THINGS) == set()
        return session.stale_days(reader)


@pytest.mark.parametrize(
    ("reach", "offsets"),
    [(SAME_DAY, (0,)), (trailing(3), (0, 1, 2)), (Reach(-1, 1), (-1, 0, 1)), (Reach(1, 1), (-1,))],
)
def test_a_changed_day_makes_exactly_its_dependents_stale(path: Path, reach: Reach, offsets: Sequence[int]) -> None:
    assert stale_after(path, reach, DAY, [1, 2], [1, 3]) == set(days_after(*offsets))


@pytest.mark.parametrize(
    ("before", "after"),
    [([1, 2], [1, 2, 2]), ([1, 2], [1]), ([1, 1], [2, 2]), ([], [1]), ([1], []), ([1, 1, 2, 2], [3, 3, 4, 4])],
)
def test_rows_added_moved_or_removed_are_a_change(path: Path, before: Sequence[int], after: Sequence[int]) -> None:
    assert stale_after(path, trailing(2), DAY, before, after) == set(days_after(0, 1))


@pytest.mark.parametrize(("before", "after"), [([1, 2], [2, 1]), ([], []), ([5, 5], [5, 5])])
def test_the_same_rows_in_any_order_are_no_change(path: Path, before: Sequence[int], after: Sequence[int]) -> None:
    assert stale_after(path, trailing(2), DAY, before, after) == set()


def test_rewriting_a_stale_day_clears_its_mark_and_nobody_elses(path: Path) -> None:
    reader = replace(THINGS, name="reader")
    with DuckDBWarehouse(path, {"things": [("reader", trailing(3))]}).session() as session:
        for table in (THINGS, reader):
            session.ensure(table)
        for day in days_after(0, 1, 2):
            put(session, reader, day, 0)
        put(session, THINGS, DAY, 1)

        put(session, reader, days_after(1)[0], 1)

        assert session.stale_days(reader) == set(days_after(0, 2))


def test_a_write_that_fails_marks_nothing(path: Path) -> None:
    reader = replace(THINGS, name="reader")
    with DuckDBWarehouse(path, {"things": [("reader", trailing(3))]}).session() as session:
        for table in (THINGS, reader):
            session.ensure(table)
        put(session, THINGS, DAY, 1)
        put(session, reader, DAY, 0)
        ledger = session.execute("SELECT * FROM calback.partition_ledger ORDER BY ALL")
        foreign = Statement("SELECT DATE '2024-02-01' AS event_date, 2 AS number")
        with pytest.raises(ContractError, match=r"^things.event_date: 1 rows lie outside the partition 2024-01-10"):
            session.replace_days(THINGS, Stretch.on(DAY), foreign, "other run")
        assert session.execute("SELECT * FROM calback.partition_ledger ORDER BY ALL") == ledger


def test_a_ripple_marks_the_other_days_of_the_table_that_it_names(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        for day in days_after(0, 1, 2):
            put(session, THINGS, day, 0)
        ripple = f"SELECT event_date FROM calback.things WHERE event_date > DATE '{DAY}' AND number = 0"
        session.replace_days(
            THINGS, Stretch.on(DAY), Statement(f"SELECT DATE '{DAY}' AS event_date, 1 AS number", ripple), "run"
        )
        assert session.stale_days(THINGS) == set(days_after(1, 2))


def test_the_days_of_a_run_are_those_that_no_later_run_rewrote(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        for day in days_after(2, 0, 1):
            put(session, THINGS, day, 0, run_id="first")
        put(session, THINGS, days_after(1)[0], 0, run_id="second")

        assert session.days_of_run(THINGS, "first") == days_after(0, 2)
        assert session.days_of_run(THINGS, "second") == days_after(1)
        assert session.days_of_run(DAILY_ACTIVE_USERS, "first") == []
        assert session.days_of_run(THINGS, "third") == []


def test_the_ledger_counts_the_rows_of_each_day(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        put(session, THINGS, DAY, 1, 2, 3)
        put(session, THINGS, days_after(1)[0])
        assert session.execute("SELECT * FROM calback.partition_ledger ORDER BY event_date") == [
            ("things", DAY, 3, "run", False),
            ("things", days_after(1)[0], 0, "run", False),
        ]


def test_a_query_over_a_table_that_was_never_written_names_the_table(path: Path) -> None:
    sql = "SELECT event_date, user_id FROM calback.user_daily_activity"
    with DuckDBWarehouse(path).session() as session:
        session.ensure(USER_FIRST_SEEN)
        with pytest.raises((CalbackError, duckdb.Error)) as caught:
            session.check_query(USER_FIRST_SEEN, sql)
    assert USER_DAILY_ACTIVITY.name in str(caught.value)


def test_a_warehouse_that_is_kept_open_lets_go_of_its_file_at_the_end(path: Path) -> None:
    warehouse = DuckDBWarehouse(path)

    with warehouse.kept_open():
        with warehouse.session() as session:
            session.ensure(DAILY_ACTIVE_USERS)
        with pytest.raises(AssertionError), opened_elsewhere(path):
            pass
        with warehouse.session(read_only=True) as session:
            assert session.exists(DAILY_ACTIVE_USERS)

    assert can_be_opened_elsewhere(path)


def test_a_run_that_fails_lets_go_of_the_file_too(path: Path) -> None:
    warehouse = DuckDBWarehouse(path)

    with pytest.raises(CalbackError, match="in the middle"), warehouse.kept_open(), warehouse.session():
        raise CalbackError("in the middle")

    assert can_be_opened_elsewhere(path)


def test_settling_leaves_every_row_and_the_limit_as_they_were(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        limit = session.execute("SELECT current_setting('memory_limit')")
        session.execute("CREATE TABLE calback.numbers AS SELECT range AS number FROM range(5_000_000)")

        session.settle()

        assert session.execute("SELECT COUNT(*), SUM(number) FROM calback.numbers") == [(5_000_000, 12499997500000)]
        assert session.execute("SELECT current_setting('memory_limit')") == limit


def test_a_session_takes_six_gigabytes_of_memory_at_most(path: Path) -> None:
    with duckdb.connect() as without_bound:
        ((usual,),) = without_bound.execute("SELECT parse_formatted_bytes(current_setting('memory_limit'))").fetchall()
    with DuckDBWarehouse(path).session() as session:
        ((limit,),) = session.execute("SELECT parse_formatted_bytes(current_setting('memory_limit'))")

    assert limit == pytest.approx(min(usual, 6_000_000_000), rel=0.02)


@pytest.mark.parametrize(
    ("rows", "groups"),
    [((2_000, 200, 200), [2_000, 400]), ((16_000, 200, 200), [16_000, 200, 200])],
    ids=["small days are merged", "beside a large one they stay"],
)
def test_a_checkpoint_merges_small_days_and_does_not_write_large_ones_anew(
    path: Path, rows: Sequence[int], groups: Sequence[int]
) -> None:
    for day, count in zip(days_after(*range(len(rows))), rows, strict=True):
        statement = Statement(f"SELECT DATE '{day}' AS event_date, range AS number FROM range({count})")
        with DuckDBWarehouse(path).session() as session:
            session.ensure(THINGS)
            session.replace_days(THINGS, Stretch.on(day), statement, "run")
            session.settle()

    assert row_groups(path) == groups


def test_a_checkpoint_merges_one_lot_of_row_groups_as_each_takes_the_memory_of_its_rows(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
    with duckdb.connect(str(path), config={"max_vacuum_tasks": 0}) as connection:
        for day in days_after(*range(6)):
            connection.execute(f"INSERT INTO calback.things SELECT DATE '{day}', range FROM range(50_000)")
            connection.execute("CHECKPOINT")

    with DuckDBWarehouse(path).session() as session:
        session.execute("DELETE FROM calback.things WHERE number = 0")

    assert row_groups(path) == [2 * 49_999, 50_000, 50_000, 50_000, 50_000]


def test_large_stretches_of_small_days_stay_until_a_run_of_small_days_alone_merges_again(path: Path) -> None:
    warehouse = DuckDBWarehouse(path)
    with warehouse.kept_open():
        for first, last in (days_after(0, 1), days_after(2, 3), days_after(4, 5)):
            days = f"(VALUES (DATE '{first}'), (DATE '{last}')) AS days(event_date)"
            sql = f"SELECT event_date, range AS number FROM range(10_000), {days}"
            with warehouse.session() as session:
                session.ensure(THINGS)
                session.replace_days(THINGS, Stretch(first, last), Statement(sql), "run")
        with warehouse.session() as session:
            session.settle()  # As after a table of few rows.
    assert row_groups(path) == [20_000, 20_000, 20_000]

    with warehouse.kept_open(), warehouse.session() as session:
        (last,) = days_after(6)
        session.replace_days(
            THINGS, Stretch.on(last), Statement(f"SELECT DATE '{last}' AS event_date, 1 AS number"), "later run"
        )
        session.settle()
    assert row_groups(path) == [60_001]


def test_a_statement_that_is_broken_off_ends_as_by_a_signal(path: Path) -> None:
    endless = Statement(f"SELECT DATE '{DAY}' AS event_date, sum(a.range) AS number FROM range(1_000_000_000_000) a")
    is_over = threading.Event()

    def stop() -> None:
        while not is_over.wait(0.01):
            break_off()

    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        stopping = threading.Thread(target=stop)
        stopping.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                session.replace_days(THINGS, Stretch(DAY, DAY), endless, "run")
        finally:
            is_over.set()
            stopping.join()
        assert session.execute("SELECT * FROM calback.things") == []


def test_breaking_off_what_has_just_ended_is_no_error(path: Path) -> None:
    with DuckDBWarehouse(path).session() as session:
        session._connection.close()
        break_off()


def test_while_a_stretch_is_computed_it_can_be_seen_how_far_it_has_come(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, progress.name)
    first, second = days_after(0, 1)
    days = f"(VALUES (DATE '{first}'), (DATE '{second}')) AS days(event_date)"
    slow = Statement(f"SELECT event_date, range AS number FROM range(3_000_000), {days}")
    shares, is_over = list[float](), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.01):
            shares.append(share_done())

    with DuckDBWarehouse(path).session() as session:
        session.ensure(THINGS)
        assert share_done() == 0
        watching = threading.Thread(target=watch)
        watching.start()
        try:
            session.replace_days(THINGS, Stretch(first, second), slow, "run")
        finally:
            is_over.set()
            watching.join()

    assert any(0 < share < 1 for share in shares)
    assert share_done() == 0
    begun, *told = [vars(record) for record in caplog.records]
    assert begun["begun"] == 2
    assert [record["day"] for record in told] == [first, second]
