"""The forms in which a file of the access log may be: JSON lines, one JSON array, CSV and Parquet.

How each form is scanned, and how its values become a day, a user and Kafka's coordinates, belongs here, as DuckDB SQL
alone: Python only tells in which line a bad row stands. Which files hold which day is not for this module to say.
"""

import csv
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

import duckdb
from duckdb.sqltypes import DuckDBPyType

from calback_assets.errors import SourceError
from calback_assets.sources.access_log.log import Fields
from calback_assets.sources.coercion import (
    Refuse,
    exact,
    identifier,
    json_type,
    literal,
    not_a,
    object_size,
    stored_type,
)
from calback_assets.sources.data_folder import pattern
from calback_assets.sources.file_query import engine
from calback_assets.sources.json_lines import (
    LineProblem,
    file_error,
    json_object,
    line_error,
    longest_line,
    numbered_lines,
    opened,
)
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_ACCESS_LOG

FILE = re.compile(r".+\.(?:(?:jsonl|ndjson|json|csv)(?:\.gz)?|parquet)")
"""The names of the files, in small letters."""
PLACE = "calback_file"
"""The column that tells the file of a row."""
PROBLEM = "calback_problem"
"""The column that tells what is wrong with a row; NULL where it can be taken."""
KAFKA: Mapping[str, DuckDBPyType] = {
    name: stored_type(RAW_ACCESS_LOG.column(name).type) for name in ("topic", "partition", "offset")
}
_FOLDER_DAY = f"CAST(regexp_extract({PLACE}, '=([^=/]+)/[^/]+$', 1) AS DATE)"
"""Of a file in a folder `date=YYYY-MM-DD`."""
_TEXT, _JSON = DuckDBPyType("VARCHAR"), DuckDBPyType("JSON")
_CSV_LINE = 2**21
"""DuckDB's own bound."""
_START = 4096
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE = "[Zz]|UTC|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]"
_TIME = f"({_DAY})[Tt ]([0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:[.][0-9]+)? ?({_ZONE})"
"""RFC 3339, and the same as BigQuery prints it. A fraction of a second changes no day."""
_EPOCH = "([1-9][0-9]{8,15})(?:[.][0-9]+)?"
_MICROSECONDS = {"9, 10": 1_000_000, "12, 13": 1_000, "15, 16": 1}
"""Of a unit, by the digits of a time since 1970: each pair spans 1973-03-03 to 2286-11-20."""


@dataclass(frozen=True)
class Form:
    """What files have in common that are scanned together."""

    kind: str
    """`lines` and `marked` (JSON lines, with a byte-order mark), `array`, `csv`, `parquet`."""
    columns: tuple[tuple[str, str], ...]
    """Names and types: of a CSV file all, of others those that are read. None where the file is empty."""


def form_of(path: Path, fields: Fields) -> Form:
    """The form of a file, by its name and its beginning.

    Raises:
        SourceError: it cannot be read, or has columns and none for the user.
    """
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in ("csv", "parquet"):
        form = Form(suffix, _csv_columns(path, fields) if suffix == "csv" else _parquet_columns(path, fields))
        if form.columns and fields.user not in dict(form.columns):
            raise file_error(
                path, f"no column {fields.user}; CALBACK_ACCESS_LOG_USER_FIELD names the one that holds the user"
            )
        return form
    types = {fields.user: _JSON, fields.date: _JSON} | {name: json_type(type_) for name, type_ in KAFKA.items()}
    start = _start(path)
    is_array = suffix == "json" and start.lstrip("\ufeff \t\r\n").startswith("[")
    kind = "array" if is_array else "marked" if start.startswith("\ufeff") else "lines"
    return Form(kind, tuple((name, str(type_)) for name, type_ in types.items()))


def rows(
    form: Form,
    paths: Sequence[Path],
    longest: int,
    fields: Fields,
    zone: str,
    *,
    is_in_folders: bool,
    is_strict: bool = False,
) -> str:
    """A query for the rows of files of one form, bad ones too: the contract's columns, `PROBLEM` and `PLACE`.

    Args:
        form: that of each of the files.
        paths: of the files, one at least.
        longest: the bytes of their longest line.
        fields: names of the user's and the day's field.
        zone: in which a time becomes a day.
        is_in_folders: whether each of them stands in the folder of a day, which is that of its rows; else each row
            tells its own.
        is_strict: whether a record of CSV that is misshapen ends the query, and is not skipped.

    Raises:
        SourceError: a column of Parquet is of a type that can never hold what it should.
    """
    types = {name: DuckDBPyType(type_) for name, type_ in form.columns}
    folder_day = _FOLDER_DAY if is_in_folders else None
    expressions = read(types, fields, zone, folder_day, partial(file_error, paths[0])) | {PLACE: PLACE}
    selected = ",\n  ".join(f"{expression} AS {identifier(name)}" for name, expression in expressions.items())
    return f"SELECT\n  {selected}\nFROM {_scan(form, paths, longest, is_strict=is_strict)}"


def read(
    types: Mapping[str, DuckDBPyType], fields: Fields, zone: str, folder_day: str | None, refuse: Refuse
) -> dict[str, str]:
    """The expressions that make a row of the contract, and `PROBLEM`, of a row that has columns of these types.

    Args:
        types: by name; the user's is among them.
        fields: names of the user's and the day's field.
        zone: in which a time becomes a day.
        folder_day: the day of the folder that a row stands in, as SQL; None where each row tells its own.
        refuse: makes the error for what the whole should not be.

    Raises:
        SourceError: a column is of a type that can never hold what it should.
    """
    user, told = _user(types[fields.user], fields, refuse), "CAST(NULL AS DATE)"
    is_told = "false"
    if fields.date in types:
        told, is_told = _day(types[fields.date], fields, zone, refuse), f"{identifier(fields.date)} IS NOT NULL"
    problems = {
        f"{user} = '' OR {identifier(fields.user)} IS NULL": f"{fields.user} is missing",
        f"{user} IS NULL": f"{fields.user} is neither a whole number nor a text",
    }
    if folder_day:
        problems[f"{is_told} AND {told} IS DISTINCT FROM {folder_day}"] = f"{fields.date} is not the day of its folder"
    else:
        problems |= {f"NOT {is_told}": f"{fields.date} is missing", f"{told} IS NULL": f"{fields.date} tells no day"}
    kafka = {name: f"CAST(NULL AS {type_})" for name, type_ in KAFKA.items()}
    for name in kafka.keys() & types.keys():
        kafka[name] = exact(identifier(name), types[name], KAFKA[name], name=name, refuse=refuse)
        problems[f"{identifier(name)} IS NOT NULL AND ({kafka[name]}) IS NULL"] = not_a(KAFKA[name], name)
    problem = "\n    ".join(f"WHEN {condition} THEN {literal(text)}" for condition, text in problems.items())
    return {
        EVENT_DATE: folder_day or told,
        "user_id": user,
        **kafka,
        PROBLEM: f"CASE\n    {problem}\n  END",
    }


def no_rows() -> str:
    """A query that has the contract's columns, and no row."""
    types = {EVENT_DATE: DuckDBPyType("DATE"), "user_id": _TEXT, **KAFKA}
    columns = ", ".join(f"CAST(NULL AS {type_}) AS {identifier(name)}" for name, type_ in types.items())
    return f"SELECT {columns} WHERE false"


def bad_places(form: Form, path: Path, problems: Mapping[int, str], max_bytes: int) -> Iterator[tuple[str, str]]:
    """Where the bad rows of a file stand, and what is wrong with each.

    Args:
        form: that of the file.
        path: the file.
        problems: those that `rows` told, by the number of the row in the file, from 1.
        max_bytes: the longest line that is taken.

    Raises:
        SourceError: the file cannot be read to its end.
    """
    match form.kind:
        case "lines" | "marked":
            for row, (number, line) in enumerate(numbered_lines(path, max_bytes), 1):
                if row in problems:
                    yield f"line {number}", _unreadable(line) or problems[row]
        case "csv":
            row = 0
            for number, record in islice(_records(path), 1, None):
                if len(record) != len(form.columns):
                    yield f"line {number}", f"{len(record)} fields where the header has {len(form.columns)}"
                elif (row := row + 1) in problems:
                    yield f"line {number}", problems[row]
        case _:
            word = "element" if form.kind == "array" else "row"
            for row, problem in problems.items():
                yield f"{word} {row}", problem


def unreadable(form: Form, path: Path, max_bytes: int) -> Iterator[SourceError]:
    """Why the engine could not read a file by lines to its end."""
    if form.kind == "csv":
        shapes(form, path)
    elif form.kind != "array":
        for number, line in numbered_lines(path, max_bytes):
            if form.kind == "marked" and (problem := _unreadable(line)):
                yield line_error(path, number, problem)


def shapes(form: Form, path: Path) -> tuple[int, int]:
    """How many records of a CSV file have as many fields as its header, and how many have not: DuckDB skips those.

    Raises:
        SourceError: it is not CSV to its end.
    """
    fit = [len(record) == len(form.columns) for _, record in islice(_records(path), 1, None)]
    return sum(fit), len(fit) - sum(fit)


def longest_of(form: Form, paths: Sequence[Path], max_bytes: int) -> int:
    """The bytes of the longest line, for a form that is read by lines.

    Raises:
        SourceError: a line is longer than `max_bytes`.
    """
    return (
        max(longest_line(path, max_bytes) for path in paths) if form.kind in ("lines", "marked", "csv") else max_bytes
    )


def _scan(form: Form, paths: Sequence[Path], longest: int, *, is_strict: bool) -> str:
    files = f"[{', '.join(literal(pattern(path)) for path in paths)}], filename = '{PLACE}', hive_partitioning = false"
    if form.kind == "parquet":
        return f"read_parquet({files})"
    columns = f"{{{', '.join(f'{literal(name)}: {literal(type_)}' for name, type_ in form.columns)}}}"
    if form.kind == "csv":
        return (
            f"read_csv(\n  {files}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"',\n"
            f"  max_line_size = {max(_CSV_LINE, longest + 1)}, ignore_errors = {str(not is_strict).lower()},\n"
            f"  columns = {columns}\n)"
        )
    # Errors are rows of NULL, which the problem column tells; only lines can be told from each other after one.
    # DuckDB knows the mark where it looks for the end of a value by itself.
    ignored = str(form.kind != "marked").lower()
    format_ = {"lines": "newline_delimited", "marked": "unstructured", "array": "array"}[form.kind]
    return (
        f"read_json(\n  {files}, format = '{format_}', records = true, ignore_errors = {ignored},\n"
        f"  maximum_object_size = {object_size(longest)}, columns = {columns}\n)"
    )


def _user(source: DuckDBPyType, fields: Fields, refuse: Refuse) -> str:
    """The user as a text; NULL where there is none, and where the value can be no user."""
    name = identifier(fields.user)
    if source != _JSON:
        return exact(name, source, _TEXT, name=fields.user, refuse=refuse)
    # The JSON type keeps a number's digits, and 1.5 apart from "1.5".
    return (
        f"CASE WHEN regexp_full_match({name}, '-?[0-9]+') THEN CAST({name} AS VARCHAR) "
        f"WHEN starts_with({name}, '\"') THEN {name} ->> '$' END"
    )


def _day(source: DuckDBPyType, fields: Fields, zone: str, refuse: Refuse) -> str:
    """The day that a value tells; NULL where it tells none."""
    name, in_zone = identifier(fields.date), f"CAST(timezone({literal(zone)}, {{}}) AS DATE)"
    if source.id == "date":
        return name
    if source.id == "timestamp with time zone":
        return in_zone.format(name)
    if source.id.startswith("timestamp"):
        raise refuse(f"column {fields.date} holds times without a time zone, which tell no day for certain")
    text = f"CAST({name} AS VARCHAR)"
    if source == _JSON:
        text = f"CASE WHEN starts_with({name}, '\"') THEN {name} ->> '$' ELSE {text} END"
    time = f"TRY_CAST(regexp_replace(replace({text}, 'UTC', 'Z'), '^{_TIME}$', '\\1 \\2\\3') AS TIMESTAMPTZ)"
    number = f"regexp_extract({text}, '^{_EPOCH}$', 1)"
    units = " ".join(f"WHEN length({number}) IN ({digits}) THEN {unit}" for digits, unit in _MICROSECONDS.items())
    epoch = f"make_timestamptz(TRY_CAST({number} AS BIGINT) * CASE {units} END)"
    return (
        f"CASE WHEN regexp_full_match({text}, '{_DAY}') THEN TRY_CAST({text} AS DATE) "
        f"WHEN regexp_full_match({text}, '{_TIME}') THEN {in_zone.format(time)} "
        f"WHEN regexp_full_match({text}, '{_EPOCH}') THEN {in_zone.format(epoch)} END"
    )


def _unreadable(line: bytes) -> str | None:
    try:
        json_object(line, half_characters=False)
    except LineProblem as problem:
        return str(problem)
    return None


def _start(path: Path) -> str:
    try:
        with opened(path) as file:
            return file.read(_START).decode(errors="replace")
    except (EOFError, OSError):
        return ""  # Its reader says what is wrong.


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file, the header too, each with the number of its first line; blank lines are skipped.

    Raises:
        SourceError: it is not CSV to its end.
    """
    start = 1
    try:
        with TextIOWrapper(opened(path), encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for record in reader:
                if record:
                    yield start, record
                start = reader.line_num + 1
    except UnicodeDecodeError:
        raise file_error(path, f"not UTF-8, after line {start - 1}") from None
    except csv.Error:
        raise file_error(path, f"not CSV with commas and double quotes, after line {start - 1}") from None
    except (EOFError, OSError, zlib.error):
        raise file_error(path, f"damaged or not readable, after line {start - 1}") from None


def _csv_columns(path: Path, fields: Fields) -> tuple[tuple[str, str], ...]:
    _, header = next(_records(path), (0, []))
    wanted = {fields.user, fields.date, *KAFKA}
    if repeated := [name for name in wanted if header.count(name) > 1]:
        raise file_error(path, f"more than one column {min(repeated)}")
    # The others are counted only, so that their names may be anything.
    names = [name if name in wanted else f"calback_{position}" for position, name in enumerate(header)]
    return tuple((name, str(_TEXT)) for name in names)


def _parquet_columns(path: Path, fields: Fields) -> tuple[tuple[str, str], ...]:
    try:
        with engine() as connection:
            relation = connection.sql(
                f"SELECT * FROM read_parquet({literal(pattern(path))}, hive_partitioning = false)"
            )
            columns = dict(zip(relation.columns, relation.types, strict=True))
    except duckdb.Error:
        raise file_error(path, "not a complete Parquet file") from None
    return tuple((name, str(columns[name])) for name in (fields.user, fields.date, *KAFKA) if name in columns)
