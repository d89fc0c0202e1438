"""App events from files of the Google Analytics 4 export, as BigQuery extracts its tables.

Which export tables hold a day, and how each file's own columns become those of `raw_events`, belongs here.
What the events mean does not.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache, cached_property, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
from duckdb.sqltypes import DuckDBPyType

from calback_assets.errors import SourceError
from calback_assets.settings import Settings
from calback_assets.sources.coercion import (
    coerce,
    failure,
    fields_of,
    identifier,
    json_type,
    literal,
    mismatch,
    object_size,
    stored_type,
)
from calback_assets.sources.data_folder import entries, named, pattern, refuse_two
from calback_assets.sources.explain import explanation
from calback_assets.sources.file_query import FileQuery
from calback_assets.sources.ga4 import (
    FIELDS,
    OURS,
    REQUIRED,
    TIMESTAMP,
    ExportTable,
    FoundExport,
    table_named,
    timestamps_of,
)
from calback_assets.sources.json_lines import file_error, json_objects, line_error, longest_line
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_EVENTS

_NAME = re.compile(r"(?P<table>events_.*?)\.(?P<kind>parquet|jsonl|jsonl\.gz)")
"""In small letters."""


class Ga4Files:
    """The export's tables in one folder, `events_YYYYMMDD` and `events_intraday_YYYYMMDD`, a file each."""

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
        return len(parts) == 1 and _NAME.fullmatch(parts[0]) is not None

    def look(self, _since: date) -> "FoundFiles":
        """The files that are there.

        Raises:
            SourceError: a name that tells no export date, or two files for one table.
        """
        folder = named(self._folder.parent, self._folder.name)
        found: dict[ExportTable, list[Path]] = {}
        for path in entries(folder):
            match = _NAME.fullmatch(path.name.lower())
            if match is None:
                continue  # What nobody reads is the data folder's business.
            table = table_named(match["table"])
            if table is None:
                raise SourceError(
                    f"{path}: the name tells no export date, so no day would read it. "
                    "Name it events_YYYYMMDD or events_intraday_YYYYMMDD, one file for each export table."
                )
            found.setdefault(table, []).append(path)
        for paths in found.values():
            refuse_two(paths, "export table")
        files = {table: path for table, (path,) in found.items()}
        return FoundFiles(folder, files, self._zone, self._now, self._max_line_bytes)


class FoundFiles(FoundExport[Path]):
    """The export's files, which are opened when a day is asked for."""

    def __init__(
        self,
        folder: Path,
        found: Mapping[ExportTable, Path],
        zone: ZoneInfo,
        now: Callable[[], datetime],
        max_line_bytes: int,
    ) -> None:
        """Take what was found."""
        super().__init__(str(folder), found)
        self._zone = zone
        self._now = now
        self._max_line_bytes = max_line_bytes

    def day(self, day: date) -> FileQuery:
        """The events of one day as `raw_events`.

        Raises:
            SourceError: a file that is not what its name says, or has a line that is too long.
        """
        files = self.of(day)
        queries = {path: self._query(path, table, day) for table, path in files}

        def explain(error: Exception) -> SourceError:
            return explanation(queries, lambda path: _line_problems(path, self._max_line_bytes), error)

        return FileQuery(
            sql="\nUNION ALL\n".join(queries.values()) or _no_rows(),
            explain=explain,
            facts={
                "files": ", ".join(path.name for _, path in files) or "none",
                "intraday_files": sum(table.is_intraday for table, _ in files),
            },
        )

    @cached_property
    def _engine(self) -> duckdb.DuckDBPyConnection:
        """Reads the footers of Parquet files; kept, as opening it takes longer than everything else here."""
        return duckdb.connect()

    def _query(self, path: Path, table: ExportTable, day: date) -> str:
        start, end = timestamps_of(day, self._zone)
        is_final = table.is_final(self._now().astimezone(self._zone).date())
        is_parquet = path.suffix.lower() == ".parquet"
        if is_parquet:
            columns = _parquet_columns(self._engine, path, path.stat().st_mtime_ns)
            scan = f"read_parquet({literal(pattern(path))})"
        else:
            longest = _longest_line(path, path.stat().st_mtime_ns, self._max_line_bytes)
            columns, scan = _json_columns(), _json_scan(path, longest)
        expressions = _expressions(path, columns)
        timestamp = expressions[TIMESTAMP]
        if not is_parquet:  # Parquet's own statistics have told already that none is missing.
            timestamp = f"coalesce({timestamp}, {failure(_missing(TIMESTAMP))})"
        expressions[EVENT_DATE] = f"DATE '{day}'"
        expressions["is_final"] = str(is_final).lower()
        selected = ",\n  ".join(f"{expressions[name]} AS {identifier(name)}" for name in RAW_EVENTS.column_names)
        return f"SELECT\n  {selected}\nFROM {scan}\nWHERE {timestamp} >= {start} AND {timestamp} < {end}"


@cache
def _wanted() -> Mapping[str, DuckDBPyType]:
    """The columns of the export that are read, in the types in which they are stored."""
    structs: dict[str, list[str]] = {}
    wanted: dict[str, DuckDBPyType] = {}
    for column in RAW_EVENTS.columns:
        if column.name in FIELDS:
            struct, field = FIELDS[column.name]
            structs.setdefault(struct, []).append(f"{identifier(field)} {stored_type(column.type)}")
        elif column.name not in OURS:
            wanted[column.name] = stored_type(column.type)
    return wanted | {struct: DuckDBPyType(f"STRUCT({', '.join(fields)})") for struct, fields in structs.items()}


@cache
def _json_columns() -> Mapping[str, DuckDBPyType]:
    return {name: json_type(type_) for name, type_ in _wanted().items()}


@lru_cache(maxsize=8)  # As below.
def _longest_line(path: Path, _modified_ns: int, max_bytes: int) -> int:
    return longest_line(path, max_bytes)


def _json_scan(path: Path, longest: int) -> str:
    columns = (f"{identifier(name)}: {literal(str(type_))}" for name, type_ in _json_columns().items())
    return (
        f"read_json({literal(pattern(path))}, format = 'newline_delimited', records = true, "
        f"hive_partitioning = false, maximum_object_size = {object_size(longest)}, columns = {{{', '.join(columns)}}})"
    )


@lru_cache(maxsize=8)  # A day, the one before it and the one after it read the same files.
def _parquet_columns(engine: duckdb.DuckDBPyConnection, path: Path, _modified_ns: int) -> Mapping[str, DuckDBPyType]:
    """The file's columns, from its footer alone.

    Raises:
        SourceError: not a whole Parquet file, or one without what every event has.
    """
    file = literal(pattern(path))
    try:
        reader = engine.cursor()
        relation = reader.sql(f"SELECT * FROM read_parquet({file})")
        columns = dict(zip(relation.columns, relation.types, strict=True))
        nulls = reader.execute(
            f"SELECT sum(stats_null_count) FROM parquet_metadata({file}) WHERE path_in_schema = '{TIMESTAMP}'"
        ).fetchone()
    except duckdb.Error:
        raise file_error(path, "not a complete Parquet file") from None
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise file_error(path, f"no column {missing[0]}, which every GA4 export has")
    if nulls and nulls[0]:
        raise file_error(path, f"{_missing(TIMESTAMP)} in {nulls[0]} rows")
    return columns


def _expressions(path: Path, columns: Mapping[str, DuckDBPyType]) -> dict[str, str]:
    """The SQL that reads each column of the contract from a file that has these columns."""
    expressions = {}
    for column in RAW_EVENTS.columns:
        if column.name in OURS:
            continue
        target = stored_type(column.type)
        source_name, *field = FIELDS.get(column.name, (column.name,))
        source, value, name = columns.get(source_name), identifier(source_name), source_name
        if field and source is not None:
            if source.id not in ("struct", "null"):
                raise file_error(path, f"column {source_name} is {source.id.upper()} where STRUCT is expected")
            source = fields_of(source).get(field[0]) if source.id == "struct" else None
            value, name = f"{value}.{identifier(field[0])}", f"{source_name}.{field[0]}"
        if source is None:
            expressions[column.name] = f"CAST(NULL AS {target})"
            continue
        expression = coerce(value, source, target, name=name, path=path)
        if column.name in REQUIRED and column.name != TIMESTAMP:
            expression = f"coalesce({expression}, {failure(_missing(name))})"
        expressions[column.name] = expression
    return expressions


def _no_rows() -> str:
    columns = (f"CAST(NULL AS {stored_type(c.type)}) AS {identifier(c.name)}" for c in RAW_EVENTS.columns)
    return f"SELECT {', '.join(columns)} WHERE false"


def _missing(name: str) -> str:
    return f"{name} is missing"


def _line_problems(path: Path, max_bytes: int) -> Iterator[SourceError]:
    for number, row in json_objects(path, max_bytes, half_characters=False):
        for name, type_ in _wanted().items():
            if problem := mismatch(row.get(name), type_, name):
                yield line_error(path, number, problem)
        for name in REQUIRED:
            if row.get(name) is None:
                yield line_error(path, number, _missing(name))
