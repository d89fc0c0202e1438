"""What `calback doctor` finds: how each part of a deployment stands, and what to do about it.

The examination of settings, versions, sources and the warehouse, and the comparison of what they have, belong here; a
finding is data. How it is printed stands in `doctor`. Nothing here writes.
"""

import json
import platform
import re
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import TypeVar
from zoneinfo import ZoneInfo

from calback_assets.cli.on_instance import no_home
from calback_assets.days import Stretch, days_between, span
from calback_assets.errors import CalbackError, SourceError
from calback_assets.settings import FIRST_DAY, LAST_DAY, Settings, Understanding
from calback_assets.sources.coercion import literal
from calback_assets.sources.daily import Found
from calback_assets.sources.data_folder import DataFolder
from calback_assets.sources.firestore.documents import FirestoreSource
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.deployed_sources import sources_of
from calback_assets.warehouse.intake import Sources, demanded, missed_source, not_arrived, with_rows
from calback_assets.warehouse.warehouse import Condition, Published, Warehouse

T = TypeVar("T")

SECONDS = 20.0
"""After which an answer is not waited for any longer; all that is asked for is asked for at the same time."""
_OPENING_SECONDS = 5.0
"""How long what a run would read is opened, day by day."""
_SHOWN = 5
_ONE_DAY = timedelta(days=1)
_LIBRARIES = ("calback_assets", "dagster", "duckdb")
_LIBRARIES_OF_GOOGLE = (
    "google-cloud-bigquery",
    "google-cloud-bigquery-storage",
    "google-cloud-firestore",
    "firebase-admin",
)
_KEY = "CALBACK_PSEUDONYM_KEY"
_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
_HOME = "DAGSTER_HOME"
_EMULATOR = "BIGQUERY_EMULATOR_HOST"


class State(StrEnum):
    """How something stands."""

    WELL = "ok"
    WARNING = "warning"
    """A run would end well all the same, or needs nothing but time."""
    TROUBLE = "trouble"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    so: str
    """What is so."""
    remedy: str = ""


def findings(understanding: Understanding, environ: Mapping[str, str], now: datetime) -> list[Finding]:
    """All there is to say of a deployment.

    Args:
        understanding: of its settings.
        environ: what the process was given; the variables of others are looked up in it.
        now: the current time, with its zone.
    """
    settings = understanding.settings
    found = [*of_settings(understanding), *of_others(environ), *of_versions(settings)]
    if settings is None:
        found += [
            Finding("sources", State.WARNING, "they and the warehouse were not looked at", "mend the settings first")
        ]
        return found
    try:
        sources = sources_of(settings, only_looks=True)
    except CalbackError as error:
        return found + told("settings", error)
    today = now.astimezone(ZoneInfo(settings.timezone)).date()
    return found + of_data(settings, sources, warehouse_of(settings), today)


def of_settings(understanding: Understanding) -> list[Finding]:
    """Each variable that holds, those that do not, and what is wrong with them."""
    wrong = {str(problem).partition(" ")[0] for problem in understanding.problems}
    is_published = understanding.settings is not None and understanding.settings.uses_development_key
    variables = [
        variable
        for variable in understanding.variables
        if variable.name not in wrong and not (is_published and variable.name == _KEY)
    ]
    found = [
        Finding("settings", State.WELL, f"{variable.name} = {variable.value} ({variable.origin})")
        for variable in variables
        if variable.origin
    ]
    if unset := [variable.name for variable in variables if not variable.origin]:
        found.append(Finding("settings", State.WELL, f"not set: {', '.join(unset)}"))
    if is_published and _KEY not in wrong:
        so = f"{_KEY} is not set, and the published development key is no secret"
        found.append(
            Finding("settings", State.WARNING, so, "for real data, set it to the output of: openssl rand -hex 32")
        )
    for problem in understanding.problems:
        found += told("settings", problem)
    return found


def of_others(environ: Mapping[str, str]) -> list[Finding]:
    """The variables of Dagster and of Google's clients."""
    found = [Finding("settings", State.WELL, f"{name} = {environ[name]}") for name in (_EMULATOR,) if environ.get(name)]
    if home := environ.get(_HOME):
        if Path(home).is_dir():
            found.append(Finding("settings", State.WELL, f"{_HOME} = {home}"))
        else:
            found += told("settings", no_home(Path(home)))
    if file := environ.get(_CREDENTIALS):
        if problem := _why_no_key_file(Path(file)):
            remedy = "set it to the key file of a service account, as it was downloaded, or unset it"
            found.append(Finding("settings", State.TROUBLE, f"{_CREDENTIALS}: {file} {problem}", remedy))
        else:
            found.append(Finding("settings", State.WELL, f"{_CREDENTIALS} = {file}"))
    return found


def _why_no_key_file(path: Path) -> str | None:
    try:
        if not path.is_file():  # A pipe would be waited for.
            return "is no file"
        content = json.loads(path.read_bytes())
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except ValueError:
        return "is not JSON"
    return None if isinstance(content, dict) and "type" in content else "is no key of Google's"


def of_versions(settings: Settings | None) -> list[Finding]:
    """Of Python and of what the deployment stands on."""
    found = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _LIBRARIES)]
    if settings and _is_in_the_cloud(settings):
        found += [f"{name} {version(name)}" for name in _LIBRARIES_OF_GOOGLE]
    return [Finding("versions", State.WELL, ", ".join(found))]


def _is_in_the_cloud(settings: Settings) -> bool:
    return any((settings.bigquery, settings.bigquery_sources, settings.firestore_project, settings.extension))


@dataclass(frozen=True)
class Stored:
    """What the warehouse knows of the sources."""

    condition: Condition
    row_counts: Mapping[str, Mapping[date, int]] | None
    """Of each daily table the days that were written; None where they cannot be read."""
    filled: Collection[str]
    """Tables that have ever had rows."""


def stored_in(warehouse: Warehouse, sources: Sources) -> Stored:
    """Look at the warehouse.

    Raises:
        CalbackError: it cannot be read.
    """
    condition = warehouse.condition()
    if not condition.has_ledger:
        return Stored(condition, {}, ())
    with warehouse.session(read_only=True) as session:
        try:
            row_counts = session.row_counts(sources.daily)
            return Stored(condition, row_counts, with_rows(session, [*sources.collections, *sources.daily]))
        except session.failures as error:
            if condition.troubles:  # These say why.
                return Stored(condition, None, ())
            raise session.redact(error) from None


@dataclass(frozen=True)
class Documents:
    """What is there of the documents of a table."""

    where: str
    is_there: bool
    count: int | None


def documents_of(source: FirestoreSource, table: str) -> Documents:
    """Look at the documents of a table.

    Raises:
        SourceError: they cannot be looked at.
    """
    is_there = source.has(table)
    return Documents(source.where(table), is_there, source.count(table) if is_there else None)


def of_data(settings: Settings, sources: Sources, warehouse: Warehouse, today: date) -> list[Finding]:
    """All is asked for at the same time, and told in the order of the data's way."""
    deadline = time.monotonic() + SECONDS
    asked = _asked(partial(stored_in, warehouse, sources))
    asked_copy = _asked(warehouse.published)
    asked_folder = _asked(partial(of_folder, sources.folder))
    documents = {table: _asked(partial(documents_of, sources.documents, table)) for table in sources.collections}
    daily = {table: _asked(partial(source.look, settings.start_date)) for table, source in sources.daily.items()}
    stored = _answer(asked, deadline, settings)
    known = stored if isinstance(stored, Stored) else None
    demands = Demands(known.filled if known else (), settings.expected_sources)
    folder = _answer(asked_folder, deadline, settings)
    found = told("data folder", folder) if isinstance(folder, CalbackError) else folder
    for table, looked in documents.items():
        there = _answer(looked, deadline, settings)
        found += told(table, there) if isinstance(there, CalbackError) else of_documents(table, there, demands)
    last = min(today - _ONE_DAY, settings.end_date or LAST_DAY)
    for table, looked_daily in daily.items():
        days = _answer(looked_daily, deadline, settings)
        if isinstance(days, CalbackError):
            found += told(table, days)
        elif days.last is None:
            found += of_nothing(table, days.where, demands)
        else:
            comparison = Comparison.of(days, _stored_days(known, table), settings.start_date, last, today)
            found += of_daily(table, days, comparison, settings.max_lost_share)
            opening = _asked(partial(wrong_in, days, comparison.new))
            wrong = _answer(opening, time.monotonic() + SECONDS, settings)
            found += told(table, wrong) if isinstance(wrong, CalbackError) else _first(table, wrong)
    found += told("warehouse", stored) if isinstance(stored, CalbackError) else of_warehouse(stored.condition)
    published = _answer(asked_copy, deadline, settings)
    if published is not None:
        found += told("read copy", published) if isinstance(published, CalbackError) else of_read_copy(published)
    return _each_once(found)


def _stored_days(stored: Stored | None, table: str) -> Mapping[date, int] | None:
    return None if stored is None or stored.row_counts is None else stored.row_counts.get(table, {})


def of_folder(folder: DataFolder | None) -> list[Finding]:
    """What lies in the data folder that nobody reads."""
    if folder is None:
        return []
    try:
        unread = folder.check()
    except SourceError as error:
        return told("data folder", error)
    if unread is None:
        return [Finding("data folder", State.WELL, "all that looks like data is read by a source")]
    remedy = "give it a name that a source reads (docs/forms.md), or leave it, or move it away"
    return [Finding("data folder", State.WARNING, unread, remedy)]


@dataclass(frozen=True)
class Demands:
    """Which sources must be there."""

    filled: Collection[str]
    """Tables of which the warehouse has rows."""
    expected: Collection[str]
    """Those that the settings name."""


def of_documents(table: str, documents: Documents, demands: Demands) -> list[Finding]:
    """Whether the documents of a table are there."""
    if not documents.is_there:
        return of_nothing(table, documents.where, demands)
    count = "" if documents.count is None else f": {_number(documents.count, 'document')}"
    return [Finding(table, State.WELL, f"{documents.where}{count}, read anew by every run")]


def of_nothing(table: str, where: str, demands: Demands) -> list[Finding]:
    """A source that has nothing at all."""
    if table in demands.filled or table in demands.expected:
        return told(table, missed_source(table, where, is_known=table in demands.filled))
    remedy = "bring it there (docs/forms.md), or leave it: a source that was never there is taken as empty"
    return [Finding(table, State.WARNING, f"{where} has nothing", remedy)]


@dataclass(frozen=True)
class Comparison:
    """The days of a source beside those of the warehouse."""

    first: date
    last: date
    """Between which a run may read."""
    there: Sequence[date]
    """Of these days, those that the source has."""
    missing: Sequence[date]
    """Days before the source's last that it has not."""
    stored: Mapping[date, int] | None
    """Rows of the days in the warehouse; None where it could not be asked."""
    new: Sequence[date]
    """What a run would read that the warehouse has not, or that may have changed since."""
    outside: int
    """Days that the source has and no run reads."""

    @classmethod
    def of(cls, found: Found, stored: Mapping[date, int] | None, first: date, last: date, today: date) -> "Comparison":
        """Compare.

        Args:
            found: what the source has.
            stored: rows of the days in the warehouse; None where it could not be asked.
            first: the first day of the data; the first possible day stands for the source's first.
            last: the last day that a run may read.
            today: which day it is.
        """
        end = min(found.last or last, LAST_DAY)
        all_ = [day for day in days_between(FIRST_DAY, end) if found.has(day)]
        if first == FIRST_DAY and all_:
            first = all_[0]
        there = [day for day in all_ if first <= day <= last]
        return cls(
            first,
            last,
            there,
            [day for day in days_between(first, min(last, end)) if not found.has(day)],
            stored,
            [day for day in there if day not in (stored or {}) or not found.is_final(day, today)],
            # The export's neighbouring dates are read for the days beside them.
            len([day for day in all_ if day < first - _ONE_DAY or last + _ONE_DAY < day < today]),
        )


def of_daily(table: str, found: Found, days: Comparison, max_lost_share: float) -> list[Finding]:
    """Which days a source has, which of them the warehouse has, and what a run would read and what not."""
    findings = []
    facts = [f"{found.where}: {_counted(days.there)}"]
    if days.outside:
        facts.append(f"not read: {_number(days.outside)} outside of {days.first} to {days.last}")
    if days.stored is None:
        facts.append("in the warehouse: not known")
    else:
        facts.append(f"in the warehouse: {_counted([day for day in days.there if day in days.stored])}")
        facts.append(f"to be read: {span(days.new) or 'nothing new'}")
    findings.append(Finding(table, State.WELL, "; ".join(facts)))
    stored = days.stored or {}
    try:
        demanded(table, found, days.missing, {day: stored.get(day, 0) for day in days.missing}, max_lost_share)
    except SourceError as error:
        findings += told(table, error)
    if never := [day for day in days.missing if not stored.get(day)]:
        so = f"{found.where} has nothing of {span(never)}, and has later days"
        findings.append(Finding(table, State.WARNING, so, "bring what is missing; such a day is taken as empty"))
    if found.last and found.last < days.last:
        late = days_between(max(days.first, found.last + _ONE_DAY), days.last)
        findings += told(table, not_arrived(table, late, found.last), State.WARNING)
    return findings


def wrong_in(found: Found, days: Iterable[date]) -> list[SourceError]:
    """What is wrong with what a run would read, as far as opening it shows that within seconds, the last day first."""
    wrong: dict[str, SourceError] = {}
    deadline = time.monotonic() + _OPENING_SECONDS
    for day in sorted(days, reverse=True):
        if time.monotonic() > deadline:
            break
        try:
            found.read(Stretch.on(day))
        except SourceError as error:
            wrong.setdefault(str(error), error)
    return list(wrong.values())


def of_warehouse(condition: Condition) -> list[Finding]:
    """How the warehouse stands."""
    findings = [Finding("warehouse", State.WELL, f"{condition.where}: {', '.join(condition.facts)}")]
    for trouble in condition.troubles:
        findings += told("warehouse", trouble)
    return findings


def of_read_copy(published: Published) -> list[Finding]:
    """What people may open while a run writes, and how."""
    run = f" by run {published.run_id}" if published.run_id else ""
    so = f"{published.path}: published {published.at:%Y-%m-%d %H:%M} UTC{run}"
    path, table = str(published.path), "calback.daily_active_users"
    python = f"import duckdb; print(duckdb.connect({path!r}, read_only=True).sql('FROM {table}'))"
    opened = [
        f"duckdb -readonly {shlex.quote(path)} 'FROM {table}'",
        f'python -c "{python}"',
        f"ATTACH {literal(path)} AS copy (READ_ONLY); FROM copy.{table};",
    ]
    state = Finding("read copy", State.WELL, so)
    if published.is_behind:
        so += "; the warehouse has been written since"
        state = Finding("read copy", State.WARNING, so, "let the run that writes end; or run any day, which publishes")
    return [state, *(Finding("read copy", State.WELL, f"open it: {line}") for line in opened)]


def told(what: str, error: CalbackError | str, state: State = State.TROUBLE) -> list[Finding]:
    """An error and what was found wrong besides, each taken apart into what is so and what to do."""
    text = re.sub("; nothing was written( of it)?(?=[.;]|$)", "", str(error).removeprefix(f"{what}: "))
    so, *remedy = re.split(r"; |\. (?=[A-Z])", text, maxsplit=1)
    first = Finding(what, state, so.rstrip("."), _after_an_arrow("".join(remedy)))
    others = error.others if isinstance(error, SourceError) else ()
    return [first, *(finding for other in others for finding in told(what, other, state))]


def _after_an_arrow(sentence: str) -> str:
    is_name = sentence[:2].isupper()
    return (sentence if is_name else sentence[:1].lower() + sentence[1:]).rstrip(".")


def _first(table: str, wrong: Sequence[SourceError]) -> list[Finding]:
    found = [finding for error in wrong[:_SHOWN] for finding in told(table, error)]
    if more := len(wrong) - _SHOWN:
        found += [Finding(table, State.TROUBLE, f"{more} more such files", "mend these first")] if more > 0 else []
    return found


def _each_once(found: Iterable[Finding]) -> list[Finding]:
    """The findings, what was told before only referred to."""
    seen: set[tuple[str, str]] = set()
    once = []
    for finding in found:
        text = (finding.so, finding.remedy)
        is_again = finding.state is State.TROUBLE and text in seen
        once.append(replace(finding, so="the same as above", remedy="") if is_again else finding)
        seen.add(text)
    return once


def _counted(days: Sequence[date]) -> str:
    return f"{_number(len(days))}, {days[0]} to {days[-1]}" if len(days) > 1 else str(days[0]) if days else "no day"


def _number(count: int, what: str = "day") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _asked(question: Callable[[], T]) -> Future[T]:
    """The answer to come; a thread that gets none does not keep the process from ending."""
    future: Future[T] = Future()

    def ask() -> None:
        try:
            future.set_result(question())
        except Exception as error:
            future.set_exception(error)

    Thread(target=ask, daemon=True).start()
    return future


def _answer(future: Future[T], deadline: float, settings: Settings) -> T | CalbackError:
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except CalbackError as error:
        return error
    except TimeoutError:
        return CalbackError(
            f"no answer within {SECONDS:.0f} seconds; see that the network, or the disk, lets this machine through"
        )
    except Exception as error:
        return _explained(error, settings)


def _explained(error: Exception, settings: Settings) -> CalbackError:
    """An exception that is not ours, without its text, which may quote data."""
    if _is_in_the_cloud(settings):
        from calback_assets.sources.bigquery.client import FAILURES, no_access, no_answer, redacted
        from calback_assets.warehouse.bigquery.jobs import explain

        if isinstance(error, FAILURES):
            if given := settings.bigquery:
                return explain(error, given.project, given.dataset, given.location)
            return CalbackError(no_access(error) or no_answer(error) or f"Google refuses it: {redacted(error)}")
    return CalbackError(f"{type(error).__name__} in calback itself; report it")
