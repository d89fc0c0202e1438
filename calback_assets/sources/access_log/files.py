"""App opens from files of the backend's access log, in a folder for each day or side by side.

Which file holds which day, and how many lines of a day may be bad, belongs here; what the forms of a file are does not.
Copies of a message stay: raw is what was delivered.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import duckdb

from calback_assets.days import Stretch, parse_day
from calback_assets.errors import SourceError
from calback_assets.settings import Settings
from calback_assets.sources.access_log.forms import (
    FILE,
    PLACE,
    PROBLEM,
    Form,
    bad_places,
    form_of,
    longest_of,
    no_rows,
    rows,
    shapes,
    unreadable,
)
from calback_assets.sources.access_log.log import DEFAULT_FIELDS, Fields, FoundLog
from calback_assets.sources.coercion import identifier
from calback_assets.sources.data_folder import entries, named, refuse_two, size, sound_entries
from calback_assets.sources.explain import explanation
from calback_assets.sources.file_query import Facts, FileQuery, engine
from calback_assets.sources.json_lines import file_error
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_ACCESS_LOG

_FOLDER = re.compile(r"date=(?P<day>.*)")
"""In small letters."""
_SHOWN = 5
_BYTES_A_LINE = 20
"""Less than a line takes, packed or not, for all that is known."""


@dataclass(frozen=True)
class _Tally:
    """Lines, and the bad ones among them."""

    lines: int = 0
    bad: int = 0

    def __add__(self, other: "_Tally") -> "_Tally":
        return _Tally(self.lines + other.lines, self.bad + other.bad)


class AccessLogFiles:
    """The log's files: in folders `date=YYYY-MM-DD`, or in the folder itself, where each line tells its day."""

    def __init__(
        self,
        folder: Path,
        zone: str,
        fields: Fields = DEFAULT_FIELDS,
        tolerated: float = Settings.max_rejected_share,
        max_line_bytes: int = Settings.max_line_bytes,
    ) -> None:
        """Reads nothing yet.

        Args:
            folder: holds the files; may be absent, then the log is empty. The case of its name does not matter.
            zone: in which a time becomes a day.
            fields: the names of the user's and the day's field.
            tolerated: the share of a day's lines that may be bad; one always may.
            max_line_bytes: the longest line that is taken.
        """
        self._folder = folder
        self._reader = _Reader(zone, fields, tolerated, max_line_bytes)

    @staticmethod
    def reads(parts: Sequence[str]) -> bool:
        """Whether a file below the folder is one of the log's, or should be: `look` tells what is wrong with it."""
        is_placed = len(parts) == 1 or (len(parts) == 2 and _FOLDER.fullmatch(parts[0]) is not None)
        return is_placed and FILE.fullmatch(parts[-1]) is not None

    def look(self, _since: date) -> "FoundFiles":
        """The files that are there, and the days that are in those which stand in no day's folder: these are read.

        Raises:
            SourceError: a folder whose name tells no day, or two folders for one, or a file of which too many lines
                tell no day.
        """
        folder = named(self._folder.parent, self._folder.name)
        wrong: list[SourceError] = []
        found: dict[date, list[Path]] = {}
        for path in sound_entries(folder, wrong):
            match = _FOLDER.fullmatch(path.name.lower())
            if match is None or not path.is_dir():
                continue  # A file of the log's own, or the data folder's business.
            day = _day(match["day"])
            if day is None:
                wrong.append(SourceError(f"{path}: the folder's name tells no day. Name it date=YYYY-MM-DD."))
                continue
            found.setdefault(day, []).append(path)
        for folders in found.values():
            try:
                refuse_two(folders, "day")
            except SourceError as error:
                wrong.append(error)
        SourceError.refuse(wrong)
        files = {day: _files(of_day) for day, (of_day,) in found.items()}
        return FoundFiles(
            folder,
            {day: paths for day, paths in files.items() if paths},
            self._reader.tallies(self._reader.groups(dict.fromkeys(_files(folder)))),
            self._reader,
        )


class FoundFiles(FoundLog):
    """The log's files, which are opened when a day is asked for."""

    def __init__(
        self,
        folder: Path,
        of_day: Mapping[date, Sequence[Path]],
        flat: Mapping[Path, Mapping[date | None, _Tally]],
        reader: "_Reader",
    ) -> None:
        """Take what was found.

        Raises:
            SourceError: too many lines of a flat file tell no day.
        """
        days = {day for tallies in flat.values() for day in tallies if day is not None}
        super().__init__(str(folder), of_day.keys() | days)
        self._of_day = of_day
        self._flat = flat
        self._reader = reader
        for path, tallies in flat.items():
            undated = tallies.get(None, _Tally()).bad
            tally = _Tally(sum(of_day.lines for of_day in tallies.values()), undated)
            self._refuse(tally, "are of no day that can be told", None, [path], ())

    def rows(self, day: date) -> int:
        """About how many lines the day has: as many as there would be of few bytes."""
        shared = sum(tallies[day].lines for tallies in self._flat.values() if day in tallies)
        return shared + sum(size(path) // _BYTES_A_LINE for path in self._of_day.get(day, ()))

    def read(self, stretch: Stretch) -> FileQuery:
        """The app opens of these days as `raw_access_log`.

        Raises:
            SourceError: too many bad lines of a day, one that is too long, or a file that cannot be read.
        """
        own = {path: day for day in stretch.days for path in self._of_day.get(day, ())}
        shared = [path for path, tallies in self._flat.items() if any(day in tallies for day in stretch.days)]
        groups = self._reader.groups(own)
        of_own = self._reader.tallies(groups)
        facts = {day: self._facts(day, of_own) for day in stretch.days}
        groups += self._reader.groups(dict.fromkeys(shared))
        columns = ", ".join(identifier(name) for name in RAW_ACCESS_LOG.column_names)
        is_asked = f"{EVENT_DATE} BETWEEN DATE '{stretch.first}' AND DATE '{stretch.last}'"
        return FileQuery(
            sql="\nUNION ALL\n".join(
                f"SELECT {columns}\nFROM (\n{group.sql}\n)\nWHERE {PROBLEM} IS NULL AND {is_asked}" for group in groups
            )
            or no_rows(),
            explain=lambda error: self._reader.explain(groups, error),
            facts=facts,
        )

    def _facts(self, day: date, of_own: Mapping[Path, Mapping[date | None, _Tally]]) -> Facts:
        """What is known of a day's lines.

        Raises:
            SourceError: too many of them are bad.
        """
        own = self._of_day.get(day, ())
        shared = [path for path, tallies in self._flat.items() if day in tallies]
        tallies = [of_own.get(path, {}).get(day, _Tally()) for path in own]
        tally = sum(tallies + [self._flat[path][day] for path in shared], _Tally())
        self._refuse(tally, f"of {day} cannot be taken", day, shared, own)
        facts: dict[str, int | str] = {"files": len(own) + len(shared)}
        undated = sum(self._flat[path].get(None, _Tally()).bad for path in shared)
        if tally.bad or undated:
            first = islice(self._bad(day, shared, own), _SHOWN)
            facts |= {
                "rejected_lines": tally.bad,
                "lines_without_a_day": undated,
                "first_rejected_lines": "; ".join(f"{path.name}, {place}: {text}" for path, place, text in first),
            }
        return facts

    def _refuse(
        self, tally: _Tally, are_what: str, day: date | None, shared: Sequence[Path], own: Sequence[Path]
    ) -> None:
        tolerated = self._reader.tolerated
        if tally.bad <= max(1, tolerated * tally.lines):
            return
        path, place, problem = next(self._bad(day, shared, own))
        raise SourceError(
            f"{path}, {place}: {problem}. {tally.bad:,} of {tally.lines:,} lines {are_what}, more than "
            f"{tolerated:.1%}; correct or remove them, or export the file again; to do without them, raise "
            "CALBACK_MAX_REJECTED_SHARE."
        )

    def _bad(self, day: date | None, shared: Sequence[Path], own: Sequence[Path]) -> Iterator[tuple[Path, str, str]]:
        """The bad lines of a day, and those of shared files that tell no day."""
        for paths, folder_day in ((own, day), (shared, None)):
            for path in paths:
                yield from self._reader.bad(path, folder_day, day)


@dataclass(frozen=True)
class _Group:
    """Files of one form, which are read together."""

    form: Form
    paths: Sequence[Path]
    longest: int
    days: Mapping[Path, date | None]
    """Those of the folders that they stand in; None for files that stand in none."""
    sql: str


class _Reader:
    """Reads files of the log, all in folders of days or all in none."""

    def __init__(self, zone: str, fields: Fields, tolerated: float, max_line_bytes: int) -> None:
        self._zone = zone
        self._fields = fields
        self.tolerated = tolerated
        self._max_line_bytes = max_line_bytes

    def groups(self, days: Mapping[Path, date | None]) -> list[_Group]:
        """The files, each with the day of its folder, by their form, without those that are empty."""
        of_form: dict[Form, list[Path]] = {}
        for path in days:
            of_form.setdefault(form_of(path, self._fields), []).append(path)
        return [self._group(form, of_one, days) for form, of_one in of_form.items() if form.columns]

    def _group(self, form: Form, paths: Sequence[Path], days: Mapping[Path, date | None]) -> _Group:
        longest = longest_of(form, paths, self._max_line_bytes)
        return _Group(form, paths, longest, days, self._rows(form, paths, longest, days))

    def _rows(
        self,
        form: Form,
        paths: Sequence[Path],
        longest: int,
        days: Mapping[Path, date | None],
        *,
        is_strict: bool = False,
    ) -> str:
        is_in_folders = days[paths[0]] is not None
        return rows(form, paths, longest, self._fields, self._zone, is_in_folders=is_in_folders, is_strict=is_strict)

    def tallies(self, groups: Sequence[_Group]) -> Mapping[Path, Mapping[date | None, _Tally]]:
        """How many lines of each file are of which day; None stands for those that tell none.

        Raises:
            SourceError: a file that cannot be read.
        """
        return {path: of_file for group in groups for path, of_file in self._tallies(group).items()}

    def _tallies(self, group: _Group) -> dict[Path, dict[date | None, _Tally]]:
        try:
            if group.form.kind != "csv":
                return self._counted(group.paths, group.sql)
            try:
                sql = self._rows(group.form, group.paths, group.longest, group.days, is_strict=True)
                return self._counted(group.paths, sql)
            except duckdb.InvalidInputException:  # A record is misshapen, or they all are.
                found = self._counted(group.paths, group.sql)
        except duckdb.Error as error:
            raise self.explain([group], error) from None
        for path, of_file in found.items():
            fit, unfit = shapes(group.form, path)
            if fit != sum(tally.lines for tally in of_file.values()):
                raise file_error(path, "not CSV with commas and double quotes to its end")
            day = group.days[path]
            of_file[day] = of_file.get(day, _Tally()) + _Tally(unfit, unfit)
        return found

    def _counted(self, paths: Sequence[Path], sql: str) -> dict[Path, dict[date | None, _Tally]]:
        by_name = {str(path): path for path in paths}
        found: dict[Path, dict[date | None, _Tally]] = {path: {} for path in paths}
        counts = f"SELECT {PLACE}, {EVENT_DATE}, count(*), count({PROBLEM}) FROM ({sql}) GROUP BY ALL"
        for name, of_day, lines, bad in engine().execute(counts).fetchall():
            found[by_name[name]][of_day] = _Tally(lines, bad)
        return found

    def bad(self, path: Path, folder_day: date | None, day: date | None) -> Iterator[tuple[Path, str, str]]:
        """The bad lines of a file that tell a day, or none."""
        for group in self.groups({path: folder_day}):
            is_asked = f"{EVENT_DATE} IS NULL" + (f" OR {EVENT_DATE} = DATE '{day}'" if day else "")
            found = engine().execute(
                f"SELECT row, {PROBLEM} FROM (SELECT row_number() OVER () AS row, * FROM ({group.sql})) "
                f"WHERE {PROBLEM} IS NOT NULL AND ({is_asked}) ORDER BY row LIMIT {_SHOWN}"
            )
            problems = dict(found.fetchall())
            for place, problem in bad_places(group.form, path, problems, self._max_line_bytes):
                yield path, place, problem

    def explain(self, groups: Sequence[_Group], error: Exception) -> SourceError:
        """Which file made a query fail."""
        group_of = {path: group for group in groups for path in group.paths}
        queries = {path: self._rows(group.form, [path], group.longest, group.days) for path, group in group_of.items()}
        return explanation(queries, lambda path: unreadable(group_of[path].form, path, self._max_line_bytes), error)


def _files(folder: Path) -> list[Path]:
    return [path for path in entries(folder) if path.is_file() and FILE.fullmatch(path.name.lower())]


def _day(text: str) -> date | None:
    try:
        return parse_day(text)
    except ValueError:
        return None
