"""Reading JSON lines in Python, each with its number, and none longer than is allowed.

For the sources that need Python anyway (Firestore documents), and for the error path of the others, where the
first offending line has to be found. What a line must hold is for the source to say.
"""

import gzip
import json
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

import orjson

from calback_assets.errors import SourceError
from calback_assets.sources.copies import Copy

UNREADABLE = (EOFError, zlib.error, OSError)
"""What may come of reading; `unreadable` makes one of ours of it."""
_CHUNK = 2**20


def lines_of(path: Path, why: str, lines: Iterable[bytes]) -> Copy:
    """JSON lines made from a file that DuckDB does not read as it is.

    Args:
        path: of the file.
        why: what keeps DuckDB from it, for messages.
        lines: what it holds, an object each.

    Raises:
        SourceError: there is no room for them.
    """
    return Copy(
        lambda copy: copy.writelines(lines),
        f"{path}: {why}, and no copy for DuckDB can",
        ", or export the file as Parquet",
    )


def unmarked(path: Path, max_bytes: int) -> Copy:
    """A file's lines without the byte-order mark before them.

    Raises:
        SourceError: a line is too long, the file cannot be read to its end, or there is no room for the copy.
    """
    return lines_of(path, "begins with a byte-order mark", (line for _, line in numbered_lines(path, max_bytes)))


def json_objects(path: Path, max_bytes: int, *, half_characters: bool) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of a `.jsonl` or `.jsonl.gz` file with their line numbers; blank lines are skipped.

    Args:
        path: of the file.
        max_bytes: the longest line that is taken.
        half_characters: whether half a surrogate pair (U+D83D alone) may stand in a text. No encoding can write it.

    Raises:
        SourceError: a line that is not one JSON object or too long, or a file that cannot be read to its end.
    """
    return objects_in(path, numbered_lines(path, max_bytes), half_characters=half_characters)


def objects_in(
    path: Path, lines: Iterable[tuple[int, bytes]], *, half_characters: bool
) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of lines that have been read, as `json_objects`.

    Raises:
        SourceError: a line that is not one JSON object.
    """
    for number, line in lines:
        try:
            value = json_object(line, half_characters=half_characters)
        except LineProblem as problem:
            raise line_error(path, number, str(problem)) from None
        yield number, value


class LineProblem(Exception):  # noqa: N818  # What is wrong with a line, of which a few may be taken.
    """What is wrong with a line, without its place and its content."""


def json_object(line: bytes, *, half_characters: bool) -> dict[str, object]:
    """The object in a line.

    Raises:
        LineProblem: it is not one JSON object.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = _leniently(line)
        if not half_characters and _has_half(value):
            raise LineProblem("half of a surrogate pair (\\ud800 to \\udfff), no character") from None
    if not isinstance(value, dict):
        raise LineProblem("not a JSON object")
    return value


def _leniently(line: bytes) -> object:
    """A line that orjson refuses: the standard library takes half a character and NaN, and counts in characters."""
    try:
        # Decoded here: json.loads would guess at UTF-16 and UTF-32, which DuckDB does not read.
        return json.loads(line.rstrip().decode())
    except json.JSONDecodeError as error:
        raise LineProblem(f"not valid JSON from character {error.colno} on") from None
    except (ValueError, RecursionError):
        raise LineProblem("not valid JSON in UTF-8") from None


def _has_half(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def longest_line(path: Path, max_bytes: int) -> int:
    """The bytes of a file's longest line, or so many that every line is shorter.

    Raises:
        SourceError: a line is longer than `max_bytes`. A file that cannot be read is left to its reader.
    """
    longest = length = 0
    chunk_bytes = min(_CHUNK, max_bytes)
    with suppress(*UNREADABLE), opened(path) as file:
        while chunk := file.read(chunk_bytes):
            if (newline := chunk.find(b"\n")) < 0:
                length += len(chunk)
                continue
            longest = max(longest, length + newline)
            length = len(chunk) - 1 - chunk.rfind(b"\n")
    longest = max(longest, length)
    if longest > max_bytes:
        for _ in numbered_lines(path, max_bytes):
            pass  # Until the line is found.
    return max(longest, chunk_bytes)


def has_mark(path: Path) -> bool:
    """Whether a file begins with a byte-order mark. A file that cannot be read is left to its reader."""
    with suppress(EOFError, zlib.error, OSError), opened(path) as file:
        return file.read(len(BOM_UTF8)) == BOM_UTF8
    return False


def line_error(path: Path, number: int, problem: str) -> SourceError:
    """The error for one line, which names the line and never quotes it."""
    return SourceError(f"{path}, line {number}: {problem}. Correct or remove the line, or export the file again.")


def file_error(path: Path, problem: str) -> SourceError:
    """The error for a file as a whole."""
    return SourceError(f"{path}: {problem}. Export the file again.")


def numbered_lines(path: Path, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, gzipped where its name says so, that are not blank; without a byte-order mark.

    Raises:
        SourceError: a line is too long, or the file cannot be read to its end.
    """
    number = 0
    try:
        with opened(path) as file:
            if file.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
                file.read(len(BOM_UTF8))
            while line := file.readline(max_bytes + 1):
                number += 1
                if len(line) > max_bytes and not line.endswith(b"\n"):
                    raise SourceError(
                        f"{path}, line {number}: {len(line) + _rest(file):,} bytes long, and a line is taken up to "
                        f"{max_bytes:,}. Set CALBACK_MAX_LINE_BYTES to more, or remove the line."
                    )
                if not line.isspace():
                    yield number, line
    except UNREADABLE as error:
        raise unreadable(path, number, error) from None


def unreadable(path: Path, number: int, error: Exception) -> SourceError:
    """The error for a file that cannot be read beyond a line."""
    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
        return SourceError(f"{path}: {error.strerror}. Make the file readable.")
    return file_error(path, f"the gzip stream is damaged or ends early, after line {number}")


def opened(path: Path) -> BufferedReader:
    """The bytes of a file, of a gzipped one unpacked.

    Raises:
        OSError: it cannot be opened.
    """
    # The standard library's own reading of lines from gzip goes through Python for each.
    return BufferedReader(gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _rest(file: BufferedReader) -> int:
    """The bytes of a line that have not been read yet."""
    count = 0
    while part := file.readline(_CHUNK):
        count += len(part.removesuffix(b"\n"))
        if part.endswith(b"\n"):
            break
    return count
