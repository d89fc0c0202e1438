"""Rows in a database: a real PostgreSQL, read back by psql, and SQLite for whatever else SQLAlchemy knows."""

import json
import sqlite3
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from calback_assets.days import Stretch
from calback_assets.delivery.database import DatabaseTarget
from calback_assets.delivery.ordering import Sorter
from calback_assets.delivery.piece import Piece
from calback_assets.errors import DeliveryError
from calback_assets.tables import Table
from calback_assets.tables.core import UNIFIED_EVENTS, USER_DAILY_ACTIVITY
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.rows import arrow_schema
from calback_assets_tests.delivery.postgres import PASSWORD, psql
from calback_assets_tests.delivery.world import DAY, FORMULA, KOREAN, NASTY, NEXT, delivered

ACTIVITY = USER_DAILY_ACTIVITY.name


def test_postgresql_has_the_rows_with_their_types(stored: DuckDBWarehouse, postgres: str) -> None:
    target = DatabaseTarget(postgres)
    delivered(stored, target, ACTIVITY, [DAY, NEXT])

    assert psql(postgres, f"SELECT event_date, user_id, events, first_event_at FROM {ACTIVITY} ORDER BY 1, 2, 3") == [
        [str(day), user, events, "2024-01-09 15:00:00.123456+00"]
        for day in (DAY, NEXT)
        for user, events in (("-1", "0"), (FORMULA, "1"), (KOREAN, "3"))
    ]
    assert (
        psql(postgres, f"SELECT actions->1->>'event_name', actions->1->'events' FROM {ACTIVITY} WHERE events = 3")
        == [[NASTY, "1"]] * 2
    )
    kinds = psql(
        postgres,
        "SELECT column_name, data_type, is_nullable, col_description(table_name::regclass, ordinal_position) "
        f"FROM information_schema.columns WHERE table_name = '{ACTIVITY}' AND ordinal_position IN (1, 2, 3, 4, 8, 10) "
        "ORDER BY ordinal_position",
    )
    assert [kind[:3] for kind in kinds] == [
        ["event_date", "date", "NO"],
        ["user_id", "text", "NO"],
        ["is_anonymous", "boolean", "NO"],
        ["events", "bigint", "NO"],
        ["first_event_at", "timestamp with time zone", "NO"],
        ["actions", "jsonb", "YES"],
    ]
    assert kinds[3][3] == "Activity events of the day."


def test_a_day_that_comes_again_takes_the_place_of_the_old_and_the_manifest_says_so(
    stored: DuckDBWarehouse, postgres: str
) -> None:
    target = DatabaseTarget(postgres)
    asked = (
        "SELECT first_day, row_count, is_final, final_from, version, run_id, sha256 FROM calback_manifest "
        "WHERE export = 'daily_active_users' ORDER BY 1"
    )
    delivered(stored, target, DAILY_ACTIVE_USERS.name, [DAY, NEXT], run_id="one")
    before = psql(postgres, asked)
    delivered(stored, target, DAILY_ACTIVE_USERS.name, [DAY], run_id="two")

    assert psql(postgres, "SELECT event_date, dau, stickiness FROM daily_active_users ORDER BY 1") == [
        [str(DAY), "-3", "0.25"],
        [str(NEXT), "-3", "0.25"],
    ]
    after = psql(postgres, asked)
    assert [row[:6] for row in after] == [
        [str(DAY), "1", "t", "2024-01-14", "first/1", "two"],
        [str(NEXT), "1", "f", "2024-01-15", "first/1", "one"],
    ]
    assert [row[6] for row in before] == [row[6] for row in after]


def test_a_day_that_breaks_leaves_the_old_one(stored: DuckDBWarehouse, postgres: str) -> None:
    target = DatabaseTarget(postgres)
    delivered(stored, target, ACTIVITY, [DAY])
    twice = piece_of(USER_DAILY_ACTIVITY, [{"event_date": DAY, "user_id": None}])

    with target.opened(USER_DAILY_ACTIVITY) as place:
        pass
    with pytest.raises(DeliveryError) as caught, target.opened(USER_DAILY_ACTIVITY) as place:
        place.deliver(twice)

    assert str(caught.value) == (
        f"{ACTIVITY}: the database {target.where} did not take it (NotNullViolation, SQLSTATE 23502); the old rows "
        "stand; see that it can be reached, and that the user may create and write tables in it"
    )
    assert psql(postgres, f"SELECT COUNT(*) FROM {ACTIVITY} WHERE event_date = '{DAY}'") == [["3"]]


def test_what_no_database_takes_is_left_out_of_texts(postgres: str) -> None:
    table = replace(
        UNIFIED_EVENTS, name="odd", declared=tuple(replace(c, required=False) for c in UNIFIED_EVENTS.declared)
    )
    value = {"string_value": "a\0b \\u0000 NaN", "double_value": float("nan")}
    odd = piece_of(table, [{"event_date": DAY, "user_id": "u\0", "properties": [{"key": "k", "value": value}]}])

    with DatabaseTarget(postgres).opened(table) as place:
        place.deliver(odd)

    ((user, text, number),) = psql(
        postgres,
        "SELECT user_id, properties->0->'value'->>'string_value', properties->0->'value'->'double_value' FROM odd",
    )
    assert (user, text, number) == ("u", "ab \\u0000 NaN", "null")


def test_a_password_is_shown_in_no_text(tmp_path: Path) -> None:
    target = DatabaseTarget(f"postgresql+psycopg://someone:{PASSWORD}@/calback?host={tmp_path}&password={PASSWORD}")
    with pytest.raises(DeliveryError) as caught, target.opened(DAILY_ACTIVE_USERS):
        pass
    assert target.where == "postgresql+psycopg:///calback"
    assert "(OperationalError)" in str(caught.value)
    assert PASSWORD not in f"{caught.value} {target.where} {caught.value.__cause__}"

    with pytest.raises(DeliveryError, match="the address of the database cannot be used") as no_driver:
        DatabaseTarget(f"nosuch://someone:{PASSWORD}@host/database")
    assert PASSWORD not in str(no_driver.value)


def test_another_table_of_that_name_is_left_alone(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "people.db") as database:
        database.execute("CREATE TABLE daily_active_users (event_date TEXT, dau INTEGER, mine TEXT)")
    with pytest.raises(
        DeliveryError, match=r"the table in the database has other columns \(.*mine.*\); rename it away"
    ):
        delivered(stored, DatabaseTarget(f"sqlite:///{tmp_path / 'people.db'}"), DAILY_ACTIVE_USERS.name)


def test_any_database_that_sqlalchemy_knows_takes_the_rows(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    target = DatabaseTarget(f"sqlite:///{tmp_path / 'people.db'}")
    for _ in range(2):
        delivered(stored, target, ACTIVITY, [DAY])
    with target.opened(USER_DAILY_ACTIVITY) as place:
        assert place.versions() == {DAY: "first/3"}

    with sqlite3.connect(tmp_path / "people.db") as database:
        found = database.execute(f"SELECT event_date, user_id, events, actions FROM {ACTIVITY}").fetchall()
    assert [(date.fromisoformat(day), *row) for day, *row, _ in found] == [
        (DAY, "-1", 0),
        (DAY, FORMULA, 1),
        (DAY, KOREAN, 3),
    ]
    assert json.loads(found[2][3])[0]["event_name"] == "일정_보기"


def piece_of(table: Table, rows: list[dict[str, object]]) -> Piece:
    schema = arrow_schema(table)
    given = pa.RecordBatch.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema=schema)

    def flat(batches: object) -> object:
        with Sorter.opened() as sorter:
            yield from sorter.flat(batches, table)

    return Piece(table.name, table, Stretch.on(DAY), "v", "a run", None, False, lambda: iter([given]), flat)
