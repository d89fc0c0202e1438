"""The environment, read and validated once.

Every `CALBACK_*` variable belongs here, with its default and its error. Nothing else reads the environment.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from calback_assets.errors import SettingsError

DEPLOYMENTS = ("local", "gcp")
SOURCES = ("raw_users", "raw_meetings", "raw_events", "raw_access_log")
"""What the sources fill, and the names by which a person speaks of them."""
LONGEST_WINDOW_DAYS = 31
"""As many days of activity as the cohorts read."""
DEVELOPMENT_KEY = b"calback-development-key-not-a-secret"
DEMO_PROJECT = "demo-calback"
"""Firebase's convention: project ids that begin with `demo-` exist in emulators alone."""


@dataclass(frozen=True)
class BigQuerySettings:
    """The warehouse and the sources of the `gcp` deployment."""

    project: str
    dataset: str
    location: str
    ga4_dataset: str
    access_log_table: str
    timeout_seconds: int
    """After which a statement is ended."""
    maximum_bytes_billed: int | None
    """Above which a statement is refused before it runs; None for no bound."""


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
            SettingsError: no emulator is named.
        """
        address = environ.get("FIRESTORE_EMULATOR_HOST")
        if not address:
            raise SettingsError(
                "FIRESTORE_EMULATOR_HOST is not set, and sample documents are written to an emulator only; set it to "
                "the host and port of one, such as 127.0.0.1:8080"
            )
        return cls(address, environ.get("CALBACK_GCP_PROJECT") or DEMO_PROJECT)


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
    bigquery: BigQuerySettings | None = None
    """None in the `local` deployment."""
    firestore_project: str | None = None
    """Where the app's own database is; None reads its collections from files."""
    max_rejected_share: float = 0.01
    """The share of a collection's documents of which something could not be taken, above which a snapshot fails."""
    expected_sources: frozenset[str] = frozenset()
    """Sources that must be there; those of which the warehouse has rows must be, too."""
    max_lost_share: float = 0.1
    """The share of its rows above which a source may not lose them at once, unless that is accepted by name."""
    max_line_bytes: int = 64 * 1024 * 1024
    """The longest line of a JSON file that is taken."""
    frequent_min_days: int = 3
    """Active days that make a user frequent ("월 3회 이상 방문")."""
    frequent_window_days: int = 30

    @property
    def uses_development_key(self) -> bool:
        """Whether personal data is pseudonymized with the published key."""
        return self.pseudonym_key == DEVELOPMENT_KEY

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and validate the environment.

        Raises:
            SettingsError: a variable holds what it cannot, or one is missing; names it and says what to set.
        """
        deployment = environ.get("CALBACK_DEPLOYMENT", "local")
        if deployment not in DEPLOYMENTS:
            raise SettingsError(
                f"CALBACK_DEPLOYMENT is {deployment!r}, which is unknown; set it to one of: {', '.join(DEPLOYMENTS)}"
            )
        data_dir = Path(environ.get("CALBACK_DATA_DIR", "data/sample"))
        manifest = _manifest(data_dir)
        timezone = environ.get("CALBACK_TIMEZONE", "Asia/Seoul")
        start = _day("CALBACK_START_DATE", environ) or _day("start_date", manifest)
        end = _day("CALBACK_END_DATE", environ) or _day("end_date", manifest)
        if start is None:
            raise SettingsError(
                f"CALBACK_START_DATE is not set and {data_dir / 'manifest.json'} names no start_date; set it to the "
                "first day of your data (YYYY-MM-DD), or write the sample data: calback sample data/sample"
            )
        if end is not None and start > end:
            raise SettingsError(
                f"CALBACK_START_DATE {start} lies after CALBACK_END_DATE {end}; the first day must not be later than "
                "the last"
            )
        key = environ.get("CALBACK_PSEUDONYM_KEY")
        if deployment == "gcp" and not key:
            raise SettingsError(
                "CALBACK_PSEUDONYM_KEY is not set, and CALBACK_DEPLOYMENT is gcp; set it to a secret of your own, for "
                "example the output of: openssl rand -hex 32"
            )
        return cls(
            data_dir=data_dir,
            duckdb_path=Path(environ.get("CALBACK_DUCKDB_PATH", "data/warehouse.duckdb")),
            start_date=start,
            end_date=end,
            timezone=_timezone(timezone),
            pseudonym_key=key.encode() if key else DEVELOPMENT_KEY,
            bigquery=_bigquery(environ) if deployment == "gcp" else None,
            firestore_project=_firestore_project(environ, deployment),
            max_rejected_share=_share("CALBACK_MAX_REJECTED_SHARE", environ, cls.max_rejected_share),
            expected_sources=_sources("CALBACK_EXPECTED_SOURCES", environ),
            max_lost_share=_share("CALBACK_MAX_LOST_SHARE", environ, cls.max_lost_share),
            max_line_bytes=_positive(
                "CALBACK_MAX_LINE_BYTES", environ.get("CALBACK_MAX_LINE_BYTES", str(cls.max_line_bytes))
            ),
            frequent_min_days=_count(environ, "CALBACK_FREQUENT_MIN_DAYS", cls.frequent_min_days),
            frequent_window_days=_count(environ, "CALBACK_FREQUENT_WINDOW_DAYS", cls.frequent_window_days),
        )


def ui_token(environ: Mapping[str, str]) -> str | None:
    """What opens Dagit where it is the same at every start; None lets each start make one.

    Raises:
        SettingsError: the token can be guessed, or cannot stand in an address and a cookie.
    """
    token = environ.get("CALBACK_UI_TOKEN")
    if token is not None and not re.fullmatch(r"[A-Za-z0-9_-]{20,}", token):
        raise SettingsError(
            "CALBACK_UI_TOKEN must be 20 or more letters, digits, - and _; set it to the output of: openssl rand -hex "
            "32, or unset it, and each start makes a token"
        )
    return token


def _bigquery(environ: Mapping[str, str]) -> BigQuerySettings:
    expected = {
        "CALBACK_GCP_PROJECT": "the id of the project that the warehouse is in",
        "CALBACK_GA4_DATASET": "the dataset of the Google Analytics 4 export, analytics_<property id>",
        "CALBACK_ACCESS_LOG_TABLE": "<dataset>.<table>, where the access log lands",
    }
    for name, what in expected.items():
        if not environ.get(name):
            raise SettingsError(f"{name} is not set, and CALBACK_DEPLOYMENT is gcp; set it to {what}")
    timeout = environ.get("CALBACK_BIGQUERY_TIMEOUT_SECONDS", "1800")
    most = environ.get("CALBACK_BIGQUERY_MAX_BYTES_BILLED")
    return BigQuerySettings(
        project=environ["CALBACK_GCP_PROJECT"],
        dataset=environ.get("CALBACK_BIGQUERY_DATASET", "calback"),
        location=environ.get("CALBACK_BIGQUERY_LOCATION", "asia-northeast3"),
        ga4_dataset=environ["CALBACK_GA4_DATASET"],
        access_log_table=environ["CALBACK_ACCESS_LOG_TABLE"],
        timeout_seconds=_positive("CALBACK_BIGQUERY_TIMEOUT_SECONDS", timeout),
        maximum_bytes_billed=None if most is None else _positive("CALBACK_BIGQUERY_MAX_BYTES_BILLED", most),
    )


def _firestore_project(environ: Mapping[str, str], deployment: str) -> str | None:
    if environ.get("FIRESTORE_EMULATOR_HOST") == "":
        # Google's client would take it for the address of an emulator.
        raise SettingsError(
            "FIRESTORE_EMULATOR_HOST is empty; unset it, or set it to the host and port of an emulator, such as "
            "127.0.0.1:8080"
        )
    if deployment == "gcp" or environ.get("FIRESTORE_EMULATOR_HOST"):
        return environ.get("CALBACK_GCP_PROJECT") or DEMO_PROJECT
    return None


def _share(name: str, environ: Mapping[str, str], default: float) -> float:
    text = environ.get(name, str(default))
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SettingsError(f"{name} is {text!r}; set it to a share from 0 to 1, such as 0.01 for one per cent")
    return share


def _sources(name: str, environ: Mapping[str, str]) -> frozenset[str]:
    named = frozenset(part.strip() for part in environ.get(name, "").split(",")) - {""}
    for source in sorted(named.difference(SOURCES)):
        raise SettingsError(f"{name} names {source!r}, which is no source; choose from: {', '.join(SOURCES)}")
    return named


def _positive(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise SettingsError(f"{name} is {text!r}; set it to a whole number above 0")
    return int(text)


def _manifest(data_dir: Path) -> Mapping[str, object]:
    path = data_dir / "manifest.json"
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read as JSON: {type(error).__name__}; write it again or remove it"
        ) from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path} is not a JSON object; write it again or remove it")
    return content


def _day(name: str, given: Mapping[str, object]) -> date | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return datetime.strptime(str(text), "%Y-%m-%d").date()
    except ValueError:
        where = name if name.isupper() else f"{name} in manifest.json"
        raise SettingsError(f"{where} is {text!r}, which is no day; write it as YYYY-MM-DD") from None


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(f"CALBACK_TIMEZONE is {name!r}, which is no IANA time zone, such as Asia/Seoul") from None
    return name


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_WINDOW_DAYS:
        raise SettingsError(f"{name} is {text!r}; set it to a whole number of days from 1 to {LONGEST_WINDOW_DAYS}")
    return int(text)
