"""A tiny world whose every number is written out here, worked out by hand from `metrics.md`.

Ten weeks, 20 November 2023 to 28 January 2024, with a month of 31 days and a year's end inside; Seoul is 9 hours ahead
of UTC. Files as they come: GA4 exports cut by the property's time zone (UTC), an access log, Firestore documents.
"""

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any

import pytest

from calback_assets.settings import SOURCES
from calback_assets_tests.assets.given import Row, at, micros, params
from calback_assets_tests.assets.worlds import Platform, write_lines, write_opens

FIRST, LAST = date(2023, 11, 20), date(2024, 1, 28)
NUMBERED = (
    "device_identity", "unified_events", "user_daily_activity", "user_first_seen", "daily_active_users",
    "frequent_users",
)  # fmt: skip
"""The tables whose numbers are written out, and what they are made of."""


def ga4(when: str, device: str | None, user: str | None, name: str = "tap", **more: Any) -> Row:
    """A row of the export, at a wall-clock time in Seoul; INT64 as BigQuery extracts it."""
    return {
        "event_timestamp": str(micros(when)),
        "event_name": name,
        "user_pseudo_id": device,
        "user_id": user,
        "event_params": params(**more.pop("params", {})),
        **more,
    }


EVENTS = [
    # ann comes three days in a row, then on 21 December, 29 days after the last, and on 20 January, 30 days after that.
    ga4("2023-11-20 10:00", "ann's phone", "ann", "session_start", params={"ga_session_id": 1}),
    ga4("2023-11-20 10:01", "ann's phone", "ann", params={"ga_session_id": 1}),
    ga4("2023-11-21 10:00", "ann's phone", "ann"),
    ga4("2023-11-22 10:00", "ann's phone", "ann"),
    ga4("2023-12-21 10:00", "ann's phone", "ann"),
    ga4("2024-01-20 10:00", "ann's phone", "ann"),
    # bob comes on 20 November and again on 21 December, 31 days after: back after a long pause.
    ga4("2023-11-20 11:00", "bob's phone", "bob"),
    ga4("2023-12-21 11:00", "bob's phone", "bob"),
    # dan comes on 3 and 31 December and on 1 January, the 30th day from the 3rd.
    ga4("2023-12-03 12:00", "dan's phone", "dan"),
    ga4("2023-12-31 12:00", "dan's phone", "dan"),
    ga4("2024-01-01 12:00", "dan's phone", "dan"),
    # eve's session goes over midnight: at 14:59:59.999999Z it is 31 December in Seoul, at 15:00Z it is 1 January.
    ga4("2023-12-31 23:59:59.999999", "eve's phone", "eve", "session_start", params={"ga_session_id": 5}),
    ga4("2024-01-01 00:00", "eve's phone", "eve", "session_start", params={"ga_session_id": 5}),
    # Somebody unknown taps on the tablet on 5 January, and in the morning of the 6th; at noon gus signs in on it.
    # What was tapped on the 6th is his, and, as nobody else signs in, on the 7th and 8th too; the 5th stays unknown.
    ga4("2024-01-05 09:00", "tablet", None),
    ga4("2024-01-06 09:00", "tablet", None),
    ga4("2024-01-06 12:00", "tablet", "gus", "login"),
    ga4("2024-01-07 09:00", "tablet", None),
    ga4("2024-01-08 09:00", "tablet", None),
    # Nobody does anything here: ivy's app is removed on the 8th, and on the 9th somebody without consent taps.
    ga4("2024-01-08 15:00", "ivy's phone", "ivy", "app_remove"),
    ga4("2024-01-09 15:00", None, None),
    # fay taps twice, and the export holds the first tap three times.
    ga4("2024-01-10 18:00", "fay's phone", "fay", event_bundle_sequence_id="7", batch_event_index="1"),
    ga4("2024-01-10 18:00", "fay's phone", "fay", event_bundle_sequence_id="7", batch_event_index="1"),
    ga4("2024-01-10 18:00", "fay's phone", "fay", event_bundle_sequence_id="7", batch_event_index="1"),
    ga4("2024-01-10 18:00", "fay's phone", "fay", event_bundle_sequence_id="7", batch_event_index="2"),
]

OPENS: dict[str, list[Row]] = {
    # cho opens the app on 1, 2 and 31 December: on the 31st three days of the month, two of the last 30.
    "2023-12-01": [{"userId": "cho"}],
    "2023-12-02": [{"userId": "cho"}, {"userId": "cho"}],
    "2023-12-31": [{"userId": "cho"}],
    # fay opens it twice; Kafka delivered the second message twice.
    "2024-01-11": [
        {"userId": "fay", "topic": "opens", "partition": 0, "offset": 1},
        {"userId": "fay", "topic": "opens", "partition": 0, "offset": 2},
        {"userId": "fay", "topic": "opens", "partition": 0, "offset": 2},
    ],
}


def document(name: str, created: str, **data: Any) -> Row:
    moment = at(created).astimezone(UTC).isoformat()
    return {"id": name, "create_time": moment, "update_time": moment, "data": data}


# hal registers on 15 January, makes a meeting on the 16th, and on the 17th two more and a proposal. The last minute of
# the 14th in Seoul is the 14th, although nothing tells it from the 15th in some other time zone: jun registers then.
USERS = [document("hal", "2024-01-15 00:00"), document("jun", "2024-01-14 23:59:59")]
MEETINGS = [
    document("M1", "2024-01-16 09:00", owner="hal"),
    document("M2", "2024-01-17 09:00", owner="hal"),
    document("M3", "2024-01-17 10:00", owner="hal"),
    document("pending4", "2024-01-17 11:00", owner="hal"),
]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The world after one run over all its days."""
    platform = Platform(tmp_path_factory.mktemp("world"), FIRST, LAST)
    exports = defaultdict(list)
    for row in EVENTS:
        exports[datetime.fromtimestamp(int(row["event_timestamp"]) / 1e6, UTC).date()].append(row)
    for table_date, rows in exports.items():
        write_lines(platform.data / "analytics" / f"events_{table_date:%Y%m%d}.jsonl", rows)
    for day, opens in OPENS.items():
        write_opens(platform.data, date.fromisoformat(day), opens)
    # Both sources have come to the last day, and nothing happened on it.
    write_lines(platform.data / "analytics" / f"events_{LAST:%Y%m%d}.jsonl", [])
    write_opens(platform.data, LAST, [])
    write_lines(platform.data / "firestore" / "userCollection.jsonl", USERS)
    write_lines(platform.data / "firestore" / "meetingsCollection.jsonl", MEETINGS)
    platform.build(FIRST, LAST, *SOURCES, *NUMBERED)
    return platform


# A user counts in wau for 7 days and in mau for 30, the active day included: ann's 22 November until 28 November and
# until 21 December, her 21 December until 27 December and 19 January, bob's 20 November until 26 November and
# 19 December. Where nobody is active, only who drops out of a window changes a row.
NUMBERS = """
            dau wau mau  new ret res  identified anonymous  opens sessions events meetings
2023-11-20    2   2   2    2   0   0           2         0      1        1      3        0
2023-11-21    1   2   2    0   1   0           1         0      0        0      1        0
2023-11-22    1   2   2    0   1   0           1         0      0        0      1        0
2023-11-23    0   2   2    0   0   0           0         0      0        0      0        0
2023-11-24    0   2   2    0   0   0           0         0      0        0      0        0
2023-11-25    0   2   2    0   0   0           0         0      0        0      0        0
2023-11-26    0   2   2    0   0   0           0         0      0        0      0        0
2023-11-27    0   1   2    0   0   0           0         0      0        0      0        0
2023-11-28    0   1   2    0   0   0           0         0      0        0      0        0
2023-11-29    0   0   2    0   0   0           0         0      0        0      0        0
2023-11-30    0   0   2    0   0   0           0         0      0        0      0        0
2023-12-01    1   1   3    1   0   0           1         0      1        0      1        0
2023-12-02    1   1   3    0   1   0           1         0      2        0      2        0
2023-12-03    1   2   4    1   0   0           1         0      0        0      1        0
2023-12-04    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-05    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-06    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-07    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-08    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-09    0   1   4    0   0   0           0         0      0        0      0        0
2023-12-10    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-11    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-12    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-13    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-14    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-15    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-16    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-17    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-18    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-19    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-20    0   0   3    0   0   0           0         0      0        0      0        0
2023-12-21    2   2   4    0   1   1           2         0      0        0      2        0
2023-12-22    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-23    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-24    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-25    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-26    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-27    0   2   4    0   0   0           0         0      0        0      0        0
2023-12-28    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-29    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-30    0   0   4    0   0   0           0         0      0        0      0        0
2023-12-31    3   3   5    1   2   0           3         0      1        1      3        0
2024-01-01    2   3   5    0   2   0           2         0      1        1      2        0
2024-01-02    0   3   5    0   0   0           0         0      0        0      0        0
2024-01-03    0   3   5    0   0   0           0         0      0        0      0        0
2024-01-04    0   3   5    0   0   0           0         0      0        0      0        0
2024-01-05    1   4   6    1   0   0           0         1      0        0      1        0
2024-01-06    1   5   7    1   0   0           1         0      0        0      2        0
2024-01-07    1   4   7    0   1   0           1         0      0        0      1        0
2024-01-08    1   2   7    0   1   0           1         0      0        0      1        0
2024-01-09    0   2   7    0   0   0           0         0      0        0      0        0
2024-01-10    1   3   8    1   0   0           1         0      0        0      2        0
2024-01-11    1   3   8    0   1   0           1         0      2        0      2        0
2024-01-12    0   2   8    0   0   0           0         0      0        0      0        0
2024-01-13    0   2   8    0   0   0           0         0      0        0      0        0
2024-01-14    1   3   9    1   0   0           1         0      0        0      1        0
2024-01-15    1   3  10    1   0   0           1         0      0        0      1        0
2024-01-16    1   3  10    0   1   0           1         0      0        0      1        1
2024-01-17    1   3  10    0   1   0           1         0      0        0      3        2
2024-01-18    0   2  10    0   0   0           0         0      0        0      0        0
2024-01-19    0   2  10    0   0   0           0         0      0        0      0        0
2024-01-20    1   3   9    0   1   0           1         0      0        0      1        0
2024-01-21    0   2   9    0   0   0           0         0      0        0      0        0
2024-01-22    0   2   9    0   0   0           0         0      0        0      0        0
2024-01-23    0   2   9    0   0   0           0         0      0        0      0        0
2024-01-24    0   1   9    0   0   0           0         0      0        0      0        0
2024-01-25    0   1   9    0   0   0           0         0      0        0      0        0
2024-01-26    0   1   9    0   0   0           0         0      0        0      0        0
2024-01-27    0   0   9    0   0   0           0         0      0        0      0        0
2024-01-28    0   0   9    0   0   0           0         0      0        0      0        0
"""

COLUMNS = (
    "dau", "wau", "mau", "new_users", "returning_users", "resurrected_users", "identified_users", "anonymous_users",
    "app_opens", "sessions", "events", "meetings_created",
)  # fmt: skip


def test_every_number_of_every_day_is_the_one_worked_out_by_hand(platform: Platform) -> None:
    found = [
        " ".join(str(row[name]) for name in ("event_date", *COLUMNS)) for row in platform.rows("daily_active_users")
    ]
    assert found == [" ".join(line.split()) for line in NUMBERS.strip().splitlines()[1:]]


def test_stickiness_is_dau_over_mau(platform: Platform) -> None:
    found = {str(row["event_date"]): row["stickiness"] for row in platform.rows("daily_active_users")}
    assert (found["2023-11-20"], found["2023-11-21"], found["2023-11-23"]) == (1.0, 0.5, 0.0)
    assert (found["2023-12-21"], found["2024-01-15"]) == (0.5, 0.1)


def test_everyone_is_first_seen_on_the_day_they_first_did_something(platform: Platform) -> None:
    assert {row["user_id"]: str(row["event_date"]) for row in platform.rows("user_first_seen")} == {
        "ann": "2023-11-20",
        "bob": "2023-11-20",
        "cho": "2023-12-01",
        "dan": "2023-12-03",
        "eve": "2023-12-31",
        "tablet": "2024-01-05",
        "gus": "2024-01-06",
        "fay": "2024-01-10",
        "jun": "2024-01-14",
        "hal": "2024-01-15",
    }


def test_who_is_frequent_and_since_when_in_both_readings(platform: Platform) -> None:
    def days(user: str, reading: str) -> tuple[str, str, int] | None:
        found = [str(row["event_date"]) for row in rows if row["user_id"] == user and row[reading]]
        return (found[0], found[-1], len(found)) if found else None

    rows = platform.rows("frequent_users")
    assert {
        user: (days(user, "is_frequent"), days(user, "is_frequent_month")) for user in {r["user_id"] for r in rows}
    } == {
        # From the third day on for as long as the first is within the window of 30, and to the end of the month.
        "ann": (("2023-11-22", "2023-12-19", 28), ("2023-11-22", "2023-11-30", 9)),
        # 1, 2 and 31 December: the window of the 31st begins with the 2nd, and on 1 January the month is a new one.
        "cho": (None, ("2023-12-31", "2023-12-31", 1)),
        # 3 and 31 December and 1 January: the window of 1 January begins with 3 December.
        "dan": (("2024-01-01", "2024-01-01", 1), None),
        # 6, 7 and 8 January, and 15, 16 and 17 January: both until the end of the data.
        "gus": (("2024-01-08", "2024-01-28", 21), ("2024-01-08", "2024-01-28", 21)),
        "hal": (("2024-01-17", "2024-01-28", 12), ("2024-01-17", "2024-01-28", 12)),
    }


def test_what_nobody_did_is_kept_as_an_event_and_is_no_activity(platform: Platform) -> None:
    rows = platform.rows("unified_events")
    silent = [(str(row["event_date"]), row["user_id"], row["event_name"]) for row in rows if not row["is_activity"]]
    assert sorted(silent, key=str) == [("2024-01-08", "ivy", "app_remove"), ("2024-01-09", None, "tap")]
    # 22 app events without the 2 copies, 6 opens without the copy, 2 registrations, 3 meetings and a proposal.
    assert len(rows) == len(EVENTS) - 2 + 6 + 2 + 4
