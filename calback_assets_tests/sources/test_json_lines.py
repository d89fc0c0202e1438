"""Tests of lines that are unlike most: very long, or with characters that not every reader of JSON takes.

All sources of JSON lines keep the same rules, whether DuckDB reads them or Python.
"""

import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.sources.access_log.files import AccessLogFiles
from calback_assets.sources.firestore.documents import collections
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets.sources.ga4.files import Ga4Files
from calback_assets.sources.json_lines import json_objects, longest_line
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS
from calback_assets_tests.sources.helpers import rows, write_lines

DAY = date(2024, 3, 14)
BEYOND_DUCKDB = 34 * 2**20
"""Bytes that DuckDB's reader refuses unless it is told to expect them."""
DOCUMENT = {"id": "u1", "create_time": "2024-01-01T00:00:00Z", "update_time": "2024-01-01T00:00:00Z"}


def events(folder: Path, **settings: int) -> list[dict[str, Any]]:
    source = Ga4Files(folder / "analytics", "Asia/Seoul", lambda: datetime(2024, 6, 1, tzinfo=UTC), **settings)
    return rows(source.look(DAY).read(Stretch.on(DAY)), RAW_EVENTS)


def opens(folder: Path, **settings: int) -> list[dict[str, Any]]:
    return rows(
        AccessLogFiles(folder / "access_log", "UTC", **settings).look(DAY).read(Stretch.on(DAY)), RAW_ACCESS_LOG
    )


def users(folder: Path, **settings: int) -> list[dict[str, Any]]:
    files = FirestoreFiles(folder / "firestore", collections(b"key of a test", tolerated=1.0), **settings)
    return files.snapshots(["raw_users"], lambda _: None)["raw_users"].rows.to_pylist()


def event(text: str) -> dict[str, object]:
    noon = int(datetime(2024, 3, 14, 3, tzinfo=UTC).timestamp() * 1_000_000)
    return {"event_timestamp": noon, "event_name": "open", "user_id": text}


def opened(text: str) -> dict[str, object]:
    return {"userId": text}


def document(text: str) -> dict[str, object]:
    return DOCUMENT | {"id": text, "data": {}}


Source = tuple[str, Callable[[str], dict[str, object]], Callable[..., list[dict[str, Any]]]]
EVENTS: Source = ("analytics/events_20240314.jsonl", event, events)
OPENS: Source = ("access_log/date=2024-03-14/part-0.jsonl", opened, opens)
USERS: Source = ("firestore/userCollection.jsonl", document, users)
COMPRESSED_EVENTS: Source = (f"{EVENTS[0]}.gz", *EVENTS[1:])
COMPRESSED_OPENS: Source = (f"{OPENS[0]}.gz", *OPENS[1:])
every_source = pytest.mark.parametrize(
    ("name", "line", "read"),
    [EVENTS, COMPRESSED_EVENTS, OPENS, COMPRESSED_OPENS, USERS],
    ids=["events", "events.gz", "opens", "opens.gz", "users"],
)


@every_source
def test_a_line_beyond_what_duckdb_reads_by_itself_is_taken(
    tmp_path: Path, name: str, line: Callable[..., dict[str, object]], read: Callable[..., list[dict[str, Any]]]
) -> None:
    write_lines(tmp_path / name, [line("before"), line("long") | {"more": "x" * BEYOND_DUCKDB}, line("after")])
    assert [row["user_id"] for row in read(tmp_path)] == ["before", "long", "after"]


@every_source
def test_a_line_is_taken_up_to_the_setting_and_refused_beyond_it(
    tmp_path: Path, name: str, line: Callable[..., dict[str, object]], read: Callable[..., list[dict[str, Any]]]
) -> None:
    bound = 1_000
    fitting = line("u") | {"more": ""}
    fitting["more"] = "x" * (bound - len(json.dumps(fitting)))
    path = write_lines(tmp_path / name, [line("before"), fitting, line("after")])
    assert len(read(tmp_path, max_line_bytes=bound)) == 3
    write_lines(path, [line("before"), "", fitting | {"more": str(fitting["more"]) + "x"}, line("after")])
    with pytest.raises(SourceError) as caught:
        read(tmp_path, max_line_bytes=bound)
    assert str(caught.value) == (
        f"{path}, line 3: 1,001 bytes long, and a line is taken up to 1,000. Set CALBACK_MAX_LINE_BYTES to more, or "
        "remove the line."
    )


@every_source
def test_the_character_of_code_0_is_one_like_others(
    tmp_path: Path, name: str, line: Callable[..., dict[str, object]], read: Callable[..., list[dict[str, Any]]]
) -> None:
    write_lines(tmp_path / name, [line("a\0b") | {"not_read\0": "\0"}])
    assert [row["user_id"] for row in read(tmp_path)] == ["a\0b"]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 2**20, 2**20 + 1, 3 * 2**20])
def test_the_longest_line_is_found_wherever_it_stands(tmp_path: Path, length: int, ending: str) -> None:
    path = tmp_path / "lines.jsonl"
    for before in (0, 1, 8, 2**19):
        path.write_bytes(b"y\n" * before + b"x" * length + ending.encode())
        found = len("x" * length + ending.rstrip("\n"))
        assert longest_line(path, found) == found
        if found > 1:
            with pytest.raises(SourceError, match=rf"line {before + 1}: {found:,} bytes long"):
                longest_line(path, found - 1)


def test_a_line_that_is_far_too_long_is_never_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    with path.open("wb") as file:
        file.truncate(2**26)  # A hole, which takes no room.
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"line 1: 67,108,864 bytes long"):
        next(json_objects(path, 2**16, half_characters=False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
