"""Tests of what lies in a data folder: what is read, what is refused, and what is only told."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from calback_assets.errors import SourceError
from calback_assets.sources.access_log.files import AccessLogFiles
from calback_assets.sources.data_folder import DataFolder
from calback_assets.sources.firestore.documents import collections
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets.sources.ga4.files import Ga4Files
from calback_assets_tests.sources.helpers import write_lines


def check(folder: Path) -> str | None:
    documents = FirestoreFiles(folder / "firestore", collections(b"key of a test", tolerated=1.0))
    readers = {"firestore": documents.reads, "analytics": Ga4Files.reads, "access_log": AccessLogFiles.reads}
    return DataFolder(folder, readers).check()


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


READ = (
    "manifest.json",
    "firestore/userCollection.jsonl",
    "firestore/meetingsCollection.jsonl.gz",
    "analytics/events_20240105.parquet",
    "analytics/events_20240106.jsonl.gz",
    "analytics/events_intraday_20240107.jsonl",
    "analytics/events_fresh_20240107.json",
    "analytics/events_20240112_000000000000.avro",
    "analytics/events_20240108-000000000000.ndjson.gz",
    "analytics/events_fresh_20240109_000000000000.parquet",
    "analytics/events_intraday_20240110/000000000000.json.gz",
    "analytics/events_20240111/events_20240111-000000000000.parquet",
    "access_log/date=2024-01-05/part-0.jsonl",
    "access_log/date=2024-01-05/part-1.jsonl.gz",
    "access_log/date=2024-01-05/part-1.ndjson",
    "access_log/date=2024-01-05/part-1.json.gz",
    "access_log/2024-01-06.csv.gz",
    "access_log/2024.parquet",
)


def test_what_the_sources_read_is_nothing_to_tell_whatever_its_case(tmp_path: Path) -> None:
    touch(tmp_path / "as written", *READ)
    touch(tmp_path / "loud", *(name.upper() for name in READ))
    assert check(tmp_path / "as written") is None
    assert check(tmp_path / "loud") is None


@pytest.mark.parametrize(
    "name",
    [
        "Analytics2/events_20240105.parquet",
        "events_20240105.parquet",
        "analytics/2024/events_20240105.parquet",
        "analytics/2024/events_20240301/000000000000.parquet",
        "analytics/events_20240301/000000000000",
        "analytics/events_20240301/part.parquet",
        "analytics/events_20240301/000000000000.parquet/000000000000.parquet",
        "analytics/events_20240301.csv",
        "analytics/events_20240301.parquet.gz",
        "analytics/export.zip",
        "firestore/userCollection.csv",
        "firestore/changelog.json",
        "firestore/users.jsonl",
        "firestore/export/userCollection.jsonl",
        "access_log/date=2024-01-05/b.parquet.gz",
        "access_log/date=2024-01-05/b.tsv",
        "access_log/date=2024-01-05/b.avro",
        "access_log/date=2024-01-05/part-00000",
        "access_log/2024-01-05/b.jsonl",
        "access_log/date=2024-01-05/hour=0/b.jsonl",
        "manifest/manifest.json",
    ],
)
def test_what_looks_like_data_and_is_read_by_nobody_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    touch(tmp_path, *READ, name)
    with pytest.raises(SourceError) as caught:
        check(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / name}: looks like data, and no source reads it. Give it a name and a place that a source reads "
        "(README, Your own data), or move it out of the data folder."
    )


def test_the_rest_is_told_and_hidden_files_are_neither(tmp_path: Path) -> None:
    touch(tmp_path, *READ, "access_log/date=2024-01-05/_SUCCESS", "access_log/date=2024-01-05/.part-0.jsonl.crc")
    touch(tmp_path, ".cache/old.jsonl", "LIESMICH.txt", "notes/plan.md", "picture.png")
    assert check(tmp_path) == (
        f"{tmp_path}: no source reads LIESMICH.txt, access_log/date=2024-01-05/_SUCCESS, notes/plan.md and 1 more"
    )


def test_files_of_a_source_that_is_read_elsewhere_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "firestore/userCollection.jsonl")
    assert DataFolder(tmp_path, {"firestore": None}).check() == (
        f"{tmp_path}: no source reads firestore/userCollection.jsonl"
    )


@pytest.mark.parametrize("name", ["absent", "a file"])
def test_a_data_folder_that_is_none_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(SourceError) as caught:
        check(tmp_path / name)
    assert str(caught.value) == (
        f"{tmp_path / name} is no folder, so there is no data to read; mount it, or set CALBACK_DATA_DIR to the folder "
        "of the exports"
    )


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(path.parent)  # The path of a socket is short.
        listening.bind(path.name)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkfifo, "neither a file nor a folder. Remove it from the data folder."),
        (_socket, "neither a file nor a folder. Remove it from the data folder."),
        (lambda path: path.symlink_to("/dev/zero"), "neither a file nor a folder. Remove it from the data folder."),
        (
            lambda path: path.symlink_to("nowhere"),
            "cannot be looked at (No such file or directory). Mend the link or the rights, or remove it.",
        ),
        (
            lambda path: path.symlink_to(path),
            "cannot be looked at (Too many levels of symbolic links). Mend the link or the rights, or remove it.",
        ),
    ],
    ids=["pipe", "socket", "device", "dead link", "link to itself"],
)
@pytest.mark.parametrize("name", ["firestore/userCollection.jsonl", "notes"])
def test_what_is_neither_file_nor_folder_is_refused_and_never_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Path], object], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "firestore").mkdir()
    make(tmp_path / name)
    with pytest.raises(SourceError) as caught:
        check(tmp_path)
    assert str(caught.value) == f"{tmp_path / name}: {problem}"


def test_links_to_files_and_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "events_20240105.parquet")
    data = tmp_path / "data"
    data.mkdir()
    (data / "analytics").symlink_to(tmp_path / "elsewhere")
    (data / "notes").symlink_to(data)  # Back up: nobody walks in circles.
    assert check(data) is None


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("ending", ["jsonl", "json", "ndjson"])
@pytest.mark.parametrize("name", ["userCollection", "MeetingsCollection", "App_raw_changelog", "app_raw_latest"])
def test_documents_are_read_from_files_of_these_names(tmp_path: Path, name: str, ending: str, packed: str) -> None:
    touch(tmp_path, f"firestore/{name}.{ending}{packed}")
    assert check(tmp_path) is None


def test_two_names_for_one_thing_are_an_error_that_names_both(tmp_path: Path) -> None:
    documents = FirestoreFiles(tmp_path / "firestore", collections(b"key of a test", tolerated=1.0))
    touch(tmp_path / "firestore", "userCollection.jsonl", "usercollection.JSONL.gz")
    with pytest.raises(SourceError) as caught:
        documents.has("raw_users")
    assert str(caught.value) == (
        f"{tmp_path / 'firestore'}: userCollection.jsonl and usercollection.JSONL.gz hold the same collection. Remove "
        "one of them."
    )
    touch(tmp_path, "Firestore/userCollection.jsonl")
    with pytest.raises(SourceError) as caught:
        documents.has("raw_users")
    assert str(caught.value) == f"{tmp_path}: Firestore and firestore hold the same data. Remove one of them."


def test_a_zipped_collection_of_any_case_is_read(tmp_path: Path) -> None:
    at = {"create_time": "2024-02-01T00:00:00Z", "update_time": "2024-02-01T00:00:00Z", "data": {}}
    write_lines(tmp_path / "FireStore" / "USERCOLLECTION.jsonl.gz", [{"id": "u1", **at}])
    documents = FirestoreFiles(tmp_path / "firestore", collections(b"key of a test", tolerated=1.0))
    assert documents.has("raw_users")
    assert not documents.has("raw_meetings")
    assert documents.snapshots(["raw_users"], print)["raw_users"].documents == 1
