"""Tests of the access log's files as `raw_access_log`."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.sources.access_log.files import AccessLogFiles
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets_tests.sources.helpers import MARK, rows, write_lines

DAY = date(2024, 3, 14)
SEOUL = "Asia/Seoul"
REMEDY = "correct or remove them, or export the file again; to do without them, raise CALBACK_MAX_REJECTED_SHARE."


def read(folder: Path, day: date = DAY) -> list[dict[str, Any]]:
    return rows(AccessLogFiles(folder, SEOUL).look(day).read(Stretch.on(day)), RAW_ACCESS_LOG)


def refusal(folder: Path) -> str:
    with pytest.raises(SourceError) as caught:
        AccessLogFiles(folder, SEOUL).look(DAY).read(Stretch.on(DAY))
    return str(caught.value)


def users(folder: Path) -> list[str]:
    return [row["user_id"] for row in read(folder)]


def test_rows_of_all_files_of_the_day_are_read_with_their_copies(tmp_path: Path) -> None:
    message = {
        "userId": 0,
        "date": "2024-03-14",
        "topic": "opens",
        "partition": 2,
        "offset": "9007199254740993",
    }
    write_lines(tmp_path / "date=2024-03-14" / "a.jsonl", [message, message, ""])
    write_lines(tmp_path / "date=2024-03-14" / "b.jsonl.gz", [{"userId": "u1", "more": MARK}])
    write_lines(tmp_path / "date=2024-03-15" / "a.jsonl", [{"userId": "of another day"}])
    (tmp_path / "date=2024-03-14" / "_SUCCESS").touch()
    stored = {
        "event_date": DAY,
        "user_id": "0",
        "topic": "opens",
        "partition": 2,
        "offset": 9007199254740993,
    }
    without_kafka = {"event_date": DAY, "user_id": "u1", "topic": None, "partition": None, "offset": None}
    assert read(tmp_path) == [stored, stored, without_kafka]
    assert AccessLogFiles(tmp_path, SEOUL).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {"files": 2}


def test_days_that_are_read_at_once_have_the_rows_and_facts_that_each_has_alone(tmp_path: Path) -> None:
    stretch = Stretch(DAY, date(2024, 3, 17))
    write_lines(tmp_path / "date=2024-03-13" / "a.jsonl", [{"userId": "before"}])
    write_lines(tmp_path / "date=2024-03-14" / "a.jsonl", [{"userId": "u1", "date": "2024-03-14", "offset": 1}, "{"])
    write_lines(tmp_path / "DATE=2024-03-15" / "a.csv", ["userId,date", "u2,", "u3,2024-03-15"])
    write_lines(tmp_path / "DATE=2024-03-15" / "b.jsonl.gz", [{"userId": "u2"}])
    write_lines(tmp_path / "date=2024-03-18" / "a.jsonl", [{"userId": "after"}])
    # A file of many days, whose times are those of another zone: the last is of the 17th in ours.
    write_lines(
        tmp_path / "all.jsonl",
        [
            {"userId": f"u{hour}", "date": f"2024-03-{day}T{hour}:00:00Z"}
            for day, hour in ((14, 16), (16, 10), (16, 16))
        ],
    )
    found = AccessLogFiles(tmp_path, SEOUL).look(DAY)

    alone = [found.read(Stretch.on(day)) for day in stretch.days]
    at_once = found.read(stretch)

    def key(row: dict[str, Any]) -> tuple[date, str]:
        return row["event_date"], row["user_id"]

    expected = [row for query in alone for row in rows(query, RAW_ACCESS_LOG)]
    assert sorted(rows(at_once, RAW_ACCESS_LOG), key=key) == sorted(expected, key=key)
    assert sorted(map(key, expected)) == [
        (DAY, "u1"),
        *((date(2024, 3, 15), user) for user in ("u16", "u2", "u2", "u3")),
        (date(2024, 3, 16), "u10"),
        (date(2024, 3, 17), "u16"),
    ]
    assert at_once.facts == {day: facts for query in alone for day, facts in query.facts.items()}


def test_a_user_id_keeps_its_digits_and_its_text(tmp_path: Path) -> None:
    ids = [0, -1, 2**63, 10**25, "0", "007", "1.5", 'a "quoted" \\ id', "사용자", "null"]
    write_lines(tmp_path / "date=2024-03-14" / "a.jsonl", [{"userId": id_} for id_ in ids])
    assert users(tmp_path) == [str(id_) for id_ in ids]


@pytest.mark.parametrize("folder", ["absent", "."])
def test_no_folder_and_a_day_without_one_are_no_opens(tmp_path: Path, folder: str) -> None:
    assert read(tmp_path / folder) == []
    assert AccessLogFiles(tmp_path / folder, SEOUL).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {"files": 0}


def test_an_empty_file_is_no_opens(tmp_path: Path) -> None:
    write_lines(tmp_path / "date=2024-03-14" / "a.jsonl", [])
    assert read(tmp_path) == []


def test_a_path_with_a_quote_and_pattern_characters_is_only_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "it's [1] *"
    write_lines(folder / "date=2024-03-14" / "a.jsonl", [{"userId": 1}])
    assert users(folder) == ["1"]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"userId": "' + MARK, "not valid JSON from character 12 on"),
        ("null", "not a JSON object"),
        ({"userId": 1, "not_read": "\udc00"}, "half of a surrogate pair (\\ud800 to \\udfff), no character"),
        ({"userId": None, "date": "2024-03-14"}, "userId is missing"),
        ({"date": "2024-03-14"}, "userId is missing"),
        ({"userId": ""}, "userId is missing"),
        ({"userId": 1.5}, "userId is neither a whole number nor a text"),
        ({"userId": True}, "userId is neither a whole number nor a text"),
        ({"userId": {"mail": MARK}}, "userId is neither a whole number nor a text"),
        ({"userId": 1, "date": "2024-03-15"}, "date is not the day of its folder"),
        ({"userId": 1, "date": MARK}, "date is not the day of its folder"),
        ({"userId": 1, "date": 20240314}, "date is not the day of its folder"),
        ({"userId": 1, "offset": 1.5}, "offset is not an INT64"),
        ({"userId": 1, "partition": MARK}, "partition is not an INT64"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong_and_is_not_quoted(
    tmp_path: Path, suffix: str, line: object, problem: str
) -> None:
    write_lines(tmp_path / "date=2024-03-14" / "a.jsonl", [{"userId": 1}])
    path = write_lines(tmp_path / "date=2024-03-14" / f"b.{suffix}", [{"userId": 1}, "", line, line])
    assert refusal(tmp_path) == (
        f"{path}, line 3: {problem}. 2 of 4 lines of 2024-03-14 cannot be taken, more than 1.0%; {REMEDY}"
    )


@pytest.mark.parametrize("name", ["date=yesterday", "date=2024-02-30", "date=20240314"])
def test_a_folder_that_no_day_would_read_is_an_error(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path / name / "a.jsonl", [{"userId": 1}])
    with pytest.raises(SourceError) as caught:
        AccessLogFiles(tmp_path, SEOUL).look(DAY).read(Stretch.on(DAY))
    expected = f"{tmp_path / name}: the folder's name tells no day. Name it date=YYYY-MM-DD."
    assert str(caught.value) == expected


def test_a_failure_that_no_file_explains_says_so(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "date=2024-03-14" / "a.jsonl", [{"userId": 1}])
    explanation = (
        AccessLogFiles(tmp_path, SEOUL).look(DAY).read(Stretch.on(DAY)).explain(duckdb.OutOfMemoryException(MARK))
    )
    assert str(explanation) == (
        f"{path}: each file can be read, but the query over them failed (OutOfMemoryException). "
        "Check memory and disk space, and that no file changed meanwhile."
    )
