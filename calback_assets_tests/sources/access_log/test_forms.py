"""Tests of the forms of the access log's files: each gives the same rows, and tells its bad lines."""

import csv
import gzip
import io
import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.sources.access_log.files import AccessLogFiles
from calback_assets.sources.access_log.log import DEFAULT_FIELDS, Fields
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets_tests.sources.helpers import MARK, rows

DAY = date(2024, 3, 14)
SEOUL = "Asia/Seoul"
FORMS = ("jsonl", "ndjson", "jsonl.gz", "json", "json.gz", "lines.json", "csv", "csv.gz", "parquet")
HEADER = ("userId", "date", "topic", "partition", "offset")
Row = dict[str, Any]


def write(folder: Path, form: str, given_rows: Sequence[Row], *, mark: bytes = b"", newline: str = "\n") -> Path:
    """The same rows in a form; `mark` and `newline` are those of a text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"opens.{form}"
    names = list(dict.fromkeys(name for row in given_rows for name in row)) or list(HEADER)
    if form == "parquet":
        pq.write_table(pa.table({name: [row.get(name) for row in given_rows] for name in names}), path)
        return path
    kind = form.removesuffix(".gz")
    if kind == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names, lineterminator=newline)
        writer.writeheader()
        writer.writerows(given_rows)
        written = text.getvalue()
    elif kind == "json":
        written = json.dumps(given_rows, indent=1, ensure_ascii=False).replace("\n", newline)
    else:
        written = "".join(f"{json.dumps(row, ensure_ascii=False)}{newline}" for row in given_rows)
    data = mark + written.encode()
    path.write_bytes(gzip.compress(data) if form.endswith(".gz") else data)
    return path


def log(folder: Path, fields: Fields = DEFAULT_FIELDS, zone: str = SEOUL) -> AccessLogFiles:
    return AccessLogFiles(folder, zone, fields)


def read(folder: Path, day: date = DAY, fields: Fields = DEFAULT_FIELDS, zone: str = SEOUL) -> list[Row]:
    return rows(log(folder, fields, zone).look(day).read(Stretch.on(day)), RAW_ACCESS_LOG)


def users(folder: Path, day: date = DAY, fields: Fields = DEFAULT_FIELDS) -> list[str]:
    return sorted(row["user_id"] for row in read(folder, day, fields))


def refusal(folder: Path, day: date = DAY) -> str:
    with pytest.raises(SourceError) as caught:
        log(folder).look(day).read(Stretch.on(day))
    return str(caught.value)


@pytest.mark.parametrize(
    ("mark", "newline", "place"),
    [(b"", "\n", "."), (b"\xef\xbb\xbf", "\r\n", "."), (b"", "\n\n", "."), (b"\xef\xbb\xbf", "\n", "date=2024-03-14")],
    ids=["LF", "mark and CRLF", "blank lines", "mark in a day's folder"],
)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_in_each_place_gives_the_same_rows(
    tmp_path: Path, form: str, mark: bytes, newline: str, place: str
) -> None:
    day = {"date": "2024-03-14", "topic": "opens, all"}
    given_rows = [
        {"userId": "007", **day, "partition": 2, "offset": 9007199254740993},
        {"userId": '사용자 "x"', **day, "partition": None, "offset": -1},
    ]
    write(tmp_path / place, form, given_rows, mark=mark, newline=newline)
    ours = {"event_date": DAY, "topic": "opens, all"}
    assert read(tmp_path) == [
        {"user_id": "007", **ours, "partition": 2, "offset": 9007199254740993},
        {"user_id": '사용자 "x"', **ours, "partition": None, "offset": -1},
    ]


@pytest.mark.parametrize("form", FORMS)
def test_whole_numbers_keep_their_digits_and_other_columns_are_not_looked_at(tmp_path: Path, form: str) -> None:
    numbers = [0, -1, 2**63 - 1]
    write(tmp_path, form, [{"userId": id_, "date": "2024-03-14", "more, yet": MARK} for id_ in numbers])
    assert users(tmp_path) == ["-1", "0", "9223372036854775807"]
    assert [row["topic"] for row in read(tmp_path)] == [None, None, None]


def test_the_files_of_a_day_are_one_day_whatever_their_form_and_place(tmp_path: Path) -> None:
    for number, form in enumerate(FORMS):
        place = tmp_path if number % 2 else tmp_path / "date=2024-03-14"
        write(place, form, [{"userId": f"u{number}", "date": "2024-03-14"}])
    assert users(tmp_path) == [f"u{number}" for number in range(9)]
    assert log(tmp_path).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {"files": 9}


@pytest.mark.parametrize("form", FORMS)
def test_the_fields_bear_the_names_that_the_settings_give(tmp_path: Path, form: str) -> None:
    write(tmp_path, form, [{"사용자 id": "u1", "at": "2024-03-14", "userId": MARK, "date": MARK}])
    assert users(tmp_path, DAY, Fields("사용자 id", "at")) == ["u1"]


# In Seoul, nine hours ahead, the 14th begins at 15:00:00Z on the 13th: 1710342000 seconds after 1970.
LAST_OF_13 = ("2024-03-13T14:59:59.999Z", "2024-03-13 23:59:59+0900", 1710341999, 1710341999999, 1710341999999999)
FIRST_OF_14 = (
    "2024-03-13T15:00:00Z",
    "2024-03-14t00:00:00.123456789+09:00",
    "2024-03-13 15:00:00 UTC",
    "2024-03-13T10:00:00-05:00",
    "1710342000",
    1710342000,
    1710342000000,
    1710342000000000,
)


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet"])
@pytest.mark.parametrize(
    ("time", "day"), [(time, 13) for time in LAST_OF_13] + [(time, 14) for time in FIRST_OF_14], ids=str
)
def test_a_time_becomes_a_day_in_the_zone(tmp_path: Path, form: str, time: object, day: int) -> None:
    write(tmp_path, form, [{"userId": "u1", "date": time}])
    found = log(tmp_path).look(DAY)
    assert found.last == date(2024, 3, day)
    assert [found.has(date(2024, 3, other)) for other in (12, 13, 14, 15)] == [False, day == 13, day == 14, False]
    assert users(tmp_path, date(2024, 3, day)) == ["u1"]


def test_the_same_time_is_another_day_in_another_zone(tmp_path: Path) -> None:
    write(tmp_path, "jsonl", [{"userId": "u1", "date": 1710342000}])
    assert log(tmp_path, zone="UTC").look(DAY).last == date(2024, 3, 13)


@pytest.mark.parametrize(
    ("times", "last"),
    [
        (pa.array([date(2024, 3, 14)]), 14),
        (pa.array([datetime(2024, 3, 13, 15, tzinfo=UTC)], pa.timestamp("us", "UTC")), 14),
        (pa.array([datetime(2024, 3, 13, 14, 59, 59, tzinfo=UTC)], pa.timestamp("ms", "UTC")), 13),
        (pa.array([1710342000.5]), 14),
    ],
    ids=["DATE", "TIMESTAMP in µs", "TIMESTAMP in ms", "DOUBLE"],
)
def test_parquet_tells_days_and_times_in_types_of_its_own(tmp_path: Path, times: pa.Array, last: int) -> None:
    pq.write_table(pa.table({"userId": ["u1"], "date": times}), tmp_path / "a.parquet")
    assert log(tmp_path).look(DAY).last == date(2024, 3, last)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"date": ["2024-03-14"]}, "no column userId; CALBACK_ACCESS_LOG_USER_FIELD names the one that holds the user"),
        ({"userId": [1.0], "date": ["2024-03-14"]}, "column userId is DOUBLE where VARCHAR is expected"),
        (
            {"userId": [1], "date": [datetime(2024, 3, 14)]},
            "column date holds times without a time zone, which tell no day for certain",
        ),
    ],
)
def test_parquet_of_other_types_is_an_error_of_the_file(
    tmp_path: Path, columns: dict[str, list[object]], problem: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert refusal(tmp_path) == f"{tmp_path / 'a.parquet'}: {problem}. Export the file again."


@pytest.mark.parametrize("text", ["2024-02-30", "20240314", "2024-03-14T00:00:00", "14.03.2024", "1e10", "17103420000"])
def test_what_tells_no_day_is_a_bad_line_of_a_flat_file(tmp_path: Path, text: str) -> None:
    good = {"userId": "u1", "date": "2024-03-14"}
    write(tmp_path, "jsonl", [good, {"userId": MARK, "date": text}])
    facts = log(tmp_path).look(DAY).read(Stretch.on(DAY)).facts[DAY]
    assert facts == {
        "files": 1,
        "rejected_lines": 0,
        "lines_without_a_day": 1,
        "first_rejected_lines": "opens.jsonl, line 2: date tells no day",
    }
    assert users(tmp_path) == ["u1"]
    path = write(tmp_path, "jsonl", [good, {"userId": MARK, "date": text}, {"userId": MARK}])
    assert refusal(tmp_path) == (
        f"{path}, line 2: date tells no day. 2 of 3 lines are of no day that can be told, more than 1.0%; correct or "
        "remove them, or export the file again; to do without them, raise CALBACK_MAX_REJECTED_SHARE."
    )


def test_days_of_a_flat_file_are_told_apart_and_each_has_its_own_share(tmp_path: Path) -> None:
    of_13 = [{"userId": "u13", "date": "2024-03-13"}] * 1000
    bad_of_14 = [{"userId": None, "date": "2024-03-14"}] * 2
    path = write(tmp_path, "csv", [*of_13, *bad_of_14])
    assert users(tmp_path, date(2024, 3, 13)) == ["u13"] * 1000
    assert log(tmp_path).look(DAY).has(DAY)  # It is there, and cannot be taken: that is no absence.
    assert refusal(tmp_path).startswith(
        f"{path}, line 1002: userId is missing. 2 of 2 lines of 2024-03-14 cannot be taken, more than 1.0%; "
    )


@pytest.mark.parametrize(
    ("form", "place"), [("jsonl", "line"), ("json", "element"), ("csv", "line"), ("csv.gz", "line"), ("parquet", "row")]
)
def test_one_per_cent_of_bad_lines_is_counted_and_one_more_fails_the_day(tmp_path: Path, form: str, place: str) -> None:
    folder = tmp_path / "date=2024-03-14"
    good, bad = {"userId": "u1", "date": "2024-03-14"}, {"userId": None, "date": "2024-03-14"}
    first = 200 if place == "line" and form != "jsonl" else 199  # CSV has a header.
    path = write(folder, form, [*[good] * 198, bad, bad])
    assert users(tmp_path) == ["u1"] * 198
    assert log(tmp_path).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {
        "files": 1,
        "rejected_lines": 2,
        "lines_without_a_day": 0,
        "first_rejected_lines": (
            f"{path.name}, {place} {first}: userId is missing; {path.name}, {place} {first + 1}: userId is missing"
        ),
    }
    write(folder, form, [*[good] * 198, bad, bad, bad])
    assert refusal(tmp_path).startswith(f"{path}, {place} {first}: userId is missing. 3 of 201 lines of 2024-03-14 ")


def test_misshapen_records_of_csv_are_bad_lines_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('userId,date\n"a\nb",2024-03-14\n\nshort\nc,2024-03-14\n')
    assert users(tmp_path) == ["a\nb", "c"]
    facts = log(tmp_path).look(DAY).read(Stretch.on(DAY)).facts[DAY]
    assert facts["first_rejected_lines"] == "a.csv, line 5: 1 fields where the header has 2"
    path.write_text('userId,date\n"a\nb",2024-03-14\n\nshort\nc,2024-03-14,long\n')
    assert refusal(tmp_path).startswith(
        f"{path}, line 5: 1 fields where the header has 2. 2 of 3 lines are of no day that can be told, "
    )


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b'userId,date\n1,2024-03-14\n"2,2024-03-14\n3,2024-03-14\n', "not CSV with commas and double quotes"),
        ("a.csv", b"userId,date\n1,2024-03-14\n\xff,2024-03-14\n", "not UTF-8"),
        ("a.csv", b"userId,date,userId\n1,2024-03-14,2\n", "more than one column userId"),
        ("a.csv", b"user;date\n1;2024-03-14\n", "no column userId"),
        ("a.csv.gz", gzip.compress(os.urandom(99_999))[:-9], "not UTF-8"),
        ("a.jsonl.gz", gzip.compress(b'{"userId": 1}\n' * 9999)[:-9], "the gzip stream is damaged or ends early"),
        ("a.json", b'[{"userId": 1, "date": "2024-03-14"}, {"userId": 2', "damaged, DuckDB cannot read it to its end"),
        ("a.parquet", b"PAR1 and no more", "not a complete Parquet file"),
        (
            "a.jsonl",
            b'\xef\xbb\xbf{"userId": 1, "date": "2024-03-14"}\n{"userId": "2\n',
            "not valid JSON from character 12 on",
        ),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    said = refusal(tmp_path)
    assert said.startswith(str(tmp_path / name))
    assert problem in said


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.json", "b.json", "b.csv"])
def test_an_empty_file_of_any_form_holds_no_day(tmp_path: Path, name: str) -> None:
    contents = {"b.json": b"[]", "b.csv": b"userId,date\n", "a.csv.gz": gzip.compress(b"")}
    (tmp_path / name).write_bytes(contents.get(name, b""))
    found = log(tmp_path).look(DAY)
    assert found.last is None
    assert rows(found.read(Stretch.on(DAY)), RAW_ACCESS_LOG) == []


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=5)
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "userId": _TEXTS,
            "date": st.sampled_from(["2024-03-14", "2024-03-13", "2024-03-13T15:00:00Z", "1710342000000"]),
            "topic": st.none() | _TEXTS,
            "partition": st.none() | st.integers(-9, 9),
            "offset": st.none() | st.integers(-(2**63), 2**63 - 1),
        }
    ),
    max_size=5,
)


@settings(max_examples=10, deadline=None)
@given(_ROWS)
def test_the_same_rows_in_every_form_are_equal_raw_rows(given_rows: list[Row]) -> None:
    with TemporaryDirectory() as folder:
        found = {}
        for form in FORMS:
            write(Path(folder) / form, form, given_rows)
            found[form] = read(Path(folder) / form)
    kept = [row for row in given_rows if row["date"] != "2024-03-13"]
    names = ("topic", "partition", "offset")
    expected = [{"event_date": DAY, "user_id": row["userId"], **{name: row[name] for name in names}} for row in kept]
    assert found == dict.fromkeys(FORMS, expected)
