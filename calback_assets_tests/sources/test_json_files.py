"""Tests of the objects of JSON files that are no lines."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest

from calback_assets.errors import SourceError
from calback_assets.sources.json_files import objects_of
from calback_assets_tests.sources.helpers import MARK

BOUND = 2**20
BOM = b"\xef\xbb\xbf"
ONE = {"a": 1}
TWO = {"b": ["[{", '\\"}'], "c": {"d": None}}


def read(path: Path, max_bytes: int = BOUND) -> list[tuple[int, dict[str, object]]]:
    return list(objects_of(path, max_bytes))


@pytest.mark.parametrize("before", [b"", BOM, b"\n \r\n", BOM + b"\r\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"{json.dumps(ONE)}\n{json.dumps(TWO)}", (0, 1)),
        (f"{json.dumps(ONE)}\n\n  \n{json.dumps(TWO)}\n", (0, 3)),
        (f"[{json.dumps(ONE)},{json.dumps(TWO)}]", (0, 0)),
        (f"[\n{json.dumps(ONE)},\n{json.dumps(TWO)}\n]\n", (1, 2)),
        (f"[{json.dumps(ONE)}\n,{json.dumps(TWO)}\n]\n", (0, 1)),
        (json.dumps([ONE, TWO], indent=2), (1, 4)),
        (f"{json.dumps(ONE, indent=2)}\n{json.dumps(TWO, indent=1)}", (0, 3)),
        (f"[\n]\n[{json.dumps(ONE)}]\n[{json.dumps(TWO)}]", (2, 3)),
    ],
)
def test_objects_are_found_however_they_stand_in_a_file(
    tmp_path: Path, text: str, lines: tuple[int, int], newline: str, before: bytes, suffix: str
) -> None:
    path = tmp_path / f"objects{suffix}"
    content = before + text.replace("\n", newline).encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    first = 1 + before.count(b"\n")
    assert read(path) == [(first + lines[0], ONE), (first + lines[1], TWO)]


@pytest.mark.parametrize("text", ["", "\n\r\n", "[]", "[\n]\n"])
def test_a_file_without_objects_has_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "objects.json"
    path.write_bytes(BOM + text.encode())
    assert read(path) == []


@pytest.mark.parametrize("length", [2**20 - 12, 2**20, 2**21 + 1])
def test_an_object_over_several_readings_is_whole(tmp_path: Path, length: int) -> None:
    path = tmp_path / "objects.json"
    objects = [{"n": number, "text": "é" * length} for number in range(3)]
    path.write_text(json.dumps(objects, ensure_ascii=False), encoding="utf-8")
    assert [value for _, value in read(path, 2**23)] == objects


DAMAGED = "Correct or remove the line, or export the file again."


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[{"a": 1},\n{"b": "' + MARK, ", line 2: not valid JSON, or the file ends early. " + DAMAGED),
        ('{\n"a": 1,\n"b": ' + MARK + "\n}", ", line 3: not valid JSON, or the file ends early. " + DAMAGED),
        ('[{"a": 1},\n', ": the array ends early, after line 2. Export the file again."),
        ('[{"a": 1}\n', ": the array ends early, after line 2. Export the file again."),
        ("[", ": the array ends early, after line 1. Export the file again."),
        ('[{"a": 1}\n{"a": 2}]', ", line 2: neither a comma nor the end of the array follows an object. " + DAMAGED),
        ('[{"a": 1},\n]', ", line 2: not a JSON object. " + DAMAGED),
        (f'[\n"{MARK}"]', ", line 2: not a JSON object. " + DAMAGED),
        (f"[{{}}]\n{MARK}", ", line 2: not a JSON object. " + DAMAGED),
        ('[{"a": ' + "[" * 100_000, ", line 1: not valid JSON. " + DAMAGED),
    ],
)
def test_what_is_no_object_is_told_by_its_line_and_not_quoted(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "objects.json"
    path.write_text(text)
    with pytest.raises(SourceError) as caught:
        read(path)
    assert str(caught.value) == f"{path}{problem}"


def test_what_is_not_utf_8_or_not_whole_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    path.write_bytes(b'[{"a": 1},\n{"b": "\xff"}]')
    with pytest.raises(SourceError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: not valid UTF-8, after line 1. Export the file again."
    path = tmp_path / "objects.json.gz"
    path.write_bytes(gzip.compress(b'[{"a": 1},\n{"b": 2}]')[:-12])
    with pytest.raises(SourceError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: the gzip stream is damaged or ends early, after line 0. Export the file again."
    )


def test_an_object_is_taken_up_to_the_bound_and_refused_beyond_it(tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    path.write_text('[\n{"a": "xxx"},\n{"a": "xxxx"}]')
    assert len(read(path, max_bytes=13)) == 2
    with pytest.raises(SourceError) as caught:
        read(path, max_bytes=12)
    assert str(caught.value) == (
        f"{path}, line 3: an object that is not valid JSON or has more than 12 characters. Correct it, or set "
        "CALBACK_MAX_LINE_BYTES to more."
    )


def test_an_array_never_stands_in_memory_whole(tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    with path.open("w") as file:
        file.write("[" + ",".join(json.dumps({"text": "x" * 2**16}) for _ in range(1_000)) + "]")
    tracemalloc.start()
    assert sum(1 for _ in objects_of(path, BOUND)) == 1_000  # 64 MiB.
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
