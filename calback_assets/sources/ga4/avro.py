"""Reading Avro in Python, record by record, for DuckDB, which reads it only with an extension that it downloads.

What a record must hold is for the source to say.
"""

import json
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import fastavro
from fastavro.schema import SchemaParseException

from calback_assets.errors import SourceError
from calback_assets.sources.copies import Copy
from calback_assets.sources.json_lines import file_error, lines_of

_CODECS = ("null", "deflate")
"""BigQuery's third, SNAPPY, needs a library of its own."""
_DAMAGED = (ValueError, LookupError, EOFError, zlib.error, SchemaParseException)
"""What fastavro raises, which may quote what it read."""


def avro_objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """The records of a file, with their numbers from 1.

    Raises:
        SourceError: a record that is none, or a file that cannot be read to its end.
    """
    number = 0
    try:
        with path.open("rb") as file:
            reader = fastavro.reader(file)
            if reader.codec not in _CODECS:
                raise SourceError(f"{path}: compressed as {reader.codec}, which is not read. Export it with DEFLATE.")
            for record in reader:
                number += 1
                if not isinstance(record, dict):
                    raise record_error(path, number, "not a record")
                yield number, record
    except _DAMAGED:
        raise file_error(path, f"not a complete Avro file, after record {number}") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}. Make the file readable.") from None


def avro_lines(path: Path, names: Collection[str], max_bytes: int) -> Copy:
    """The named fields of a file's records as JSON lines.

    Raises:
        SourceError: as above, or a value that JSON has not, or a record that is too long, or no room for the lines.
    """
    return lines_of(path, "is Avro", _lines(path, names, max_bytes))


def record_error(path: Path, number: int, problem: str) -> SourceError:
    """The error for one record, which names it and never quotes it."""
    return SourceError(f"{path}, record {number}: {problem}. Export the file again.")


def _lines(path: Path, names: Collection[str], max_bytes: int) -> Iterator[bytes]:
    for number, record in avro_objects(path):
        try:
            line = json.dumps({name: record.get(name) for name in names}).encode()
        except TypeError:  # BYTES and the types of time.
            raise record_error(path, number, "holds a value of a type that no column of its name has") from None
        if len(line) > max_bytes:
            raise SourceError(
                f"{path}, record {number}: {len(line):,} bytes long as JSON, and it is taken up to {max_bytes:,}. Set "
                "CALBACK_MAX_LINE_BYTES to more, or remove the record."
            )
        yield line + b"\n"
