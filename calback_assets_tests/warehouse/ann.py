"""Ann, who is erased: something of her, and of others, in every table, what is left of it, and how it is written.

Her phone is hers alone, the tablet is Bob's too, and one of her events has no device.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from sqlglot import exp

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.sql_asset import dependents
from calback_assets.days import Stretch
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables import TABLES, Table
from calback_assets.tables.core import DEVICE_IDENTITY, UNIFIED_EVENTS, USER_DAILY_ACTIVITY, USER_FIRST_SEEN
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.erasure import Subjects
from calback_assets.warehouse.rows import ConformedRows, arrow_schema
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.assets.given import params
from calback_assets_tests.warehouse.helpers import DAY, Row, WarehouseUnderTest, frequent, metrics

# Longer than a block of SHA-256, and with letters of several bytes.
ANN = "ann-" + "홍길동-" * 8 + "0x7f"
BOB = "bob-4411"
PHONE, TABLET, BOBS = "phone-of-one-71c2", "tablet-of-two-93aa", "phone-of-bob-02ff"
NEXT, LATER, LAST = (DAY + timedelta(days=age) for age in (1, 2, 3))
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
            session.replace_days(table, Stretch.on(day), Statement(sql, is_from_outside=True), "a-run")


Told = dict[str, tuple[int, int, list[date]]]


def erase(warehouse: WarehouseUnderTest, subject: str = ANN) -> Told:
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


def of_people(*users: str) -> dict[str, list[Row]]:
    """A row of each of them in every table of people that is made of those before it."""
    names = ("user_behaviour", "user_joined", "first_week", "first_week_features", "return_propensity")
    return {name: [row_of(TABLES[name], user_id=user) for user in users] for name in names}


COUNTS: Mapping[str, list[Row]] = {
    name: [row_of(TABLES[name])]
    for name in (
        "user_lifecycle", "power_curve", "retention_cohorts", "frequent_user_behaviour", "first_week_lift",
        "return_model", "active_users_by",
    )
}  # fmt: skip
"""A row in every table that tells of nobody."""

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
        event(LAST, ANN, None),
        event(LAST, None, None),
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
        unified(LAST, None),
    ],
    "user_daily_activity": [
        row_of(USER_DAILY_ACTIVITY, event_date=day, user_id=user)
        for day, user in ((DAY, ANN), (DAY, BOB), (NEXT, PHONE), (NEXT, BOB), (LATER, BOB))
    ],
    "user_first_seen": [row_of(USER_FIRST_SEEN, user_id=ANN), row_of(USER_FIRST_SEEN, user_id=BOB)],
    "daily_active_users": [metrics(day) for day in (DAY, NEXT, LATER)],
    "frequent_users": [frequent(user_id=ANN), frequent(user_id=BOB), frequent(NEXT, PHONE)],
    **of_people(ANN, BOB),
    **COUNTS,
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
        event(LAST, None, None),
    ],
    "raw_access_log": [row_of(RAW_ACCESS_LOG, event_date=day, user_id=BOB) for day in (DAY, NEXT)],
    "device_identity": [row_of(DEVICE_IDENTITY, user_pseudo_id=BOBS, user_id=BOB)],
    "unified_events": [
        unified(DAY, BOB, named=ANN) | {"properties": []},
        unified(DAY, None),
        unified(NEXT, BOB),
        unified(LATER, BOB),
        unified(LAST, None),
    ],
    "user_daily_activity": [row_of(USER_DAILY_ACTIVITY, event_date=day, user_id=BOB) for day in (DAY, NEXT, LATER)],
    "user_first_seen": [row_of(USER_FIRST_SEEN, user_id=BOB)],
    "daily_active_users": [metrics(day) for day in (DAY, NEXT, LATER)],
    "frequent_users": [frequent(user_id=BOB)],
    **of_people(BOB),
    **COUNTS,
}
"""What is left of it without her."""

STALE = {
    # An event of Bob's named her; he may have been taken for whoever was nameless on the tablet; and nobody knows whose
    # the events without a device are.
    "device_identity": [DAY],
    "unified_events": [DAY, LATER, LAST],
    # People are counted anew wherever she was one of them, or in the window.
    "user_daily_activity": [DAY, NEXT],
    "daily_active_users": [DAY, NEXT, LATER],
    "active_users_by": [DAY],
    "user_behaviour": [DAY],
    "user_joined": [DAY],
    "user_lifecycle": [DAY],
    "power_curve": [DAY],
    "return_propensity": [DAY],
}
"""The days that are stale then, of those that are stored."""


def in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [repr(value) for value in row.values()])


def contents(warehouse: WarehouseUnderTest) -> dict[str, list[Row]]:
    return {name: in_order(warehouse.rows(table)) for name, table in TABLES.items()}


STORED_IN_ORDER = {name: in_order(rows) for name, rows in STORED.items()}
LEFT_IN_ORDER = {name: in_order(rows) for name, rows in LEFT.items()}


def fill(warehouse: WarehouseUnderTest) -> None:
    for name, rows in STORED.items():
        warehouse.put(TABLES[name], rows)


def of_day(warehouse: WarehouseUnderTest, table: Table, day: date) -> list[Row]:
    """The stored rows of a day, those of somebody before those of nobody."""
    rows = [row for row in warehouse.rows(table) if row["event_date"] == day]
    return sorted(rows, key=lambda row: row["user_id"] or "~")
