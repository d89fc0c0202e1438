"""Documents in JSON lines that are as they should be, taken many at once and without an object of Python's for each.

What a document must be like for that belongs here, and nothing of what becomes of another: it goes through the rules
of `schemaless` and `documents` with its line, and they alone say what is an error, and what else can be taken of it.
So whatever is taken here has to become the same there.

Arrow reads the lines, strictly: of a line that is no JSON, of a field that occurs twice and of a value of another kind
it takes nothing, and not the other lines that it was given either.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.json import ParseOptions, ReadOptions, read_json

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.documents import Document, DocumentCollection, Field, Rows
from calback_assets.sources.firestore.schemaless import (
    boolean,
    count,
    integer,
    is_filled,
    length,
    string,
    strings,
    timestamp,
)

_Lines: TypeAlias = Sequence[tuple[int, bytes]]
_CHUNK, _CHUNK_BYTES = 512, 2**20
"""Lines that are taken at once: no more than so many, and none after so many bytes."""
_BLOCK_BYTES = 2 * _CHUNK_BYTES
"""What Arrow is given at once; a longer chunk, which ends with a long line, is left to the rules."""
_DEPTH = 500
"""So many arrays and objects in each other are read in Python, too."""
_ENDS = (b"}", b"}\n", b"}\r\n")
_GOES_ON = re.compile(rb"\}[ \t\r]*n")
"""Perhaps a null behind an object, on which Arrow's reader crashes (26.0)."""
_TIMES = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1)  # As the two that it is taken from.
_EARLIEST, _LATEST = ((time - _EPOCH) // timedelta(microseconds=1) for time in (datetime.min, datetime.max))
"""As Arrow counts microseconds: making a scalar of Arrow's here would import pandas with this module."""


class _Kind(NamedTuple):
    """What a rule takes as it is."""

    type: pa.DataType
    begins: str
    """How such a value begins in JSON, and no other but null: characters of a regular expression."""
    column: Callable[[pa.Array], pa.Array]
    """What the rule makes of values that may be null; raises ArrowInvalid where it has to look at them itself."""


def rows_of_lines(
    lines: Iterable[tuple[int, bytes]],
    collection: DocumentCollection,
    documents: Callable[[_Lines], Iterable[Document]],
) -> Iterator[Rows]:
    """The rows of documents of which each line holds one: `{"id", "create_time", "update_time", "data"}`.

    Args:
        lines: with their numbers.
        collection: whose documents they are.
        documents: reads documents from lines, of any kind.

    Raises:
        SourceError: what `lines` or `documents` raise.
    """
    clean = _Clean(collection)
    for chunk in _chunks(lines):
        rows = clean.rows(chunk)
        if rows is not None:
            yield Rows(rows)
            continue
        suspects = clean.suspects(chunk)
        others = sorted(set(range(len(chunk))) - set(suspects))
        rows = clean.rows([chunk[position] for position in others]) if suspects and others else None
        if rows is None:
            yield from collection.rows(documents(chunk))
            continue
        judged = list(collection.rows(documents([chunk[position] for position in suspects])))
        order = pc.array_sort_indices(pa.array([*others, *suspects]))
        table = pa.concat_tables([rows, *(part.table for part in judged)]).take(order)
        yield Rows(table, [problem for part in judged for problem in part.problems])


def _chunks(lines: Iterable[tuple[int, bytes]]) -> Iterator[_Lines]:
    chunk: list[tuple[int, bytes]] = []
    size = 0
    try:
        for line in lines:
            chunk.append(line)
            size += len(line[1])
            if len(chunk) == _CHUNK or size > _CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    except SourceError:
        yield chunk  # What is wrong before it comes first.
        raise
    if chunk:
        yield chunk


class _Clean:
    """What the documents of a collection are where nothing has to be judged."""

    def __init__(self, collection: DocumentCollection) -> None:
        self._collection = collection
        kinds = {field.name: _kind(field) for field in collection.declared.values()}
        data = pa.struct([(name, kind.type) for name, kind in kinds.items()])
        schema = pa.schema(
            [("id", pa.string()), ("create_time", pa.string()), ("update_time", pa.string()), ("data", data)]
        )
        self._parse = ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        self._read = ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
        self._suspect = "|".join(rf'"{name}"\s*:\s*[^\s{kind.begins}n]' for name, kind in kinds.items())

    def rows(self, lines: _Lines) -> pa.Table | None:
        """The rows of documents that are all clean."""
        text = b"".join(line for _, line in lines)
        if len(text) > _BLOCK_BYTES or _GOES_ON.search(text) or not all(_is_apart(line) for _, line in lines):
            return None
        try:
            text.decode()
            found = read_json(pa.BufferReader(text), self._read, self._parse).combine_chunks()
            if found.num_rows != len(lines):
                return None
            ids, created_at, updated_at, data = (_required(found.column(name)) for name in found.column_names)
            if pc.min(pc.binary_length(ids)).as_py() == 0:
                return None
            columns = {"created_at": _times(created_at), "updated_at": _times(updated_at)}
            for name, field in self._collection.declared.items():
                column = _kind(field).column(data.field(field.name))
                columns[name] = column if field.absent is None else column.fill_null(field.absent)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return None
        return self._collection.table_of(ids, columns)

    def suspects(self, lines: _Lines) -> Sequence[int]:
        """The positions of lines that seem to hold a value of another kind than its field's."""
        try:
            found = pc.match_substring_regex(pa.array([line for _, line in lines], pa.string()), self._suspect)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return ()
        positions: Sequence[int] = pc.indices_nonzero(found).to_pylist()
        return positions


def _is_apart(line: bytes) -> bool:
    """Whether what Arrow finds in a line cannot go on in the next, nor be too deep for Python."""
    is_flat = len(line) < 2 * _DEPTH or line.count(b"[") + line.count(b"{") < _DEPTH
    return line.startswith(b"{") and line.endswith(_ENDS) and is_flat


def _required(column: pa.ChunkedArray) -> pa.Array:
    if column.null_count:
        raise pa.ArrowInvalid("a value is missing")
    return column.combine_chunks()


def _as_it_is(values: pa.Array) -> pa.Array:
    return values


def _filled(values: pa.Array) -> pa.Array:
    return pc.greater(pc.binary_length(values), 0)


def _whole(lists: pa.Array) -> pa.Array:
    if lists.flatten().null_count:
        raise pa.ArrowInvalid("an element is null")
    return lists


def _lengths(lists: pa.Array) -> pa.Array:
    return pc.list_value_length(_whole(lists)).cast(pa.int64())


def _times(texts: pa.Array) -> pa.Array:
    times = texts.cast(_TIMES)  # Only with a zone.
    bounds = pc.min_max(times)
    if bounds["min"].is_valid and (bounds["min"].value < _EARLIEST or bounds["max"].value > _LATEST):
        raise pa.ArrowInvalid("a time outside the years 1 to 9999")
    return times


def _characters(texts: pa.Array) -> pa.Array:
    return pc.utf8_length(texts).cast(pa.int64())


_LISTS = pa.list_(pa.string())
_KINDS: Mapping[Callable[..., object], _Kind] = {
    string: _Kind(pa.string(), '"', _as_it_is),
    length: _Kind(pa.string(), '"', _characters),
    is_filled: _Kind(pa.string(), '"', _filled),
    timestamp: _Kind(pa.string(), '"', _times),
    integer: _Kind(pa.int64(), "0-9-", _as_it_is),
    boolean: _Kind(pa.bool_(), "tf", _as_it_is),
    strings: _Kind(_LISTS, r"\[", _whole),
    count: _Kind(_LISTS, r"\[", _lengths),
}


def _kind(field: Field) -> _Kind:
    """What a field's rule takes; one that stands not above takes a string, and is asked for each."""

    def one_by_one(values: pa.Array) -> pa.Array:
        return pa.array([None if value is None else field.take(value) for value in values.to_pylist()], pa.string())

    return _KINDS.get(field.take) or _Kind(pa.string(), '"', one_by_one)
