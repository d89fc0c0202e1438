"""The classic way: assets that take and return DataFrames, stored by Dagster's stock DuckDB pandas I/O manager.

Written as an engineer who knows pandas would: vectorised, Arrow for files, each input loaded with only the columns that
its asset needs. Nested columns are lists of dicts, which is what pandas makes of them and what DuckDB takes minutes to
store; or, where asked for, Arrow arrays, which takes somebody who has looked into those minutes. It does the work of
our tables for one day into an empty warehouse, without checks.
"""

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dagster import (
    AssetExecutionContext,
    AssetIn,
    AssetsDefinition,
    DailyPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
    materialize,
)
from dagster_duckdb_pandas import DuckDBPandasIOManager

from benchmarks.harness import Work
from benchmarks.platform_run import SCHEMA, WAREHOUSE, instance
from benchmarks.workload import TIMEZONE
from calback_assets.settings import DEVELOPMENT_KEY

_DAILY = {"partition_expr": "event_date"}
_WITHOUT_A_PERSON = [
    "app_remove",
    "app_update",
    "app_clear_data",
    "os_update",
    "app_exception",
    "notification_receive",
    "notification_dismiss",
    "firebase_campaign",
]
_EXPORTED = [
    "event_timestamp",
    "event_name",
    "event_params",
    "event_bundle_sequence_id",
    "event_server_timestamp_offset",
    "batch_event_index",
    "batch_ordering_id",
    "batch_page_id",
    "user_id",
    "user_pseudo_id",
    "user_first_touch_timestamp",
    "platform",
    "stream_id",
    "is_active_user",
]
_NESTED = {
    "device_category": ("device", "category"),
    "operating_system": ("device", "operating_system"),
    "country": ("geo", "country"),
    "app_version": ("app_info", "version"),
}
_MICROSECOND = 1_000_000
_VALUE = pa.struct(
    {"string_value": pa.string(), "int_value": pa.int64(), "float_value": pa.float64(), "double_value": pa.float64()}
)
Hold: TypeAlias = Callable[[pa.Array], pd.Series]
"""How a nested column stands in a DataFrame."""
_PARAMS = pd.ArrowDtype(pa.list_(pa.struct({"key": pa.string(), "value": _VALUE})))

_HOLD: Mapping[str, Hold] = {
    "objects": lambda params: params.to_pandas(),
    "arrow": lambda params: pd.Series(params, dtype=_PARAMS),
}


def pandas_job(data: str, folder: str, day: str, nested: str) -> Work:
    """One day of all tables.

    Args:
        data: folder of the exports.
        folder: where warehouse and instance are made.
        day: the day.
        nested: how nested columns are held in DataFrames, "objects" or "arrow".
    """
    records = instance(Path(folder))
    assets = _assets(Path(data), date.fromisoformat(day), _HOLD[nested])
    stock = DuckDBPandasIOManager(database=str(Path(folder) / WAREHOUSE), schema=SCHEMA)

    def work() -> None:
        assert materialize(assets, partition_key=day, instance=records, resources={"io_manager": stock}).success

    return work


def _trailing(days: int) -> TimeWindowPartitionMapping:
    return TimeWindowPartitionMapping(start_offset=1 - days, allow_nonexistent_upstream_partitions=True)


def _columns(*names: str, days: int = 1) -> AssetIn:
    return AssetIn(metadata={"columns": list(names)}, partition_mapping=_trailing(days) if days > 1 else None)


def _assets(data: Path, first: date, hold: Hold) -> list[AssetsDefinition]:
    daily = DailyPartitionsDefinition(start_date=str(first), end_date=str(first + timedelta(days=1)), timezone=TIMEZONE)

    @asset
    def raw_users() -> pd.DataFrame:
        return users(data / "firestore" / "userCollection.jsonl")

    @asset
    def raw_meetings() -> pd.DataFrame:
        return meetings(data / "firestore" / "meetingsCollection.jsonl")

    @asset(partitions_def=daily, metadata=_DAILY)
    def raw_events(context: AssetExecutionContext) -> pd.DataFrame:
        return events(data / "analytics", pd.Timestamp(context.partition_key), hold)

    @asset(partitions_def=daily, metadata=_DAILY)
    def raw_access_log(context: AssetExecutionContext) -> pd.DataFrame:
        return opens(data / "access_log" / f"date={context.partition_key}", pd.Timestamp(context.partition_key))

    @asset(
        partitions_def=daily,
        metadata=_DAILY,
        ins={"raw_events": _columns("user_pseudo_id", "user_id", "event_timestamp")},
    )
    def device_identity(context: AssetExecutionContext, raw_events: pd.DataFrame) -> pd.DataFrame:
        return sightings(raw_events, pd.Timestamp(context.partition_key))

    @asset(
        partitions_def=daily,
        metadata=_DAILY,
        ins={
            "raw_events": _columns(
                "event_timestamp",
                "event_name",
                "event_params",
                "event_bundle_sequence_id",
                "batch_event_index",
                "user_id",
                "user_pseudo_id",
                "platform",
                "is_active_user",
            ),
            "raw_users": _columns("user_id", "created_at"),
            "raw_meetings": _columns(
                "meeting_id", "owner_id", "created_at", "is_pending", "involved_count", "is_recurring"
            ),
            "device_identity": AssetIn(partition_mapping=_trailing(30)),
        },
    )
    def unified_events(
        context: AssetExecutionContext,
        raw_events: pd.DataFrame,
        raw_access_log: pd.DataFrame,
        raw_users: pd.DataFrame,
        raw_meetings: pd.DataFrame,
        device_identity: pd.DataFrame,
    ) -> pd.DataFrame:
        day = pd.Timestamp(context.partition_key)
        return pd.concat(
            [
                from_analytics(raw_events, device_identity, day, hold),
                from_users(raw_users, day),
                from_meetings(raw_meetings, day, hold),
                from_access_log(raw_access_log, day),
            ],
            ignore_index=True,
        ).assign(
            event_date=day,
            is_activity=lambda rows: rows["user_id"].notna() & ~rows["event_name"].isin(_WITHOUT_A_PERSON),
        )

    @asset(
        partitions_def=daily,
        metadata=_DAILY,
        ins={
            "unified_events": _columns(
                "user_id", "event_name", "event_timestamp", "source", "session_id", "is_anonymous", "is_activity"
            )
        },
    )
    def user_daily_activity(context: AssetExecutionContext, unified_events: pd.DataFrame) -> pd.DataFrame:
        return activity(unified_events, pd.Timestamp(context.partition_key))

    @asset(
        partitions_def=daily,
        metadata=_DAILY,
        ins={"user_daily_activity": _columns("event_date", "user_id", days=10_000)},
    )
    def user_first_seen(context: AssetExecutionContext, user_daily_activity: pd.DataFrame) -> pd.DataFrame:
        first_days = user_daily_activity.groupby("user_id", as_index=False)["event_date"].min()
        return first_days[first_days["event_date"] == pd.Timestamp(context.partition_key)]

    @asset(
        partitions_def=daily,
        metadata=_DAILY,
        ins={
            "user_daily_activity": _columns(
                "event_date", "user_id", "is_anonymous", "app_opens", "sessions", "events", "meetings_created", days=31
            )
        },
    )
    def daily_active_users(
        context: AssetExecutionContext, user_daily_activity: pd.DataFrame, user_first_seen: pd.DataFrame
    ) -> pd.DataFrame:
        return active_users(user_daily_activity, user_first_seen, pd.Timestamp(context.partition_key))

    @asset(
        partitions_def=daily,
        metadata=_DAILY,
        ins={"user_daily_activity": _columns("event_date", "user_id", days=31)},
    )
    def frequent_users(context: AssetExecutionContext, user_daily_activity: pd.DataFrame) -> pd.DataFrame:
        return frequent(user_daily_activity, pd.Timestamp(context.partition_key))

    return [
        raw_users,
        raw_meetings,
        raw_events,
        raw_access_log,
        device_identity,
        unified_events,
        user_daily_activity,
        user_first_seen,
        daily_active_users,
        frequent_users,
    ]


def _documents(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return pd.DataFrame.from_records([line["data"] for line in lines]).assign(
        id=[line["id"] for line in lines],
        created_at=pd.to_datetime([line["create_time"] for line in lines], utc=True, format="ISO8601"),
        updated_at=pd.to_datetime([line["update_time"] for line in lines], utc=True, format="ISO8601"),
    )


def users(path: Path) -> pd.DataFrame:
    """`userCollection`, without personal fields."""
    documents = _documents(path)
    return pd.DataFrame(
        {
            "user_id": documents["id"],
            "email_hash": [
                hmac.digest(DEVELOPMENT_KEY, email.strip().lower().encode(), "sha256").hex()
                for email in documents["email"]
            ],
            "has_photo": documents["photoUrl"].str.len() > 0,
            "has_push_token": documents["token"].str.len() > 0,
            "flag": documents["flag"],
            "friend_count": documents["friends"].str.len(),
            "blocked_count": documents["blockedUsers"].str.len(),
            "requests_received": documents["reqReceived"].str.len(),
            "requests_sent": documents["reqSent"].str.len(),
            "open_privacy": documents["openPrivacy"],
            "created_at": documents["created_at"],
            "updated_at": documents["updated_at"],
        }
    )


def meetings(path: Path) -> pd.DataFrame:
    """`meetingsCollection`, without titles."""
    documents = _documents(path)
    return pd.DataFrame(
        {
            "meeting_id": documents["id"],
            "owner_id": documents["owner"],
            "starts_at": pd.to_datetime(documents["from"], utc=True, format="ISO8601"),
            "ends_at": pd.to_datetime(documents["to"], utc=True, format="ISO8601"),
            "is_all_day": documents["isAllDay"],
            "is_pending": documents["id"].str.startswith("pending"),
            "is_recurring": documents["recurrenceRule"].notna(),
            "content_length": documents["content"].str.len(),
            "involved_ids": documents["involved"],
            "involved_count": documents["involved"].str.len(),
            "pending_involved_count": documents["pendingInvolved"].str.len(),
            "created_at": documents["created_at"],
            "updated_at": documents["updated_at"],
        }
    )


def _bounds(day: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
    start, end = (moment.tz_localize(TIMEZONE).tz_convert("UTC") for moment in (day, day + pd.Timedelta(days=1)))
    return start, end


def events(folder: Path, day: pd.Timestamp, hold: Hold) -> pd.DataFrame:
    """The day's events of the GA4 export; the table of that date holds exactly the day here."""
    start, end = (int(moment.timestamp()) * _MICROSECOND for moment in _bounds(day))
    parents = sorted({parent for parent, _ in _NESTED.values()})
    read = pq.read_table(
        folder / f"events_{day:%Y%m%d}.parquet",
        columns=[*_EXPORTED, *parents],
        filters=(pc.field("event_timestamp") >= start) & (pc.field("event_timestamp") < end),
    )
    for name, (parent, field) in _NESTED.items():
        read = read.append_column(name, pc.struct_field(read[parent], field))
    params = hold(read["event_params"].combine_chunks().cast(_PARAMS.pyarrow_dtype))
    flat = read.drop_columns([*parents, "event_params"]).to_pandas()
    return flat.assign(event_params=params, event_date=day, is_final=True)


def opens(folder: Path, day: pd.Timestamp) -> pd.DataFrame:
    """The day's rows of the access log."""
    read = pd.concat([pd.read_json(path, lines=True, dtype={"userId": str}) for path in sorted(folder.iterdir())])
    return read.drop(columns="date").rename(columns={"userId": "user_id"}).assign(event_date=day)


def sightings(raw_events: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Who was seen on which device, and when."""
    signed_in = raw_events.dropna(subset=["user_pseudo_id", "user_id"])
    seen = signed_in.groupby(["user_pseudo_id", "user_id"], as_index=False)["event_timestamp"].agg(["min", "max"])
    return pd.DataFrame(
        {
            "event_date": day,
            "user_pseudo_id": seen["user_pseudo_id"],
            "user_id": seen["user_id"],
            "first_seen_at": pd.to_datetime(seen["min"], unit="us", utc=True),
            "last_seen_at": pd.to_datetime(seen["max"], unit="us", utc=True),
        }
    )


def from_analytics(raw_events: pd.DataFrame, seen: pd.DataFrame, day: pd.Timestamp, hold: Hold) -> pd.DataFrame:
    """App events, each once and with its person.

    The export numbers the events of a batch, so that the parameters are not needed to tell two apart.
    """
    key = ["user_pseudo_id", "event_timestamp", "event_name", "event_bundle_sequence_id", "batch_event_index"]
    once = raw_events.sort_values("event_timestamp", kind="stable").drop_duplicates(key)
    signed_in = once.dropna(subset=["user_pseudo_id", "user_id"])
    last_seen = pd.merge_asof(
        once[["user_pseudo_id", "event_timestamp"]].fillna({"user_pseudo_id": ""}),
        signed_in[["user_pseudo_id", "event_timestamp", "user_id"]],
        on="event_timestamp",
        by="user_pseudo_id",
    )["user_id"].set_axis(once.index)
    carried = seen[seen["event_date"] < day].sort_values("last_seen_at").groupby("user_pseudo_id")["user_id"].last()
    first_of_day = signed_in.groupby("user_pseudo_id")["user_id"].first()
    known = (
        once["user_id"]
        .fillna(last_seen)
        .fillna(once["user_pseudo_id"].map(carried))
        .fillna(once["user_pseudo_id"].map(first_of_day))
    )
    session = pd.Series([_int_param(params, "ga_session_id") for params in once["event_params"]], index=once.index)
    return pd.DataFrame(
        {
            "event_id": pd.util.hash_pandas_object(once[key], index=False).map("{:016x}".format),
            "event_timestamp": pd.to_datetime(once["event_timestamp"], unit="us", utc=True),
            "user_id": known.fillna(once["user_pseudo_id"]),
            "is_anonymous": known.isna(),
            "source": "analytics",
            "event_name": once["event_name"],
            "is_active_user": once["is_active_user"],
            "session_id": once["user_pseudo_id"] + "." + session.astype("Int64").astype("string"),
            "platform": once["platform"],
            "properties": hold(pa.array(once["event_params"], type=_PARAMS.pyarrow_dtype)).set_axis(once.index),
        }
    )


def _int_param(params: Iterable[Mapping[str, Any]], key: str) -> int | None:
    return next((param["value"]["int_value"] for param in params if param["key"] == key), None)


def _of_day(documents: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    start, end = _bounds(day)
    return documents[(documents["created_at"] >= start) & (documents["created_at"] < end)]


def from_users(raw_users: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The sign-ups of the day."""
    created = _of_day(raw_users, day)
    return pd.DataFrame(
        {
            "event_id": "users|" + created["user_id"],
            "event_timestamp": created["created_at"],
            "user_id": created["user_id"],
            "is_anonymous": False,
            "source": "users",
            "event_name": "user_registered",
        }
    )


def from_meetings(raw_meetings: pd.DataFrame, day: pd.Timestamp, hold: Hold) -> pd.DataFrame:
    """The meetings and proposals made on the day."""
    created = _of_day(raw_meetings, day)
    properties = pd.Series(
        [
            [
                {"key": "involved_count", "value": {"int_value": involved}},
                {"key": "is_recurring", "value": {"int_value": int(recurring)}},
            ]
            for involved, recurring in zip(created["involved_count"], created["is_recurring"], strict=True)
        ],
        index=created.index,
    )
    return pd.DataFrame(
        {
            "event_id": "meetings|" + created["meeting_id"],
            "event_timestamp": created["created_at"],
            "user_id": created["owner_id"],
            "is_anonymous": False,
            "source": "meetings",
            "event_name": np.where(created["is_pending"], "meeting_proposed", "meeting_created"),
            "properties": hold(pa.array(properties, type=_PARAMS.pyarrow_dtype)).set_axis(created.index),
        }
    )


def from_access_log(raw_access_log: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The app opens of the day; here every row knows its Kafka message."""
    message = ["topic", "partition", "offset"]
    once = raw_access_log.drop_duplicates(message)
    return pd.DataFrame(
        {
            "event_id": pd.util.hash_pandas_object(once[message], index=False).map("{:016x}".format),
            "event_timestamp": _bounds(day)[0],
            "user_id": once["user_id"],
            "is_anonymous": False,
            "source": "access_log",
            "event_name": "app_open",
        }
    )


def activity(unified_events: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """A row for each person who did something, with their actions."""
    acts = unified_events[unified_events["is_activity"]]
    acts = acts.assign(
        is_open=acts["source"] == "access_log",
        is_meeting=(acts["source"] == "meetings") & (acts["event_name"] == "meeting_created"),
    )
    people = acts.groupby("user_id").agg(
        is_anonymous=("is_anonymous", "all"),
        events=("event_name", "size"),
        sessions=("session_id", "nunique"),
        app_opens=("is_open", "sum"),
        meetings_created=("is_meeting", "sum"),
        first_event_at=("event_timestamp", "min"),
        last_event_at=("event_timestamp", "max"),
    )
    counts = acts.groupby(["user_id", "event_name"]).size().reset_index(name="events")
    counts["action"] = [
        {"event_name": name, "events": number}
        for name, number in zip(counts["event_name"], counts["events"], strict=True)
    ]
    people["actions"] = counts.groupby("user_id")["action"].agg(list)
    return people.reset_index().assign(event_date=day)


def active_users(recent: pd.DataFrame, first_seen: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The one row of metrics."""
    age = (day - recent["event_date"]).dt.days
    today = recent[age == 0]
    is_new = today["user_id"].isin(first_seen["user_id"])
    is_before = today["user_id"].isin(recent.loc[age > 0, "user_id"])
    dau, mau = len(today), recent.loc[age < 30, "user_id"].nunique()
    return pd.DataFrame(
        {
            "event_date": [day],
            "dau": dau,
            "wau": recent.loc[age < 7, "user_id"].nunique(),
            "mau": mau,
            "stickiness": dau / mau if mau else None,
            "new_users": is_new.sum(),
            "returning_users": (~is_new & is_before).sum(),
            "resurrected_users": (~is_new & ~is_before).sum(),
            "identified_users": (~today["is_anonymous"]).sum(),
            "anonymous_users": today["is_anonymous"].sum(),
            "app_opens": today["app_opens"].sum(),
            "sessions": today["sessions"].sum(),
            "events": today["events"].sum(),
            "meetings_created": today["meetings_created"].sum(),
        }
    )


def frequent(recent: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The people with at least three active days in the window or the month."""
    in_window = (day - recent["event_date"]).dt.days < 30
    in_month = recent["event_date"] >= day.replace(day=1)
    counted = pd.DataFrame(
        {
            "active_days_30d": in_window.groupby(recent["user_id"]).sum(),
            "active_days_mtd": in_month.groupby(recent["user_id"]).sum(),
        }
    ).reset_index()
    counted = counted.assign(
        event_date=day,
        is_frequent=counted["active_days_30d"] >= 3,
        is_frequent_month=counted["active_days_mtd"] >= 3,
    )
    return counted[counted["is_frequent"] | counted["is_frequent_month"]]
