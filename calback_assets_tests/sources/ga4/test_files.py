"""Tests of the GA4 export's files as `raw_events`."""

import gc
import gzip
import itertools
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.sources.ga4.files import Ga4Files
from calback_assets.tables.raw import RAW_EVENTS
from calback_assets_tests.sources.helpers import MARK, failure, rows, write_lines

DAY = date(2024, 3, 14)
SEOUL = "Asia/Seoul"
REMEDY = "Correct or remove the line, or export the file again."


def micros(text: str) -> int:
    """Microseconds since 1970 of a time in UTC."""
    return (datetime.fromisoformat(f"{text}+00:00") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


NOON = micros("2024-03-14T03:00:00")
"""Noon of DAY in Seoul."""
GOOD = {"event_timestamp": str(NOON), "event_name": "open"}


def files(folder: Path, timezone: str = SEOUL, today: date = date(2024, 6, 1)) -> Ga4Files:
    return Ga4Files(
        folder, timezone, lambda: datetime(today.year, today.month, today.day, 12, tzinfo=ZoneInfo(timezone))
    )


def read(folder: Path, day: date = DAY, **how: Any) -> list[dict[str, Any]]:
    return rows(files(folder, **how).look(day).read(Stretch.on(day)), RAW_EVENTS)


def names(events: list[dict[str, Any]]) -> list[str]:
    return sorted(event["event_name"] for event in events)


def write_parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


FULL_ROW = {
    "event_date": "20240314",
    "event_timestamp": str(NOON),
    "event_name": "screen_view",
    "event_params": [
        {"key": "ga_session_id", "value": {"int_value": "1710000000"}},
        {"key": "screen", "value": {"string_value": "home"}},
        {"key": "score", "value": {"double_value": 0.5}},
    ],
    "event_bundle_sequence_id": "-7",
    "event_server_timestamp_offset": 1500000,
    "batch_event_index": "3",
    "user_id": "u1",
    "user_pseudo_id": "device-1",
    "user_first_touch_timestamp": "0",
    "user_properties": [{"key": "mail", "value": {"string_value": MARK}}],
    "platform": "IOS",
    "stream_id": "42",
    "device": {"category": "mobile", "operating_system": "iOS", "advertising_id": MARK},
    "geo": {"country": "South Korea", "city": "Seoul"},
    "app_info": {"version": "1.2"},
    "is_active_user": True,
    "a_column_of_tomorrow": {"anything": [1, MARK]},
}


def value(**known: object) -> dict[str, object]:
    return {"string_value": None, "int_value": None, "float_value": None, "double_value": None} | known


FULL_EVENT = {
    "event_date": DAY,
    "event_timestamp": NOON,
    "event_name": "screen_view",
    "event_params": [
        {"key": "ga_session_id", "value": value(int_value=1710000000)},
        {"key": "screen", "value": value(string_value="home")},
        {"key": "score", "value": value(double_value=0.5)},
    ],
    "event_bundle_sequence_id": -7,
    "event_server_timestamp_offset": 1500000,
    "batch_event_index": 3,
    "batch_ordering_id": None,
    "batch_page_id": None,
    "user_id": "u1",
    "user_pseudo_id": "device-1",
    "user_first_touch_timestamp": 0,
    "platform": "IOS",
    "stream_id": "42",
    "device_category": "mobile",
    "operating_system": "iOS",
    "country": "South Korea",
    "app_version": "1.2",
    "is_active_user": True,
    "is_final": True,
}


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "json", "json.gz", "ndjson", "ndjson.gz"])
def test_a_json_row_becomes_an_event_of_the_contract_with_missing_fields_null(tmp_path: Path, suffix: str) -> None:
    write_lines(tmp_path / f"events_20240314.{suffix}", [FULL_ROW, "", GOOD])
    full, sparse = read(tmp_path)
    assert full == FULL_EVENT
    known = {"event_date": DAY, "event_timestamp": NOON, "event_name": "open", "is_final": True}
    assert sparse == dict.fromkeys(RAW_EVENTS.column_names) | known


def test_integers_are_exact_as_json_numbers_and_as_strings(tmp_path: Path) -> None:
    biggest = 2**63 - 1
    write_lines(
        tmp_path / "events_20240314.jsonl",
        [
            GOOD | {"batch_page_id": biggest},
            GOOD | {"batch_page_id": str(biggest)},
            GOOD | {"batch_page_id": str(-biggest - 1)},
        ],
    )
    assert [event["batch_page_id"] for event in read(tmp_path)] == [biggest, biggest, -biggest - 1]


def test_a_parquet_file_in_the_contract_s_types_is_read_without_touching_its_parameters(
    tmp_path: Path,
) -> None:
    query = Ga4Files(tmp_path, SEOUL, lambda: datetime(2024, 6, 1, tzinfo=UTC))
    write_lines(tmp_path / "events_20240314.jsonl", [FULL_ROW])
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT *, {'category': device_category, 'operating_system': operating_system} AS device, "
            "{'country': country} AS geo, {'version': app_version} AS app_info "
            f"FROM ({query.look(DAY).read(Stretch.on(DAY)).sql})) TO '{tmp_path / 'copy'}' (FORMAT parquet)"
        )
    (tmp_path / "events_20240314.jsonl").unlink()
    (tmp_path / "copy").rename(tmp_path / "events_20240314.parquet")
    assert read(tmp_path) == [FULL_EVENT]
    assert "list_transform" not in query.look(DAY).read(Stretch.on(DAY)).sql


def test_an_old_parquet_file_lacks_columns_and_fields_and_orders_them_its_own_way(tmp_path: Path) -> None:
    parameters = [
        {"value": {"int_value": 5, "string_value": None}, "key": "k"},
        {"value": None, "key": "empty"},
    ]
    write_parquet(
        tmp_path / "events_20240314.parquet",
        {
            "event_name": ["a", "b", "c"],
            "event_params": [parameters, [], None],
            "device": [{"operating_system": "ANDROID"}, None, {"operating_system": None}],
            "geo": pa.nulls(3),
            "user_id": pa.array([7, None, 8], pa.int32()),
            "batch_event_index": [1.0, None, 2.0**53],
            "event_timestamp": pa.array([NOON] * 3, pa.uint64()),
        },
    )
    first, second, third = read(tmp_path)
    assert first["event_params"] == [
        {"key": "k", "value": value(int_value=5)},
        {"key": "empty", "value": None},
    ]
    assert [second["event_params"], third["event_params"]] == [[], None]
    assert [event["operating_system"] for event in (first, second, third)] == ["ANDROID", None, None]
    assert [event["user_id"] for event in (first, second, third)] == ["7", None, "8"]
    assert [event["batch_event_index"] for event in (first, second, third)] == [1, None, 2**53]
    assert first["country"] is first["device_category"] is first["is_active_user"] is None


def test_the_day_comes_from_the_timestamp_to_the_microsecond_whatever_table_an_event_stands_in(
    tmp_path: Path,
) -> None:
    start, end = micros("2024-03-13T15:00:00"), micros("2024-03-14T15:00:00")
    # A property in UTC: Seoul's day begins at 15:00 of the table before.
    write_lines(
        tmp_path / "events_20240313.jsonl",
        [
            {"event_timestamp": start - 1, "event_name": "day before"},
            {"event_timestamp": start, "event_name": "first"},
        ],
    )
    write_parquet(
        tmp_path / "events_20240314.parquet",
        {"event_timestamp": [end - 1, end], "event_name": ["last", "day after"]},
    )
    assert names(read(tmp_path)) == ["first", "last"]
    assert names(read(tmp_path, date(2024, 3, 13))) == ["day before"]
    assert names(read(tmp_path, date(2024, 3, 15))) == ["day after"]
    assert {event["event_date"] for event in read(tmp_path)} == {DAY}


def test_a_file_that_goes_away_before_it_is_read_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "events_20240314.jsonl", [GOOD] * 100)
    found = files(tmp_path).look(DAY)
    assert found.rows(DAY) > 0
    path.unlink()
    assert found.rows(DAY) == 0
    assert failure(found.read(Stretch.on(DAY))).startswith(f"{path}: ")


def test_a_property_east_of_us_has_our_late_events_in_its_next_table(tmp_path: Path) -> None:
    write_lines(tmp_path / "events_20240315.jsonl", [GOOD])
    assert names(read(tmp_path)) == ["open"]


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2024, 3, 31), "2024-03-30T23:00:00", "2024-03-31T22:00:00"),
        (date(2024, 10, 27), "2024-10-26T22:00:00", "2024-10-27T23:00:00"),
    ],
    ids=["23 hours", "25 hours"],
)
def test_a_day_on_which_the_clock_changes_has_its_own_length(tmp_path: Path, day: date, start: str, end: str) -> None:
    write_lines(
        tmp_path / f"events_{day:%Y%m%d}.jsonl",
        [
            {"event_timestamp": micros(start) - 1, "event_name": "before"},
            {"event_timestamp": micros(start), "event_name": "first"},
            {"event_timestamp": micros(end) - 1, "event_name": "last"},
            {"event_timestamp": micros(end), "event_name": "after"},
        ],
    )
    assert names(read(tmp_path, day, timezone="Europe/Berlin")) == ["first", "last"]


def test_of_one_date_daily_is_read_before_fresh_and_fresh_before_intraday(tmp_path: Path) -> None:
    for name, kind in (("intraday_20240314", "intraday"), ("fresh_20240314", "fresh"), ("20240314", "daily")):
        write_lines(tmp_path / f"events_{name}.jsonl", [GOOD | {"event_name": kind}])
        (event,) = read(tmp_path)
        assert (event["event_name"], event["is_final"]) == (kind, kind == "daily")
        assert files(tmp_path).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {
            "files": f"events_{name}.jsonl",
            "kinds": f"{kind} 2024-03-14",
        }


@pytest.mark.parametrize("kind", ["", "fresh_", "intraday_"])
def test_a_date_of_any_kind_is_there_and_the_last_and_lacked_by_its_name_as_a_daily_table(
    tmp_path: Path, kind: str
) -> None:
    write_lines(tmp_path / f"events_{kind}20240313" / "000000000000.json", [GOOD])
    write_lines(tmp_path / f"events_{kind}20240315-000000000000.json", [GOOD])
    found = files(tmp_path).look(DAY)
    assert found.last == date(2024, 3, 15)
    assert [found.has(date(2024, 3, day)) for day in (12, 13, 14, 15)] == [False, True, False, True]
    assert found.lacks(date(2024, 3, 13)) == ["events_20240312", "events_20240314"]
    assert found.lacks(date(2024, 3, 14)) == []
    assert (
        found.read(Stretch.on(DAY)).facts[DAY]["kinds"]
        == f"{kind[:-1] or 'daily'} 2024-03-13, {kind[:-1] or 'daily'} 2024-03-15"
    )


def test_a_folder_without_a_shard_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "events_20240314").mkdir()
    (tmp_path / "events_20240314" / "_SUCCESS").touch()
    assert not files(tmp_path).look(DAY).has(DAY)


SHARDED = [
    "events_20240314-{}",
    "events_20240314_{}",
    "events_20240314{}",
    "EVENTS_20240314/{}",
    "events_20240314/part-{}",
    "events_20240314/events_20240314-{}",
    "events_fresh_20240314_{}",
    "events_fresh_20240314/{}",
    "events_intraday_20240314-{}",
    "events_intraday_20240314/{}",
]
"""The places that people give `bq extract`, with a `*` for the number."""


@pytest.mark.parametrize("ending", ["json", "NDJSON", "jsonl.gz", "json.gz", "parquet"])
@pytest.mark.parametrize("place", SHARDED)
def test_all_shards_of_a_table_are_one_table(tmp_path: Path, place: str, ending: str) -> None:
    for number in range(11):
        path = tmp_path / f"{place.format(f'{number:012}')}.{ending}"
        path.parent.mkdir(exist_ok=True)
        if ending == "parquet":
            write_parquet(path, {"event_timestamp": [NOON, NOON], "event_name": [f"{number:02} a", f"{number:02} b"]})
        else:
            write_lines(path, [GOOD | {"event_name": f"{number:02} a"}, "", GOOD | {"event_name": f"{number:02} b"}])
    assert names(read(tmp_path)) == [f"{number:02} {letter}" for number in range(11) for letter in "ab"]
    kind = next((kind for kind in ("fresh", "intraday") if kind in place), "daily")
    name = "events_20240314" if kind == "daily" else f"events_{kind}_20240314"
    assert files(tmp_path).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {
        "files": f"11 shards of {name}",
        "kinds": f"{kind} 2024-03-14",
    }


def test_one_shard_alone_is_a_table_and_an_empty_one_holds_nothing(tmp_path: Path) -> None:
    write_lines(tmp_path / "events_20240314-000000000000.json", [GOOD])
    assert names(read(tmp_path)) == ["open"]
    (tmp_path / "events_20240314-000000000001.json").touch()
    assert names(read(tmp_path)) == ["open"]


def test_shards_of_parquet_that_differ_in_columns_are_each_read_as_they_are(tmp_path: Path) -> None:
    first = {"event_timestamp": [NOON], "event_name": ["a"], "user_id": ["u1"]}
    write_parquet(tmp_path / "events_20240314-000000000000.parquet", first)
    write_parquet(tmp_path / "events_20240314-000000000001.parquet", {"event_name": ["b"], "event_timestamp": [NOON]})
    write_parquet(tmp_path / "events_20240314-000000000002.parquet", first | {"user_id": [2], "event_name": ["c"]})
    assert {event["event_name"]: event["user_id"] for event in read(tmp_path)} == {"a": "u1", "b": None, "c": "2"}


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        (["events_20240314-000000000001.json.gz"], "events_20240314-000000000000.json.gz"),
        (
            [f"events_fresh_20240314_{number:012}.parquet" for number in (0, 1, 3, 5)],
            "events_fresh_20240314_000000000002.parquet",
        ),
        (
            ["events_20240314/000000000000.json", "events_20240314/000000000002.json"],
            "events_20240314/000000000001.json",
        ),
        (["events_20240314-999999999999.json"], "events_20240314-000000000000.json"),
    ],
)
def test_a_hole_in_the_numbers_is_an_error_that_names_the_missing_shard(
    tmp_path: Path, there: list[str], missing: str
) -> None:
    for name in there:
        write_lines(tmp_path / name, [GOOD])
    with pytest.raises(SourceError) as caught:
        files(tmp_path).look(DAY)
    assert str(caught.value) == (
        f"{tmp_path / missing}: this shard is missing, and a later one of its table is there. Fetch it from the "
        "bucket, or export the table again."
    )


@pytest.mark.parametrize(
    ("first", "second", "forms"),
    [
        (
            "events_20240314-000000000000.json",
            "events_20240314.json",
            "events_20240314-*.json and events_20240314.json",
        ),
        (
            "events_20240314-000000000000.json",
            "events_20240314-000000000001.json.gz",
            "events_20240314-*.json and events_20240314-*.json.gz",
        ),
        (
            "events_20240314-000000000000.parquet",
            "events_20240314_000000000001.parquet",
            "events_20240314-*.parquet and events_20240314_*.parquet",
        ),
        (
            "events_20240314/000000000000.parquet",
            "events_20240314/000000000001.json",
            "*.parquet and *.json",
        ),
        (
            "events_20240314/000000000000.parquet",
            "events_20240314.parquet",
            "events_20240314/*.parquet and events_20240314.parquet",
        ),
        (
            "EVENTS_20240314/000000000000.json",
            "events_20240314/000000000000.json",
            "EVENTS_20240314/000000000000.json and events_20240314/000000000000.json",
        ),
    ],
)
def test_one_table_in_two_forms_is_an_error_that_names_both(
    tmp_path: Path, first: str, second: str, forms: str
) -> None:
    write_lines(tmp_path / first, [GOOD])
    write_lines(tmp_path / second, [GOOD])
    with pytest.raises(SourceError) as caught:
        files(tmp_path).look(DAY)
    folder = tmp_path / "events_20240314" if forms.startswith("*") else tmp_path
    assert str(caught.value) == f"{folder}: {forms} hold the same export table. Remove one of them."


WINDOWS = "\ufeff{}\r\n\r\n{}\r\n  \r\n{}"
"""A byte-order mark, ends of lines in two characters, blank lines, and no end of the last line."""


def write_as_windows_does(path: Path, *lines: object) -> Path:
    content = WINDOWS.format(*map(json.dumps, lines)).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("suffix", ["json", "jsonl.gz"])
def test_a_byte_order_mark_two_characters_at_the_end_of_a_line_and_blank_lines_are_taken(
    tmp_path: Path, suffix: str
) -> None:
    lines = [GOOD | {"event_name": name} for name in "abc"]
    write_as_windows_does(tmp_path / f"events_20240314-000000000000.{suffix}", *lines)
    write_lines(tmp_path / f"events_20240314-000000000001.{suffix}", [GOOD])
    write_as_windows_does(tmp_path / f"events_20240315.{suffix}", *lines)
    assert names(read(tmp_path)) == ["a", "a", "b", "b", "c", "c", "open"]


@pytest.mark.parametrize("content", ["\ufeff", "\ufeff\r\n", "\r\n", ""])
def test_a_file_of_blank_lines_and_a_mark_holds_no_events(tmp_path: Path, content: str) -> None:
    (tmp_path / "events_20240314.json").write_text(content, encoding="utf-8", newline="")
    assert read(tmp_path) == []


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_a_bad_line_after_a_mark_is_named_by_its_number_in_the_file(tmp_path: Path, suffix: str) -> None:
    path = write_as_windows_does(tmp_path / f"events_20240314.{suffix}", GOOD, GOOD, GOOD | {"event_name": None})
    assert (
        failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == f"{path}, line 5: event_name is missing. {REMEDY}"
    )


def test_a_marked_gzip_file_that_ends_early_is_named(tmp_path: Path) -> None:
    path = write_as_windows_does(tmp_path / "events_20240314.json.gz", *[GOOD | {"user_id": "u" * 10_000}] * 3)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    expected = f"{path}: the gzip stream is damaged or ends early, after line 4. Export the file again."
    assert str(caught.value) == expected


def test_a_copy_without_the_mark_that_finds_no_room_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_as_windows_does(tmp_path / "events_20240314.json", GOOD, GOOD, GOOD)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{path}: begins with a byte-order mark, and no copy for DuckDB can be written to {tmp_path / 'absent'} "
        "(No such file or directory). Make room there, or export the file as Parquet."
    )


def test_a_copy_without_the_mark_is_shared_by_the_days_that_need_it_and_gone_with_the_last(tmp_path: Path) -> None:
    def copies() -> int:
        gc.collect()  # What an earlier test has left.
        return sum(path.resolve().name.endswith(" (deleted)") for path in Path("/proc/self/fd").iterdir())

    write_as_windows_does(tmp_path / "events_20240314.json", GOOD, GOOD, GOOD)
    found, before = files(tmp_path).look(DAY), copies()
    first, second = found.read(Stretch.on(DAY)), found.read(Stretch.on(DAY + timedelta(days=1)))
    assert copies() == before + 1
    assert [len(rows(query, RAW_EVENTS)) for query in (first, second, first)] == [3, 0, 3]
    del first
    assert copies() == before + 1
    del second
    assert copies() == before


@pytest.mark.parametrize("place", ["events_20240314-{}", "events_20240314/{}"])
def test_a_bad_line_of_a_shard_is_named(tmp_path: Path, place: str) -> None:
    shards = [tmp_path / f"{place.format(f'{number:012}')}.json.gz" for number in range(3)]
    for path in shards:
        write_lines(path, [GOOD])
    write_lines(shards[1], [GOOD, "", GOOD | {"event_timestamp": MARK}])
    expected = f"{shards[1]}, line 3: event_timestamp is not an INT64. {REMEDY}"
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == expected


def test_a_shard_of_parquet_that_is_not_whole_or_has_a_bad_value_is_named(tmp_path: Path) -> None:
    columns = {"event_timestamp": [NOON], "event_name": ["open"], "batch_page_id": [1.0]}
    for number in range(3):
        write_parquet(tmp_path / f"events_20240314-{number:012}.parquet", columns)
    path = write_parquet(tmp_path / "events_20240314-000000000001.parquet", columns | {"batch_page_id": [1.5]})
    expected = f"{path}: batch_page_id is not an INT64. Export the file again."
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == expected
    truncate(path)
    with pytest.raises(SourceError) as caught:
        files(tmp_path).look(DAY).read(Stretch.on(DAY))
    assert str(caught.value) == f"{path}: not a complete Parquet file. Export the file again."


def record(name: str, **fields: object) -> dict[str, object]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": type_} for key, type_ in fields.items()]}


def nullable(type_: str) -> list[str]:
    return ["null", type_]


EXTRACTED_AVRO = record(
    "Root",
    event_timestamp=nullable("long"),
    event_name=nullable("string"),
    batch_page_id=nullable("long"),
    user_id=nullable("string"),
    is_active_user=nullable("boolean"),
    event_params={
        "type": "array",
        "items": record(
            "Parameter",
            key=nullable("string"),
            value=record(
                "Value", string_value=nullable("string"), int_value=nullable("long"), double_value=nullable("double")
            ),
        ),
    },
    geo=record("Geo", country=nullable("string")),
)
"""As BigQuery writes it: every column may be null, and an array has no null."""


def write_avro(path: Path, schema: dict[str, object], rows_: list[dict[str, Any]]) -> Path:
    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(schema), rows_, codec="deflate")
    return path


AVRO = {"event_timestamp": NOON, "event_name": "open", "event_params": [], "geo": {}}


def test_a_record_of_avro_becomes_an_event_of_the_contract(tmp_path: Path) -> None:
    parameters = [
        {"key": "k", "value": {"int_value": 2**63 - 1}},
        {"key": "score", "value": {"double_value": float("inf")}},
    ]
    row = AVRO | {"user_id": "a\0ü", "is_active_user": False, "event_params": parameters, "geo": {"country": "Chile"}}
    write_avro(tmp_path / "events_20240314.AVRO", EXTRACTED_AVRO, [row, AVRO])
    known = {"event_date": DAY, "event_timestamp": NOON, "event_name": "open", "event_params": [], "is_final": True}
    full, sparse = read(tmp_path)
    assert sparse == dict.fromkeys(RAW_EVENTS.column_names) | known
    assert full == sparse | {
        "user_id": "a\0ü",
        "is_active_user": False,
        "country": "Chile",
        "event_params": [
            {"key": "k", "value": value(int_value=2**63 - 1)},
            {"key": "score", "value": value(double_value=float("inf"))},
        ],
    }


def test_a_bad_record_of_avro_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "events_20240314-000000000000.avro"
    write_avro(path, EXTRACTED_AVRO, [AVRO, AVRO, AVRO | {"event_name": None}])
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == (
        f"{path}, record 3: event_name is missing. Export the file again."
    )
    write_avro(path, record("Root", event_timestamp="string", event_name="string"), [AVRO | {"event_timestamp": MARK}])
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == (
        f"{path}, record 1: event_timestamp is not an INT64. Export the file again."
    )
    write_avro(path, record("Root", event_timestamp="long", event_name="bytes"), [AVRO | {"event_name": MARK.encode()}])
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{path}, record 1: holds a value of a type that no column of its name has. Export the file again."
    )


def test_a_record_of_avro_that_is_too_long_is_named(tmp_path: Path) -> None:
    write_avro(tmp_path / "events_20240314.avro", EXTRACTED_AVRO, [AVRO, AVRO | {"user_id": "u" * 1000}])
    source = Ga4Files(tmp_path, SEOUL, lambda: datetime(2024, 6, 1, tzinfo=UTC), max_line_bytes=1000)
    with pytest.raises(SourceError, match=r"record 2: 1,\d{3} bytes long as JSON, and it is taken up to 1,000\. Set "):
        source.look(DAY).read(Stretch.on(DAY))


@pytest.mark.parametrize("kept", [0, 3, 100, -20], ids=["empty", "in its mark", "in its schema", "in its rows"])
def test_an_avro_file_without_its_end_is_named(tmp_path: Path, kept: int) -> None:
    path = write_avro(tmp_path / "events_20240314.avro", EXTRACTED_AVRO, [AVRO] * 100)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{path}: not a complete Avro file, after record 0. Export the file again."


def test_an_avro_file_in_a_codec_that_is_not_read_says_which_is(tmp_path: Path) -> None:
    path = write_avro(tmp_path / "events_20240314.avro", EXTRACTED_AVRO, [AVRO])
    path.write_bytes(path.read_bytes().replace(b"\x0edeflate", b"\x0csnappy"))
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{path}: compressed as snappy, which is not read. Export it with DEFLATE."


PARAMETER = pa.struct(
    [("key", pa.string()), ("value", pa.struct([("string_value", pa.string()), ("int_value", pa.int64())]))]
)
EXTRACTED = pa.schema(
    [
        ("event_timestamp", pa.int64()),
        ("event_name", pa.string()),
        ("batch_page_id", pa.int64()),
        ("user_id", pa.string()),
        ("is_active_user", pa.bool_()),
        ("event_params", pa.list_(PARAMETER)),
        ("geo", pa.struct([("country", pa.string())])),
    ]
)
integers, texts = some.integers(-(2**63), 2**63 - 1), some.text(max_size=5)
extracted = some.fixed_dictionaries(
    {
        "event_timestamp": some.integers(NOON, NOON + 10),
        "event_name": texts,
        "user_id": some.none() | texts,
        "is_active_user": some.none() | some.booleans(),
        "event_params": some.lists(
            some.fixed_dictionaries(
                {
                    "key": texts,
                    "value": some.fixed_dictionaries(
                        {"string_value": some.none() | texts, "int_value": some.none() | integers}
                    ),
                }
            ),
            max_size=2,
        ),
        "geo": some.fixed_dictionaries({"country": some.none() | texts}),
    }
)


def write_extract(path: Path, rows_: list[dict[str, Any]]) -> None:
    """Writes rows in the form that the name tells; the lines of `.ndjson` as Windows does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows_, EXTRACTED), path)
    elif path.suffix == ".avro":
        write_avro(path, EXTRACTED_AVRO, rows_)
    elif path.suffix == ".ndjson":
        path.write_bytes("".join(["\ufeff", *(f"{json.dumps(row)}\r\n\r\n" for row in rows_)]).encode())
    else:
        write_lines(path, rows_)


ENDINGS = ["json", "jsonl.gz", "ndjson", "parquet", "avro"]


CLOCKS_CHANGE = date(2024, 3, 31)
# Hours on the days around it, whatever the zone, and the moments at which they begin in ours.
MOMENTS = some.one_of(
    some.integers(-60, 60).map(lambda hours: micros("2024-03-31T00:00:00") + hours * 3_600_000_000),
    some.sampled_from(["2024-03-29T23:00:00", "2024-03-30T23:00:00", "2024-03-31T22:00:00", "2024-04-01T22:00:00"]).map(
        micros
    ),
)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    moments=some.lists(MOMENTS, max_size=12),
    kinds=some.lists(some.sampled_from(["events_{}.jsonl", "events_fresh_{}.jsonl"]), min_size=7, max_size=7),
    before=some.integers(0, 2),
    after=some.integers(0, 2),
)
def test_days_that_are_read_at_once_have_the_events_that_each_has_alone(
    moments: list[int], kinds: list[str], before: int, after: int
) -> None:
    """A property whose days begin eight or nine hours after ours, and a day of ours with 23 hours."""
    stretch = Stretch(CLOCKS_CHANGE - timedelta(days=before), CLOCKS_CHANGE + timedelta(days=after))
    of_table: dict[date, list[dict[str, Any]]] = {}
    for number, moment in enumerate(moments):
        told = datetime.fromtimestamp(moment / 1_000_000, ZoneInfo("America/Los_Angeles")).date()
        event = {"event_timestamp": moment, "event_name": str(number)}
        of_table.setdefault(told, []).append(event)
    with tempfile.TemporaryDirectory() as name:
        for table, events in of_table.items():
            write_lines(Path(name) / kinds[table.toordinal() % 7].format(f"{table:%Y%m%d}"), events)
        found = files(Path(name), "Europe/Berlin").look(stretch.first)
        alone = [found.read(Stretch.on(day)) for day in stretch.days]
        at_once = found.read(stretch)
        expected = [event for query in alone for event in rows(query, RAW_EVENTS)]
        in_order = sorted(rows(at_once, RAW_EVENTS), key=lambda event: event["event_name"])
    assert in_order == sorted(expected, key=lambda event: event["event_name"])
    assert at_once.facts == {day: facts for query in alone for day, facts in query.facts.items()}
    ours = [datetime.fromtimestamp(moment / 1_000_000, ZoneInfo("Europe/Berlin")).date() for moment in moments]
    assert {event["event_name"]: event["event_date"] for event in in_order} == {
        str(number): day for number, day in enumerate(ours) if day in stretch
    }


@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    rows_=some.lists(extracted, max_size=6),
    shards=some.integers(1, 3),
    kind=some.sampled_from(["", "fresh_", "intraday_"]),
)
def test_the_same_rows_are_the_same_events_in_every_form(rows_: list[dict[str, Any]], shards: int, kind: str) -> None:
    for number, row in enumerate(rows_):
        row["batch_page_id"] = number
    expected = [
        dict.fromkeys(RAW_EVENTS.column_names)
        | {name: row[name] for name in EXTRACTED.names if name not in ("event_params", "geo")}
        | {"event_params": [{"key": p["key"], "value": value(**p["value"])} for p in row["event_params"]]}
        | {"country": row["geo"]["country"], "event_date": DAY}
        for row in rows_
    ]
    for ending, place in itertools.product(ENDINGS, ["", "-{}", "_{}", "/{}"]):
        with tempfile.TemporaryDirectory() as parent:
            folder, written = Path(parent) / "analytics", shards if place else 1
            for number in range(written):
                path = folder / f"events_{kind}20240314{place.format(f'{number:012}')}.{ending}"
                write_extract(path, rows_[number::written])
            events = sorted(read(folder), key=lambda event: event["batch_page_id"])
        assert events == [event | {"is_final": not kind} for event in expected], (ending, place)


@pytest.mark.parametrize(("today", "is_final"), [(date(2024, 3, 17), False), (date(2024, 3, 18), True)])
def test_a_daily_table_is_final_when_google_no_longer_rewrites_it(tmp_path: Path, today: date, is_final: bool) -> None:
    write_lines(tmp_path / "events_20240314.jsonl", [GOOD])
    assert [event["is_final"] for event in read(tmp_path, today=today)] == [is_final]


def test_copies_stay(tmp_path: Path) -> None:
    write_lines(tmp_path / "events_20240314.jsonl", [GOOD, GOOD])
    assert names(read(tmp_path)) == ["open", "open"]


@pytest.mark.parametrize("folder", ["absent", "."])
def test_no_folder_and_no_file_are_no_events(tmp_path: Path, folder: str) -> None:
    assert read(tmp_path / folder) == []
    assert files(tmp_path / folder).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {"files": "none", "kinds": "none"}


def test_a_path_with_a_quote_and_pattern_characters_is_only_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "it's [1] *"
    write_lines(folder / "events_20240314.jsonl", [GOOD])
    write_parquet(folder / "events_20240315.parquet", {"event_timestamp": [NOON], "event_name": ["open"]})
    assert names(read(folder)) == ["open", "open"]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"event_name": "open", "user_id": "' + MARK, "not valid JSON from character 35 on"),
        ("17", "not a JSON object"),
        ('{"event_name": "open"} {}', "not valid JSON from character 24 on"),
        ("[" * 100_000, "not valid JSON in UTF-8"),
        (GOOD | {"not_read": "\ud83d"}, "half of a surrogate pair (\\ud800 to \\udfff), no character"),
        (GOOD | {"event_timestamp": 1.5}, "event_timestamp is not an INT64"),
        (GOOD | {"event_timestamp": MARK}, "event_timestamp is not an INT64"),
        (GOOD | {"event_timestamp": None}, "event_timestamp is missing"),
        (GOOD | {"event_name": None}, "event_name is missing"),
        (GOOD | {"batch_page_id": 2**63}, "batch_page_id is not an INT64"),
        (GOOD | {"batch_page_id": str(2**63)}, "batch_page_id is not an INT64"),
        (GOOD | {"batch_page_id": "1.5"}, "batch_page_id is not an INT64"),
        (GOOD | {"batch_page_id": [1]}, "batch_page_id is not an INT64"),
        (GOOD | {"is_active_user": MARK}, "is_active_user is not a BOOL"),
        (GOOD | {"device": MARK}, "device is not a STRUCT"),
        (GOOD | {"event_params": {"key": MARK}}, "event_params is not an ARRAY"),
        (
            GOOD | {"event_params": [{"key": MARK, "value": {"int_value": 1.5}}]},
            "event_params.value.int_value is not an INT64",
        ),
        (
            GOOD | {"event_params": [{"key": "k", "value": {"double_value": MARK}}]},
            "event_params.value.double_value is not a FLOAT64",
        ),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_with_what_is_wrong_and_is_not_quoted(
    tmp_path: Path, suffix: str, line: object, problem: str
) -> None:
    write_lines(tmp_path / f"events_20240313.{suffix}", [GOOD])
    path = write_lines(tmp_path / f"events_20240314.{suffix}", [GOOD, "", GOOD, line, GOOD])
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == f"{path}, line 4: {problem}. {REMEDY}"


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events_20240314.jsonl"
    path.write_bytes(b'{"event_name": "\xff"}\n')
    assert (
        failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == f"{path}, line 1: not valid JSON in UTF-8. {REMEDY}"
    )


def test_a_gzip_file_that_ends_early_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events_20240314.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"event_timestamp": 1, "event_name": "x"}\n')[:-10])
    expected = f"{path}: the gzip stream is damaged or ends early, after line 0. Export the file again."
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == expected


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [truncate, lambda path: path.write_bytes(b"")], ids=["truncated", "empty"])
def test_a_parquet_file_without_its_end_is_named_before_anything_runs(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = write_parquet(tmp_path / "events_20240314.parquet", {"event_timestamp": [NOON], "event_name": ["open"]})
    damage(path)
    with pytest.raises(SourceError) as caught:
        files(tmp_path).look(DAY).read(Stretch.on(DAY))
    assert str(caught.value) == f"{path}: not a complete Parquet file. Export the file again."


def test_a_parquet_file_damaged_inside_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path / "events_20240313.jsonl", [GOOD])
    path = write_parquet(
        tmp_path / "events_20240314.parquet",
        {"event_timestamp": [NOON] * 1000, "event_name": [f"name {i}" for i in range(1000)]},
    )
    content = bytearray(path.read_bytes())
    content[4:2000] = b"\xff" * 1996
    path.write_bytes(content)
    expected = f"{path}: damaged, DuckDB cannot read it to its end. Export the file again."
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == expected


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ({"batch_page_id": [1.5]}, "batch_page_id is not an INT64"),
        ({"batch_page_id": [float("nan")]}, "batch_page_id is not an INT64"),
        ({"batch_page_id": [2.0**53 + 2]}, "batch_page_id is not an INT64"),
        ({"batch_page_id": [MARK]}, "batch_page_id is not an INT64"),
        ({"batch_page_id": pa.array([2**63], pa.uint64())}, "batch_page_id is not an INT64"),
        (
            {"event_params": [[{"key": MARK, "value": {"int_value": 1.5}}]]},
            "event_params.value.int_value is not an INT64",
        ),
        ({"event_name": pa.array([None], pa.string())}, "event_name is missing"),
    ],
)  # fmt: skip
def test_a_parquet_value_that_would_have_to_be_changed_is_an_error(
    tmp_path: Path, column: dict[str, Any], problem: str
) -> None:
    path = write_parquet(
        tmp_path / "events_20240314.parquet", {"event_timestamp": [NOON], "event_name": ["open"]} | column
    )
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == f"{path}: {problem}. Export the file again."


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"event_timestamp": [NOON]}, "no column event_name, which every GA4 export has"),
        ({"event_timestamp": [NOON, None], "event_name": ["a", "b"]}, "event_timestamp is missing in 1 rows"),
        (
            {"event_timestamp": [datetime(2024, 3, 14, tzinfo=UTC)], "event_name": ["a"]},
            "column event_timestamp is TIMESTAMP WITH TIME ZONE where BIGINT is expected",
        ),
        (
            {"event_timestamp": [NOON], "event_name": ["a"], "device": ["IOS"]},
            "column device is VARCHAR where STRUCT is expected",
        ),
    ],
)
def test_a_parquet_file_that_cannot_be_the_export_is_named_before_anything_runs(
    tmp_path: Path, columns: dict[str, Any], problem: str
) -> None:
    path = write_parquet(tmp_path / "events_20240314.parquet", columns)
    with pytest.raises(SourceError) as caught:
        files(tmp_path).look(DAY).read(Stretch.on(DAY))
    assert str(caught.value) == f"{path}: {problem}. Export the file again."


def test_two_files_for_one_table_are_an_error_that_names_both(tmp_path: Path) -> None:
    write_parquet(tmp_path / "events_20240314.parquet", {"event_timestamp": [NOON], "event_name": ["open"]})
    write_lines(tmp_path / "events_20240314.jsonl", [GOOD])
    with pytest.raises(SourceError) as caught:
        files(tmp_path).look(DAY).read(Stretch.on(DAY))
    assert str(caught.value) == (
        f"{tmp_path}: events_20240314.jsonl and events_20240314.parquet hold the same export table. Remove one of them."
    )


def test_names_of_any_case_and_folders_with_pattern_characters_are_only_names(tmp_path: Path) -> None:
    write_lines(tmp_path / "sm*ll [1]?" / "Analytics" / "EVENTS_20240314.JSONL", [GOOD])
    for neighbour in ("small 1", "smALL [1]x", "sm*ll 1x"):
        write_lines(tmp_path / neighbour / "Analytics" / "EVENTS_20240314.JSONL", [GOOD, GOOD])
        write_parquet(tmp_path / neighbour / "Analytics" / "events_20240313.parquet", {"event_timestamp": [NOON]})
    pq.write_table(
        pa.table({"event_timestamp": [NOON], "event_name": ["parquet"]}),
        tmp_path / "sm*ll [1]?" / "Analytics" / "Events_20240313.Parquet",
    )
    assert names(read(tmp_path / "sm*ll [1]?" / "analytics")) == ["open", "parquet"]


@pytest.mark.parametrize(
    "name",
    [
        "events_2024-03-14.jsonl",
        "events_20240230.parquet",
        "events_20240314-000.parquet",
        "events_2024-03-14-000000000000.json",
        "events_stale_20240314.json",
        "events_20240230/000000000000.parquet",
        "events_20240314.parquet/000000000000.parquet",
    ],
)
def test_an_export_file_that_no_day_would_read_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError) as caught:
        files(tmp_path).look(DAY).read(Stretch.on(DAY))
    assert str(caught.value) == (
        f"{tmp_path / name}: the name tells no export date, so no day would read it. "
        "Name it events_YYYYMMDD, events_fresh_YYYYMMDD or events_intraday_YYYYMMDD, as its table is named."
    )


def test_a_line_that_python_reads_and_duckdb_does_not_names_its_file(tmp_path: Path) -> None:
    write_lines(tmp_path / "events_20240313.jsonl", [GOOD])
    line = GOOD | {"event_params": [{"key": MARK, "value": {"double_value": "1_000"}}]}
    path = write_lines(tmp_path / "events_20240314.jsonl", [line])
    expected = f"{path}: damaged, DuckDB cannot read it to its end. Export the file again."
    assert failure(files(tmp_path).look(DAY).read(Stretch.on(DAY))) == expected


def test_a_failure_that_no_file_explains_says_so(tmp_path: Path) -> None:
    write_lines(tmp_path / "events_20240314.jsonl", [GOOD])
    write_parquet(tmp_path / "events_20240315.parquet", {"event_timestamp": [NOON], "event_name": ["open"]})
    explanation = files(tmp_path).look(DAY).read(Stretch.on(DAY)).explain(duckdb.OutOfMemoryException(MARK))
    assert str(explanation) == (
        f"{tmp_path / 'events_20240314.jsonl'}, {tmp_path / 'events_20240315.parquet'}: "
        "each file can be read, but the query over them failed (OutOfMemoryException). "
        "Check memory and disk space, and that no file changed meanwhile."
    )


def test_nothing_personal_comes_out(tmp_path: Path) -> None:
    write_lines(tmp_path / "events_20240314.jsonl", [FULL_ROW])
    assert MARK not in repr(read(tmp_path))
