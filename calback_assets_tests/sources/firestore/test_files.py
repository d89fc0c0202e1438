"""Tests of Firestore collections from JSON lines."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.documents import Problem, Snapshot, collections
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets_tests.sources.helpers import MARK, write_lines

REMEDY = "Correct or remove the line, or export the file again."
LINE = {
    "id": "x1",
    "create_time": "2024-03-14T01:02:03.456789123Z",
    "update_time": "2024-03-14T10:02:04+09:00",
    "data": {"flag": "many", "name": MARK},
}


def read(folder: Path) -> tuple[Snapshot, Snapshot]:
    files = FirestoreFiles(folder, collections(b"key of a test", tolerated=1.0))
    found = files.snapshots(("raw_users", "raw_meetings"), pytest.fail)
    return found["raw_users"], found["raw_meetings"]


def test_users_and_meetings_are_read_as_of_the_modification_time_of_their_file(tmp_path: Path) -> None:
    modified = datetime(2024, 3, 15, tzinfo=UTC)
    for name in ("userCollection.jsonl", "meetingsCollection.jsonl"):
        path = write_lines(tmp_path / name, [LINE, "", LINE | {"id": "x2", "data": {}}])
        os.utime(path, (modified.timestamp(), modified.timestamp()))
    users, meetings = read(tmp_path)
    assert users.rows.column("user_id").to_pylist() == ["x1", "x2"]
    assert meetings.rows.column("meeting_id").to_pylist() == ["x1", "x2"]
    assert users.problems == (Problem("x1", "flag", "expected an integer, found str"),)
    first = users.rows.to_pylist()[0]
    assert first["created_at"] == datetime(2024, 3, 14, 1, 2, 3, 456789, tzinfo=UTC)
    assert first["updated_at"] == datetime(2024, 3, 14, 1, 2, 4, tzinfo=UTC)
    assert first["snapshot_at"] == users.snapshot_at == meetings.snapshot_at == modified


@pytest.mark.parametrize("folder", ["absent", "."])
def test_an_absent_file_is_an_empty_collection(tmp_path: Path, folder: str) -> None:
    for snapshot in read(tmp_path / folder):
        assert (snapshot.rows.num_rows, snapshot.documents, snapshot.problems) == (0, 0, ())
        assert snapshot.snapshot_at == datetime(1970, 1, 1, tzinfo=UTC)


def without(field: str) -> dict[str, object]:
    return {name: value for name, value in LINE.items() if name != field}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "' + MARK, "not valid JSON from character 8 on"),
        ("[1]", "not a JSON object"),
        (without("id"), "id: expected a string, found NoneType"),
        (LINE | {"id": 7}, "id: expected a string, found int"),
        (LINE | {"id": ""}, "id: an empty string"),
        (without("create_time"), "create_time: expected a timestamp, found NoneType"),
        (LINE | {"create_time": MARK}, "create_time: a string that is no RFC 3339 timestamp"),
        (LINE | {"update_time": "2024-03-14"}, "update_time: a timestamp without a time zone"),
        (without("data"), "data: expected an object with the document's fields"),
        (LINE | {"data": MARK}, "data: expected an object with the document's fields"),
    ],
)
def test_a_line_that_is_no_document_is_named_and_not_quoted(tmp_path: Path, line: object, problem: str) -> None:
    path = write_lines(tmp_path / "userCollection.jsonl", [LINE, "", line])
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{path}, line 3: {problem}. {REMEDY}"


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    path = tmp_path / "userCollection.jsonl"
    path.mkdir()
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{path}: Is a directory. Make the file readable."
