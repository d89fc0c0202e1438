"""Writes a whole sample folder, so that it is all there or not at all.

Only the order of the work and the replacement of an earlier sample belong here; each source knows its files.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calback_assets.errors import SettingsError, SourceError
from calback_assets.sample.access_log import AccessLog
from calback_assets.sample.firestore import Firestore
from calback_assets.sample.ga4_export import Ga4Export
from calback_assets.sample.people import make_people
from calback_assets.sample.sessions import Simulation
from calback_assets.sample.timeline import TIMEZONE, date_of

_KIND = "calback-sample"
_FORMAT_VERSION = 1
_MOST_DAYS = 800


@dataclass(frozen=True)
class SampleSummary:
    """What was written."""

    users: int
    meetings: int
    """Documents, with the proposals."""
    events: int
    """Rows of the GA4 tables, without the intraday copy that a daily table overrules."""
    access_rows: int
    files: int
    bytes: int


def _ignore(finished_days: int) -> None:
    """Nobody watches."""
    del finished_days


def write_sample(
    folder: Path,
    *,
    users: int = 30_000,
    days: int = 120,
    seed: int = 20240101,
    on_day: Callable[[int], None] = _ignore,
) -> SampleSummary:
    """Write the sample into `folder`; the same arguments give the same bytes.

    An earlier sample there is replaced once the new one is complete; any other content is refused.

    Args:
        folder: Where the sample goes; missing parents are made.
        users: How many people have signed up by the end.
        days: How many Seoul days, from 2024-01-01.
        seed: Another seed gives another world of the same kind.
        on_day: Called after each day with the number of finished days.

    Returns:
        What was written.

    Raises:
        SettingsError: The numbers ask for something impossible.
        SourceError: The folder holds something else, or cannot be written; what was there is unchanged.
    """
    _check(users, days, seed)
    folder = folder.resolve()
    try:
        _refuse_foreign(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A sibling, because a rename is all or nothing within one file system only.
        with tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=f".{folder.name}.", ignore_cleanup_errors=True
        ) as workshop:
            fresh = Path(workshop) / "new"
            summary = _write(fresh, users, days, seed, on_day)
            _swap(fresh, folder, Path(workshop) / "old")
    except OSError as error:
        raise SourceError(
            f"cannot write the sample to {folder}: {error.strerror or error}; what was there is unchanged. "
            "Make room and allow writing there, or choose another folder"
        ) from error
    return summary


def _check(users: int, days: int, seed: int) -> None:
    if users < 1:
        raise SettingsError(f"a sample of {users} users is impossible: ask for 1 or more")
    if not 1 <= days <= _MOST_DAYS:
        raise SettingsError(f"a sample of {days} days is impossible: ask for 1 to {_MOST_DAYS}")
    if seed < 0:
        raise SettingsError(f"the seed {seed} is negative: take 0 or more")


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SourceError(f"{folder} is a file: name a folder for the sample")
    if any(folder.iterdir()) and not _is_sample(folder / "manifest.json"):
        raise SourceError(f"{folder} holds files that are not a sample: name an empty folder, or empty this one")


def _is_sample(manifest: Path) -> bool:
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") == _KIND


def _write(folder: Path, users: int, days: int, seed: int, on_day: Callable[[int], None]) -> SampleSummary:
    for source in ("firestore", "analytics", "access_log"):
        (folder / source).mkdir(parents=True)
    people, devices = make_people(seed, users, days)
    simulation = Simulation(seed, people, devices, days)
    analytics = Ga4Export(folder / "analytics", seed, people, devices, days)
    access_log = AccessLog(folder / "access_log", seed, people, days)
    firestore = Firestore(folder / "firestore", seed, people, days)
    events = access_rows = 0
    for day in range(days):
        activity = simulation.play(day)
        events += analytics.add(day, activity.events)
        access_rows += access_log.add(day, activity.sessions)
        firestore.add(activity.meetings, activity.friend_requests)
        on_day(day + 1)
    events += analytics.close()
    meetings = firestore.write()
    _write_manifest(folder / "manifest.json", users, days, seed)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return SampleSummary(users, meetings, events, access_rows, files=len(sizes), bytes=sum(sizes))


def _write_manifest(path: Path, users: int, days: int, seed: int) -> None:
    manifest = {
        "kind": _KIND,
        "format_version": _FORMAT_VERSION,
        "start_date": date_of(0).isoformat(),
        "end_date": date_of(days - 1).isoformat(),
        "timezone": TIMEZONE,
        "users": users,
        "days": days,
        "seed": seed,
    }
    path.write_text(f"{json.dumps(manifest, indent=2)}\n", encoding="utf-8")


def _swap(fresh: Path, folder: Path, aside: Path) -> None:
    """Put `fresh` in the place of `folder`; whatever interrupts it, what was there is put back."""
    try:
        if folder.exists():
            folder.rename(aside)
        fresh.rename(folder)
    except BaseException:
        if aside.exists() and not folder.exists():
            aside.rename(folder)
        raise
