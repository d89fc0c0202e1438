"""Reading the objects of a JSON file in Python, however they stand in it: as lines, in an array, or over several lines.

For files that tools make, which differ in this and in nothing else. Lines, by far the most common, are read in
`json_lines`; here is what is divided otherwise, of which one value at a time stands in memory.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from calback_assets.errors import SourceError
from calback_assets.sources.json_lines import (
    UNREADABLE,
    file_error,
    json_objects,
    line_error,
    opened,
    unreadable,
)

_HEAD = 2**16
_CHUNK = 2**20
_WHITE_SPACE = re.compile(r"[ \t\r\n]*")
_GOES_ON = (b"{", b"[", b",")
"""Ends the first line of a value that ends on another."""
_decode = json.JSONDecoder().raw_decode


def objects_of(path: Path, max_bytes: int) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of a file, each with the number of the line on which it begins; gzipped where the name says so.

    Args:
        path: of the file.
        max_bytes: the longest line that is taken, or the most characters of an object on several lines.

    Raises:
        SourceError: what is neither an object nor an array of objects, an object that is too long, or a file that
            cannot be read to its end.
    """
    if is_in_lines(path):
        return json_objects(path, max_bytes, half_characters=True)
    return _objects(path, max_bytes)


def is_in_lines(path: Path) -> bool:
    """Whether each line of a file is an object, by how it begins.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with opened(path) as file:
            head = file.read(_HEAD).removeprefix(BOM_UTF8).lstrip()
    except UNREADABLE as error:
        raise unreadable(path, 0, error) from None
    first, newline, _ = head.partition(b"\n")
    return not head.startswith(b"[") and not (newline and first.rstrip().endswith(_GOES_ON))


def _objects(path: Path, max_characters: int) -> Iterator[tuple[int, dict[str, object]]]:
    with opened(path) as file:
        text = _Text(path, TextIOWrapper(file, "utf-8-sig", newline=""), max_characters)
        while character := text.next():
            if character != "[":
                yield text.object()
                continue
            text.skip()
            if text.next() != "]":
                yield text.object()
                while text.next() == ",":
                    text.skip()
                    yield text.object()
            text.close()


class _Text:
    """A file's text, of which what has been taken no longer stands in memory."""

    def __init__(self, path: Path, file: TextIOWrapper, max_characters: int) -> None:
        self._path = path
        self._file = file
        self._max_characters = max_characters
        self._text = ""
        self._at = 0
        self._line = 1

    def next(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            white_space = _WHITE_SPACE.match(self._text, self._at)
            if white_space:
                self._take(white_space.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def skip(self) -> None:
        """Take this one character."""
        self._take(self._at + 1)

    def close(self) -> None:
        """Take the end of an array."""
        if not (character := self.next()):
            raise file_error(self._path, f"the array ends early, after line {self._line}")
        if character != "]":
            raise line_error(self._path, self._line, "neither a comma nor the end of the array follows an object")
        self.skip()

    def object(self) -> tuple[int, dict[str, object]]:
        """Take an object, with the number of the line on which it begins."""
        if not (character := self.next()):
            raise file_error(self._path, f"the array ends early, after line {self._line}")
        if character != "{":
            raise line_error(self._path, self._line, "not a JSON object")
        while True:
            try:
                value, end = _decode(self._text, self._at)
                break
            except json.JSONDecodeError as error:
                # Perhaps only because the text goes on: each time as much is read again as there is.
                position = error.pos
            except (ValueError, RecursionError):
                raise line_error(self._path, self._line, "not valid JSON") from None
            if len(self._text) - self._at > self._max_characters:
                raise self._too_long()
            if not self._read():
                number = self._line + self._text.count("\n", self._at, position)
                raise line_error(self._path, number, "not valid JSON, or the file ends early")
        if end - self._at > self._max_characters:
            raise self._too_long()
        number = self._line
        self._take(end)
        return number, value

    def _too_long(self) -> SourceError:
        return SourceError(
            f"{self._path}, line {self._line}: an object that is not valid JSON or has more than "
            f"{self._max_characters:,} characters. Correct it, or set CALBACK_MAX_LINE_BYTES to more."
        )

    def _take(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _read(self) -> bool:
        rest = self._text[self._at :]
        try:
            more = self._file.read(max(_CHUNK, len(rest)))
        except UnicodeDecodeError:
            raise file_error(self._path, f"not valid UTF-8, after line {self._line}") from None
        except UNREADABLE as error:
            raise unreadable(self._path, self._line, error) from None
        self._text, self._at = rest + more, 0
        return bool(more)
