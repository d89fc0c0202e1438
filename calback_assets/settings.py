"""The environment, read and validated once.

Every `CALBACK_*` variable belongs here, with its default and its error; one that is not declared here is an error, too.
Nothing else reads the environment, or the file `.env` that completes it.
"""

import json
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any, Generic, TypeVar
from zoneinfo import available_timezones

from dotenv import load_dotenv
from dotenv.parser import parse_stream

from calback_assets.days import parse_day
from calback_assets.errors import SettingsError

T = TypeVar("T")
D = TypeVar("D")

DEPLOYMENTS = ("local", "gcp")
SOURCES = ("raw_users", "raw_meetings", "raw_events", "raw_access_log")
"""What the sources fill, and the names by which a person speaks of them."""
LONGEST_WINDOW_DAYS = 31
"""As many days of activity as the cohorts read."""
EXPORT_FORMATS = ("csv", "xlsx", "parquet")
"""Of files that exports become; a database has none."""
MOST_DAYS_OF_A_MODEL = 90
"""A model that is older is one of other people."""
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2200, 12, 31)
"""Days between which every window and every midnight, in any time zone, is a day and an instant, too."""
DEVELOPMENT_KEY = b"calback-development-key-not-a-secret"
DEMO_PROJECT = "demo-calback"
"""Firebase's convention: project ids that begin with `demo-` exist in emulators alone."""
_ENV_FILE = Path(".env")
_GIVEN = "_CALBACK_GIVEN"
"""Hands on to the processes that Dagster starts what the first one was given: it lets `.env` win in each of them."""
_NO_ZONES = frozenset({"Factory", "localtime"})
"""Names in the time zone database that stand for whatever a machine is set to, or for none."""
_LEAST_SECRET = (16, 8)
"""Characters that a key must have, and different ones among them: who guesses it can try addresses on the hashes."""


@dataclass(frozen=True)
class _Variable(Generic[T]):
    """A variable of the environment, and how its text is read."""

    name: str
    expected: str
    """What an error says it is to be set to."""
    parse: Callable[[str], T | None]
    """None for a text that cannot be meant."""
    is_secret: bool = False
    """Whether an error must not quote it."""

    def of(self, environ: Mapping[str, str], default: D) -> T | D:
        """The value, or the default where the variable is not set.

        Raises:
            SettingsError: it is set to what it cannot be; says what to set.
        """
        text = environ.get(self.name)
        if text is None:
            return default
        if not text:
            # A shell makes one of $(cat key) without a key: nobody has said that the default is meant.
            raise SettingsError(f"{self.name} is empty; unset it, or set it to {self.expected}")
        if text != text.strip() or not text.isprintable():
            raise SettingsError(
                f"{self.name} has white space at an end, or a character in it that cannot be seen; set it to "
                f"{self.expected}"
            )
        value = self.parse(text)
        if value is None:
            is_what = "cannot be taken" if self.is_secret else f"is {text!r}"
            raise SettingsError(f"{self.name} {is_what}; set it to {self.expected}")
        return value

    def needed(self, environ: Mapping[str, str], why: str) -> T:
        """The value of a variable that a choice cannot do without.

        Raises:
            SettingsError: it is not set, or set to what it cannot be.
        """
        value = self.of(environ, None)
        if value is None:
            raise SettingsError(f"{self.name} is not set, and {why}; set it to {self.expected}")
        return value


def _like(pattern: str) -> Callable[[str], str | None]:
    return lambda text: text if re.fullmatch(pattern, text, re.ASCII) else None


def _whole(most: int) -> Callable[[str], int | None]:
    def parse(text: str) -> int | None:
        is_number = re.fullmatch("[1-9][0-9]{0,18}", text) is not None
        return int(text) if is_number and int(text) <= most else None

    return parse


def _share(text: str) -> float | None:
    # Not a bare 1, which may be meant as one per cent.
    share = float(text) if re.fullmatch(r"0|[01]?\.[0-9]+", text, re.ASCII) else None
    return share if share is not None and share <= 1 else None


def _sources(text: str) -> frozenset[str] | None:
    named = frozenset(part.strip() for part in text.split(","))
    return named if named <= set(SOURCES) else None


def _day(text: str) -> date | None:
    try:
        day = parse_day(text)
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def _zone(text: str) -> str | None:
    return text if text in available_timezones() - _NO_ZONES else None


def _secret(text: str) -> bytes | None:
    length, different = _LEAST_SECRET
    return text.encode() if len(text) >= length and len(set(text)) >= different else None


def _field(text: str) -> str | None:
    # What quotes it in either engine cannot be in it, and Kafka's own fields are read as such.
    is_kafka = text.lower() in ("topic", "partition", "offset")
    return text if re.fullmatch("[^`'\"\\\\]{1,300}", text) and not is_kafka else None


def _folder(text: str) -> Path | None:
    return None if text.startswith("~") else Path(text)


def _exports(text: str) -> Sequence["Export"] | None:
    named = [re.fullmatch(r"(\w+)(?::(\w+))?", part.strip(), re.ASCII) for part in text.split(",")]
    found = [Export(*part.groups()) for part in named if part]
    is_known = all(export.format in (None, *EXPORT_FORMATS) for export in found)
    return found if is_known and len(set(found)) == len(named) else None


def export_to(text: str) -> str | None:
    """The text, where it can be the name of a place that exports go to."""
    bucket, dataset = r"gs://[a-z0-9][a-z0-9._-]+(/[^/]+)*/?", r"bigquery://[a-z0-9.:-]+/\w+"
    if "://" not in text:
        return text if _folder(text) else None
    if text.startswith(("gs:", "bigquery:")):
        return text if re.fullmatch(f"{bucket}|{dataset}", text, re.ASCII) else None
    return text if re.fullmatch(r"[a-z][a-z0-9_]*(\+[a-z0-9_]+)?://\S+", text) else None


def takes_files(into: str) -> bool:
    """Whether exports become files there, and not rows of a database."""
    return "://" not in into or into.startswith("gs://")


def _file(text: str) -> Path | None:
    path = Path(text)
    # What has a colon before the first slash DuckDB takes for an address, an extension or a database in memory.
    is_address = ":" in str(path).partition("/")[0]
    # Path's own questions raise where a folder may not be looked into, which the warehouse says better.
    is_other = os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113
    # DuckDB calls a database by its file's name, to the first dot, and would not tell it from the schema in it.
    is_schema = path.name.partition(".")[0].lower() == "calback"
    return None if text.startswith("~") or text.endswith("/") or is_address or is_other or is_schema else path


_A_DAY = f"a day from {FIRST_DAY} to {LAST_DAY}, written YYYY-MM-DD"
_A_SHARE = "a share from 0 to 1.0, such as 0.01 for one per cent"
_DAYS = f"a whole number of days from 1 to {LONGEST_WINDOW_DAYS}"


EXPORT_TO_EXPECTED = (
    "a folder, with ~ written out, gs://bucket/prefix, bigquery://project/dataset, or the URL of a database such as "
    "postgresql+psycopg://user:password@host/database"
)
"""What an error says that exports may go to."""


def _one_of(name: str, *values: str) -> _Variable[str]:
    return _Variable(name, f"one of: {', '.join(values)}", _like("|".join(values)))


_DEPLOYMENT = _one_of("CALBACK_DEPLOYMENT", *DEPLOYMENTS)
_WAREHOUSE = _one_of("CALBACK_WAREHOUSE", "duckdb", "bigquery")
_DOCUMENTS = _one_of("CALBACK_DOCUMENTS", "files", "firestore", "bigquery")
_EVENTS = _one_of("CALBACK_EVENTS", "files", "bigquery")
_ACCESS_LOG = _one_of("CALBACK_ACCESS_LOG", "files", "bigquery")
_DATA_DIR = _Variable("CALBACK_DATA_DIR", "the path of a folder, with ~ written out", _folder)
_DUCKDB_PATH = _Variable(
    "CALBACK_DUCKDB_PATH",
    "the path of a file, with ~ written out, not named calback like the schema in it; no folder, no address such as "
    "md: or :memory:",
    _file,
)
_REPORT_DIR = _Variable("CALBACK_REPORT_DIR", "the path of a folder, with ~ written out", _folder)
_ANNOTATIONS = _Variable("CALBACK_ANNOTATIONS", "the path of a CSV file, with ~ written out", _folder)
_EXPORTS = _Variable(
    "CALBACK_EXPORTS",
    f"tables with commas between them, each with : and one of {', '.join(EXPORT_FORMATS)} where they become files, "
    "such as daily_active_users:xlsx",
    _exports,
)
_EXPORT_TO = _Variable("CALBACK_EXPORT_TO", EXPORT_TO_EXPECTED, export_to, is_secret=True)
_START_DATE = _Variable("CALBACK_START_DATE", _A_DAY, _day)
_END_DATE = _Variable("CALBACK_END_DATE", _A_DAY, _day)
_TIMEZONE = _Variable("CALBACK_TIMEZONE", "an IANA time zone, such as Asia/Seoul", _zone)
_PSEUDONYM_KEY = _Variable(
    "CALBACK_PSEUDONYM_KEY",
    "a secret of your own of at least {} characters, {} of them different, for example the output of: openssl rand "
    "-hex 32".format(*_LEAST_SECRET),
    _secret,
    is_secret=True,
)
_FREQUENT_MIN_DAYS = _Variable("CALBACK_FREQUENT_MIN_DAYS", _DAYS, _whole(LONGEST_WINDOW_DAYS))
_FREQUENT_WINDOW_DAYS = _Variable("CALBACK_FREQUENT_WINDOW_DAYS", _DAYS, _whole(LONGEST_WINDOW_DAYS))
_MAX_REJECTED_SHARE = _Variable("CALBACK_MAX_REJECTED_SHARE", _A_SHARE, _share)
_MAX_LOST_SHARE = _Variable("CALBACK_MAX_LOST_SHARE", _A_SHARE, _share)
_EXPECTED_SOURCES = _Variable(
    "CALBACK_EXPECTED_SOURCES", f"some of these, with commas between them: {', '.join(SOURCES)}", _sources
)
_MAX_LINE_BYTES = _Variable("CALBACK_MAX_LINE_BYTES", f"a whole number of bytes from 1 to {2**30}", _whole(2**30))
_ROWS_AT_ONCE = _Variable("CALBACK_ROWS_AT_ONCE", f"a whole number of rows from 1 to {10**12}", _whole(10**12))
_MODEL_EVERY_DAYS = _Variable(
    "CALBACK_MODEL_EVERY_DAYS", f"a whole number of days from 1 to {MOST_DAYS_OF_A_MODEL}", _whole(MOST_DAYS_OF_A_MODEL)
)
_UI_TOKEN = _Variable(
    "CALBACK_UI_TOKEN",
    "20 or more letters, digits, - and _, for example the output of: openssl rand -hex 32; without it each start makes "
    "one",
    _like("[A-Za-z0-9_-]{20,}"),
    is_secret=True,
)
_GCP_PROJECT = _Variable(
    "CALBACK_GCP_PROJECT",
    "the id of your project in Google's cloud, such as my-project-4711",
    _like("([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"),
)
_DOCUMENTS_DATASET = _Variable(
    "CALBACK_DOCUMENTS_DATASET", "the dataset of the extension firestore-bigquery-export, such as firestore_export", str
)
_GA4_DATASET = _Variable(
    "CALBACK_GA4_DATASET", "the dataset of the Google Analytics 4 export, analytics_<property id>", str
)
_ACCESS_LOG_TABLE = _Variable("CALBACK_ACCESS_LOG_TABLE", "<dataset>.<table>, where the access log lands", str)
_ACCESS_LOG_USER_FIELD = _Variable(
    "CALBACK_ACCESS_LOG_USER_FIELD", "the name of the field that tells who opened the app, such as userId", _field
)
_ACCESS_LOG_DATE_FIELD = _Variable(
    "CALBACK_ACCESS_LOG_DATE_FIELD", "the name of the field that tells the day or the time, such as date", _field
)
_BIGQUERY_DATASET = _Variable(
    "CALBACK_BIGQUERY_DATASET", "the name of a dataset, of letters, digits and underscores", _like(r"\w{1,1024}")
)
_BIGQUERY_LOCATION = _Variable(
    "CALBACK_BIGQUERY_LOCATION",
    "where the dataset and both sources lie, such as asia-northeast3 or EU",
    _like("[A-Za-z]+(-[A-Za-z0-9]+)*"),
)
_BIGQUERY_TIMEOUT_SECONDS = _Variable(
    "CALBACK_BIGQUERY_TIMEOUT_SECONDS", "a whole number of seconds from 1 to 86400", _whole(86_400)
)
_BIGQUERY_MAX_BYTES_BILLED = _Variable(
    "CALBACK_BIGQUERY_MAX_BYTES_BILLED", f"a whole number of bytes from 1 to {2**60}", _whole(2**60)
)
_FIRESTORE_EMULATOR_HOST = _Variable(
    "FIRESTORE_EMULATOR_HOST",
    "the host and port of an emulator, such as 127.0.0.1:8080",
    _like(r"([\w.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}"),
)

_VARIABLES: Sequence[_Variable[Any]] = [
    declared for declared in vars().copy().values() if isinstance(declared, _Variable)
]
_KNOWN = sorted(declared.name for declared in _VARIABLES)


def environment() -> Mapping[str, str]:
    """What the process was given, completed by the file `.env` of the working folder.

    Its variables are put into `os.environ`, where Google's clients and Dagster find their own; what was set already
    stays as it was.

    Raises:
        SettingsError: the file can be written by somebody else, cannot be read, or has a line that sets nothing.
    """
    text = _env_file()
    if text is not None:
        names = _names(text)
        handed_on = os.environ.get(_GIVEN)
        given = json.loads(handed_on) if handed_on else {name: os.environ[name] for name in names & os.environ.keys()}
        os.environ.update(given | {_GIVEN: json.dumps(given)})
        load_dotenv(stream=StringIO(text))
    return os.environ


def of_the_file(environ: Mapping[str, str]) -> Collection[str]:
    """The variables that `environment` has taken from the file `.env`.

    Raises:
        SettingsError: as `environment`.
    """
    text = _env_file()
    return _names(text) - json.loads(environ.get(_GIVEN, "{}")).keys() if text is not None else ()


def _env_file() -> str | None:
    """The text of the file; None where there is none."""
    try:
        link = _ENV_FILE.lstat()
        # A pipe would be waited for.
        with os.fdopen(os.open(_ENV_FILE, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SettingsError(f"{_ENV_FILE} is no file; remove it, or write it again")
            # Whoever writes it says where data goes, and with which key people are hashed.
            if not {link.st_uid, status.st_uid} <= {os.geteuid(), 0} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise SettingsError(
                    f"{_ENV_FILE} is not yours alone to write, and its variables would be taken; see that it is what "
                    'you want, then: chown "$USER" .env && chmod go-w .env'
                )
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{_ENV_FILE} cannot be read ({error.strerror}); mend its rights, or remove it") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _unset(content.count(b"\n", 0, error.start) + 1, "is no text in UTF-8") from None


def _names(text: str) -> set[str]:
    """The variables that the text sets, each of which can be one.

    Raises:
        SettingsError: a line that sets none.
    """
    names = set()
    for binding in parse_stream(StringIO(text)):
        said = binding.original.string
        # A binding takes the blank lines before it along.
        line = binding.original.line + said[: len(said) - len(said.lstrip())].count("\n")
        if binding.error or "\0" in said:
            raise _unset(line, "cannot be read")
        if binding.key is not None:
            if binding.value is None or not re.fullmatch(r"[A-Za-z_]\w*", binding.key, re.ASCII):
                raise _unset(line, "sets no variable")
            names.add(binding.key)
    return names


def _unset(line: int, problem: str) -> SettingsError:
    # Nothing of the line itself, which may hold a secret.
    return SettingsError(
        f'{_ENV_FILE}, line {line}: {problem}; write NAME=value, or NAME="value" where white space or # is in it'
    )


@dataclass(frozen=True)
class Export:
    """One table that leaves the warehouse after each materialization."""

    table: str
    format: str | None
    """Of files; None where rows go into a database."""


@dataclass(frozen=True)
class BigQueryPlace:
    """Where BigQuery is asked."""

    project: str
    location: str


@dataclass(frozen=True)
class BigQuerySettings(BigQueryPlace):
    """The warehouse in BigQuery."""

    dataset: str
    timeout_seconds: int
    """After which a statement is ended."""
    maximum_bytes_billed: int | None
    """Above which a statement is refused before it runs; None for no bound."""


@dataclass(frozen=True)
class ExtensionSettings:
    """The tables of the extension firestore-bigquery-export in BigQuery."""

    project: str
    """The one that asks, and has the dataset where that names no other."""
    dataset: str


@dataclass(frozen=True)
class FirestoreEmulator:
    """Where sample documents are written to, which is never a real project."""

    address: str
    """Host and port."""
    project: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "FirestoreEmulator":
        """Read the environment.

        Raises:
            SettingsError: no emulator is named, or a variable holds what it cannot.
        """
        _refuse_unknown(environ)
        address = _FIRESTORE_EMULATOR_HOST.of(environ, None)
        if address is None:
            raise SettingsError(
                "FIRESTORE_EMULATOR_HOST is not set, and sample documents are written to an emulator only; set it to "
                f"{_FIRESTORE_EMULATOR_HOST.expected}"
            )
        return cls(address, _GCP_PROJECT.of(environ, DEMO_PROJECT))


@dataclass(frozen=True)
class Settings:
    """One deployment of the platform."""

    data_dir: Path
    duckdb_path: Path
    start_date: date
    end_date: date | None
    """Last daily partition of a closed data set; None while days keep coming."""
    timezone: str
    pseudonym_key: bytes = field(repr=False)
    chosen_report_dir: Path | None = None
    """Where the report's pages are to be; None for beside the warehouse."""
    annotations: Path | None = None
    """The file of what happened on which day, for the dashboard; None for none."""
    exports: Sequence[Export] = ()
    """What leaves the warehouse after each materialization."""
    export_to: str | None = field(default=None, repr=False)
    """Where to; may hold the password of a database."""
    bigquery: BigQuerySettings | None = None
    """None where the warehouse is DuckDB's."""
    firestore_project: str | None = None
    """Where the app's own database is; None reads its collections from files."""
    extension: ExtensionSettings | None = None
    """Where the documents' changes are in BigQuery; None reads documents from elsewhere."""
    bigquery_sources: BigQueryPlace | None = None
    """Where BigQuery is asked for sources, whatever the warehouse; None where none of them is there."""
    ga4_dataset: str | None = None
    """Where Google Analytics writes its export; None reads it from files."""
    access_log_table: str | None = None
    """Where the access log lands; None reads it from files."""
    max_rejected_share: float = 0.01
    """The share of a collection's documents of which something could not be taken, above which a snapshot fails."""
    expected_sources: frozenset[str] = frozenset()
    """Sources that must be there; those of which the warehouse has rows must be, too."""
    max_lost_share: float = 0.1
    """The share of its rows above which a source may not lose them at once, unless that is accepted by name."""
    max_line_bytes: int = 64 * 1024 * 1024
    """The longest line of a JSON file that is taken."""
    rows_at_once: int = 750_000
    """Read for one statement in DuckDB: as many as a busy day has, whose memory a machine must have anyhow."""
    access_log_user_field: str = "userId"
    access_log_date_field: str = "date"
    frequent_min_days: int = 3
    """Active days that make a user frequent ("월 3회 이상 방문")."""
    frequent_window_days: int = 30
    model_every_days: int = 7
    """How old the model may be before the nightly schedule learns anew."""

    @property
    def report_dir(self) -> Path:
        """Where the report's pages are written."""
        return self.chosen_report_dir or self.duckdb_path.parent / "report"

    @property
    def uses_development_key(self) -> bool:
        """Whether personal data is pseudonymized with the published key."""
        return self.pseudonym_key == DEVELOPMENT_KEY

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, is_reading: bool = False) -> "Settings":
        """Read and validate the environment.

        Args:
            environ: what the process was given.
            is_reading: True where nothing will be hashed or written, for which no key is needed.

        Raises:
            SettingsError: a variable is unknown or holds what it cannot, or one is missing; names it and says what to
                set.
        """
        _refuse_unknown(environ)
        chosen = _Chosen.from_env(environ)
        data_dir = _DATA_DIR.of(environ, Path("data/sample"))
        start, end = _days(environ, data_dir)
        key = DEVELOPMENT_KEY
        if not is_reading:
            real = chosen.in_the_cloud
            key = _PSEUDONYM_KEY.needed(environ, real) if real else _PSEUDONYM_KEY.of(environ, DEVELOPMENT_KEY)
        minimum = _FREQUENT_MIN_DAYS.of(environ, cls.frequent_min_days)
        window = _FREQUENT_WINDOW_DAYS.of(environ, cls.frequent_window_days)
        if window < minimum:
            raise SettingsError(
                f"CALBACK_FREQUENT_WINDOW_DAYS {window} is less than CALBACK_FREQUENT_MIN_DAYS {minimum}, and nobody "
                "is active on more days than there are; the window must not be shorter than the minimum"
            )
        user_field = _ACCESS_LOG_USER_FIELD.of(environ, cls.access_log_user_field)
        date_field = _ACCESS_LOG_DATE_FIELD.of(environ, cls.access_log_date_field)
        if user_field.lower() == date_field.lower():
            raise SettingsError(
                f"CALBACK_ACCESS_LOG_USER_FIELD and CALBACK_ACCESS_LOG_DATE_FIELD are both {user_field!r}; set each to "
                "a field of its own"
            )
        exports = _EXPORTS.of(environ, ())
        into = _EXPORT_TO.needed(environ, "CALBACK_EXPORTS is") if exports else _EXPORT_TO.of(environ, None)
        for export in exports:
            _refuse_format(export, takes_files(into or ""))
        return cls(
            data_dir=data_dir,
            duckdb_path=_DUCKDB_PATH.of(environ, Path("data/warehouse.duckdb")),
            chosen_report_dir=_REPORT_DIR.of(environ, None),
            annotations=_ANNOTATIONS.of(environ, None),
            exports=exports,
            export_to=into,
            start_date=start,
            end_date=end,
            timezone=_TIMEZONE.of(environ, "Asia/Seoul"),
            pseudonym_key=key,
            bigquery=_bigquery(environ, chosen.warehouse) if chosen.warehouse else None,
            firestore_project=_firestore_project(environ, chosen),
            extension=_extension(environ, chosen),
            bigquery_sources=_place(environ, why) if (why := chosen.events or chosen.access_log) else None,
            ga4_dataset=_GA4_DATASET.needed(environ, chosen.events) if chosen.events else None,
            access_log_table=_ACCESS_LOG_TABLE.needed(environ, chosen.access_log) if chosen.access_log else None,
            max_rejected_share=_MAX_REJECTED_SHARE.of(environ, cls.max_rejected_share),
            expected_sources=_EXPECTED_SOURCES.of(environ, cls.expected_sources),
            max_lost_share=_MAX_LOST_SHARE.of(environ, cls.max_lost_share),
            max_line_bytes=_MAX_LINE_BYTES.of(environ, cls.max_line_bytes),
            rows_at_once=_ROWS_AT_ONCE.of(environ, cls.rows_at_once),
            access_log_user_field=user_field,
            access_log_date_field=date_field,
            frequent_min_days=minimum,
            frequent_window_days=window,
            model_every_days=_MODEL_EVERY_DAYS.of(environ, cls.model_every_days),
        )


def _refuse_format(export: Export, is_file: bool) -> None:
    if is_file and export.format is None:
        raise SettingsError(
            f"CALBACK_EXPORTS names {export.table} without a format, and CALBACK_EXPORT_TO takes files; write "
            f"{' or '.join(f'{export.table}:{suffix}' for suffix in EXPORT_FORMATS)}"
        )
    if not is_file and export.format is not None:
        raise SettingsError(
            f"CALBACK_EXPORTS names {export.table}:{export.format}, and CALBACK_EXPORT_TO is a database, which "
            f"takes no files; write {export.table}"
        )


@dataclass(frozen=True)
class _Chosen:
    """What is in Google's cloud: of each, by which setting; None for what is on this machine."""

    warehouse: str | None
    documents: str | None
    events: str | None
    access_log: str | None
    are_exported: bool
    """Whether the documents are those that an extension of Firebase writes into BigQuery."""
    is_emulated: bool
    """Whether the documents are those of Firestore's emulator, which are nobody's."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "_Chosen":
        """Read the choices; a preset makes those that are not made one by one.

        Raises:
            SettingsError: a variable holds what it cannot.
        """
        preset = _DEPLOYMENT.of(environ, "local")

        def why(variable: _Variable[str], here: str) -> str | None:
            choice = variable.of(environ, None)
            if choice is None:
                return f"{_DEPLOYMENT.name} is {preset}" if preset == "gcp" else None
            return f"{variable.name} is {choice}" if choice != here else None

        # Google's client would take an empty address for that of an emulator.
        has_emulator = _FIRESTORE_EMULATOR_HOST.of(environ, None) is not None
        documents, choice = why(_DOCUMENTS, "files"), _DOCUMENTS.of(environ, None)
        if has_emulator and choice is None:
            documents = documents or f"{_FIRESTORE_EMULATOR_HOST.name} is set"
        are_exported = choice == "bigquery"
        return cls(
            warehouse=why(_WAREHOUSE, "duckdb"),
            documents=documents,
            events=why(_EVENTS, "files"),
            access_log=why(_ACCESS_LOG, "files"),
            are_exported=are_exported,
            is_emulated=has_emulator and not are_exported,
        )

    @property
    def in_the_cloud(self) -> str | None:
        """By which setting real people's data is read or kept."""
        return self.warehouse or self.events or self.access_log or (None if self.is_emulated else self.documents)


def _unknown(environ: Mapping[str, str]) -> Iterator[tuple[str, SettingsError]]:
    """Variables that are written wrong, each with the nearest that there is."""
    for name in sorted(environ):
        meant = name.upper().replace("CALLBACK_", "CALBACK_")
        is_ours = name.upper().startswith("CALBACK_") or meant in _KNOWN
        if is_ours and name not in _KNOWN:
            (nearest,) = get_close_matches(meant, _KNOWN, n=1, cutoff=0.0)
            yield (
                name,
                SettingsError(f"{name} is no variable of calback, the nearest is {nearest}; rename it or unset it"),
            )


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """A variable that is written wrong is one that is not set, and nobody would notice.

    Raises:
        SettingsError: there is one.
    """
    for _, error in _unknown(environ):
        raise error


@dataclass(frozen=True)
class Understood:
    """What holds of one variable, as it may be shown to anybody."""

    name: str
    value: str
    """Of a secret only that it is set; the text of one that is set to what it cannot be, as it is."""
    origin: str
    """Where it comes from; empty where nothing holds."""


@dataclass(frozen=True)
class Understanding:
    """What can be made of an environment, be it right or wrong."""

    variables: Sequence[Understood]
    problems: Sequence[SettingsError]
    """All that is wrong with single variables, then what is missing or contradicts itself, as far as that is met."""
    settings: Settings | None
    """Those to look at things with: without what is wrong, and from the first possible day where none is told."""

    @classmethod
    def of(cls, environ: Mapping[str, str], in_file: Collection[str]) -> "Understanding":
        """Read the environment as far as it can be read.

        Args:
            environ: what the process was given.
            in_file: the variables in it that come from the file `.env`.
        """
        wrong = dict(_unknown(environ))
        for variable in _VARIABLES:
            try:
                variable.of(environ, None)
            except SettingsError as error:
                wrong[variable.name] = error
        problems = list(wrong.values())
        sound = {name: text for name, text in environ.items() if name not in wrong}
        stand_in = {_START_DATE.name: str(FIRST_DAY)} if _START_DATE.name not in sound else {}
        settings = None
        for given, is_reading in ((sound, False), (stand_in | sound, False), (stand_in | sound, True)):
            try:
                settings = Settings.from_env(given, is_reading=is_reading)
                stand_in = {} if given is sound else stand_in
                break
            except SettingsError as error:
                # One that was left out as wrong is missed now.
                if str(error).partition(" ")[0] not in wrong and str(error) not in map(str, problems):
                    problems.append(error)
        otherwise = _otherwise(settings, sound) if settings else {}
        variables = []
        for variable in _VARIABLES:
            name, text = variable.name, environ.get(variable.name)
            if text is not None:
                origin = _ENV_FILE.name if name in in_file else "environment"
                variables.append(Understood(name, "set" if variable.is_secret else text, origin))
            elif name in otherwise and name not in stand_in:
                variables.append(Understood(name, *otherwise[name]))
            else:
                variables.append(Understood(name, "not set", ""))
        return cls(variables, problems, settings)


def _otherwise(settings: Settings, environ: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
    """What holds where a variable is not set, and where that comes from."""
    bigquery, place = settings.bigquery, settings.bigquery or settings.bigquery_sources
    is_emulated = _FIRESTORE_EMULATOR_HOST.name in environ
    of_the_emulator: dict[_Variable[Any], object] = {}
    if is_emulated and settings.firestore_project:
        of_the_emulator[_GCP_PROJECT] = settings.firestore_project
        if environ.get(_DEPLOYMENT.name) != "gcp":
            of_the_emulator[_DOCUMENTS] = "firestore"
    of_the_preset: dict[_Variable[Any], object] = {
        _WAREHOUSE: "bigquery" if bigquery else "duckdb",
        _DOCUMENTS: "firestore" if settings.firestore_project else "files",
        _EVENTS: "bigquery" if settings.ga4_dataset else "files",
        _ACCESS_LOG: "bigquery" if settings.access_log_table else "files",
    }
    of_the_manifest: dict[_Variable[Any], object] = {_START_DATE: settings.start_date, _END_DATE: settings.end_date}
    by_default: dict[_Variable[Any], object] = {
        _DEPLOYMENT: DEPLOYMENTS[0],
        _DATA_DIR: settings.data_dir,
        _DUCKDB_PATH: settings.duckdb_path,
        _REPORT_DIR: settings.report_dir,
        _TIMEZONE: settings.timezone,
        _MAX_REJECTED_SHARE: settings.max_rejected_share,
        _MAX_LOST_SHARE: settings.max_lost_share,
        _DOCUMENTS_DATASET: settings.extension and settings.extension.dataset,
        _MAX_LINE_BYTES: settings.max_line_bytes,
        _ROWS_AT_ONCE: settings.rows_at_once,
        _ACCESS_LOG_USER_FIELD: settings.access_log_user_field,
        _ACCESS_LOG_DATE_FIELD: settings.access_log_date_field,
        _FREQUENT_MIN_DAYS: settings.frequent_min_days,
        _FREQUENT_WINDOW_DAYS: settings.frequent_window_days,
        _MODEL_EVERY_DAYS: settings.model_every_days,
        _BIGQUERY_DATASET: bigquery and bigquery.dataset,
        _BIGQUERY_LOCATION: place and place.location,
        _BIGQUERY_TIMEOUT_SECONDS: bigquery and bigquery.timeout_seconds,
    }
    origins = {
        "preset": of_the_preset,
        "manifest.json": of_the_manifest,
        "default": by_default,
        _FIRESTORE_EMULATOR_HOST.name: of_the_emulator,
    }
    return {
        variable.name: (str(value), origin)
        for origin, values in origins.items()
        for variable, value in values.items()
        if value is not None
    }


def ui_token(environ: Mapping[str, str]) -> str | None:
    """What opens Dagit where it is the same at every start; None lets each start make one.

    Raises:
        SettingsError: the token can be guessed, or cannot stand in an address and a cookie.
    """
    return _UI_TOKEN.of(environ, None)


def _days(environ: Mapping[str, str], data_dir: Path) -> tuple[date, date | None]:
    """The first and, of a closed data set, the last day."""
    manifest = _manifest(data_dir)
    start = _START_DATE.of(environ, None) or _day_of_manifest("start_date", manifest)
    end = _END_DATE.of(environ, None) or _day_of_manifest("end_date", manifest)
    if start is None:
        there = f"{data_dir / 'manifest.json'} names no start_date" if data_dir.is_dir() else f"{data_dir} is no folder"
        raise SettingsError(
            f"CALBACK_START_DATE is not set and {there}; set it to the first day of your data (YYYY-MM-DD), or write "
            "the sample data: calback sample data/sample"
        )
    if end is not None and start > end:
        raise SettingsError(
            f"CALBACK_START_DATE {start} lies after CALBACK_END_DATE {end}; the first day must not be later than "
            "the last"
        )
    return start, end


def _manifest(data_dir: Path) -> Mapping[str, object]:
    path = data_dir / "manifest.json"
    try:
        if not os.path.lexists(path):
            return {}
        if not path.is_file():  # A pipe would be waited for.
            raise SettingsError(f"{path} is no file; write it again or remove it")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read as JSON: {type(error).__name__}; write it again or remove it"
        ) from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path} is not a JSON object; write it again or remove it")
    return content


def _day_of_manifest(name: str, manifest: Mapping[str, object]) -> date | None:
    value = manifest.get(name)
    day = _day(value) if isinstance(value, str) else None
    if day is None and value is not None:
        raise SettingsError(f"{name} in manifest.json is {value!r}; set it to {_A_DAY}")
    return day


def _bigquery(environ: Mapping[str, str], why: str) -> BigQuerySettings:
    place = _place(environ, why)
    return BigQuerySettings(
        project=place.project,
        location=place.location,
        dataset=_BIGQUERY_DATASET.of(environ, "calback"),
        timeout_seconds=_BIGQUERY_TIMEOUT_SECONDS.of(environ, 1800),
        maximum_bytes_billed=_BIGQUERY_MAX_BYTES_BILLED.of(environ, None),
    )


def _place(environ: Mapping[str, str], why: str) -> BigQueryPlace:
    return BigQueryPlace(_GCP_PROJECT.needed(environ, why), _BIGQUERY_LOCATION.of(environ, "asia-northeast3"))


def _firestore_project(environ: Mapping[str, str], chosen: _Chosen) -> str | None:
    if chosen.documents is None or chosen.are_exported:
        return None
    return (
        _GCP_PROJECT.of(environ, DEMO_PROJECT) if chosen.is_emulated else _GCP_PROJECT.needed(environ, chosen.documents)
    )


def _extension(environ: Mapping[str, str], chosen: _Chosen) -> ExtensionSettings | None:
    # What the extension itself proposes.
    dataset = _DOCUMENTS_DATASET.of(environ, "firestore_export")
    if chosen.documents is None or not chosen.are_exported:
        return None
    return ExtensionSettings(_GCP_PROJECT.needed(environ, chosen.documents), dataset)
