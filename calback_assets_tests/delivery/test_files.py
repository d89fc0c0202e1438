"""Files read back by other programs: openpyxl and calamine, DuckDB, pandas and Python's own csv."""

import csv
import hashlib
import json
import resource
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from calback_assets.days import Stretch
from calback_assets.delivery.exports import Pieces
from calback_assets.delivery.files import FilesTarget
from calback_assets.delivery.folder import FolderStore
from calback_assets.delivery.formats.csv_format import CsvFormat
from calback_assets.delivery.formats.formulas import defused, is_formula
from calback_assets.delivery.formats.xlsx_format import XlsxFormat
from calback_assets.delivery.ordering import Sorter
from calback_assets.delivery.piece import Piece
from calback_assets.errors import DeliveryError, WarehouseError
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.rows import arrow_schema
from calback_assets_tests.delivery.world import (
    DAY,
    FORMULA,
    KOREAN,
    NASTY,
    NEXT,
    delivered,
    files,
    filled,
    put,
)

ACTIVITY = USER_DAILY_ACTIVITY.name
MANIFEST = "_manifest"


def manifest(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_a_csv_opens_in_excel_and_in_everything_else(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    delivered(stored, files(tmp_path, "csv"), ACTIVITY)
    path = tmp_path / ACTIVITY / f"{ACTIVITY}_{DAY}.csv"

    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(USER_DAILY_ACTIVITY.column_names)
    assert [row["user_id"] for row in rows] == ["'-1", f"'{FORMULA}", KOREAN]
    assert [row["events"] for row in rows] == ["0", "1", "3"]
    assert rows[2]["first_event_at"] == "2024-01-09 15:00:00.123456Z"
    assert [row["actions"] for row in rows[:2]] == ["", '[{"event_name":"search","events":1}]']
    assert json.loads(rows[2]["actions"])[0] == {"event_name": "일정_보기", "events": 2}
    assert list(pd.read_csv(path)["user_id"]) == ["'-1", f"'{FORMULA}", KOREAN]
    with duckdb.connect() as engine:
        found = engine.read_csv(str(path)).fetchall()
    assert [(row[0], row[3]) for row in found] == [(DAY, 0), (DAY, 1), (DAY, 3)]


def test_a_negative_number_is_no_formula(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    delivered(stored, files(tmp_path, "csv"), DAILY_ACTIVE_USERS.name)

    text = (tmp_path / DAILY_ACTIVE_USERS.name / f"daily_active_users_{DAY}.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[1].startswith(f"{DAY},-3,-3,-3,0.25,-3")


def workbook(path: Path) -> Any:
    import openpyxl  # Slow to import, and for this alone.

    return openpyxl.load_workbook(path)


def test_a_workbook_is_typed_and_runs_nothing(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    delivered(stored, files(tmp_path, "xlsx"), ACTIVITY)
    path = tmp_path / ACTIVITY / f"{ACTIVITY}_{DAY}.xlsx"

    book = workbook(path)
    assert book.sheetnames == [ACTIVITY, "columns"]
    head, *rows = book[ACTIVITY].iter_rows()
    assert [cell.value for cell in head] == list(USER_DAILY_ACTIVITY.column_names)
    assert [cell.value for cell in rows[1]][:5] == [datetime(2024, 1, 10), FORMULA, False, 1, 1]
    assert [cell.data_type for cell in rows[1]] == ["d", "s", "b", "n", "n", "n", "n", "d", "d", "s"]
    assert [row[1].quotePrefix for row in rows] == [True, True, False]
    assert rows[2][1].value == KOREAN
    assert rows[0][7].value.replace(microsecond=0) == datetime(2024, 1, 9, 15)
    assert book["columns"]["C2"].value == "Day the person was active."
    assert [cell.data_type for sheet in book for row in sheet for cell in row if cell.data_type == "f"] == []
    found = CalamineWorkbook.from_path(path).get_sheet_by_name(ACTIVITY).to_python()
    assert found[3][:4] == [DAY, KOREAN, False, 3.0]
    assert isinstance(found[3][7], datetime)


def test_a_parquet_file_has_the_types_of_the_contract(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    delivered(stored, files(tmp_path, "parquet"), ACTIVITY, [DAY, NEXT])

    stored_schema = pq.read_schema(tmp_path / ACTIVITY / f"{ACTIVITY}_{DAY}.parquet")
    assert stored_schema.equals(arrow_schema(USER_DAILY_ACTIVITY))
    assert stored_schema.field("events").metadata == {b"description": b"Activity events of the day.", **{}}
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        found = engine.execute(
            f"SELECT event_date, user_id, actions[1].event_name, typeof(actions) FROM '{tmp_path}/*/*.parquet'"
        ).fetchall()
    kind = "STRUCT(event_name VARCHAR, events BIGINT)[]"
    assert found == [
        (day, user, action, kind)
        for day in (DAY, NEXT)
        for user, action in (("-1", None), (FORMULA, "search"), (KOREAN, "일정_보기"))
    ]


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_the_same_rows_are_the_same_bytes_and_a_new_day_takes_the_place_of_the_old(tmp_path: Path, suffix: str) -> None:
    warehouse = filled(tmp_path / "warehouse.duckdb")
    folder, name = tmp_path / "out", f"{DAILY_ACTIVE_USERS.name}_{DAY}.{suffix}"
    path = folder / DAILY_ACTIVE_USERS.name / name
    delivered(warehouse, files(folder, suffix), DAILY_ACTIVE_USERS.name)
    first = path.read_bytes()
    delivered(warehouse, files(folder, suffix), DAILY_ACTIVE_USERS.name)
    assert path.read_bytes() == first

    metrics = ", ".join(f"7 AS {column.name}" for column in DAILY_ACTIVE_USERS.columns[1:] if column.type == "INT64")
    put(
        warehouse,
        DAILY_ACTIVE_USERS,
        Stretch.on(DAY),
        f"SELECT DATE '{{day}}' AS event_date, CAST(NULL AS DOUBLE) AS stickiness, {metrics}",
        "second",
    )
    delivered(warehouse, files(folder, suffix), DAILY_ACTIVE_USERS.name)
    assert path.read_bytes() != first
    told = manifest(path.parent, name)
    assert told["files"] == [
        {
            "name": name,
            "rows": 1,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
    ]
    assert {file.name for file in path.parent.iterdir()} == {name, MANIFEST, ".lock"}


def test_a_manifest_says_what_the_rows_are_and_whether_they_may_change(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    delivered(stored, files(tmp_path, "csv"), ACTIVITY, [DAY, NEXT])

    of_day = manifest(tmp_path / ACTIVITY, f"{ACTIVITY}_{DAY}.csv")
    assert {name: of_day[name] for name in ("export", "row_is", "first_day", "rows", "version", "run_id")} == {
        "export": ACTIVITY,
        "row_is": "user × day",
        "first_day": "2024-01-10",
        "rows": 3,
        "version": "first/3",
        "run_id": "a run",
    }
    assert of_day["columns"][1] == {
        "name": "user_id",
        "type": "STRING",
        "required": True,
        "is_personal": True,
        "description": "The person.",
    }
    assert of_day["holds_personal_data"] is True
    # The schedule rewrites a day for the last time in the fourth night after it.
    assert (of_day["is_final"], of_day["final_from"]) == (True, "2024-01-14")
    of_next = manifest(tmp_path / ACTIVITY, f"{ACTIVITY}_{NEXT}.csv")
    assert (of_next["is_final"], of_next["final_from"]) == (False, "2024-01-15")


def test_more_rows_than_a_sheet_takes_are_split_and_said(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    days = [DAY, NEXT]
    ((_, sheets),) = delivered(stored, FilesTarget(store, XlsxFormat(4)), ACTIVITY, days, pieces=Pieces.RANGE)
    ((_, split),) = delivered(stored, FilesTarget(store, CsvFormat(3)), ACTIVITY, days, pieces=Pieces.RANGE)

    name = f"{ACTIVITY}_{DAY}_to_{NEXT}"
    book = workbook(tmp_path / ACTIVITY / f"{name}.xlsx")
    assert [(sheet.title, sheet.max_row) for sheet in book][:2] == [(ACTIVITY, 4), (f"{ACTIVITY} 2", 4)]
    assert sheets.notes == ["6 rows are more than a sheet takes: 2 sheets"]
    assert split.notes == ["6 rows are more than a sheet takes: 3 files"]
    assert [file.rpartition(".")[0].rpartition(".")[0] for file in split.names] == [
        f"{name}.part-{number}-of-3" for number in (1, 2, 3)
    ]
    users = [
        row["user_id"]
        for file in split.names
        for row in csv.DictReader((tmp_path / ACTIVITY / file).read_text(encoding="utf-8-sig").splitlines())
    ]
    assert users == ["'-1", f"'{FORMULA}", KOREAN] * 2

    delivered(stored, files(tmp_path, "csv"), ACTIVITY, days, pieces=Pieces.RANGE)
    assert [path.name for path in (tmp_path / ACTIVITY).glob("*.csv")] == [f"{name}.csv"]


def test_days_that_have_changed_since_are_delivered_again(tmp_path: Path) -> None:
    warehouse, folder = filled(tmp_path / "warehouse.duckdb"), tmp_path / "out"
    delivered(warehouse, files(folder, "parquet"), ACTIVITY, [DAY, NEXT])
    with warehouse.session() as session:
        session.execute("UPDATE calback.partition_ledger SET run_id = 'late' WHERE event_date = DATE '2024-01-10'")

    # As where a day was rebuilt by a run of another, or a person was erased from it.
    again = delivered(warehouse, files(folder, "parquet"), ACTIVITY, [NEXT], follows=True)

    assert [piece.days for piece, _ in again] == [Stretch.on(DAY), Stretch.on(NEXT)]
    assert delivered(warehouse, files(folder, "parquet"), ACTIVITY, [NEXT], follows=True)[0][0].days == Stretch.on(NEXT)


def test_what_people_did_is_a_column_an_action(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    delivered(stored, files(tmp_path, "csv"), "who_did_what", [DAY, NEXT], pieces=Pieces.RANGE)

    path = tmp_path / "who_did_what" / f"who_did_what_{DAY}_to_{NEXT}.csv"
    head, *rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    fixed = ["event_date", "user_id", "is_anonymous", "events", "sessions", "app_opens", "meetings_created"]
    assert head == [*fixed, "_cmd_C_calc_A0", "search", "일정_보기"]
    assert [(row[0], row[1], *row[7:]) for row in rows] == [
        (str(day), user, *times)
        for day in (DAY, NEXT)
        # Who only opened the app has zeros.
        for user, *times in (
            ("'-1", "0", "0", "0"),
            (f"'{FORMULA}", "0", "1", "0"),
            (KOREAN, "1", "0", "2"),
        )
    ]
    described = manifest(tmp_path / "who_did_what", path.name)["columns"][7]["description"]
    assert described == f"How often the person did {NASTY!r} on the day."


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_a_full_disk_leaves_the_old_file_and_is_said(tmp_path: Path, suffix: str) -> None:
    warehouse, folder = filled(tmp_path / "warehouse.duckdb"), tmp_path / "out"
    delivered(warehouse, files(folder, suffix), ACTIVITY)
    path = folder / ACTIVITY / f"{ACTIVITY}_{DAY}.{suffix}"
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(DeliveryError, match=r"nothing can be written to .*; the old files stand; make room"):
            delivered(warehouse, files(folder, suffix), ACTIVITY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_bytes() == before
    assert {found.name for found in path.parent.iterdir()} == {path.name, MANIFEST, ".lock"}


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_rows_that_break_off_leave_the_old_file_and_their_own_error(
    stored: DuckDBWarehouse, tmp_path: Path, suffix: str
) -> None:
    delivered(stored, files(tmp_path, suffix), ACTIVITY)
    path = tmp_path / ACTIVITY / f"{ACTIVITY}_{DAY}.{suffix}"
    before = path.read_bytes()

    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([], schema=schema)
        raise WarehouseError("the warehouse went away")

    schema = arrow_schema(USER_DAILY_ACTIVITY)
    target, name = files(tmp_path, suffix), f"{ACTIVITY}_{DAY}"
    with Sorter.opened() as sorter, target.opened(USER_DAILY_ACTIVITY) as place:
        rows = partial(sorter.in_order, broken(), schema, USER_DAILY_ACTIVITY.key)
        flatten = partial(sorter.flat, table=USER_DAILY_ACTIVITY)
        piece = Piece(name, USER_DAILY_ACTIVITY, Stretch.on(DAY), "v", "a run", None, False, rows, flatten)
        with pytest.raises(WarehouseError, match="the warehouse went away"):
            place.deliver(piece)

    assert path.read_bytes() == before
    assert {found.name for found in path.parent.iterdir()} == {path.name, MANIFEST, ".lock"}


def test_a_manifest_that_somebody_has_changed_is_no_version(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    delivered(stored, files(tmp_path, "csv"), ACTIVITY, [DAY])
    (tmp_path / ACTIVITY / MANIFEST / f"{ACTIVITY}_{DAY}.csv.json").write_text("mine")

    again = delivered(stored, files(tmp_path, "csv"), ACTIVITY, [NEXT], follows=True)

    assert [piece.days for piece, _ in again] == [Stretch.on(DAY), Stretch.on(NEXT)]


def test_a_table_that_was_never_written_is_said(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="table frequent_users does not exist yet"):
        delivered(stored, files(tmp_path, "csv"), "frequent_users")
    with pytest.raises(WarehouseError, match="nothing was ever written of 2024-03-01: materialize"):
        delivered(stored, files(tmp_path, "csv"), ACTIVITY, [date(2024, 3, 1)])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_said_in_one_line(stored: DuckDBWarehouse, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeliveryError) as caught:
        delivered(stored, files(tmp_path / "file", "csv"), ACTIVITY)
    assert str(caught.value) == (
        f"{ACTIVITY}: nothing can be written to {tmp_path / 'file' / ACTIVITY} (Not a directory); the old files stand; "
        "make room or mend the rights there, or choose another folder"
    )


@given(st.text(alphabet="=+-@\t\r\n＝＋－＠'a1 ", max_size=4))  # noqa: RUF001 - the wide forms are meant
def test_no_text_that_leaves_begins_as_a_formula(text: str) -> None:
    (safe,) = defused(pa.array([text])).to_pylist()

    assert not is_formula(safe)
    assert safe in (text, f"'{text}")
    assert (safe == text) == (text[:1] not in tuple("=+-@\t\r\n＝＋－＠") or not text)  # noqa: RUF001
