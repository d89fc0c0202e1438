"""Tests of the GA4 export in BigQuery as `raw_events`: its SQL, and what the emulator makes of it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.api_core.exceptions import GoogleAPICallError
from sqlglot import exp

from calback_assets.days import Stretch
from calback_assets.errors import SettingsError, SourceError
from calback_assets.sources.bigquery.catalog import BigQueryCatalog
from calback_assets.sources.bigquery.query import Catalog, TableQuery
from calback_assets.sources.ga4.files import Ga4Files
from calback_assets.sources.ga4.tables import Ga4Export
from calback_assets.tables.raw import EVENT_PARAMS, RAW_EVENTS
from calback_assets_tests.sources import helpers
from calback_assets_tests.sources.bigquery.tables import PROJECT, Columns, Tables, scans
from calback_assets_tests.sources.helpers import MARK, write_lines

DAY = date(2024, 3, 14)
SEOUL = "Asia/Seoul"


def micros(text: str) -> int:
    """Microseconds since 1970 of a time in UTC."""
    return (datetime.fromisoformat(f"{text}+00:00") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


NOON = micros("2024-03-14T03:00:00")
"""Noon of DAY in Seoul."""
BARE = {"event_timestamp": "INT64", "event_name": "STRING"}
GOOD = {"event_timestamp": NOON, "event_name": "open"}
EXPORT = BARE | {
    "event_date": "STRING",
    "event_params": EVENT_PARAMS,
    "event_bundle_sequence_id": "INT64",
    "event_server_timestamp_offset": "INT64",
    "batch_event_index": "INT64",
    "batch_ordering_id": "INT64",
    "batch_page_id": "INT64",
    "user_id": "STRING",
    "user_pseudo_id": "STRING",
    "user_first_touch_timestamp": "INT64",
    "user_properties": "ARRAY<STRUCT<key STRING, value STRUCT<string_value STRING, set_timestamp_micros INT64>>>",
    "platform": "STRING",
    "stream_id": "STRING",
    "device": "STRUCT<category STRING, operating_system STRING, advertising_id STRING>",
    "geo": "STRUCT<city STRING, country STRING>",
    "app_info": "STRUCT<id STRING, version STRING>",
    "is_active_user": "BOOL",
    "a_column_of_tomorrow": "ARRAY<STRUCT<anything JSON>>",
}
"""The columns of a table that Google exports today, of which the last is unknown here."""


def exported(
    catalog: Catalog, dataset: str = "analytics_1", timezone: str = SEOUL, today: date = date(2024, 6, 1)
) -> Ga4Export:
    now = datetime(today.year, today.month, today.day, 12, tzinfo=ZoneInfo(timezone))
    return Ga4Export(catalog, PROJECT, dataset, timezone, lambda: now)


def query(day: date = DAY, timezone: str = SEOUL, **tables: Mapping[str, str]) -> TableQuery:
    return exported(Columns(**tables), timezone=timezone).look(day).read(Stretch.on(day))


def selected(query: TableQuery) -> dict[str, str]:
    """The expression of each column of the one table that is read."""
    (select,) = scans(query).values()
    return {column.alias: column.this.sql(dialect="bigquery") for column in select.expressions}


def bounds(select: exp.Select) -> tuple[int, int]:
    """The constant range that a SELECT asks of the event's timestamp."""
    condition = select.args["where"].this
    assert isinstance(condition, exp.And)
    lower, upper = condition.this, condition.expression
    assert isinstance(lower, exp.GTE)
    assert isinstance(upper, exp.LT)
    for side in (lower, upper):
        assert [column.name for column in side.find_all(exp.Column)] == ["event_timestamp"]
    return int(lower.expression.name), int(upper.expression.name)


@pytest.mark.parametrize(
    ("day", "timezone", "start", "end"),
    [
        (DAY, SEOUL, "2024-03-13T15:00:00", "2024-03-14T15:00:00"),
        (date(2024, 3, 31), "Europe/Berlin", "2024-03-30T23:00:00", "2024-03-31T22:00:00"),
        (date(2024, 10, 27), "Europe/Berlin", "2024-10-26T22:00:00", "2024-10-27T23:00:00"),
    ],
    ids=["24 hours", "23 hours", "25 hours"],
)
def test_each_table_of_three_is_read_in_the_constant_range_of_the_day(
    day: date, timezone: str, start: str, end: str
) -> None:
    dates = [day + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2)]
    read = scans(query(day, timezone, **{f"events_{date_:%Y%m%d}": EXPORT for date_ in dates}))
    assert list(read) == [f"`{PROJECT}.analytics_1.events_{date_:%Y%m%d}`" for date_ in dates[1:4]]
    for select in read.values():
        assert bounds(select) == (micros(start), micros(end))
        assert select.named_selects == list(RAW_EVENTS.column_names)


def test_days_that_are_read_at_once_read_each_table_once_in_the_constant_range_of_those_it_may_hold() -> None:
    stretch = Stretch(date(2024, 3, 30), date(2024, 4, 1))
    dates = [stretch.first + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2, 3, 4)]
    catalog = Columns(**{f"events_{date_:%Y%m%d}": EXPORT for date_ in dates})
    read = scans(exported(catalog, timezone="Europe/Berlin").look(DAY).read(stretch))
    midnights = [micros(f"2024-03-{day}T{hour}:00:00") for day, hour in ((29, 23), (30, 23), (31, 22))]
    midnights.append(micros("2024-04-01T22:00:00"))
    assert {name[-9:-1]: bounds(select) for name, select in read.items()} == {
        "20240329": (midnights[0], midnights[1]),
        "20240330": (midnights[0], midnights[2]),
        "20240331": (midnights[0], midnights[3]),
        "20240401": (midnights[1], midnights[3]),
        "20240402": (midnights[2], midnights[3]),
    }


def test_only_tables_that_exist_are_read_and_named() -> None:
    found = query(events_20240313=BARE, events_intraday_20240314=BARE)
    assert list(scans(found)) == [
        f"`{PROJECT}.analytics_1.events_20240313`",
        f"`{PROJECT}.analytics_1.events_intraday_20240314`",
    ]
    assert found.facts == {
        DAY: {
            "tables": "events_20240313, events_intraday_20240314",
            "kinds": "daily 2024-03-13, intraday 2024-03-14",
        }
    }


@pytest.mark.parametrize(
    ("kinds", "read", "kind"),
    [
        (["", "fresh_", "intraday_"], "events_20240314", "daily"),
        (["", "intraday_"], "events_20240314", "daily"),
        (["fresh_", "intraday_"], "events_fresh_20240314", "fresh"),
    ],
)
def test_of_one_date_daily_is_read_before_fresh_and_fresh_before_intraday(
    kinds: list[str], read: str, kind: str
) -> None:
    found = query(**{f"events_{kind}20240314": BARE for kind in kinds})
    assert list(scans(found)) == [f"`{PROJECT}.analytics_1.{read}`"]
    assert found.facts == {DAY: {"tables": read, "kinds": f"{kind} 2024-03-14"}}


@pytest.mark.parametrize(
    ("table", "today", "is_final"),
    [
        ("events_20240314", date(2024, 3, 17), "FALSE"),
        ("events_20240314", date(2024, 3, 18), "TRUE"),
        ("events_fresh_20240314", date(2024, 6, 1), "FALSE"),
        ("events_intraday_20240314", date(2024, 6, 1), "FALSE"),
    ],
)
def test_a_table_is_final_when_google_no_longer_rewrites_it(table: str, today: date, is_final: str) -> None:
    assert (
        selected(exported(Columns(**{table: BARE}), today=today).look(DAY).read(Stretch.on(DAY)))["is_final"]
        == is_final
    )


def test_a_dataset_of_another_project_is_read_there() -> None:
    catalog = Columns(events_20240314=BARE)
    assert list(scans(exported(catalog, "marketing-1.analytics_2").look(DAY).read(Stretch.on(DAY)))) == [
        "`marketing-1.analytics_2.events_20240314`"
    ]


@pytest.mark.parametrize("dataset", ["", "analytics-1", "a.b.", "p.analytics_1.events_20240314`", "p.`d`", "d\n"])
def test_a_dataset_that_cannot_be_one_is_an_error_of_the_setting(dataset: str) -> None:
    with pytest.raises(SettingsError) as caught:
        exported(Columns(), dataset)
    assert str(caught.value) == (
        f"CALBACK_GA4_DATASET names no dataset ({dataset!r} cannot be one); set it to analytics_<property id>"
    )


def test_a_column_in_the_contract_s_type_is_read_as_it_is() -> None:
    columns = selected(query(events_20240314=EXPORT))
    as_exported = {name: f"events.`{name}`" for name in EXPORT if name in RAW_EVENTS.column_names}
    assert columns == as_exported | {
        "event_date": "CAST('2024-03-14' AS DATE)",
        "event_name": columns["event_name"],
        "device_category": "events.`device`.`category`",
        "operating_system": "events.`device`.`operating_system`",
        "country": "events.`geo`.`country`",
        "app_version": "events.`app_info`.`version`",
        "is_final": "TRUE",
    }


@pytest.mark.parametrize("name", ["event_timestamp", "event_name"])
def test_a_table_without_what_every_event_has_is_none_of_the_export(name: str) -> None:
    columns = {column: type_ for column, type_ in BARE.items() if column != name}
    with pytest.raises(SourceError) as caught:
        query(events_20240313=EXPORT, events_20240314=columns)
    assert str(caught.value) == (
        f"analytics_1.events_20240314: no column {name}, which every row must have. "
        "Set CALBACK_GA4_DATASET to analytics_<property id>."
    )


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ({"event_timestamp": "TIMESTAMP"}, "event_timestamp is TIMESTAMP where INT64 is expected"),
        ({"event_name": "BYTES"}, "event_name is BYTES where STRING is expected"),
        ({"is_active_user": "INT64"}, "is_active_user is INT64 where BOOL is expected"),
        ({"user_id": "ARRAY<STRING>"}, "user_id is ARRAY where STRING is expected"),
        ({"event_params": "JSON"}, "event_params is JSON where ARRAY is expected"),
        ({"event_params": "ARRAY<STRUCT<value JSON>>"}, "event_params.value is JSON where STRUCT is expected"),
        ({"device": "STRING"}, "device is STRING where STRUCT is expected"),
        ({"device": "STRUCT<category BOOL>"}, "device.category is BOOL where STRING is expected"),
    ],
)  # fmt: skip
def test_a_column_that_cannot_be_taken_for_the_contract_s_is_an_error(column: dict[str, str], problem: str) -> None:
    with pytest.raises(SourceError) as caught:
        query(events_20240314=BARE | column)
    assert str(caught.value) == (
        f"analytics_1.events_20240314: column {problem}. Set CALBACK_GA4_DATASET to analytics_<property id>."
    )


def read(tables: Tables, day: date = DAY) -> list[dict[str, Any]]:
    source = exported(BigQueryCatalog(lambda: tables.client), tables.dataset)
    return tables.read(source.look(day).read(Stretch.on(day)), RAW_EVENTS)


def names(events: list[dict[str, Any]]) -> list[str]:
    return sorted(event["event_name"] for event in events)


def value(**known: object) -> dict[str, object]:
    return {"string_value": None, "int_value": None, "float_value": None, "double_value": None} | known


FULL_ROW = GOOD | {
    "event_date": "20240314",
    "event_params": [
        {"key": "screen", "value": {"string_value": "home"}},
        {"key": "ga_session_id", "value": {"int_value": 1710000000}},
        {"key": "a", "value": {"double_value": 0.5}},
        {"key": "empty", "value": None},
    ],
    "event_bundle_sequence_id": -7,
    "event_server_timestamp_offset": 1500000,
    "batch_event_index": 3,
    "user_id": "u1",
    "user_pseudo_id": "device-1",
    "user_first_touch_timestamp": 0,
    "user_properties": [{"key": "mail", "value": {"string_value": MARK}}],
    "platform": "IOS",
    "stream_id": "42",
    "device": {"category": "mobile", "operating_system": "iOS", "advertising_id": MARK},
    "geo": {"country": "South Korea", "city": "Seoul"},
    "app_info": {"version": "1.2"},
    "is_active_user": True,
    "a_column_of_tomorrow": [{"anything": json.dumps(MARK)}],
}
FULL_EVENT = {
    "event_date": DAY,
    "event_timestamp": NOON,
    "event_name": "open",
    "event_params": [
        {"key": "screen", "value": value(string_value="home")},
        {"key": "ga_session_id", "value": value(int_value=1710000000)},
        {"key": "a", "value": value(double_value=0.5)},
        {"key": "empty", "value": None},
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


def test_a_row_of_today_s_export_becomes_an_event_of_the_contract_without_what_it_does_not_know(
    tables: Tables,
) -> None:
    tables.add("events_20240314", EXPORT, [FULL_ROW])
    assert read(tables) == [FULL_EVENT]


def test_an_old_table_lacks_columns_and_fields_and_orders_them_its_own_way(tables: Tables) -> None:
    columns = {
        "event_name": "STRING",
        "event_params": "ARRAY<STRUCT<value STRUCT<double_value FLOAT64, string_value STRING, int_value INT64>, "
        "key STRING>>",
        "device": "STRUCT<operating_system STRING>",
        "event_timestamp": "INT64",
    }
    old = {name: FULL_ROW[name] for name in columns} | {"device": {"operating_system": "ANDROID"}}
    tables.add("events_20240314", columns, [old, {**GOOD, "event_name": "sparse"}])
    full, sparse = sorted(read(tables), key=lambda event: event["event_name"])
    nulls = dict.fromkeys(RAW_EVENTS.column_names)
    assert full == nulls | {
        "event_date": DAY,
        "event_timestamp": NOON,
        "event_name": "open",
        "event_params": FULL_EVENT["event_params"],
        "operating_system": "ANDROID",
        "is_final": True,
    }
    known = {"event_date": DAY, "event_timestamp": NOON, "event_name": "sparse", "event_params": [], "is_final": True}
    assert sparse == nulls | known


def test_parameters_that_are_rebuilt_keep_their_order(tables: Tables) -> None:
    keys = [f"key {number * 37 % 50}" for number in range(50)]
    columns = BARE | {"event_params": "ARRAY<STRUCT<key STRING>>"}
    tables.add("events_20240314", columns, [GOOD | {"event_params": [{"key": key} for key in keys]}] * 20)
    assert [[item["key"] for item in event["event_params"]] for event in read(tables)] == [keys] * 20


def test_the_day_comes_from_the_timestamp_to_the_microsecond_whatever_table_an_event_stands_in(
    tables: Tables,
) -> None:
    start, end = micros("2024-03-13T15:00:00"), micros("2024-03-14T15:00:00")
    # A property in UTC: Seoul's day begins at 15:00 of the table before.
    tables.add(
        "events_20240313",
        BARE,
        [
            {"event_timestamp": start - 1, "event_name": "day before"},
            {"event_timestamp": start, "event_name": "first"},
        ],
    )
    tables.add(
        "events_20240314",
        EXPORT,
        [{"event_timestamp": end - 1, "event_name": "last"}, {"event_timestamp": end, "event_name": "day after"}],
    )
    tables.add("events_20240315", EXPORT, [GOOD | {"event_name": "property east of us"}])
    assert names(read(tables)) == ["first", "last", "property east of us"]
    assert names(read(tables, date(2024, 3, 13))) == ["day before"]
    assert names(read(tables, date(2024, 3, 15))) == ["day after"]
    assert {event["event_date"] for event in read(tables)} == {DAY}


def test_an_intraday_table_is_read_until_a_fresh_one_is_there_and_this_until_the_daily_one_is(tables: Tables) -> None:
    tables.add("events_intraday_20240314", BARE, [GOOD | {"event_name": "partial"}])
    assert [(event["event_name"], event["is_final"]) for event in read(tables)] == [("partial", False)]
    tables.add("events_fresh_20240314", BARE, [GOOD | {"event_name": "fresh"}, GOOD | {"event_name": "fresh"}])
    assert [(event["event_name"], event["is_final"]) for event in read(tables)] == [("fresh", False)] * 2
    tables.add("events_20240314", BARE, [GOOD | {"event_name": "complete"}])
    assert [(event["event_name"], event["is_final"]) for event in read(tables)] == [("complete", True)]


def test_no_table_is_no_events_in_the_contract_s_types(tables: Tables) -> None:
    tables.add("events_20240312", BARE, [GOOD])
    assert read(tables) == []
    source = exported(BigQueryCatalog(lambda: tables.client), tables.dataset)
    assert source.look(DAY).read(Stretch.on(DAY)).facts[DAY] == {"tables": "none", "kinds": "none"}


def test_what_is_there_is_told_by_the_names_of_the_tables(tables: Tables) -> None:
    source = exported(BigQueryCatalog(lambda: tables.client), tables.dataset)
    assert (source.look(DAY).last, source.look(DAY).has(DAY)) == (None, False)
    for name in ("events_20240312", "events_20240314", "events_intraday_20240315", "pseudonymous_users_20240320"):
        tables.add(name, BARE, [])
    found = source.look(DAY)
    assert found.where == f"dataset {tables.dataset} in project {PROJECT}"
    assert found.last == date(2024, 3, 15)
    there = [day for day in range(10, 18) if found.has(date(2024, 3, day))]
    assert there == [12, 14, 15]
    assert found.lacks(DAY) == ["events_20240313"]
    # The first date has none before it; after the last one nothing is due yet.
    assert found.lacks(date(2024, 3, 12)) == ["events_20240311", "events_20240313"]
    assert found.lacks(date(2024, 3, 15)) == []


def test_a_table_that_goes_away_between_the_look_and_the_reading_is_an_error(tables: Tables) -> None:
    tables.add("events_intraday_20240314", BARE, [GOOD])
    found = exported(BigQueryCatalog(lambda: tables.client), tables.dataset).look(DAY)
    tables.client.delete_table(f"{PROJECT}.{tables.dataset}.events_intraday_20240314")
    with pytest.raises(SourceError) as caught:
        found.read(Stretch.on(DAY))
    assert str(caught.value) == (
        f"{tables.dataset}.events_intraday_20240314: went away while it was read. Run the day again."
    )


def test_copies_stay(tables: Tables) -> None:
    tables.add("events_20240314", BARE, [GOOD, GOOD])
    assert names(read(tables)) == ["open", "open"]


def test_a_value_of_another_type_that_says_the_same_is_taken(tables: Tables) -> None:
    biggest = 2**63 - 1
    columns = BARE | {
        "event_timestamp": "STRING",
        "batch_page_id": "STRING",
        "batch_event_index": "FLOAT64",
        "user_id": "INT64",
        "is_active_user": "STRING",
        "event_params": "ARRAY<STRUCT<key STRING, value STRUCT<int_value STRING, double_value INT64>>>",
    }
    row = GOOD | {
        "event_timestamp": str(NOON),
        "batch_page_id": str(-biggest - 1),
        "batch_event_index": 2.0**53,
        "user_id": biggest,
        "is_active_user": "false",
        "event_params": [{"key": "k", "value": {"int_value": str(biggest), "double_value": 2}}],
    }
    tables.add("events_20240314", columns, [row, GOOD | {"event_name": "sparse"}])
    full, sparse = sorted(read(tables), key=lambda event: event["event_name"])
    assert {name: full[name] for name in columns} == {
        "event_timestamp": NOON,
        "event_name": "open",
        "batch_page_id": -biggest - 1,
        "batch_event_index": 2**53,
        "user_id": str(biggest),
        "is_active_user": False,
        "event_params": [{"key": "k", "value": value(int_value=biggest, double_value=2.0)}],
    }
    assert [sparse[name] for name in ("batch_page_id", "batch_event_index", "user_id", "is_active_user")] == [None] * 4


@pytest.mark.parametrize(
    ("column", "row", "problem"),
    [
        ({}, {"event_timestamp": None}, "event_timestamp is missing"),
        ({}, {"event_name": None}, "event_name is missing"),
        ({"batch_page_id": "STRING"}, {"batch_page_id": MARK}, "batch_page_id does not hold an exact INT64"),
        ({"batch_page_id": "STRING"}, {"batch_page_id": "0x1A"}, "batch_page_id does not hold an exact INT64"),
        ({"batch_page_id": "STRING"}, {"batch_page_id": str(2**63)}, "batch_page_id does not hold an exact INT64"),
        ({"batch_page_id": "FLOAT64"}, {"batch_page_id": 1.5}, "batch_page_id does not hold an exact INT64"),
        ({"batch_page_id": "FLOAT64"}, {"batch_page_id": 2.0**53 + 2}, "batch_page_id does not hold an exact INT64"),
        ({"batch_page_id": "FLOAT64"}, {"batch_page_id": "NaN"}, "batch_page_id does not hold an exact INT64"),
        ({"is_active_user": "STRING"}, {"is_active_user": MARK}, "is_active_user does not hold an exact BOOL"),
        (
            {"event_params": "ARRAY<STRUCT<key STRING, value STRUCT<int_value STRING>>>"},
            {"event_params": [{"key": MARK, "value": {"int_value": MARK}}]},
            "event_params.value.int_value does not hold an exact INT64",
        ),
    ],
)
def test_a_value_that_would_have_to_be_changed_ends_the_query_and_is_not_quoted(
    tables: Tables, column: dict[str, str], row: dict[str, object], problem: str
) -> None:
    tables.add("events_20240314", BARE | column, [GOOD, GOOD | row])
    with pytest.raises(GoogleAPICallError) as caught:
        read(tables)
    expected = f"{tables.dataset}.events_20240314: {problem}. Correct or remove such rows."
    assert re.search(re.escape(expected), str(caught.value))
    assert MARK not in str(caught.value)


def test_the_export_s_tables_give_the_events_that_their_extracted_files_give(tables: Tables, tmp_path: Path) -> None:
    start = micros("2024-03-13T15:00:00")
    rows = [
        FULL_ROW | {"event_timestamp": start + offset, "user_id": user, "event_name": f"event {number}"}
        for number, (offset, user) in enumerate([(-1, "u1"), (0, None), (1, "u2"), (1, "u2"), (10**11, "late")])
    ]
    tables.add("events_20240313", EXPORT, rows)
    tables.add("events_intraday_20240314", EXPORT, rows)
    for name in ("events_20240313", "events_intraday_20240314"):
        write_lines(tmp_path / f"{name}.jsonl", rows)
    files = Ga4Files(tmp_path, SEOUL, lambda: datetime(2024, 6, 1, tzinfo=UTC))

    def ordered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(events, key=lambda event: (event["event_name"], event["is_final"]))

    expected = ordered(helpers.rows(files.look(DAY).read(Stretch.on(DAY)), RAW_EVENTS))
    assert len(expected) == 6
    assert ordered(read(tables)) == expected
