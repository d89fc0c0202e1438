"""Tests of erasing a person from every warehouse: what goes, what stays, and who never comes back.

Whole worlds, from files to metrics, are erased in `assets/test_erasure`.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from calback_assets.errors import WarehouseError
from calback_assets.tables import TABLES, Table
from calback_assets.tables.core import UNIFIED_EVENTS, USER_DAILY_ACTIVITY
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.erasure import Erasure
from calback_assets_tests.warehouse.ann import (
    ANN,
    BOB,
    BOBS,
    DAY,
    DEPENDENTS,
    LAST,
    LATER,
    LEFT,
    LEFT_IN_ORDER,
    NEXT,
    PHONE,
    STALE,
    STORED,
    STORED_IN_ORDER,
    TABLET,
    Told,
    contents,
    erase,
    event,
    fill,
    give,
    hash_of,
    in_order,
    of_day,
    of_people,
    row_of,
    stale,
    unified,
)
from calback_assets_tests.warehouse.helpers import WarehouseUnderTest, warehouse_under_test


@pytest.fixture
def filled(warehouse: WarehouseUnderTest) -> WarehouseUnderTest:
    """A warehouse with something of Ann in every table."""
    fill(warehouse)
    return warehouse


Aftermath = tuple[WarehouseUnderTest, Told]


@pytest.fixture(scope="module", params=["duckdb", "bigquery", pytest.param("project", marks=pytest.mark.gcp)])
def erased(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """The same after Ann is erased, for tests that leave it as it is; and what the erasure told."""
    folder = tmp_path_factory.mktemp("erased")
    with (
        pytest.MonkeyPatch.context() as environment,
        warehouse_under_test(request, environment, folder) as warehouse,
    ):
        fill(warehouse)
        assert contents(warehouse) == STORED_IN_ORDER
        yield warehouse, erase(warehouse)


def test_a_row_is_put_into_every_table() -> None:
    assert STORED.keys() == LEFT.keys() == TABLES.keys()


def test_an_erasure_takes_a_person_out_of_every_table_and_partition(erased: Aftermath) -> None:
    warehouse, _ = erased
    assert contents(warehouse) == LEFT_IN_ORDER


def test_an_erasure_says_what_it_touched(erased: Aftermath) -> None:
    _, told = erased
    assert told == {
        "raw_users": (1, 0, []),
        "raw_meetings": (1, 1, []),
        "raw_events": (6, 1, [DAY, NEXT, LATER, LAST]),
        "raw_access_log": (2, 0, [DAY, NEXT]),
        "device_identity": (1, 0, [DAY]),
        "unified_events": (2, 1, [DAY, NEXT]),
        "user_daily_activity": (2, 0, [DAY, NEXT]),
        "user_first_seen": (1, 0, [DAY]),
        "frequent_users": (2, 0, [DAY, NEXT]),
        **dict.fromkeys(of_people(), (1, 0, [DAY])),
    }


def test_the_ledger_knows_the_rows_that_are_left_and_the_days_that_must_be_built_anew(
    erased: Aftermath,
) -> None:
    warehouse, _ = erased
    ledger = {(entry["table_name"], entry["event_date"]): entry["row_count"] for entry in warehouse.ledger()}
    assert ledger == {
        (name, day): sum(row["event_date"] == day for row in LEFT[name])
        for name, rows in STORED.items()
        if TABLES[name].is_partitioned
        for day in {row["event_date"] for row in rows}
    }
    assert stale(warehouse) == STALE


def test_the_list_holds_hashes_alone(erased: Aftermath) -> None:
    warehouse, _ = erased
    schema = "calback." if warehouse.name == "duckdb" else ""
    with warehouse.opened().session() as session:
        listed = session.records(f"SELECT subject_hash, kind FROM {schema}suppressed")
    assert {(entry["subject_hash"], entry["kind"]) for entry in listed} == {
        (hash_of(ANN), "user"),
        (hash_of(PHONE), "device"),
        (hash_of(TABLET), "device"),
    }
    assert len(listed) == 3


def test_it_can_be_asked_who_is_suppressed(erased: Aftermath) -> None:
    warehouse, _ = erased
    with warehouse.opened().session() as session:
        assert session.suppressed({ANN, PHONE, TABLET, BOB, BOBS, ""}) == {ANN, PHONE, TABLET}


def test_erasing_twice_touches_nothing_the_second_time(erased: Aftermath) -> None:
    warehouse, _ = erased
    ledger = warehouse.ledger()

    assert erase(warehouse) == {}

    assert contents(warehouse) == LEFT_IN_ORDER
    assert warehouse.ledger() == ledger


def test_another_key_is_refused_before_anything_is_written(erased: Aftermath) -> None:
    warehouse, _ = erased
    message = "^CALBACK_PSEUDONYM_KEY is not the key with which the hashes in this warehouse were made"

    with pytest.raises(WarehouseError, match=message), warehouse.opened(DEPENDENTS, b"another key").session():
        pass

    assert contents(warehouse) == LEFT_IN_ORDER


def test_an_erasure_before_anything_is_written_keeps_the_person_out(warehouse: WarehouseUnderTest) -> None:
    assert erase(warehouse) == {}

    for name in ("raw_meetings", "raw_access_log"):
        give(warehouse, TABLES[name], STORED[name])
        assert in_order(warehouse.rows(TABLES[name])) == LEFT_IN_ORDER[name]


def test_somebody_who_only_stands_in_others_meetings_is_unlinked(warehouse: WarehouseUnderTest) -> None:
    warehouse.put(RAW_MEETINGS, STORED["raw_meetings"])

    assert erase(warehouse, "nobody-known") == {}
    assert erase(warehouse, "cat") == {"raw_meetings": (0, 2, [])}

    assert {row["meeting_id"]: row["involved_ids"] for row in warehouse.rows(RAW_MEETINGS)} == {
        "m1": [ANN, BOB],
        "m2": [BOB, ANN],
        "m3": [],
    }


def test_late_and_backfilled_days_of_a_source_bring_nothing_back(warehouse: WarehouseUnderTest) -> None:
    for table in (RAW_MEETINGS, RAW_EVENTS, RAW_ACCESS_LOG):
        warehouse.put(table, STORED[table.name])
    erase(warehouse)

    for table in (RAW_MEETINGS, RAW_ACCESS_LOG):
        give(warehouse, table, STORED[table.name])
        assert in_order(warehouse.rows(table)) == LEFT_IN_ORDER[table.name]
    new = LATER + timedelta(days=30)
    later = [event(new, None, PHONE), event(new, ANN, None), event(new, BOB, BOBS, named=ANN), event(new, None, None)]
    give(warehouse, RAW_EVENTS, [row for row in STORED["raw_events"] if row["event_date"] == NEXT] + later)
    assert of_day(warehouse, RAW_EVENTS, NEXT) == [event(NEXT, BOB, BOBS)]
    assert of_day(warehouse, RAW_EVENTS, new) == [event(new, BOB, BOBS), event(new, None, None)]


def test_an_erased_user_whom_the_source_still_holds_gets_no_tombstone(warehouse: WarehouseUnderTest) -> None:
    give(warehouse, RAW_USERS, STORED["raw_users"])
    erase(warehouse)
    for _ in range(2):
        give(warehouse, RAW_USERS, STORED["raw_users"])
        assert [(row["user_id"], row["deleted_at"]) for row in warehouse.rows(RAW_USERS)] == [(BOB, None)]
    give(warehouse, RAW_USERS, STORED["raw_users"][:1])
    (left,) = warehouse.rows(RAW_USERS)
    assert left["user_id"] == BOB
    assert left["deleted_at"] is not None


def test_a_device_on_which_an_erased_person_is_seen_later_is_theirs_before_too(warehouse: WarehouseUnderTest) -> None:
    new = LATER + timedelta(days=3)
    warehouse.put(RAW_EVENTS, [event(LATER, None, "new-phone"), event(LATER, BOB, BOBS)])
    warehouse.put(UNIFIED_EVENTS, [unified(LATER, "new-phone"), unified(LATER, BOB)])
    warehouse.put(USER_DAILY_ACTIVITY, [row_of(USER_DAILY_ACTIVITY, event_date=LATER, user_id=BOB)])
    assert erase(warehouse) == {}

    give(warehouse, RAW_EVENTS, [event(new, None, "new-phone"), event(new, ANN, "new-phone"), event(new, BOB, BOBS)])

    assert of_day(warehouse, RAW_EVENTS, LATER) == [event(LATER, BOB, BOBS)]
    assert of_day(warehouse, RAW_EVENTS, new) == [event(new, BOB, BOBS)]
    assert of_day(warehouse, UNIFIED_EVENTS, LATER) == [unified(LATER, BOB)]
    assert stale(warehouse) == {"user_daily_activity": [LATER]}
    give(warehouse, RAW_EVENTS, [event(new, None, "new-phone"), event(new, BOB, BOBS)])
    assert of_day(warehouse, RAW_EVENTS, new) == [event(new, BOB, BOBS)]


class PowerCutError(Exception):
    """Stands for whatever ends a process."""


def test_an_erasure_that_ends_in_the_middle_is_mended_by_the_next(
    filled: WarehouseUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = f"{filled.name}erasure"
    (engine,) = [kind for kind in Erasure.__subclasses__() if kind.__name__.lower() == names]
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_change", ending_after(4, engine._change))
        with pytest.raises(PowerCutError):
            erase(filled)
    if filled.name == "duckdb":
        assert contents(filled) == STORED_IN_ORDER

    assert erase(filled)

    assert contents(filled) == LEFT_IN_ORDER
    assert stale(filled) == STALE


def ending_after(statements: int, change: Callable[..., None]) -> Callable[..., None]:
    left = iter(range(statements))

    def watched(erasure: Erasure, table: Table, sql: str) -> None:
        if next(left, None) is None:
            raise PowerCutError
        change(erasure, table, sql)

    return watched
