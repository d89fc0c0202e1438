"""Tests of the documents that come from files, in this process and in one of their own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client

from calback_assets_tests.firestore.files import load, load_folder
from calback_assets_tests.firestore.process import serving
from calback_assets_tests.firestore.server import Firestore

LONG_AGO = '"create_time":"2024-01-01T00:00:00Z","update_time":"2024-01-01T00:00:00Z"'
EMPTY = f'{{"id":"가",{LONG_AGO},"data":{{}}}}'
USERS = f"""{EMPTY}
{{"id":"b","create_time":"2024-01-01T09:00:00.000001+09:00","update_time":"2024-02-01T00:00:00Z",\
"data":{{"flag":1,"half":0.5,"open":true,"none":null,"from":"2024-01-01T00:00:00Z","friends":["a"],"m":{{"x":[]}}}}}}
"""
MEETINGS = f"""{{"id":"m",{LONG_AGO},"data":{{"from":"2024-01-02T03:04:05.678901Z","to":"next Monday",\
"recurrenceExceptionDates":["2024-01-02T00:00:00+09:00",7],"content":"2024-01-01T00:00:00Z"}}}}
{{"id":"n",{LONG_AGO},"data":{{"from":null,"to":"2024-01-01T00:00:00","recurrenceExceptionDates":null}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "userCollection.jsonl").write_text(USERS, encoding="utf-8")
    (tmp_path / "meetingsCollection.jsonl").write_text(MEETINGS, encoding="utf-8")
    return tmp_path


def documents(client: Client, collection: str) -> dict[str, Any]:
    return {found.id: found.to_dict() for found in client.collection(collection).stream()}


def test_documents_are_loaded_with_ids_times_and_timestamps(firestore: Firestore, client: Client, folder: Path) -> None:
    assert load_folder(firestore.store, folder) == 4
    assert documents(client, "userCollection") == {
        "가": {},
        "b": {
            "flag": 1,
            "half": 0.5,
            "open": True,
            "none": None,
            "from": "2024-01-01T00:00:00Z",
            "friends": ["a"],
            "m": {"x": []},
        },
    }
    found = client.document("userCollection/b").get()
    assert found.create_time == datetime(2024, 1, 1, 0, 0, 0, 1, UTC)
    assert found.update_time == datetime(2024, 2, 1, tzinfo=UTC)
    assert documents(client, "meetingsCollection") == {
        "m": {
            "from": datetime(2024, 1, 2, 3, 4, 5, 678901, UTC),
            "to": "next Monday",
            "recurrenceExceptionDates": [datetime(2024, 1, 1, 15, tzinfo=UTC), 7],
            "content": "2024-01-01T00:00:00Z",
        },
        "n": {"from": None, "to": "2024-01-01T00:00:00", "recurrenceExceptionDates": None},
    }


@pytest.mark.parametrize("line", ["{", '{"id":"a"}', "[]", EMPTY.replace("2024", "9999", 1)])
def test_a_line_that_is_no_document_is_named(firestore: Firestore, tmp_path: Path, line: str) -> None:
    path = tmp_path / "users.jsonl"
    path.write_text(f"{USERS}{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"users\.jsonl, line 3: "):
        load(firestore.store, path, "users")


def test_a_process_of_its_own_serves_a_folder_and_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(folder, "calback-own") as host:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
        client = Client(project="calback-own", credentials=AnonymousCredentials())
        assert documents(client, "userCollection").keys() == {"가", "b"}
        client.close()


def test_a_process_that_cannot_load_its_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(RuntimeError, match="did not start"), serving(tmp_path):
        pass
