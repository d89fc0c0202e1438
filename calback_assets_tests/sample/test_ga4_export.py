"""The GA4 files: which tables there are, which days they hold, and the dirt in them."""

import gzip
import json
from datetime import date, timedelta

import pyarrow.parquet as pq

from calback_assets_tests.sample.helpers import Sample

EXPORT_COLUMNS = {
    "event_date", "event_timestamp", "event_name", "event_params", "user_id", "user_pseudo_id",
    "user_first_touch_timestamp", "user_properties", "event_bundle_sequence_id",
    "event_server_timestamp_offset", "batch_event_index", "batch_ordering_id", "batch_page_id", "platform",
    "stream_id", "is_active_user", "device", "geo", "app_info", "traffic_source", "privacy_info",
}  # fmt: skip
SEOUL_TIME = "make_timestamp(event_timestamp) + INTERVAL 9 HOUR"
BATCH_COLUMNS = {"batch_event_index", "batch_ordering_id", "batch_page_id"}


def test_every_utc_date_has_its_table_and_the_last_is_intraday_only(sample: Sample) -> None:
    first = date(2023, 12, 31)
    stamps = [f"{first + timedelta(days=number):%Y%m%d}" for number in range(46)]
    assert sorted(path.name for path in (sample.folder / "analytics").iterdir()) == [
        f"events_{stamps[0]}.jsonl.gz",
        f"events_{stamps[1]}.jsonl",
        *(f"events_{stamp}.parquet" for stamp in stamps[2:45]),
        f"events_intraday_{stamps[44]}.parquet",
        f"events_intraday_{stamps[45]}.parquet",
    ]


def test_the_columns_are_those_of_the_export_of_their_time(sample: Sample) -> None:
    columns = {path.stem: set(pq.read_schema(path).names) for path in (sample.folder / "analytics").glob("*.parquet")}
    assert columns["events_20240213"] == EXPORT_COLUMNS
    assert columns["events_intraday_20240214"] == EXPORT_COLUMNS - {"is_active_user"}
    assert columns["events_20240102"] == EXPORT_COLUMNS - BATCH_COLUMNS
    old = {name for name, names in columns.items() if not names & BATCH_COLUMNS}
    assert old == {f"events_202401{day:02}" for day in range(2, 15)}


def test_the_types_are_those_that_bigquery_exports(sample: Sample) -> None:
    assert sample.query(
        "SELECT typeof(event_date), typeof(event_timestamp), typeof(event_params), typeof(is_active_user)"
        " FROM events LIMIT 1"
    ) == [
        (
            "VARCHAR",
            "BIGINT",
            "STRUCT(\"key\" VARCHAR, \"value\" STRUCT(string_value VARCHAR, int_value BIGINT,"
            " float_value DOUBLE, double_value DOUBLE))[]",
            "BOOLEAN",
        )
    ]  # fmt: skip


def test_a_table_holds_its_utc_date_and_so_two_seoul_days(sample: Sample) -> None:
    [(strays, days)] = sample.query(
        "SELECT countif(strftime(make_timestamp(event_timestamp), '%Y%m%d') <> event_date),"
        f" count(DISTINCT CAST({SEOUL_TIME} AS DATE))"
        " FILTER (event_date = '20240110') FROM events"
    )
    assert (strays, days) == (0, 2)


def test_events_lie_on_both_sides_of_a_seoul_midnight_and_none_outside_the_sample(sample: Sample) -> None:
    [(before, after, first, last)] = sample.query(
        f"WITH local AS (SELECT {SEOUL_TIME} AS time FROM events)"
        " SELECT countif(hour(time) = 23 AND minute(time) >= 50),"
        " countif(hour(time) = 0 AND minute(time) < 10), min(time), max(time) FROM local"
    )
    assert before > 50
    assert after > 50
    assert date(2024, 1, 1) <= first.date()
    assert last.date() == date(2024, 2, 14)


def test_some_sessions_run_past_midnight(sample: Sample) -> None:
    [(sessions,)] = sample.query(
        "SELECT count(*) FROM (SELECT user_pseudo_id, user_id, list_filter(event_params,"
        " LAMBDA p : p.key = 'ga_session_id')[1].value.int_value AS session FROM events"
        " WHERE session IS NOT NULL GROUP BY ALL"
        f" HAVING count(DISTINCT CAST({SEOUL_TIME} AS DATE)) > 1)"
    )
    assert sessions > 0


def test_the_intraday_table_beside_a_daily_one_is_a_part_of_it(sample: Sample) -> None:
    shared = "event_timestamp, event_name, user_pseudo_id, user_id, event_bundle_sequence_id"
    [(daily, intraday, foreign)] = sample.query(
        "SELECT (SELECT count(*) FROM daily WHERE event_date = '20240213'),"
        " (SELECT count(*) FROM intraday WHERE event_date = '20240213'),"
        f" (SELECT count(*) FROM (SELECT {shared} FROM intraday WHERE event_date = '20240213'"
        f" EXCEPT SELECT {shared} FROM daily))"
    )
    assert intraday == int(daily * 0.6)
    assert foreign == 0


def test_json_tables_hold_integers_as_text_and_leave_nulls_out(sample: Sample) -> None:
    analytics = sample.folder / "analytics"
    compressed = gzip.decompress((analytics / "events_20231231.jsonl.gz").read_bytes())
    plain = (analytics / "events_20240101.jsonl").read_bytes()
    for content, stamp in ((compressed, "20231231"), (plain, "20240101")):
        rows = [json.loads(line) for line in content.splitlines()]
        assert len(rows) > 10
        assert {row["event_date"] for row in rows} == {stamp}
        assert all(isinstance(row["event_timestamp"], str) for row in rows)
        assert all(isinstance(row["is_active_user"], bool) for row in rows)
        assert any("user_id" not in row for row in rows)
        assert not any(None in row.values() for row in rows)


def test_a_few_events_stand_twice_and_all_others_once(sample: Sample) -> None:
    [(rows, twice, more)] = sample.query(
        "SELECT sum(n), countif(n = 2), countif(n > 2)"
        " FROM (SELECT count(*) AS n FROM events GROUP BY md5(CAST(events AS VARCHAR)))"
    )
    assert more == 0
    assert 0.0002 < twice / rows < 0.001


def test_ids_are_missing_before_the_sign_in_and_without_consent(sample: Sample) -> None:
    [(no_user, no_device, neither, rows)] = sample.query(
        "SELECT countif(user_id IS NULL), countif(user_pseudo_id IS NULL),"
        " countif(user_id IS NULL AND user_pseudo_id IS NULL), count(*) FROM events"
    )
    assert 0.05 < no_user / rows < 0.4
    assert 0.003 < no_device / rows < 0.03
    assert neither > 0


def test_ids_come_late_on_the_same_day_and_on_later_days(sample: Sample) -> None:
    [(same_day, later_day)] = sample.query(
        f"WITH local AS (SELECT user_pseudo_id, user_id, {SEOUL_TIME} AS time FROM events),"
        " devices AS (SELECT min(time) FILTER (user_id IS NULL) AS unknown,"
        " min(time) FILTER (user_id IS NOT NULL) AS known FROM local"
        " WHERE user_pseudo_id IS NOT NULL GROUP BY user_pseudo_id)"
        " SELECT countif(CAST(unknown AS DATE) = CAST(known AS DATE)),"
        " countif(CAST(unknown AS DATE) < CAST(known AS DATE)) FROM devices WHERE unknown < known"
    )
    assert same_day > 50
    assert later_day > 20


def test_a_few_devices_are_shared_and_some_people_have_two(sample: Sample) -> None:
    pairs = "(SELECT DISTINCT user_id, user_pseudo_id FROM events WHERE user_id IS NOT NULL)"
    [(shared,)] = sample.query(
        f"SELECT count(*) FROM (SELECT count(*) AS n FROM {pairs} GROUP BY user_pseudo_id) WHERE n > 1"
    )
    [(several,)] = sample.query(
        f"SELECT count(*) FROM (SELECT count(*) AS n FROM {pairs} GROUP BY user_id) WHERE n > 1"
    )
    assert 1 <= shared < 100
    assert several > 5


def test_clocks_are_reset_and_uploads_late(sample: Sample) -> None:
    [(in_1970, after_the_event, late, latest_days)] = sample.query(
        "SELECT countif(year(make_timestamp(user_first_touch_timestamp)) = 1970),"
        " countif(user_first_touch_timestamp > event_timestamp),"
        " countif(event_server_timestamp_offset > 86400000000),"
        " max(event_server_timestamp_offset) / 86400000000 FROM events"
    )
    assert in_1970 > 0
    assert after_the_event == 0
    assert late > 10
    assert 10 < latest_days <= 17


def test_parameters_come_in_both_types_and_old_versions_have_no_session(sample: Sample) -> None:
    rows = sample.query(
        "WITH e AS (SELECT app_info.version = '1.9.4' AS old, platform,"
        " list_filter(event_params, LAMBDA p : p.key = 'session_engaged')[1].value AS engaged,"
        " list_contains(list_transform(event_params, LAMBDA p : p.key), 'ga_session_id') AS has_id"
        " FROM events WHERE event_name = 'session_start')"
        " SELECT DISTINCT old, has_id, platform,"
        " engaged.int_value IS NOT NULL, engaged.string_value IS NOT NULL FROM e"
    )
    assert set(rows) == {
        (False, True, "ANDROID", True, False),
        (False, True, "IOS", False, True),
        (True, False, "ANDROID", False, False),
        (True, False, "IOS", False, False),
    }


def test_session_numbers_count_the_sessions_of_a_device(sample: Sample) -> None:
    [(sessions, numbers, devices)] = sample.query(
        "WITH e AS (SELECT user_pseudo_id AS d, event_timestamp AS t, list_filter(event_params,"
        " LAMBDA p : p.key = 'ga_session_number')[1].value.int_value AS n"
        " FROM events WHERE event_name = 'session_start' AND user_pseudo_id IS NOT NULL)"
        " SELECT count(DISTINCT (d, t)), count(DISTINCT (d, n)), count(DISTINCT d) FROM e WHERE n IS NOT NULL"
    )
    assert sessions == numbers > devices > 1000


def test_every_event_name_occurs_also_those_that_fire_without_a_person(sample: Sample) -> None:
    names = {name for (name,) in sample.query("SELECT DISTINCT event_name FROM events")}
    assert names == {
        "first_open", "session_start", "screen_view", "user_engagement", "login", "sign_up", "calendar_view",
        "meeting_open", "calendar_share", "friend_request_sent", "friend_request_accepted", "invite_accepted",
        "search", "theme_change", "notification_open", "notification_receive", "app_remove", "app_update",
        "os_update", "app_exception",
    }  # fmt: skip


def test_weekends_and_the_lunar_new_year_are_quieter(sample: Sample) -> None:
    people = dict(
        sample.query(
            f"SELECT CAST({SEOUL_TIME} AS DATE),"
            " count(DISTINCT coalesce(user_id, user_pseudo_id)) FROM events GROUP BY ALL"
        )
    )
    assert people[date(2024, 2, 3)] < people[date(2024, 2, 5)] * 0.85
    assert people[date(2024, 2, 9)] < people[date(2024, 2, 2)] * 0.75
