"""Every form of docs/forms.md through a run into both warehouses, and the rows that it must end in there.

Each form of the export and of the access log is a day of March, so that one run writes all of them; a collection is one
file, so that each of its forms takes a run. What is wrong with a file is tried beside its source, and not here.
"""

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from calback_assets.tables import TABLES
from calback_assets.tables.raw import RAW_EVENTS
from calback_assets_tests.assets.worlds import Platform
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.test_both_engines import stored
from calback_assets_tests.bigquery.worlds import World, beside_bigquery
from calback_assets_tests.sources.access_log.test_forms import write as write_log
from calback_assets_tests.sources.firestore.test_forms import in_every_form
from calback_assets_tests.sources.ga4.test_files import value, write_extract
from calback_assets_tests.warehouse.helpers import Row, error_of

WAREHOUSES = ("duckdb", "bigquery")
Contents = Mapping[str, list[Row]]
"""The rows of a table, by warehouse."""


def march(day: int) -> date:
    return date(2024, 3, day)


def run(world: World, *tables: str) -> dict[str, Contents]:
    """Write all days of the tables into both warehouses, and give what they then hold."""
    for result in (world.local.run(world.local.first, world.local.last, *tables), world.run(*tables)):
        assert result.success, error_of(result)
    return {
        table: {"duckdb": world.local.rows(table), "bigquery": stored(world.client, TABLES[table])} for table in tables
    }


EXPORT = {
    "events_{}.json": True,
    "events_{}.jsonl": True,
    "events_{}.ndjson": True,
    "events_{}.json.gz": True,
    "events_{}.jsonl.gz": True,
    "events_{}.ndjson.gz": True,
    "events_{}.avro": True,
    "events_{}.parquet": True,
    "EVENTS_{}.json": True,
    "events_{}-*.json.gz": True,
    "events_{}_*.parquet": True,
    "events_{}*.avro": True,
    "events_{}/*.parquet": True,
    "events_{}/part-*.ndjson": True,
    "Events_{}/*.json.gz": True,
    "events_fresh_{}.parquet": False,
    "events_fresh_{}-*.json.gz": False,
    "events_fresh_{}/*.avro": False,
    "events_intraday_{}.jsonl": False,
    "events_intraday_{}_*.avro": False,
    "events_intraday_{}/*.parquet": False,
    "events_{}.json.gz, events_fresh_{}.json, events_intraday_{}.avro": True,
    "events_fresh_{}-*.parquet, events_intraday_{}.parquet": False,
}
"""The files of a date, whose first table is to be read, and whether that one is final. A `*` counts two shards."""
EXPORT_DAYS = {form: day for day, form in enumerate(EXPORT, 1)}


def write_export(folder: Path, form: str, day: int) -> None:
    """Two events of a phone in Seoul, about noon, and another one in the tables that are not to be read."""
    first, *others = form.split(", ")
    # 2024-03-01 is 19,783 days after 1970; its noon in Seoul is at 3:00 in UTC.
    noon = 19_783 * 86_400_000_000 + 10_800_000_000 + (day - 1) * 86_400_000_000
    parameters = [
        {"key": "ga_session_id", "value": {"string_value": None, "int_value": 9007199254740993}},
        {"key": "screen", "value": {"string_value": "홈", "int_value": None}},
    ]
    nothing: dict[str, Any] = {"batch_page_id": None, "user_id": None, "is_active_user": None, "event_params": []}
    events: list[dict[str, Any]] = [
        {
            "event_timestamp": noon,
            "event_name": "screen_view",
            "batch_page_id": 7,
            "user_id": "u1",
            "is_active_user": True,
            "event_params": parameters,
            "geo": {"country": "South Korea"},
        },
        {"event_timestamp": noon + 1, "event_name": "tap", **nothing, "geo": {"country": None}},
    ]
    for name in others:
        write_table(folder / name.format(f"202403{day:02}"), [events[1] | {"event_name": "not to be read"}])
    write_table(folder / first.format(f"202403{day:02}"), events)


def write_table(pattern: Path, events: list[dict[str, Any]]) -> None:
    if "json" in pattern.name:
        # As BigQuery extracts integers.
        events = json.loads(json.dumps(events), parse_int=str)
    if "*" not in pattern.name:
        return write_extract(pattern, events)
    for number, event in enumerate(events):
        write_extract(pattern.with_name(pattern.name.replace("*", f"{number:012}")), [event])
    return None


LOG: dict[str, tuple[object, object]] = {
    "opens.jsonl": ("2024-03-01", "2024-02-29T15:00:00Z"),
    "opens.ndjson": ("2024-03-02", "2024-03-02T23:59:59.999+09:00"),
    "opens.json": ("2024-03-03", 1709391600),
    "opens.lines.json": ("2024-03-04", 1709478000000),
    "opens.csv": ("2024-03-05", "1709564400000000"),
    "opens.jsonl.gz": ("2024-03-06", "2024-03-05 15:00:00 UTC"),
    "opens.json.gz": ("2024-03-07", "1709737200"),
    "opens.csv.gz": ("2024-03-08", "2024-03-08t00:00:00.123456789+09:00"),
    "opens.parquet": ("2024-03-09", "2024-03-08T10:00:00-05:00"),
    "date=2024-03-10/opens.jsonl": (None, "2024-03-10"),
    "date=2024-03-11/opens.ndjson": (None, "2024-03-11"),
    "date=2024-03-12/opens.json": (None, "2024-03-12"),
    "date=2024-03-13/opens.lines.json": (None, "2024-03-13"),
    "date=2024-03-14/opens.csv": (None, "2024-03-14"),
    "date=2024-03-15/opens.jsonl.gz": (None, "2024-03-15"),
    "date=2024-03-16/opens.json.gz": (None, "2024-03-16"),
    "date=2024-03-17/opens.csv.gz": (None, "2024-03-17"),
    "date=2024-03-18/opens.parquet": (None, "2024-03-18"),
    "date=2024-03-19/opens.parquet": (march(19), march(19)),
    "date=2024-03-20/opens.parquet": (datetime(2024, 3, 19, 15, tzinfo=UTC), datetime(2024, 3, 20, 14, 59, tzinfo=UTC)),
    "date=2024-03-21/opens.csv": ("2024-03-21", "2024-03-21"),
    "date=2024-03-22/opens.jsonl": ("2024-03-22", "2024-03-22"),
    "date=2024-03-23/opens.json": ("2024-03-23", "2024-03-23"),
}
"""The log's files, and what their two lines say of the day, which is that of Seoul."""
FROM_WINDOWS = list(LOG)[-3:]
LOG_DAYS = {form: day for day, form in enumerate(LOG, 1)}
KAFKA = [
    {"userId": "007", "topic": "opens, all", "partition": 2, "offset": 9007199254740993},
    {"userId": '사용자 "x"', "topic": "opens, all", "partition": None, "offset": -1},
]


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[dict[str, Contents]]:
    """The raw tables of days that are each of another form."""
    local = Platform(tmp_path_factory.mktemp("daily"), march(1), march(23))
    for form, day in EXPORT_DAYS.items():
        write_export(local.data / "analytics", form, day)
    for name, told in LOG.items():
        place, _, form = name.rpartition("opens.")
        rows = [{**row, "date": day} for row, day in zip(KAFKA, told, strict=True)]
        how: Any = {"mark": b"\xef\xbb\xbf", "newline": "\r\n"} if name in FROM_WINDOWS else {}
        write_log(local.data / "access_log" / place, form, rows, **how)
    with beside_bigquery(local, emulator, "daily-forms") as world:
        yield run(world, "raw_events", "raw_access_log")


def of_day(rows: list[Row], day: int) -> list[Row]:
    return [row for row in rows if row["event_date"] == march(day)]


@pytest.mark.parametrize("warehouse", WAREHOUSES)
@pytest.mark.parametrize("form", EXPORT)
def test_a_form_of_the_export_ends_in_its_events(daily: dict[str, Contents], form: str, warehouse: str) -> None:
    day = EXPORT_DAYS[form]
    known = {"event_date": march(day), "is_final": EXPORT[form]}
    # 1,709,262,000 seconds: noon of March 1 in Seoul.
    noon = 1_709_262_000_000_000 + (day - 1) * 86_400_000_000
    nothing = dict.fromkeys(RAW_EVENTS.column_names) | known
    assert sorted(of_day(daily["raw_events"][warehouse], day), key=lambda row: row["event_timestamp"]) == [
        nothing
        | {
            "event_timestamp": noon,
            "event_name": "screen_view",
            "event_params": [
                {"key": "ga_session_id", "value": value(int_value=9007199254740993)},
                {"key": "screen", "value": value(string_value="홈")},
            ],
            "batch_page_id": 7,
            "user_id": "u1",
            "country": "South Korea",
            "is_active_user": True,
        },
        nothing | {"event_timestamp": noon + 1, "event_name": "tap", "event_params": []},
    ]


@pytest.mark.parametrize("warehouse", WAREHOUSES)
@pytest.mark.parametrize("form", LOG)
def test_a_form_of_the_access_log_ends_in_its_opens(daily: dict[str, Contents], form: str, warehouse: str) -> None:
    opens = {"event_date": march(LOG_DAYS[form]), "topic": "opens, all"}
    rows = of_day(daily["raw_access_log"][warehouse], LOG_DAYS[form])
    assert sorted(rows, key=lambda row: row["user_id"]) == [
        opens | {"user_id": "007", "partition": 2, "offset": 9007199254740993},
        opens | {"user_id": '사용자 "x"', "partition": None, "offset": -1},
    ]


OWN_NAMES = ("jsonl", "json", "csv", "parquet")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[World]:
    """A world whose log's fields have names of their own, and whose documents the tests write."""
    names = {"CALBACK_ACCESS_LOG_USER_FIELD": "사용자", "CALBACK_ACCESS_LOG_DATE_FIELD": "opened at"}
    local = Platform(tmp_path_factory.mktemp("own"), march(1), march(4), more=names)
    for day, form in enumerate(OWN_NAMES, 1):
        opened = {
            "사용자": f"u{day}",
            "opened at": f"2024-03-{day:02}T00:00:00+09:00",
            "userId": "u0",
            "date": "2024-03-01",
        }
        write_log(local.data / "access_log", form, [opened])
    with beside_bigquery(local, emulator, "own-names") as world:
        yield world


def test_fields_of_the_log_that_have_names_of_their_own_end_in_its_opens(own: World) -> None:
    found = run(own, "raw_access_log")["raw_access_log"]
    for warehouse in WAREHOUSES:
        assert sorted((row["event_date"], row["user_id"]) for row in found[warehouse]) == [
            (march(1), "u1"),
            (march(2), "u2"),
            (march(3), "u3"),
            (march(4), "u4"),
        ]


DOCUMENTS = {
    "plain": ("userCollection.json", "meetingsCollection.jsonl.gz"),
    "bigquery": ("userCollection.json.gz", "meetingsCollection.ndjson"),
    "admin sdk": ("userCollection.jsonl", "MeetingsCollection.json.gz"),
    "client sdk": ("userCollection.jsonl.gz", "meetingsCollection.json"),
    "typed": ("userCollection.ndjson", "meetingsCollection.ndjson.gz"),
    "rest": ("userCollection.ndjson.gz", "meetingsCollection.jsonl"),
    "pages": ("usercollection.json", "meetingsCollection.json.gz"),
    "changelog": ("users_raw_latest.json.gz", "App_raw_changelog.ndjson"),
}
"""By form, as `in_every_form` names them: the file of people, an array, and that of meetings, in lines."""


@pytest.mark.parametrize("number", range(1, 9), ids=DOCUMENTS)
def test_a_form_of_documents_ends_in_its_rows(own: World, number: int) -> None:
    form, files = list(DOCUMENTS.items())[number - 1]
    made, begins = datetime(2024, 3, 1, 10, 0, 0, 500_000, UTC), datetime(2024, 3, 20, 1, tzinfo=UTC)
    # The number tells the forms apart, which all end in the same two rows.
    user = {"email": "U1@example.com", "flag": number, "photoUrl": "", "friends": ["u2", "u3"], "openPrivacy": True}
    meeting = {"owner": "u1", "content": "점" * number, "from": begins, "isAllDay": False, "involved": ["u1", "u2"]}
    written = (
        in_every_form({"u1": (made, user)}, "userCollection")[f"{form}, an array"],
        in_every_form({"pending m1": (made, meeting)}, "meetingsCollection")[form],
    )
    folder, read_at = own.local.data / "firestore", datetime(2024, 4, number, tzinfo=UTC)
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in zip(files, written, strict=True):
        (folder / name).write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
        os.utime(folder / name, (read_at.timestamp(), read_at.timestamp()))

    found = run(own, "raw_users", "raw_meetings")
    common = {"created_at": made, "updated_at": made, "deleted_at": None, "snapshot_at": read_at}
    person = {
        "user_id": "u1",
        # printf u1@example.com | openssl dgst -sha256 -hmac calback-development-key-not-a-secret
        "email_hash": "c756fed37e0cfebe58217b62b4e3cd4a68efbbda4083829306aef649c0225a5f",
        "has_photo": False,
        "has_push_token": False,
        "flag": number,
        "friend_count": 2,
        "blocked_count": 0,
        "requests_received": 0,
        "requests_sent": 0,
        "open_privacy": True,
    }
    proposal = {
        "meeting_id": "pending m1",
        "owner_id": "u1",
        "starts_at": begins,
        "ends_at": None,
        "is_all_day": False,
        "is_pending": True,
        "is_recurring": False,
        "content_length": number,
        "involved_ids": ["u1", "u2"],
        "involved_count": 2,
        "pending_involved_count": None,
    }
    assert found == {
        "raw_users": {warehouse: [person | common] for warehouse in WAREHOUSES},
        "raw_meetings": {warehouse: [proposal | common] for warehouse in WAREHOUSES},
    }
