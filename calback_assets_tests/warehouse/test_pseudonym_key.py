"""Tests of the key with which a warehouse's hashes were made: another is noticed before anything is written with it."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from calback_assets.errors import WarehouseError
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_USERS
from calback_assets.warehouse.erasure import KEY, SUPPRESSED, Subjects
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.rows import ConformedRows
from calback_assets_tests.warehouse.ann import ANN, STORED, erase, give, hash_of, row_of
from calback_assets_tests.warehouse.helpers import Row, WarehouseUnderTest

OURS, OTHER = DEVELOPMENT_KEY, b"another key of the tests"
REFUSAL = (
    "CALBACK_PSEUDONYM_KEY is not the key with which the hashes in this warehouse were made; {remedy}, or begin a new "
    "warehouse as docs/privacy.md says; nothing was written"
)
LONG_AGO = "TIMESTAMP '2024-01-01 00:00:00+00'"
UNSET, SET = "unset it, since that was the published one", "set it to that key again"


def users(*hashes: str | None) -> list[Row]:
    return [row_of(RAW_USERS, user_id=f"user-{at}", email_hash=found) for at, found in enumerate(hashes)]


def write(warehouse: WarehouseUnderTest, rows: Sequence[Row], key: bytes = OURS) -> None:
    """A snapshot of users, as the I/O manager writes it in a deployment with this key."""
    with warehouse.opened(pseudonym_key=key).session() as session:
        session.ensure(RAW_USERS)
        given = ConformedRows(pa.Table.from_pylist(list(rows)), RAW_USERS)
        with session.incoming(given, "a-run") as name:
            session.replace_snapshot(RAW_USERS, f"SELECT * FROM {name}", "a-run")


def refusal_of(warehouse: WarehouseUnderTest, key: bytes) -> str:
    """What a session for writing is answered with."""
    with pytest.raises(WarehouseError) as caught, warehouse.opened(pseudonym_key=key).session():
        pass
    return str(caught.value)


def named(warehouse: WarehouseUnderTest, table: str) -> str:
    """A table of our own in a statement."""
    return f"calback.{table}" if warehouse.name == "duckdb" else table


def hashes_of(warehouse: WarehouseUnderTest) -> list[str | None]:
    return [row["email_hash"] for row in sorted(warehouse.rows(RAW_USERS), key=lambda row: str(row["user_id"]))]


def test_another_key_is_refused_where_there_are_hashes_and_nobody_was_ever_erased(
    warehouse: WarehouseUnderTest,
) -> None:
    write(warehouse, users("e1"))
    assert refusal_of(warehouse, OTHER) == REFUSAL.format(remedy=UNSET)
    write(warehouse, users("e1", "e2"))
    assert hashes_of(warehouse) == ["e1", "e2"]


def test_the_way_back_to_a_key_of_ones_own_is_told_apart(warehouse: WarehouseUnderTest) -> None:
    write(warehouse, users("e1"), OTHER)
    assert refusal_of(warehouse, OURS) == REFUSAL.format(remedy=SET)


def test_what_is_stored_can_be_read_with_any_key(warehouse: WarehouseUnderTest) -> None:
    write(warehouse, users("e1"))
    with warehouse.opened(pseudonym_key=OTHER).session(read_only=True) as session:
        newest = [row for batch in session.newest(RAW_USERS, ["email_hash"]) for row in batch.to_pylist()]
        assert newest == [{"email_hash": "e1"}]
        assert session.read(TableRef(RAW_USERS, None, None), ["email_hash"]).to_pylist() == [{"email_hash": "e1"}]


def test_a_warehouse_without_a_hash_takes_any_key_until_it_has_one(warehouse: WarehouseUnderTest) -> None:
    give(warehouse, RAW_ACCESS_LOG, STORED["raw_access_log"])
    write(warehouse, users(None))
    write(warehouse, users(None, "e2"), OTHER)
    assert refusal_of(warehouse, OURS) == REFUSAL.format(remedy=SET)
    write(warehouse, users("e1", "e2"), OTHER)


def test_what_an_erasure_is_done_with_is_the_key_of_the_warehouse(warehouse: WarehouseUnderTest) -> None:
    erase(warehouse)
    assert refusal_of(warehouse, OTHER) == REFUSAL.format(remedy=UNSET)


def test_a_warehouse_without_the_record_learns_the_key_when_users_are_next_written(
    warehouse: WarehouseUnderTest,
) -> None:
    warehouse.put(RAW_USERS, users("e1", "e2", "e3"))
    write(warehouse, users("e1", "new", "new"), OTHER)
    assert hashes_of(warehouse) == ["e1", "new", "new"]
    assert refusal_of(warehouse, OURS) == REFUSAL.format(remedy=SET)


def test_another_key_is_known_by_its_hashes_where_there_is_no_record(warehouse: WarehouseUnderTest) -> None:
    warehouse.put(RAW_USERS, users("e1", "e2", "e3", None))
    with pytest.raises(WarehouseError) as caught:
        write(warehouse, users("f1", "f2", "f3", "f4"), OTHER)
    assert str(caught.value) == REFUSAL.format(remedy=SET)
    assert hashes_of(warehouse) == ["e1", "e2", "e3", None]
    write(warehouse, users("e1", "e2", "e3", "e4"))
    assert hashes_of(warehouse) == ["e1", "e2", "e3", "e4"]


def test_two_people_may_both_have_another_address(warehouse: WarehouseUnderTest) -> None:
    warehouse.put(RAW_USERS, users("e1", "e2"))
    write(warehouse, users("f1", "f2", "f3", "f4"))
    assert hashes_of(warehouse) == ["f1", "f2", "f3", "f4"]


def test_a_list_that_holds_the_key_itself_is_still_understood(warehouse: WarehouseUnderTest) -> None:
    erase(warehouse)
    entry = f"('{Subjects(OURS).fingerprint}', 'key', {LONG_AGO})"
    with warehouse.opened().session() as session:
        session.records(f"DROP TABLE {named(warehouse, KEY)}")
        session.records(f"INSERT INTO {named(warehouse, SUPPRESSED)} VALUES {entry}")

    assert refusal_of(warehouse, OTHER) == REFUSAL.format(remedy=UNSET)
    with warehouse.opened().session() as session:
        assert session.suppressed({ANN, "nobody"}) == {ANN}


def test_a_key_that_another_process_brings_in_is_noticed_by_a_session_that_is_open(
    warehouse: WarehouseUnderTest,
) -> None:
    erase(warehouse)
    with warehouse.opened().session() as session:
        session.records(f"DELETE FROM {named(warehouse, KEY)} WHERE TRUE")
        entry = f"('{Subjects(OTHER).fingerprint}', {LONG_AGO})"
        session.records(f"INSERT INTO {named(warehouse, KEY)} VALUES {entry}")
        with pytest.raises(WarehouseError) as asked:
            session.suppressed({ANN})
        with pytest.raises(WarehouseError) as erased:
            session.erase(hash_of("bob"), "a-run")
    assert str(asked.value) == str(erased.value) == REFUSAL.format(remedy=SET)
