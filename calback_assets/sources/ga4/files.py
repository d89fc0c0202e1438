"""App events from files of the Google Analytics 4 export, as BigQuery extracts its tables.

Which files hold a day, and how each is scanned, belongs here. How its columns become those of `raw_events` does not,
nor what the events mean.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TypeAlias
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

import duckdb
from duckdb.sqltypes import DuckDBPyType

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.settings import Settings
from calback_assets.sources.coercion import (
    identifier,
    json_type,
    literal,
    mismatch,
    object_size,
)
from calback_assets.sources.copies import Copy
from calback_assets.sources.data_folder import named, pattern, refuse_two, size, sound_entries
from calback_assets.sources.explain import explanation
from calback_assets.sources.file_query import FileQuery, engine
from calback_assets.sources.ga4.avro import avro_lines, avro_objects, record_error
from calback_assets.sources.ga4.columns import is_missing, no_rows, select, wanted
from calback_assets.sources.ga4.export import (
    REQUIRED,
    TIMESTAMP,
    ExportTable,
    FoundExport,
    Part,
    table_named,
)
from calback_assets.sources.json_lines import (
    file_error,
    has_mark,
    json_objects,
    line_error,
    longest_line,
    unmarked,
)

_ENDING = r"\.(parquet|avro|(json|jsonl|ndjson)(\.gz)?)"
_FILE = re.compile(rf"(?P<table>events_.*?)([-_.]?\d{{12}})?{_ENDING}", re.ASCII)
_FOLDER = re.compile("events_.*")
_SHARD = re.compile(rf"(.*\D)?\d{{12}}{_ENDING}", re.ASCII)
"""In a folder of the table's own. All in small letters."""
_NUMBER = re.compile(r"\d{12}(?=\D*$)", re.ASCII)
"""What BigQuery writes for the `*` that it is given; it counts from 0."""
Files: TypeAlias = tuple[Path, ...]
"""One table's: its shards in their order, or the one file."""


class Ga4Files:
    """The export's tables in one folder: each a file, or shards there or in a folder of the table's own."""

    def __init__(
        self,
        folder: Path,
        timezone: str,
        now: Callable[[], datetime],
        max_line_bytes: int = Settings.max_line_bytes,
    ) -> None:
        """Reads nothing yet.

        Args:
            folder: holds the files; may be absent, then there are no events. The case of its name does not matter.
            timezone: what a day is.
            now: the current time, with its zone; tells whether a table may still be rewritten.
            max_line_bytes: the longest line of a JSON file that is taken.
        """
        self._folder = folder
        self._zone = ZoneInfo(timezone)
        self._now = now
        self._max_line_bytes = max_line_bytes

    @staticmethod
    def reads(parts: Sequence[str]) -> bool:
        """Whether a file below the folder is one of the export's, or should be: `look` tells what is wrong with it."""
        match parts:
            case [name]:
                return _FILE.fullmatch(name) is not None
            case [folder, name]:
                return bool(_FOLDER.fullmatch(folder) and _SHARD.fullmatch(name))
        return False

    def look(self, _since: date) -> "FoundFiles":
        """The files that are there.

        Raises:
            SourceError: a name that tells no export date, a shard that is missing, or one table in two forms.
        """
        folder = named(self._folder.parent, self._folder.name)
        wrong: list[SourceError] = []
        found: dict[ExportTable, dict[Path, dict[int, list[Path]]]] = {}
        for path, name in _files(folder, wrong):
            table = table_named(name)
            if table is None:
                problem = (
                    f"{path}: the name tells no export date, so no day would read it. "
                    "Name it events_YYYYMMDD, events_fresh_YYYYMMDD or events_intraday_YYYYMMDD, as its table is named."
                )
                wrong.append(SourceError(problem))
                continue
            number = _NUMBER.search(path.name)
            form = folder / _NUMBER.sub("*", str(path.relative_to(folder)).lower())
            shards = found.setdefault(table, {}).setdefault(form, {})
            shards.setdefault(int(number[0]) if number else 0, []).append(path)
        files: dict[ExportTable, Files] = {}
        for table, forms in found.items():
            try:
                for shards in forms.values():
                    for paths in shards.values():
                        refuse_two(paths, "export table")
                refuse_two(list(forms), "export table")
                (shards,) = forms.values()
                files[table] = _whole(shards)
            except SourceError as error:
                wrong.append(error)
        SourceError.refuse(wrong)
        return FoundFiles(folder, files, self._zone, self._now, self._max_line_bytes)


class FoundFiles(FoundExport[Files]):
    """The export's files, which are opened when a day is asked for."""

    def __init__(
        self,
        folder: Path,
        found: Mapping[ExportTable, Files],
        zone: ZoneInfo,
        now: Callable[[], datetime],
        max_line_bytes: int,
    ) -> None:
        """Take what was found."""
        super().__init__(str(folder), found)
        self._zone = zone
        self._now = now
        self._max_line_bytes = max_line_bytes
        self._copies = WeakValueDictionary[Path, Copy]()

    def rows(self, day: date) -> int:
        """About how many events the date's own files hold: as many as lines of few bytes would be."""
        return sum(size(path) // _bytes_a_row(path) for path in self.of_date(day) or ())

    def read(self, stretch: Stretch) -> FileQuery:
        """The events of these days as `raw_events`.

        Raises:
            SourceError: a file that is not what its name says, or has a line that is too long.
        """
        parts = self.parts(stretch)
        # The query below holds the copies as long as anybody holds it; the next days' first are its last.
        copies = {path: copy for part in parts for path in part.place if (copy := self._copy(path))}
        sql = "\nUNION ALL\n".join(self._query(part, part.place, copies) for part in parts) or no_rows()
        _refuse_untimed([path for part in parts for path in part.place if _is_parquet(path)])

        def explain(error: Exception) -> SourceError:
            queries = {path: self._query(part, (path,), copies) for part in parts for path in part.place}
            return explanation(queries, lambda path: _problems(path, self._max_line_bytes), error)

        return FileQuery(
            sql=sql,
            explain=explain,
            facts={
                day: {
                    "files": ", ".join(_read(part) for part in self.parts(Stretch.on(day))) or "none",
                    "kinds": self.kinds(day),
                }
                for day in stretch.days
            },
        )

    def _copy(self, path: Path) -> Copy | None:
        """What DuckDB reads in the file's place; None where it reads the file."""
        copy = self._copies.get(path)
        if copy is None and _is_avro(path):
            copy = avro_lines(path, wanted(), self._max_line_bytes)
        elif copy is None and not _is_parquet(path) and has_mark(path):
            copy = unmarked(path, self._max_line_bytes)
        if copy is not None:
            self._copies[path] = copy
        return copy

    def _query(self, part: Part[Files], files: Files, copies: Mapping[Path, Copy]) -> str:
        is_final = part.table.is_final(self._now().astimezone(self._zone).date())
        selects = []
        if _is_parquet(files[0]):
            scans = _parquet_scans(files)
        else:
            read = tuple(copies[path].path if path in copies else path for path in files)
            longest = _longest_line(read, _modified(read), self._max_line_bytes)
            scans = [(files[0], _json_columns(), _json_scan(read, longest))]
        for path, columns, scan in scans:
            # Parquet's own statistics have told already that no timestamp is missing.
            refuse, is_timed = partial(file_error, path), _is_parquet(path)
            selects.append(select(scan, columns, part, self._zone, refuse, is_final=is_final, is_timed=is_timed))
        return "\nUNION ALL\n".join(selects)


def _files(folder: Path, wrong: list[SourceError]) -> Iterator[tuple[Path, str]]:
    """The export's files, each with its table's name in small letters; the rest is the data folder's business."""
    for path in sound_entries(folder, wrong):
        name = path.name.lower()
        if path.is_dir() and _FOLDER.fullmatch(name):
            for shard in sound_entries(path, wrong):
                if _SHARD.fullmatch(shard.name.lower()) and shard.is_file():
                    yield shard, name
        elif (match := _FILE.fullmatch(name)) and path.is_file():
            yield path, match["table"]


def _whole(shards: Mapping[int, Sequence[Path]]) -> Files:
    """The shards in their order.

    Raises:
        SourceError: one is missing before the last; whether there should be more behind it no file tells.
    """
    files = tuple(path for number in sorted(shards) for path in shards[number])
    for number in range(len(files)):
        if number not in shards:
            missing = files[-1].with_name(_NUMBER.sub(f"{number:012}", files[-1].name))
            raise SourceError(
                f"{missing}: this shard is missing, and a later one of its table is there. Fetch it from the bucket, "
                "or export the table again."
            )
    return files


def _read(part: Part[Files]) -> str:
    """What a table was read from, for people."""
    return part.place[0].name if len(part.place) == 1 else f"{len(part.place)} shards of {part.table.name}"


def _bytes_a_row(path: Path) -> int:
    """Less than an event takes in such a file, for all that is known."""
    suffix = path.suffix.lower()
    return 30 if suffix in (".parquet", ".gz") else 300


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _modified(files: Files) -> tuple[int, ...]:
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)


def _is_avro(path: Path) -> bool:
    return path.suffix.lower() == ".avro"


@cache
def _json_columns() -> Mapping[str, DuckDBPyType]:
    return {name: json_type(type_) for name, type_ in wanted().items()}


@lru_cache(maxsize=8)  # A day, the one before it and the one after it read the same files.
def _longest_line(files: Files, _modified_ns: tuple[int, ...], max_bytes: int) -> int:
    return max(longest_line(path, max_bytes) for path in files)


def _json_scan(files: Files, longest: int) -> str:
    columns = (f"{identifier(name)}: {literal(str(type_))}" for name, type_ in _json_columns().items())
    return (
        f"read_json({_list(files)}, format = 'newline_delimited', records = true, "
        f"hive_partitioning = false, maximum_object_size = {object_size(longest)}, columns = {{{', '.join(columns)}}})"
    )


def _list(files: Sequence[Path]) -> str:
    return f"[{', '.join(literal(pattern(path)) for path in files)}]"


def _parquet_scans(files: Files) -> list[tuple[Path, Mapping[str, DuckDBPyType], str]]:
    """A scan for all files that have the same columns, with these and the first file.

    Raises:
        SourceError: not a whole Parquet file, or one without what every event has.
    """
    alike: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    columns = {path: _parquet_columns(path) for path in files}
    for path in files:
        alike.setdefault(tuple((name, str(type_)) for name, type_ in columns[path].items()), []).append(path)
    return [(paths[0], columns[paths[0]], f"read_parquet({_list(paths)})") for paths in alike.values()]


def _parquet_columns(path: Path) -> Mapping[str, DuckDBPyType]:
    """The file's columns, from its footer alone.

    Raises:
        SourceError: not a whole Parquet file, or one without what every event has.
    """
    try:
        with engine() as reader:
            relation = reader.sql(f"SELECT * FROM read_parquet({literal(pattern(path))})")
            columns = dict(zip(relation.columns, relation.types, strict=True))
    except duckdb.Error:
        raise file_error(path, "not a complete Parquet file") from None
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise file_error(path, f"no column {missing[0]}, which every GA4 export has")
    return columns


def _refuse_untimed(files: Sequence[Path]) -> None:
    """See, by the statistics in the footers of Parquet files, that every event has a time; all are read in one go.

    Raises:
        SourceError: one has not; names the file, and how many of its rows.
    """
    if not files:
        return
    with engine() as reader:
        nulls = reader.execute(
            f"SELECT file_name, sum(stats_null_count) FROM parquet_metadata({_list(files)}) "
            f"WHERE path_in_schema = '{TIMESTAMP}' GROUP BY file_name HAVING sum(stats_null_count) > 0 ORDER BY ALL"
        ).fetchone()
    if nulls:
        raise file_error(Path(nulls[0]), f"{is_missing(TIMESTAMP)} in {nulls[1]} rows")


def _problems(path: Path, max_bytes: int) -> Iterator[SourceError]:
    if _is_avro(path):
        rows, error = avro_objects(path), record_error
    else:
        rows, error = json_objects(path, max_bytes, half_characters=False), line_error
    for number, row in rows:
        for name, type_ in wanted().items():
            if problem := mismatch(row.get(name), type_, name):
                yield error(path, number, problem)
        for name in REQUIRED:
            if row.get(name) is None:
                yield error(path, number, is_missing(name))
