"""The data that is measured on: a year-old app's exports, of any size, the same for the same seed.

Only the files of the sources are made here, by DuckDB, in the layout of a real export. Unlike `calback sample` it
plants no truth and little dirt: it is made to be large and quick to make.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from benchmarks.harness import Scale

TIMEZONE = "Asia/Seoul"
FIRST_DAY = date(2024, 3, 1)
_SEED = 7

_MACROS = f"""
CREATE MACRO dice(what, i) AS CAST(hash('{_SEED}', what, i) >> 1 AS BIGINT);
CREATE MACRO share(what, i) AS dice(what, i) / 9223372036854775808.0;
CREATE MACRO uid(i) AS left(md5('user ' || i), 28);
CREATE MACRO device(i) AS md5('device ' || i);
CREATE MACRO rfc3339(t) AS strftime(t, '%Y-%m-%dT%H:%M:%S.%fZ');
CREATE MACRO param(k, s, i) AS {{
  'key': k,
  'value': {{
    'string_value': s::VARCHAR, 'int_value': i::BIGINT, 'float_value': NULL::DOUBLE, 'double_value': NULL::DOUBLE
  }}
}};
"""


def write(folder: Path, scale: Scale, days: int) -> None:
    """Write the exports of that many days from `FIRST_DAY` on.

    The property's time zone is ours, so that an export table holds exactly a day.
    """
    for name in ("analytics", "access_log"):
        (folder / name).mkdir(parents=True)
    with _generator() as connection:
        for day in (FIRST_DAY + timedelta(days=offset) for offset in range(days)):
            connection.execute(_events(folder, scale, day))
            (folder / "access_log" / f"date={day}").mkdir()
            connection.execute(_opens(folder, scale, day))
    write_documents(folder / "firestore", scale.users, scale.meetings * days, scale.meetings)


def write_documents(folder: Path, users: int, meetings: int, meetings_a_day: int) -> None:
    """Write both collections of Firestore into a folder that is made."""
    folder.mkdir(parents=True)
    with _generator() as connection:
        connection.execute(_users(folder, users))
        connection.execute(_meetings(folder, users, meetings, meetings_a_day))


@contextmanager
def _generator() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        connection.execute(_MACROS)
        yield connection


def midnight(day: date) -> datetime:
    """The instant at which the day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(TIMEZONE)).astimezone(UTC)


def _active_people(day: date, count: int, users: int) -> str:
    """SQL for who is active on a day, with `slot` and `person`: some people come far more often than others."""
    rank = f"-ln(1 - share('{day}', i)) / (0.05 + share('habit', i) ** 3)"
    return (
        f"SELECT row_number() OVER (ORDER BY {rank}) - 1 AS slot, i AS person FROM range({users}) AS people(i) "
        f"QUALIFY slot < {count}"
    )


def _events(folder: Path, scale: Scale, day: date) -> str:
    """Heavy users have a thousand events a day, light ones fifteen; six of ten events carry the user's id.

    Of a hundred devices 55 are always signed in, and 15 sign in within the day; one event of a hundred has no consent
    and one of two thousand is there twice.
    """
    active = scale.users * 4 // 10
    micros = int(midnight(day).timestamp()) * 1_000_000
    path = folder / "analytics" / f"events_{day:%Y%m%d}.parquet"
    return f"""
COPY (
  WITH active AS ({_active_people(day, active, scale.users)}),
  drawn AS (
    SELECT
      i,
      dice('{day}', i) AS h,
      CAST(floor({active} * (i / {scale.events}) ** 1.6) AS BIGINT) AS slot
    FROM (SELECT range AS i FROM range({scale.events}) UNION ALL SELECT range FROM range(0, {scale.events}, 2000))
  ),
  events AS (
    SELECT
      drawn.i,
      drawn.h,
      active.person,
      dice('sign-in', active.person) % 100 AS sign_in,
      dice('{day} session', drawn.slot * 10000019 + drawn.i // 8) AS session
    FROM drawn
    INNER JOIN active ON active.slot = drawn.slot
  ),
  timed AS (
    SELECT *, {micros} + (session % 85000 + (i % 8) * 60) * 1000000 + h % 1000000 AS event_timestamp FROM events
  )
  SELECT
    '{day:%Y%m%d}' AS event_date,
    CAST(event_timestamp AS BIGINT) AS event_timestamp,
    CASE WHEN i % 8 = 0 THEN 'session_start'
      ELSE ['screen_view', 'screen_view', 'user_engagement', 'user_engagement', 'calendar_view', 'meeting_open',
        'search', 'notification_receive', 'friend_add', 'calendar_share'][1 + h % 10] END AS event_name,
    [
      param('ga_session_id', NULL, 1700000000 + session % 100000000),
      param('ga_session_number', NULL, session % 400),
      param('session_engaged', NULL, h % 2),
      param('firebase_event_origin', ['auto', 'app'][1 + h % 2], NULL),
      param('engagement_time_msec', NULL, h % 60000)
    ][:4 + CAST(h % 2 AS INTEGER)] AS event_params,
    CASE WHEN sign_in < 55 OR (sign_in < 70 AND event_timestamp >= {micros} + 43200000000) THEN uid(person) END
      AS user_id,
    CASE WHEN dice('consent', session) % 100 > 0 THEN device(person) END AS user_pseudo_id,
    CAST({micros} - dice('first touch', person) % 31536000000000 AS BIGINT) AS user_first_touch_timestamp,
    [{{'key': 'push_enabled', 'value': {{'string_value': 'on', 'int_value': NULL::BIGINT, 'float_value': NULL::DOUBLE,
      'double_value': NULL::DOUBLE, 'set_timestamp_micros': {micros}::BIGINT}}}}] AS user_properties,
    CAST(session % 1000000 AS BIGINT) AS event_bundle_sequence_id,
    CAST(h % 3000000 AS BIGINT) AS event_server_timestamp_offset,
    CAST(i % 8 AS BIGINT) AS batch_event_index,
    CAST(1 AS BIGINT) AS batch_ordering_id,
    CAST(NULL AS BIGINT) AS batch_page_id,
    ['ANDROID', 'IOS'][1 + person % 2] AS platform,
    ['1000000001', '1000000002'][1 + person % 2] AS stream_id,
    h % 5 > 0 AS is_active_user,
    {{'category': 'mobile', 'mobile_brand_name': ['Samsung', 'Apple'][1 + person % 2],
      'operating_system': ['ANDROID', 'IOS'][1 + person % 2], 'language': 'ko-kr'}} AS device,
    {{'continent': 'Asia', 'country': 'South Korea', 'city': ['Seoul', 'Busan', 'Daegu'][1 + person % 3]}} AS geo,
    {{'id': 'com.example.calback', 'version': '2.' || person % 9 || '.0'}} AS app_info,
    {{'name': '(direct)', 'medium': '(none)', 'source': '(direct)'}} AS traffic_source,
    {{'analytics_storage': 'Yes', 'ads_storage': 'Yes'}} AS privacy_info
  FROM timed
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""


def _opens(folder: Path, scale: Scale, day: date) -> str:
    active = scale.users * 5 // 10
    return f"""
COPY (
  WITH active AS ({_active_people(day, active, scale.users)})
  SELECT uid(person) AS "userId", '{day}' AS "date", 'app-open' AS topic, i % 4 AS "partition",
    {(day - FIRST_DAY).days} * {scale.opens} + i AS "offset"
  FROM range({scale.opens}) AS opens(i)
  INNER JOIN active ON active.slot = CAST(floor({active} * (i / {scale.opens}) ** 1.6) AS BIGINT)
) TO '{folder}/access_log/date={day}/part-0.jsonl' (FORMAT json)"""


def _users(folder: Path, users: int) -> str:
    start = midnight(FIRST_DAY).strftime("%Y-%m-%d %H:%M:%S")
    return f"""
COPY (
  SELECT uid(i) AS id, rfc3339(created) AS create_time, rfc3339(created + INTERVAL 1 HOUR) AS update_time,
    {{'name': 'Name ' || i, 'email': i || '@example.com', 'photoUrl': 'https://example.com/' || i,
      'token': md5('t' || i), 'flag': i % 9, 'friends': [uid(i + 1), uid(i + 2)],
      'blockedUsers': []::VARCHAR[], 'reqReceived': [uid(i + 3)],
      'reqSent': []::VARCHAR[], 'openPrivacy': i % 2 = 0}} AS data
  FROM (
    SELECT i, TIMESTAMP '{start}' + to_seconds(CAST(dice('created', i) % 31536000 AS BIGINT) - 30000000) AS created
    FROM range({users}) AS users(i)
  )
) TO '{folder}/userCollection.jsonl' (FORMAT json)"""


def _meetings(folder: Path, users: int, meetings: int, a_day: int) -> str:
    start = midnight(FIRST_DAY).strftime("%Y-%m-%d %H:%M:%S")
    return f"""
COPY (
  SELECT id, rfc3339(created) AS create_time, rfc3339(created) AS update_time,
    {{'owner': uid(owner), 'content': 'Meeting ' || i, 'from': rfc3339(created + INTERVAL 1 DAY),
      'to': rfc3339(created + INTERVAL 25 HOUR), 'background': '#ffaa00', 'isAllDay': i % 5 = 0, 'recurrenceRule': NULL,
      'MID': id, 'involved': [uid(owner), uid(owner + 1)], 'pendingInvolved': [uid(owner + 2)]}} AS data
  FROM (
    SELECT i, if(i % 10 = 0, 'pending', '') || md5('meeting ' || i) AS id, dice('owner', i) % {users} AS owner,
      TIMESTAMP '{start}' + to_days(CAST(i // {a_day} AS INTEGER))
        + to_seconds(CAST(dice('met', i) % 86400 AS BIGINT)) AS created
    FROM range({meetings}) AS meetings(i)
  )
) TO '{folder}/meetingsCollection.jsonl' (FORMAT json)"""
