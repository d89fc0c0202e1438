"""Tests of documents that are taken many at once: they have to become what the rules make of them one by one."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calback_assets.errors import SourceError
from calback_assets.sources.firestore import clean
from calback_assets.sources.firestore.clean import rows_of_lines
from calback_assets.sources.firestore.documents import Document, DocumentCollection, Problem, Snapshot, collections
from calback_assets.sources.firestore.forms import documents_in
from calback_assets.sources.json_lines import numbered_lines
from calback_assets_tests.sources.firestore.test_documents import MEETING, READ, USER
from calback_assets_tests.sources.helpers import MARK, write_lines

Way: TypeAlias = Callable[[Path, DocumentCollection], Snapshot]
DECLARED = collections(b"key of a test", tolerated=1.0)
BYTES = 20_000
TIMES = (
    "2024-03-14T01:02:03Z",
    "2024-03-14T01:02:03.5+05:30",
    "2024-03-14 01:02:03.123456-0800",
    "2024-03-14T01Z",
    "2024-03-14T01:02:03.123456789Z",
    "2024-03-14T01:02:03",
    "2024-03-14",
    "2024-03-14 10:00:00 UTC",
    "2024-03-14T24:00:00Z",
    "0001-01-01T00:00:00+09:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-01:00",
    "",
)
TEXTS = (
    "",
    " \u0130\u00c4 x@Y\u3000",
    "\x1f\u2028a\u00a0",
    "\x00",
    "\ud83d",
    "\U0001f600",
    "a\n",
    '"}n',
    f"{MARK}@x",
    "\u1e9e\u03a3",
)
VALUES = st.sampled_from(
    [
        *(None, True, 0, -0.0, 3.0, 1.5, 2**63, 2**53 + 1.0, -(2**63), float("nan"), {}, {"_seconds": 1}),
        *TIMES,
        *TEXTS,
        *([], ["a", "b"], ["a", None], ["a", 1], [["a"]], ["\u00e4", "\ud83d"]),
    ]
)
ODD_LINES = (
    b"",
    b" ",
    b"null",
    b"{} null {}",
    b'{"id":"y","id":"z"}',
    b'{"createTime":"x"}',
    b'{"z":' + b"[" * 1100 + b"]" * 1100 + b"}",
    b'{"z":"' + b"z" * BYTES + b'"}',
)
ODD_PARTS = (b"", b",", b"}", b"{}", b"null", b"\n", b"\r", b"\xff", b'"id":"y",', b"\x00", b"nan")
SELDOM = st.sampled_from((True, *[False] * 15))


@st.composite
def lines_of(draw: st.DrawFn, fields: dict[str, Any]) -> bytes:
    """A line, mostly as a tool writes it, else with a few characters put in or taken out anywhere."""
    if draw(SELDOM):
        return draw(st.sampled_from(ODD_LINES))
    odd = draw(st.dictionaries(st.sampled_from(sorted(fields)), VALUES, max_size=2))
    id_ = draw(st.sampled_from(("x", "pending\u00e4", "y" * 20)))
    document = {"id": id_, "create_time": TIMES[0], "update_time": TIMES[1], "data": fields | odd}
    if draw(SELDOM):
        document[draw(st.sampled_from(sorted(document)))] = draw(VALUES)
    line = json.dumps(
        document,
        ensure_ascii=draw(st.booleans()),
        sort_keys=draw(st.booleans()),
        separators=draw(st.sampled_from(((",", ":"), (", ", " : ")))),
    ).encode(errors="surrogatepass")
    if draw(SELDOM):
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.sampled_from(ODD_PARTS)) + line[at + draw(st.integers(0, 2)) :]
    return line


def files(fields: dict[str, Any]) -> st.SearchStrategy[bytes]:
    return st.builds(bytes.join, st.sampled_from((b"\n", b"\r\n")), st.lists(lines_of(fields), min_size=4, max_size=12))


def one_by_one(path: Path, declared: DocumentCollection) -> Snapshot:
    return declared.snapshot(documents_in(path, declared, numbered_lines(path, BYTES)), READ)


def at_once(path: Path, declared: DocumentCollection) -> Snapshot:
    lines = numbered_lines(path, BYTES)
    return declared.joined(rows_of_lines(lines, declared, lambda some: documents_in(path, declared, some)), READ)


def outcome(way: Way, path: Path, declared: DocumentCollection) -> object:
    try:
        found = way(path, declared)
    except SourceError as error:
        return str(error)
    assert found.rows.validate(full=True) is None
    return found.rows.schema, found.rows.to_pylist(), found.problems, found.documents


@settings(max_examples=60, deadline=None, derandomize=True)
@given(users=files(USER), meetings=files(MEETING | {"from": TIMES[0]}))
def test_documents_become_at_once_what_they_become_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, users: bytes, meetings: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean, "_CHUNK", 5)
        for content, declared in zip((users, meetings), DECLARED.values(), strict=True):
            path.write_bytes(content)
            found = outcome(at_once, path, declared)
            assert found == outcome(one_by_one, path, declared)
            assert not isinstance(found, str) or MARK not in found


def test_clean_documents_meet_no_rule_and_others_go_alone(tmp_path: Path) -> None:
    lines = [
        {"id": f"x{number}", "create_time": TIMES[0], "update_time": TIMES[1], "data": USER} for number in range(9)
    ]
    lines[4] = lines[4] | {"data": USER | {"flag": "many"}}
    declared = DECLARED["raw_users"]
    path = write_lines(tmp_path / "userCollection.jsonl", lines)
    met: list[int] = []

    def documents(some: Sequence[tuple[int, bytes]]) -> Iterator[Document]:
        met.extend(number for number, _ in some)
        return documents_in(path, declared, some)

    found = declared.joined(rows_of_lines(numbered_lines(path, BYTES), declared, documents), READ)
    assert met == [5]
    assert found.rows.column("user_id").to_pylist() == [f"x{number}" for number in range(9)]
    assert found.problems == (Problem("x4", "flag", "expected an integer, found str"),)
