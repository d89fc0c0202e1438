"""Tests of erasing a person from every warehouse: what goes, what stays, and who never comes back.

Ann is erased; her phone is hers alone, the tablet is Bob's too. Whole worlds, from files to metrics, are erased in
`assets/test_erasure`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from sqlglot import exp

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.sql_asset import dependents
from calback_assets.errors import WarehouseError
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables import TABLES, Table
from calback_assets.tables.core import DEVICE_IDENTITY, UNIFIED_EVENTS, USER_DAILY_ACTIVITY, USER_FIRST_SEEN
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.erasure import Erasure, Subjects
from calback_assets.warehouse.rows import ConformedRows, arrow_schema
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.assets.given import params
from calback_assets_tests.warehouse.helpers import DAY, Row, WarehouseUnderTest, frequent, metrics, warehouse_under_test

# Longer than a block of SHA-256, and with letters of several bytes.
ANN = "ann-" + "홍길동-" * 8 + "0x7f"
BOB = "bob-4411"
PHONE, TABLET, BOBS = "phone-of-one-71c2", "tablet-of-two-93aa", "phone-of-bob-02ff"
NEXT, LATER = DAY + timedelta(days=1), DAY + timedelta(days=2)
NOON = datetime(2024, 1, 10, 3, tzinfo=UTC)
DEPENDENTS = dependents(SQL_ASSETS)


def hash_of(subject: str) -> str:
    return Subjects(DEVELOPMENT_KEY).hash(subject)


def row_of(table: Table, **values: object) -> Row:
    """A row with these values; what is required and not given is neutral."""
    neutral: Mapping[str, object] = {
        "STRING": "x", "INT64": 0, "BOOL": False, "DATE": DAY, "TIMESTAMP": NOON,
    }  # fmt: skip
    row = {
        column.name: neutral[column.type] if column.required else [] if column.type.startswith("ARRAY") else None
        for column in table.columns
    }
    return row | values


def event(day: date, user: str | None, device: str | None, named: str | None = None) -> Row:
    named_in = {"friend": named} if named else {}
    given = params(screen="calendar", **named_in, count=1)
    return row_of(RAW_EVENTS, event_date=day, user_id=user, user_pseudo_id=device, event_name="tap", event_params=given)


def literal(value: object, type_: exp.DataType) -> exp.Expression:
    """A value of a type in GoogleSQL."""
    if value is None or value == []:
        return exp.cast(exp.Array() if value == [] else exp.null(), type_)
    if isinstance(value, list):
        return exp.Array(expressions=[literal(item, type_.expressions[0]) for item in value])
    if isinstance(value, dict):
        parts = [
            exp.PropertyEQ(this=exp.to_identifier(part.name), expression=literal(value[part.name], part.args["kind"]))
            for part in type_.expressions
        ]
        return exp.Struct(expressions=parts)
    return exp.cast(exp.convert(value), type_)


def source(warehouse: WarehouseUnderTest, table: Table, rows: Sequence[Row]) -> str:
    """The query of a source that holds these rows, in the engine's own SQL."""
    types = {column.name: exp.DataType.build(column.type, dialect="bigquery") for column in table.columns}
    return " UNION ALL ".join(
        exp.select(*(exp.alias_(literal(row[name], kind), name, quoted=True) for name, kind in types.items())).sql(
            warehouse.name
        )
        for row in rows
    )


def give(warehouse: WarehouseUnderTest, table: Table, rows: Sequence[Row]) -> None:
    """Write rows, and with them their days, as the I/O manager writes those of a source."""
    with warehouse.opened(DEPENDENTS).session() as session:
        session.ensure(table)
        if not table.is_partitioned:
            given = ConformedRows(pa.Table.from_pylist(list(rows), schema=arrow_schema(table)), table)
            with session.incoming(given, "a-run") as name:
                session.replace_snapshot(table, f"SELECT * FROM {name}", "a-run")
        for day in sorted({row["event_date"] for row in rows} if table.is_partitioned else ()):
            sql = source(warehouse, table, [row for row in rows if row["event_date"] == day])
            session.replace_day(table, day, Statement(sql, is_from_outside=True), "a-run")


def erase(warehouse: WarehouseUnderTest, subject: str = ANN) -> dict[str, tuple[int, int, list[date]]]:
    """Erase somebody, and say what of each table was removed and unlinked, on which days."""
    with warehouse.opened(DEPENDENTS).session() as session:
        erased = session.erase(hash_of(subject), "the-run")
    return {done.table.name: (done.removed, done.unlinked, done.days) for done in erased}


def stale(warehouse: WarehouseUnderTest) -> dict[str, list[date]]:
    with warehouse.opened(DEPENDENTS).session() as session:
        found = {table.name: sorted(session.stale_days(table)) for table in TABLES.values()}
    return {name: days for name, days in found.items() if days}


def unified(day: date, user: str | None, named: str | None = None) -> Row:
    given = params(friend=named) if named else params(screen="calendar")
    return row_of(UNIFIED_EVENTS, event_date=day, event_id=f"{day}{user}{named}", user_id=user, properties=given)


STORED: Mapping[str, list[Row]] = {
    "raw_users": [row_of(RAW_USERS, user_id=ANN, email_hash="e1"), row_of(RAW_USERS, user_id=BOB, email_hash="e2")],
    "raw_meetings": [
        row_of(RAW_MEETINGS, meeting_id="m1", owner_id=ANN, involved_ids=[ANN, BOB], involved_count=2),
        row_of(RAW_MEETINGS, meeting_id="m2", owner_id=BOB, involved_ids=[BOB, ANN, "cat"], involved_count=3),
        row_of(RAW_MEETINGS, meeting_id="m3", owner_id=None, involved_ids=["cat"], involved_count=1),
    ],
    "raw_events": [
        event(DAY, ANN, PHONE),
        event(DAY, None, PHONE),
        event(DAY, BOB, BOBS, named=ANN),
        event(DAY, None, None),
        event(NEXT, None, PHONE),
        event(NEXT, BOB, BOBS),
        event(LATER, ANN, TABLET),
        event(LATER, None, TABLET),
        event(LATER, BOB, TABLET),
    ],
    "raw_access_log": [
        row_of(RAW_ACCESS_LOG, event_date=day, user_id=user) for day in (DAY, NEXT) for user in (ANN, BOB)
    ],
    "device_identity": [
        row_of(DEVICE_IDENTITY, user_pseudo_id=PHONE, user_id=ANN),
        row_of(DEVICE_IDENTITY, user_pseudo_id=BOBS, user_id=BOB),
    ],
    "unified_events": [
        unified(DAY, ANN),
        unified(DAY, BOB, named=ANN),
        unified(DAY, None),
        unified(NEXT, PHONE),
        unified(NEXT, BOB),
        unified(LATER, BOB),
    ],
    "user_daily_activity": [
        row_of(USER_DAILY_ACTIVITY, event_date=day, user_id=user)
        for day, user in ((DAY, ANN), (DAY, BOB), (NEXT, PHONE), (NEXT, BOB), (LATER, BOB))
    ],
    "user_first_seen": [row_of(USER_FIRST_SEEN, user_id=ANN), row_of(USER_FIRST_SEEN, user_id=BOB)],
    "daily_active_users": [metrics(day) for day in (DAY, NEXT, LATER)],
    "frequent_users": [frequent(user_id=ANN), frequent(user_id=BOB), frequent(NEXT, PHONE)],
}
"""Something of Ann, and of others, in every table."""

LEFT: Mapping[str, list[Row]] = {
    "raw_users": [row_of(RAW_USERS, user_id=BOB, email_hash="e2")],
    "raw_meetings": [
        row_of(RAW_MEETINGS, meeting_id="m2", owner_id=BOB, involved_ids=[BOB, "cat"], involved_count=3),
        row_of(RAW_MEETINGS, meeting_id="m3", owner_id=None, involved_ids=["cat"], involved_count=1),
    ],
    "raw_events": [
        event(DAY, BOB, BOBS),
        event(DAY, None, None),
        event(NEXT, BOB, BOBS),
        event(LATER, BOB, TABLET),
    ],
    "raw_access_log": [row_of(RAW_ACCESS_LOG, event_date=day, user_id=BOB) for day in (DAY, NEXT)],
    "device_identity": [row_of(DEVICE_IDENTITY, user_pseudo_id=BOBS, user_id=BOB)],
    "unified_events": [
        unified(DAY, BOB, named=ANN) | {"properties": []},
        unified(DAY, None),
        unified(NEXT, BOB),
        unified(LATER, BOB),
    ],
    "user_daily_activity": [row_of(USER_DAILY_ACTIVITY, event_date=day, user_id=BOB) for day in (DAY, NEXT, LATER)],
    "user_first_seen": [row_of(USER_FIRST_SEEN, user_id=BOB)],
    "daily_active_users": [metrics(day) for day in (DAY, NEXT, LATER)],
    "frequent_users": [frequent(user_id=BOB)],
}
"""What is left of it without her."""

STALE = {
    # An event of Bob's named her, and he may have been taken for whoever was nameless on the tablet.
    "device_identity": [DAY, LATER],
    "unified_events": [DAY, LATER],
    # People are counted anew wherever she was one of them, or in the window.
    "user_daily_activity": [DAY, NEXT],
    "daily_active_users": [DAY, NEXT, LATER],
}
"""The entries of the ledger that are stale then; there are no others of these tables but those of the days above."""


def in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [repr(value) for value in row.values()])


def contents(warehouse: WarehouseUnderTest) -> dict[str, list[Row]]:
    return {name: in_order(warehouse.rows(table)) for name, table in TABLES.items()}


STORED_IN_ORDER = {name: in_order(rows) for name, rows in STORED.items()}
LEFT_IN_ORDER = {name: in_order(rows) for name, rows in LEFT.items()}


def fill(warehouse: WarehouseUnderTest) -> None:
    for name, rows in STORED.items():
        warehouse.put(TABLES[name], rows)


@pytest.fixture
def filled(warehouse: WarehouseUnderTest) -> WarehouseUnderTest:
    """A warehouse with something of Ann in every table."""
    fill(warehouse)
    return warehouse


Told = dict[str, tuple[int, int, list[date]]]
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
        "raw_events": (5, 1, [DAY, NEXT, LATER]),
        "raw_access_log": (2, 0, [DAY, NEXT]),
        "device_identity": (1, 0, [DAY]),
        "unified_events": (2, 1, [DAY, NEXT]),
        "user_daily_activity": (2, 0, [DAY, NEXT]),
        "user_first_seen": (1, 0, [DAY]),
        "frequent_users": (2, 0, [DAY, NEXT]),
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
    assert stale(warehouse) == {name: [day for day in days if (name, day) in ledger] for name, days in STALE.items()}


def test_the_list_holds_hashes_alone(erased: Aftermath) -> None:
    warehouse, _ = erased
    schema = "calback." if warehouse.name == "duckdb" else ""
    with warehouse.opened().session() as session:
        listed = session.records(f"SELECT subject_hash, kind FROM {schema}suppressed")
    assert {(entry["subject_hash"], entry["kind"]) for entry in listed} == {
        (hash_of(ANN), "user"),
        (hash_of(PHONE), "device"),
        (hash_of(TABLET), "device"),
        (Subjects(DEVELOPMENT_KEY).fingerprint, "key"),
    }
    assert len(listed) == 4


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
    message = "^CALBACK_PSEUDONYM_KEY is not the key with which people were erased from this warehouse"

    with warehouse.opened(DEPENDENTS, b"another key").session() as session:
        with pytest.raises(WarehouseError, match=message):
            session.erase(Subjects(b"another key").hash(BOB), "a-run")
        with pytest.raises(WarehouseError, match=message):
            session.suppressed({ANN})
        sql = source(warehouse, RAW_ACCESS_LOG, STORED["raw_access_log"][:1])
        with pytest.raises(WarehouseError, match=message):
            session.replace_day(RAW_ACCESS_LOG, DAY, Statement(sql, is_from_outside=True), "a-run")

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


def of_day(warehouse: WarehouseUnderTest, table: Table, day: date) -> list[Row]:
    """The stored rows of a day, those of somebody before those of nobody."""
    rows = [row for row in warehouse.rows(table) if row["event_date"] == day]
    return sorted(rows, key=lambda row: row["user_id"] or "~")


class PowerCutError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("statements", [0, 4])
def test_an_erasure_that_ends_in_the_middle_is_mended_by_the_next(
    filled: WarehouseUnderTest, statements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = f"{filled.name}erasure"
    (engine,) = [kind for kind in Erasure.__subclasses__() if kind.__name__.lower() == names]
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_change", ending_after(statements, engine._change))
        with pytest.raises(PowerCutError):
            erase(filled)
    if filled.name == "duckdb":
        assert contents(filled) == STORED_IN_ORDER

    assert erase(filled)

    assert contents(filled) == LEFT_IN_ORDER
    assert stale(filled).keys() == STALE.keys()


def ending_after(statements: int, change: Callable[..., None]) -> Callable[..., None]:
    left = iter(range(statements))

    def watched(erasure: Erasure, table: Table, sql: str) -> None:
        if next(left, None) is None:
            raise PowerCutError
        change(erasure, table, sql)

    return watched
