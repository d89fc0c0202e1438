"""Reading JSON lines in Python, each with its number.

For the sources that need Python anyway (Firestore documents), and for the error path of the others, where the
first offending line has to be found. What a line must hold is for the source to say.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import orjson

from calback_assets.errors import SourceError


def json_objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of a `.jsonl` or `.jsonl.gz` file with their line numbers; blank lines are skipped.

    Raises:
        SourceError: a line that is not one JSON object, or a file that cannot be read to its end.
    """
    for number, line in _lines(path):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = _leniently(path, number, line)
        if not isinstance(value, dict):
            raise line_error(path, number, "not a JSON object")
        yield number, value


def _leniently(path: Path, number: int, line: bytes) -> object:
    """A line that orjson refuses: the standard library takes half a character and NaN, and counts in characters."""
    try:
        # Decoded here: json.loads would guess at UTF-16 and UTF-32, which DuckDB does not read.
        return json.loads(line.rstrip().decode())
    except json.JSONDecodeError as error:
        raise line_error(path, number, f"not valid JSON from character {error.colno} on") from None
    except (ValueError, RecursionError):
        raise line_error(path, number, "not valid JSON in UTF-8") from None


def line_error(path: Path, number: int, problem: str) -> SourceError:
    """The error for one line, which names the line and never quotes it."""
    return SourceError(f"{path}, line {number}: {problem}. Correct or remove the line, or export the file again.")


def file_error(path: Path, problem: str) -> SourceError:
    """The error for a file as a whole."""
    return SourceError(f"{path}: {problem}. Export the file again.")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, line
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise file_error(path, f"the gzip stream is damaged or ends early, after line {number}") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}. Make the file readable.") from None
