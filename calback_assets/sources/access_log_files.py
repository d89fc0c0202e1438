"""App opens from files of the backend's access log, as a Kafka connector lands them, a folder for each day.

How a log line becomes a row of `raw_access_log` belongs here. Copies of a message stay: raw is what was
delivered.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from duckdb.sqltypes import DuckDBPyType

from calback_assets.errors import SourceError
from calback_assets.settings import Settings
from calback_assets.sources.access_log import FoundLog
from calback_assets.sources.coercion import (
    coerce,
    failure,
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
from calback_assets.sources.json_lines import json_objects, line_error, longest_line
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_ACCESS_LOG

_FOLDER = re.compile(r"date=(?P<day>.*)")
_FILE = re.compile(r".+\.jsonl(\.gz)?")
"""Both in small letters."""
_NO_USER = "userId is missing"
_NOT_A_USER = "userId is neither a whole number nor a text"


class AccessLogFiles:
    """The log's files: `date=YYYY-MM-DD/*.jsonl` or `.jsonl.gz` in one folder."""

    def __init__(self, folder: Path, max_line_bytes: int = Settings.max_line_bytes) -> None:
        """Reads nothing yet.

        Args:
            folder: holds a folder for each day; may be absent, then the log is empty. The case of its name does not
                matter.
            max_line_bytes: the longest line that is taken.
        """
        self._folder = folder
        self._max_line_bytes = max_line_bytes

    @staticmethod
    def reads(parts: Sequence[str]) -> bool:
        """Whether a file below the folder is one of the log's, or should be: `look` tells what is wrong with it."""
        return len(parts) == 2 and _FOLDER.fullmatch(parts[0]) is not None and _FILE.fullmatch(parts[1]) is not None

    def look(self, _since: date) -> "FoundFiles":
        """The files that are there.

        Raises:
            SourceError: a folder whose name tells no day, or two folders for one.
        """
        folder = named(self._folder.parent, self._folder.name)
        found: dict[date, list[Path]] = {}
        for path in entries(folder):
            match = _FOLDER.fullmatch(path.name.lower())
            if match is None or not path.is_dir():
                continue  # What nobody reads is the data folder's business.
            day = _day(match["day"])
            if day is None:
                raise SourceError(f"{path}: the folder's name tells no day. Name it date=YYYY-MM-DD.")
            found.setdefault(day, []).append(path)
        for folders in found.values():
            refuse_two(folders, "day")
        files = {day: [path for path in entries(of_day) if _is_file(path)] for day, (of_day,) in found.items()}
        return FoundFiles(folder, {day: paths for day, paths in files.items() if paths}, self._max_line_bytes)


class FoundFiles(FoundLog):
    """The log's files, which are opened when a day is asked for."""

    def __init__(self, folder: Path, files: Mapping[date, Sequence[Path]], max_line_bytes: int) -> None:
        """Take what was found."""
        super().__init__(str(folder), files)
        self._files = files
        self._max_line_bytes = max_line_bytes

    def day(self, day: date) -> FileQuery:
        """The app opens of one day as `raw_access_log`.

        Raises:
            SourceError: a line that is too long.
        """
        files = self._files.get(day, ())
        longest = max((longest_line(path, self._max_line_bytes) for path in files), default=0)

        def explain(error: Exception) -> SourceError:
            queries = {path: _query([path], day, longest) for path in files}
            return explanation(queries, lambda path: _line_problems(path, day, self._max_line_bytes), error)

        return FileQuery(sql=_query(files, day, longest), explain=explain, facts={"files": len(files)})


def _is_file(path: Path) -> bool:
    return path.is_file() and _FILE.fullmatch(path.name.lower()) is not None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None  # fromisoformat also takes 20240314.


def _kafka_types() -> dict[str, DuckDBPyType]:
    return {name: stored_type(RAW_ACCESS_LOG.column(name).type) for name in ("topic", "partition", "offset")}


def _query(files: Sequence[Path], day: date, longest: int) -> str:
    types = _kafka_types()
    if not files:
        kafka = ", ".join(f"CAST(NULL AS {type_}) AS {identifier(name)}" for name, type_ in types.items())
        return f"SELECT DATE '{day}' AS {EVENT_DATE}, CAST(NULL AS VARCHAR) AS user_id, {kafka} WHERE false"
    read_as = {"userId": "JSON", "date": "VARCHAR"} | {name: json_type(type_) for name, type_ in types.items()}
    columns = ", ".join(f"{identifier(name)}: '{type_}'" for name, type_ in read_as.items())
    kafka = ",\n  ".join(
        f"{coerce(identifier(name), json_type(type_), type_, name=name, path=files[0])} AS {identifier(name)}"
        for name, type_ in types.items()
    )
    # The JSON type keeps a number's digits, and 1.5 apart from "1.5".
    return f"""SELECT
  DATE '{day}' AS {EVENT_DATE},
  CASE
    WHEN "userId" IS NULL OR "userId" = '""' THEN {failure(_NO_USER)}
    WHEN regexp_full_match("userId", '-?[0-9]+') THEN CAST("userId" AS VARCHAR)
    WHEN starts_with("userId", '"') THEN "userId" ->> '$'
    ELSE {failure(_NOT_A_USER)}
  END AS user_id,
  {kafka}
FROM read_json(
  [{", ".join(literal(pattern(path)) for path in files)}],
  format = 'newline_delimited', records = true, hive_partitioning = false,
  maximum_object_size = {object_size(longest)}, columns = {{{columns}}}
)
WHERE CASE WHEN "date" IS NULL OR "date" = '{day}' THEN true ELSE {failure(_wrong_date(day))} END"""


def _wrong_date(day: date) -> str:
    return f"date is not {day}, the day of its folder"


def _line_problems(path: Path, day: date, max_bytes: int) -> Iterator[SourceError]:
    types = _kafka_types()
    for number, row in json_objects(path, max_bytes, half_characters=False):
        user = row.get("userId")
        if user is None or user == "":
            yield line_error(path, number, _NO_USER)
        elif isinstance(user, bool) or not isinstance(user, int | str):
            yield line_error(path, number, _NOT_A_USER)
        if row.get("date") not in (None, str(day)):
            yield line_error(path, number, _wrong_date(day))
        for name, type_ in types.items():
            if problem := mismatch(row.get(name), type_, name):
                yield line_error(path, number, problem)
