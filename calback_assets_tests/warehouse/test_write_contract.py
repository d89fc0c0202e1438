"""Tests of the write contract: each clause as Dagster asks for it, some in whole runs, on a real warehouse.

What holds for every warehouse and every shape of data belongs here; what only DuckDB does is in `test_duckdb`.
"""

import re
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dagster import AssetKey, DagsterInstance, TableColumnDep, TableColumnLineage, materialize

from calback_assets.days import Stretch
from calback_assets.errors import CalbackError, ContractError, SourceError
from calback_assets.partitions import SAME_DAY, trailing
from calback_assets.sources.bigquery.query import TableQuery
from calback_assets.sources.file_query import FileQuery
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS, FREQUENT_USERS
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_USERS
from calback_assets.warehouse.googlesql.model import Input
from calback_assets.warehouse.io_manager import Calendar
from calback_assets.warehouse.output import Files, Plot, Snapshot, TableRef
from calback_assets.warehouse.rows import arrow_type
from calback_assets_tests.warehouse.helpers import (
    ARROW,
    DAY,
    FIRST,
    FRAME,
    QUERY,
    SHAPES,
    Desk,
    Row,
    Shape,
    WarehouseUnderTest,
    Written,
    asset_of,
    error_of,
    frequent,
    metadata,
    metrics,
    query,
    rows_of_reader,
    run,
)

FIVE_DAYS = [date(2024, 1, 10) + timedelta(days=after) for after in range(5)]
CANARY = "canary-hong.gildong"
"""Stands for anything personal; only the warehouse itself may hold it."""

shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
in_python = pytest.mark.parametrize("shape", [FRAME, ARROW], ids=str)


def without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


BROKEN: dict[str, tuple[list[Row], str, str]] = {
    "bad type": (
        [metrics(dau="many")],
        "daily_active_users.dau: type string cannot be stored as INT64 without loss, for example 'many'; nothing was "
        "written",
        "daily_active_users.dau: the query gives {text}, the contract says INT64, for example 'many'; cast it in the "
        "query; nothing was written",
    ),
    "text that looks like a number": (
        [metrics(dau="5")],
        "daily_active_users.dau: type string cannot be stored as INT64 without loss, for example '5'; "
        "nothing was written",
        "daily_active_users.dau: the query gives {text}, the contract says INT64, for example '5'; cast it in the "
        "query; nothing was written",
    ),
    "lossy cast": (
        [metrics(wau=1.6)],
        "daily_active_users.wau: type double cannot be stored as INT64 without loss, for example 1.6; "
        "nothing was written",
        "daily_active_users.wau: the query gives {fraction}, the contract says INT64, for example 1.6; "
        "cast it in the query; nothing was written",
    ),
    "extra column": (
        [metrics(fun=1)],
        "daily_active_users: column fun is not in the contract; declare it in calback_assets/tables or leave it out",
        "daily_active_users: column fun is not in the contract; declare it in calback_assets/tables or leave it out",
    ),
    "missing columns": (
        [without(metrics(), "dau", "stickiness")],
        "daily_active_users: column dau, stickiness of the contract is missing from the data",
        "daily_active_users: column dau, stickiness of the contract is missing from the data",
    ),
    "NULL in a required column": (
        [metrics(mau=None)],
        "daily_active_users.mau: NULL in a required column on 2024-01-10; nothing was written",
        "daily_active_users.mau: NULL in a required column on 2024-01-10; nothing was written",
    ),
    "another day's row": (
        [metrics(), metrics(date(2024, 1, 12))],
        "daily_active_users.event_date: rows lie outside the partition 2024-01-10 that is written, for example "
        "2024-01-12; nothing was written",
        "daily_active_users.event_date: 1 rows lie outside the partition 2024-01-10 that is written, for example "
        "2024-01-12; nothing was written",
    ),
}


@shapes
def test_data_that_breaks_the_contract_is_refused_by_name_and_leaves_the_old_rows(desk: Desk, shape: Shape) -> None:
    assert desk.write(DAILY_ACTIVE_USERS, [metrics(dau=1)], shape).success

    for broken, (rows, from_python, from_query) in BROKEN.items():
        message = error_of(desk.write(DAILY_ACTIVE_USERS, rows, shape))

        expected = from_query.format(**desk.warehouse.types) if shape is QUERY else from_python
        assert message == f"ContractError: {expected}", broken
        assert desk.warehouse.rows(DAILY_ACTIVE_USERS) == [metrics(dau=1)], broken


@in_python
def test_a_row_without_a_day_is_refused(desk: Desk, shape: Shape) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics()], shape)
    rows = shape.output([metrics(), metrics(None)], DAILY_ACTIVE_USERS, [DAY], desk.folder)

    message = error_of(desk.run(DAILY_ACTIVE_USERS, rows))

    assert message == "ContractError: daily_active_users.event_date: NULL in a required column; nothing was written"
    assert desk.warehouse.rows(DAILY_ACTIVE_USERS) == [metrics()]


def test_a_query_that_fails_on_a_day_leaves_its_old_rows_and_writes_the_day_before(desk: Desk, tmp_path: Path) -> None:
    days = FIVE_DAYS[:2]
    desk.write(FREQUENT_USERS, [frequent(day, active_days_30d=1) for day in days], days=days)
    fails = query(
        "SELECT event_date, user_id, CAST(user_id AS INT64) AS active_days_30d, 1 AS active_days_mtd, "
        "TRUE AS is_frequent, TRUE AS is_frequent_month FROM raw_access_log",
        {"raw_access_log": Input(RAW_ACCESS_LOG, SAME_DAY)},
        tmp_path,
    )
    desk.write(RAW_ACCESS_LOG, [opened("7"), opened(CANARY) | {"event_date": days[1]}], days=days)

    result = desk.give(FREQUENT_USERS, fails, days)

    assert not result.success
    assert CANARY not in error_of(result)
    assert error_of(result).endswith("…; the day that broke is 2024-01-11")
    assert [(row["event_date"], row["active_days_30d"]) for row in desk.warehouse.rows(FREQUENT_USERS)] == [
        (days[0], 7),
        (days[1], 1),
    ]


@shapes
def test_columns_in_another_order_are_matched_by_name(desk: Desk, shape: Shape) -> None:
    backwards = dict(reversed(metrics().items()))

    assert desk.write(DAILY_ACTIVE_USERS, [backwards], shape).success

    assert desk.warehouse.rows(DAILY_ACTIVE_USERS) == [metrics()]


@shapes
def test_zero_rows_make_the_typed_table_and_are_recorded(desk: Desk, shape: Shape) -> None:
    result = desk.write(DAILY_ACTIVE_USERS, [], shape)

    assert result.success
    assert metadata(result)["row_count"] == 0
    assert desk.warehouse.rows(DAILY_ACTIVE_USERS) == []
    assert rows_of_reader(desk, pa.Table).schema == pa.schema(
        [(column.name, arrow_type(column.type)) for column in DAILY_ACTIVE_USERS.columns]
    )


def test_zero_rows_replace_the_rows_of_before(desk: Desk) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics()])

    assert desk.write(DAILY_ACTIVE_USERS, []).success

    assert desk.warehouse.rows(DAILY_ACTIVE_USERS) == []


@pytest.mark.parametrize(
    ("annotation", "seen"),
    [
        (pa.Table, lambda rows: rows.to_pylist()),
        (pa.RecordBatchReader, lambda rows: rows.to_pylist()),
        (pd.DataFrame, lambda rows: rows.assign(event_date=rows["event_date"].tolist()).to_dict("records")),
    ],
    ids=["arrow", "batches", "pandas"],
)
def test_a_reader_gets_the_rows_of_its_day_in_the_form_it_asks_for(desk: Desk, annotation: type, seen) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics(day) for day in FIVE_DAYS], FRAME, FIVE_DAYS)

    assert seen(rows_of_reader(desk, annotation)) == [metrics(DAY)]


def test_a_reader_that_asks_for_nothing_gets_a_reference_to_its_day(desk: Desk) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics()])

    assert rows_of_reader(desk, None) == TableRef(DAILY_ACTIVE_USERS, DAY, DAY + timedelta(days=1))


def test_a_reader_of_a_table_that_was_never_written_is_told_what_to_do(desk: Desk) -> None:
    message = "table daily_active_users does not exist yet: materialize daily_active_users first"

    with pytest.raises(CalbackError, match=f"^{message}$"):
        rows_of_reader(desk, pd.DataFrame)


def test_a_reader_gets_only_the_columns_that_it_names(desk: Desk) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics()])

    assert rows_of_reader(desk, pa.Table, ["mau", "dau"]).to_pylist() == [{"mau": 4, "dau": 2}]


def test_a_reader_that_names_an_unknown_column_is_told_which_there_are(desk: Desk) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics()])

    message = "daily_active_users.fun: an input asks for this column, which the table has not; it has event_date, dau, "
    with pytest.raises(ContractError, match=f"^{message}"):
        rows_of_reader(desk, pa.Table, ["fun"])


@shapes
def test_three_reruns_store_the_same_rows_value_for_value(desk: Desk, shape: Shape) -> None:
    rows = [frequent(user_id=f"u{number}", active_days_30d=number) for number in range(3, 8)]
    stored = []
    for _ in range(3):
        assert desk.write(FREQUENT_USERS, rows, shape).success
        stored.append(desk.warehouse.rows(FREQUENT_USERS))

    assert stored == [rows] * 3


@shapes
def test_a_range_replaces_each_of_its_days_and_no_other(desk: Desk, shape: Shape) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics(day, dau=1) for day in FIVE_DAYS], shape, FIVE_DAYS)

    new = [metrics(day, dau=2) for day in FIVE_DAYS[1:4]]
    result = desk.write(DAILY_ACTIVE_USERS, new, shape, FIVE_DAYS[1:4])

    assert result.success
    assert [row["dau"] for row in desk.warehouse.rows(DAILY_ACTIVE_USERS)] == [1, 2, 2, 2, 1]


@shapes
def test_a_day_of_a_range_without_rows_becomes_empty(desk: Desk, shape: Shape) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics(day) for day in FIVE_DAYS], shape, FIVE_DAYS)

    result = desk.write(DAILY_ACTIVE_USERS, [metrics(FIVE_DAYS[0])], shape, FIVE_DAYS)

    assert result.success
    assert desk.warehouse.rows(DAILY_ACTIVE_USERS) == [metrics(FIVE_DAYS[0])]
    assert [metadata(result, day)["row_count"] for day in FIVE_DAYS] == [1, 0, 0, 0, 0]
    assert [(row["event_date"], row["row_count"]) for row in desk.warehouse.ledger()] == [
        (day, int(day == FIVE_DAYS[0])) for day in FIVE_DAYS
    ]


@shapes
def test_a_failure_on_the_fourth_of_five_days_names_it_and_leaves_those_before_it_written(
    desk: Desk, shape: Shape
) -> None:
    desk.write(DAILY_ACTIVE_USERS, [metrics(day, dau=1) for day in FIVE_DAYS], shape, FIVE_DAYS)
    new = [metrics(day, dau=2) for day in FIVE_DAYS]
    new[3]["mau"] = None

    message = error_of(desk.write(DAILY_ACTIVE_USERS, new, shape, FIVE_DAYS))

    assert message == (
        "ContractError: daily_active_users.mau: NULL in a required column on 2024-01-13; nothing was written"
    )
    assert [row["dau"] for row in desk.warehouse.rows(DAILY_ACTIVE_USERS)] == [2, 2, 2, 1, 1]
    runs = [entry["run_id"] for entry in desk.warehouse.ledger()]
    assert [run_id == runs[4] for run_id in runs] == [False, False, False, True, True]


@shapes
def test_a_foreign_day_in_a_range_stops_the_range_before_its_first_day(desk: Desk, shape: Shape) -> None:
    old = [metrics(day, dau=1) for day in FIVE_DAYS]
    desk.write(DAILY_ACTIVE_USERS, old, shape, FIVE_DAYS)

    new = [metrics(day, dau=2) for day in FIVE_DAYS] + [metrics(date(2024, 2, 1))]
    message = error_of(desk.write(DAILY_ACTIVE_USERS, new, shape, FIVE_DAYS))

    assert message == (
        f"ContractError: daily_active_users.event_date: {'1 ' if shape is QUERY else ''}rows lie outside the partition "
        f"{'2024-01-10' if shape is QUERY else '2024-01-10 to 2024-01-14'} that is written, for example 2024-02-01; "
        "nothing was written"
    )
    assert desk.warehouse.rows(DAILY_ACTIVE_USERS) == old


def files(sql: str) -> Files:
    """A source whose files read as this SQL, which is DuckDB's for either warehouse."""

    def explain(_: Exception) -> SourceError:
        return SourceError("log.jsonl, line 3: not JSON")

    quoted = sql.replace("`", '"')
    return Files(
        lambda stretch: FileQuery(of_days(quoted, stretch), explain, {day: {"files": 1} for day in stretch.days}),
        lambda _: 0,
    )


def tables(desk: Desk, sql: str) -> Files:
    """A source whose tables the engine itself reads by this SQL."""
    quoted = re.sub("`(.*?)`", lambda name: desk.warehouse.quoted(name[1]), sql)
    return Files(
        lambda stretch: TableQuery(of_days(quoted, stretch), {day: {"tables": 1} for day in stretch.days}), lambda _: 0
    )


def of_days(sql: str, stretch: Stretch) -> str:
    """The SQL of a day for each of the stretch."""
    return " UNION ALL ".join(sql.replace("{day}", str(day)) for day in stretch.days)


OPENED = (
    "SELECT DATE '{day}' AS event_date, 'u1' AS user_id, CAST(NULL AS STRING) AS topic, "
    "CAST(NULL AS INT64) AS `partition`, CAST(NULL AS INT64) AS `offset`"
)


def test_files_are_read_into_either_engine_and_counted(desk: Desk) -> None:
    result = desk.run(RAW_ACCESS_LOG, files(OPENED))

    assert metadata(result)["files"] == 1
    assert desk.warehouse.rows(RAW_ACCESS_LOG) == [opened("u1")]


def test_a_file_that_cannot_be_read_is_explained_by_its_source(desk: Desk) -> None:
    desk.give(RAW_ACCESS_LOG, files(OPENED))

    result = desk.give(RAW_ACCESS_LOG, files(OPENED.replace("'u1'", f"CAST(CAST('{CANARY}' AS INT64) AS STRING)")))

    assert error_of(result) == "SourceError: log.jsonl, line 3: not JSON"
    assert desk.warehouse.rows(RAW_ACCESS_LOG) == [opened("u1")]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            OPENED.replace("CAST(NULL AS INT64) AS `offset`", "CAST(1.6 AS {fraction}) AS `offset`"),
            "raw_access_log.offset: the query gives {fraction}, the contract says INT64, for example 1.6; "
            "cast it in the query; nothing was written",
        ),
        (
            OPENED + ", 1 AS fun",
            "raw_access_log: column fun is not in the contract; declare it in calback_assets/tables or leave it out",
        ),
        (
            OPENED.replace(", CAST(NULL AS STRING) AS topic", ""),
            "raw_access_log: column topic of the contract is missing from the data",
        ),
    ],
    ids=["lossy cast", "extra column", "missing column"],
)
def test_what_a_source_reads_is_held_to_the_contract_too(desk: Desk, changed: str, message: str) -> None:
    desk.give(RAW_ACCESS_LOG, tables(desk, OPENED))

    expected = message.format(**desk.warehouse.types)
    assert (
        error_of(
            desk.give(RAW_ACCESS_LOG, tables(desk, changed.replace("{fraction}", desk.warehouse.types["fraction"])))
        )
        == f"ContractError: {expected}"
    )
    assert desk.warehouse.rows(RAW_ACCESS_LOG) == [opened("u1")]


def opened(user_id: str) -> Row:
    return {"event_date": DAY, "user_id": user_id, "topic": None, "partition": None, "offset": None}


SEEN_AT = datetime(2024, 1, 10, 3, tzinfo=UTC)


def documents(*user_ids: object, at: datetime = SEEN_AT, friends: object = 2) -> Snapshot:
    rows = [
        dict.fromkeys(RAW_USERS.column_names)
        | {"user_id": user_id, "friend_count": friends, "created_at": SEEN_AT, "updated_at": SEEN_AT, "snapshot_at": at}
        for user_id in user_ids
    ]
    return Snapshot(pa.Table.from_pylist(rows), {"documents": len(rows)})


def departures(desk: Desk) -> dict[str, datetime | None]:
    return {row["user_id"]: row["deleted_at"] for row in desk.warehouse.rows(RAW_USERS)}


def test_a_document_that_has_gone_keeps_its_row_and_is_marked(desk: Desk) -> None:
    desk.give(RAW_USERS, documents("u1", "u2"))
    before = datetime.now(UTC)

    result = desk.run(RAW_USERS, documents("u1", at=SEEN_AT + timedelta(days=1)))

    assert metadata(result)["row_count"] == 2
    there, gone = desk.warehouse.rows(RAW_USERS)
    assert there["deleted_at"] is None
    assert there["snapshot_at"] == SEEN_AT + timedelta(days=1)
    assert before <= gone["deleted_at"] <= datetime.now(UTC)
    assert gone | {"deleted_at": None} == documents("u2").rows.to_pylist()[0]


def test_a_document_that_comes_back_loses_its_mark(desk: Desk) -> None:
    desk.give(RAW_USERS, documents("u1", "u2"))
    desk.give(RAW_USERS, documents("u1"))
    desk.give(RAW_USERS, documents("u1", "u2"))

    assert departures(desk) == {"u1": None, "u2": None}


def test_later_snapshots_keep_the_time_at_which_a_document_was_first_missed(desk: Desk) -> None:
    desk.give(RAW_USERS, documents("u1", "u2", "u3"))
    desk.give(RAW_USERS, documents("u1", "u2"))
    first = departures(desk)["u3"]

    desk.give(RAW_USERS, documents("u1"))
    desk.give(RAW_USERS, documents("u1"))

    after = departures(desk)
    assert after["u3"] == first
    assert after["u2"] > first


def test_an_empty_snapshot_marks_every_document(desk: Desk) -> None:
    desk.give(RAW_USERS, documents("u1"))

    nothing = Snapshot(documents("u1").rows.slice(0, 0), {"documents": 0})
    result = desk.give(RAW_USERS, nothing)

    assert metadata(result)["row_count"] == 1
    assert departures(desk)["u1"] is not None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (documents("u1", None), "raw_users.user_id: NULL in a required column; nothing was written"),
        (
            documents("u1", friends=1.6),
            "raw_users.friend_count: type double cannot be stored as INT64 without loss, for example 1.6; nothing was "
            "written",
        ),
    ],
    ids=["NULL in a required column", "lossy cast"],
)
def test_a_broken_snapshot_leaves_the_old_one(desk: Desk, broken: Snapshot, message: str) -> None:
    desk.give(RAW_USERS, documents("u1", "u2"))
    desk.give(RAW_USERS, documents("u1"))
    old = desk.warehouse.rows(RAW_USERS)

    assert error_of(desk.give(RAW_USERS, broken)) == f"ContractError: {message}"
    assert desk.warehouse.rows(RAW_USERS) == old


def test_three_snapshots_of_the_same_documents_store_the_same_rows(desk: Desk) -> None:
    stored = []
    for _ in range(3):
        desk.give(RAW_USERS, documents("u1", "u2"))
        stored.append(desk.warehouse.rows(RAW_USERS))

    assert stored[0] == stored[1] == stored[2] == documents("u1", "u2").rows.to_pylist()


COUNTED = (
    "SELECT event_date, user_id, COUNT(*) AS active_days_30d, 1 AS active_days_mtd, TRUE AS is_frequent, "
    "TRUE AS is_frequent_month FROM raw_access_log GROUP BY event_date, user_id"
)
READS = {"raw_access_log": Input(RAW_ACCESS_LOG, SAME_DAY)}


def test_a_materialization_of_a_query_says_what_a_person_wants_to_know(desk: Desk, tmp_path: Path) -> None:
    desk.write(RAW_ACCESS_LOG, [opened("u1"), opened("u1"), opened("u2")])

    said = metadata(desk.run(FREQUENT_USERS, query(COUNTED, READS, tmp_path)))

    assert said["row_count"] == 2
    assert said["dagster/partition_row_count"] == 2
    assert said["dagster/uri"] == desk.warehouse.uri(FREQUENT_USERS)
    assert said.keys() >= set(desk.warehouse.figures)
    assert "event_date >= CAST('2024-01-10' AS DATE)" in said["sql"]
    assert "event_date < CAST('2024-01-11' AS DATE)" in said["sql"]
    assert said["dagster/column_lineage"] == TableColumnLineage(
        {
            "event_date": [TableColumnDep(RAW_ACCESS_LOG.name, "event_date")],
            "user_id": [TableColumnDep(RAW_ACCESS_LOG.name, "user_id")],
            # No value goes into a count, nor into what is always so: which rows there are does.
            "active_days_30d": [TableColumnDep(RAW_ACCESS_LOG.name, "event_date")],
            "active_days_mtd": [TableColumnDep(RAW_ACCESS_LOG.name, "event_date")],
            "is_frequent": [TableColumnDep(RAW_ACCESS_LOG.name, "event_date")],
            "is_frequent_month": [TableColumnDep(RAW_ACCESS_LOG.name, "event_date")],
        }
    )
    assert [cell.strip() for cell in said["preview"].splitlines()[0].strip("|").split("|")] == [
        "event_date",
        "active_days_30d",
        "active_days_mtd",
        "is_frequent",
        "is_frequent_month",
    ]


@shapes
def test_every_day_of_a_range_has_a_row_count_of_its_own(desk: Desk, shape: Shape) -> None:
    rows = [frequent(day, f"u{number}") for after, day in enumerate(FIVE_DAYS) for number in range(after)]

    result = desk.run(FREQUENT_USERS, shape.output(rows, FREQUENT_USERS, FIVE_DAYS, desk.folder), FIVE_DAYS)

    told = [metadata(result, day) for day in FIVE_DAYS]
    assert [of_day["row_count"] for of_day in told] == [0, 1, 2, 3, 4]
    assert {of_day["written_at_once"] for of_day in told} == {"2024-01-10 to 2024-01-14"}
    # The statement grows with its days, and stands once. So do the columns, in the event that Dagit shows them of.
    assert ["sql" in of_day for of_day in told] == [False] * 4 + [True]
    assert ["dagster/column_schema" in of_day for of_day in told] == [False] * 4 + [True]
    newest = desk.instance.get_latest_materialization_event(AssetKey(FREQUENT_USERS.name))
    assert newest.asset_materialization.partition == str(FIVE_DAYS[4])
    assert [row["row_count"] for row in desk.warehouse.ledger()] == [0, 1, 2, 3, 4]


def test_whichever_day_is_written_last_its_event_shows_the_numbers_of_that_day_and_the_newest_days(
    desk: Desk, tmp_path: Path
) -> None:
    def written(days: Sequence[date], dau: int) -> Written:
        rows = [metrics(day, dau=dau + at, stickiness=None) for at, day in enumerate(days)]
        made = QUERY.output(rows, DAILY_ACTIVE_USERS, days, tmp_path)
        plot = Plot(lambda drawn: ", ".join(f"{value}" for value in sorted(drawn["dau"])), days=2)
        return desk.give(DAILY_ACTIVE_USERS, replace(made, plot=plot), days)  # type: ignore[type-var]

    first = written(FIVE_DAYS, 10)
    told = [metadata(first, day) for day in FIVE_DAYS]
    assert [(of_day["dau"], of_day["mau"]) for of_day in told] == [(10, 4), (11, 4), (12, 4), (13, 4), (14, 4)]
    assert "stickiness" not in told[0]
    assert ["plot" in of_day for of_day in told] == [False] * 4 + [True]

    again = metadata(written(FIVE_DAYS[1:2], 20))
    assert list(again)[:4] == ["plot", "preview", "dau", "wau"], "what a person looks for comes first"
    assert (again["plot"], again["dau"]) == ("13, 14", 20)
    assert str(FIVE_DAYS[4]) in again["preview"]
    assert "dau" not in metadata(desk.write(FREQUENT_USERS, [frequent()])), "more than one row a day"


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def personal_rows() -> list[object]:
    """Outputs that Python refuses, whatever the engine, on or beside a personal value."""
    row = frequent(user_id=CANARY)
    return [
        pd.DataFrame([row | {"user_id": 7}, row], dtype=object),
        pd.DataFrame([row | {"user_id": CANARY.encode()}]),
        pd.DataFrame([row | {"user_id": [CANARY]}]),
        pd.DataFrame([row | {"active_days_30d": np.nan}]),
        pd.DataFrame([row | {"event_date": date(2024, 1, 12)}]),
        pa.Table.from_pylist([row | {"is_frequent": None}]),
        pa.Table.from_pylist([row | {"user_id": {"id": CANARY}}]),
    ]


def personal_queries(folder: Path) -> list[object]:
    """Queries that an engine fails on a personal value."""
    number = "(SELECT CAST(CONCAT(user_id, '') AS INT64))"
    cast = COUNTED.replace("1 AS active_days_mtd", f"{number} AS active_days_mtd")
    return [
        query(cast, READS, folder, "cast"),
        query(cast.replace("''", "'\\n'"), READS, folder, "line_break"),
        query(cast.replace("CONCAT(user_id", "CONCAT('it\\'s ', user_id"), READS, folder, "apostrophe"),
    ]


def test_no_personal_value_reaches_the_instance_the_log_or_an_exception(
    warehouse: WarehouseUnderTest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home := tmp_path / "instance").mkdir()
    # One file of events for all runs, because each file takes as long to make as a run.
    log = {"module": "dagster._core.storage.event_log", "class": "ConsolidatedSqliteEventLogStorage"}
    kept = {"event_log_storage": log | {"config": {"base_dir": str(home / "events")}}}
    with DagsterInstance.local_temp(str(home), kept) as instance:
        desk = Desk(warehouse, instance, tmp_path)
        read = pd.DataFrame([opened(CANARY), opened(f"{CANARY}'s\nphone")])
        assert desk.run(RAW_ACCESS_LOG, read).success
        assert desk.run(FREQUENT_USERS, query(COUNTED, READS, tmp_path)).success
        assert desk.run(RAW_USERS, documents(CANARY)).success
        for output in [*(personal_rows() if warehouse.name == "duckdb" else ()), *personal_queries(tmp_path)]:
            assert not desk.run(FREQUENT_USERS, output).success

    printed = "".join(capfd.readouterr())
    assert CANARY in str(warehouse.rows(FREQUENT_USERS))
    assert CANARY not in printed
    assert CANARY.encode() not in bytes_of(home)


def test_the_chain_of_an_exception_holds_no_personal_value(desk: Desk, tmp_path: Path) -> None:
    desk.write(RAW_ACCESS_LOG, [opened(CANARY)])
    for number, output in enumerate([*personal_rows(), *personal_queries(tmp_path)]):
        error = desk.give(FREQUENT_USERS, output).error
        assert error is not None, number
        assert CANARY not in "".join(traceback.format_exception(error)), number


@pytest.mark.parametrize(
    "tags", [{}, {"dagster/asset_partition_range_start": "2024-01-12", "dagster/asset_partition_range_end": str(DAY)}]
)
def test_a_launch_that_names_no_day_says_so(desk: Desk, tags: dict[str, str]) -> None:
    """As Dagit's launchpad starts it: a job without a partition, or with its range reversed."""
    with pytest.raises(CalbackError) as caught:
        materialize(
            [asset_of(RAW_ACCESS_LOG, lambda: pd.DataFrame([opened("u1")]))],
            instance=desk.instance,
            resources={"io_manager": desk.warehouse.io_manager()},
            tags=tags,
        )
    assert str(caught.value) == (
        "raw_access_log is written by days, and this run names none; launch it with a partition, or with a range whose "
        "first day comes first"
    )


def test_stale_days_are_rebuilt_in_order_and_reported(desk: Desk, tmp_path: Path) -> None:
    """A query's next run takes along the days that a changed input made stale, and says so."""
    manager = desk.warehouse.io_manager({RAW_ACCESS_LOG.name: [(FREQUENT_USERS.name, SAME_DAY)]})
    days = FIVE_DAYS[:3]
    counted = asset_of(FREQUENT_USERS, lambda: query(COUNTED, READS, tmp_path))

    def land(days: Sequence[date], *user_ids: str) -> None:
        rows = [opened(user_id) | {"event_date": day} for day in days for user_id in user_ids]
        landed = asset_of(RAW_ACCESS_LOG, lambda: pd.DataFrame(rows))
        assert run(landed, manager, desk.instance, days).success

    land(days, "u1")
    assert run(counted, manager, desk.instance, days).success
    land(days[:2], "u1", "u2")

    result = run(counted, manager, desk.instance, days[2:])

    assert [row["event_date"] for row in desk.warehouse.rows(FREQUENT_USERS)] == [
        days[0],
        days[0],
        days[1],
        days[1],
        days[2],
    ]
    assert sorted(str(event.partition) for event in result.get_asset_materialization_events()) == [
        str(day) for day in days
    ]
    assert metadata(result, days[2])["stale_days_rebuilt"] == 2
    assert metadata(result, days[0])["row_count"] == 2
    assert not any(row["is_stale"] for row in desk.warehouse.ledger())


def test_only_the_days_of_a_stretch_that_changed_make_others_stale_which_are_rebuilt_in_stretches(
    desk: Desk, tmp_path: Path
) -> None:
    manager = desk.warehouse.io_manager({RAW_ACCESS_LOG.name: [(FREQUENT_USERS.name, trailing(2))]})
    counted = asset_of(FREQUENT_USERS, lambda: query(COUNTED, READS, tmp_path))

    def land(changed: Sequence[date]) -> None:
        rows = [opened("u2" if day in changed else "u1") | {"event_date": day} for day in FIVE_DAYS]
        assert run(asset_of(RAW_ACCESS_LOG, lambda: pd.DataFrame(rows)), manager, desk.instance, FIVE_DAYS).success

    land([])
    assert run(counted, manager, desk.instance, FIVE_DAYS).success
    land([FIVE_DAYS[0], FIVE_DAYS[3]])
    stale = [row["event_date"] for row in desk.warehouse.ledger() if row["is_stale"]]
    assert stale == [FIVE_DAYS[after] for after in (0, 1, 3, 4)]

    result = run(counted, manager, desk.instance, FIVE_DAYS[4:])

    rebuilt = {
        str(event.partition): event.step_materialization_data.materialization.metadata["written_at_once"].value
        for event in result.get_asset_materialization_events()
    }
    assert rebuilt == {
        "2024-01-10": "2024-01-10 to 2024-01-11",
        "2024-01-11": "2024-01-10 to 2024-01-11",
        "2024-01-13": "2024-01-13 to 2024-01-14",
        "2024-01-14": "2024-01-13 to 2024-01-14",
    }
    assert not any(row["is_stale"] for row in desk.warehouse.ledger())


def test_the_calendar_gives_a_model_its_days_with_their_bounds_and_what_all_of_them_read(tmp_path: Path) -> None:
    model = query("SELECT event_date FROM raw_access_log", READS, tmp_path).model
    clocks_go_forward = date(2024, 3, 10)

    calendar = Calendar(FIRST, None, "America/New_York")
    assert calendar.parameters(model, Stretch(date(2024, 3, 9), clocks_go_forward)) == {
        "days": [
            (date(2024, 3, 9), datetime(2024, 3, 9, 5, tzinfo=UTC), datetime(2024, 3, 10, 5, tzinfo=UTC)),
            (clocks_go_forward, datetime(2024, 3, 10, 5, tzinfo=UTC), datetime(2024, 3, 11, 4, tzinfo=UTC)),
        ],
        "raw_access_log_from": date(2024, 3, 9),
        "raw_access_log_until": date(2024, 3, 11),
    }
