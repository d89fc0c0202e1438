"""Exports that are killed: whatever the moment, a reader finds the old file or the new one, and the next run sweeps.

Real processes on real files: each attempt is a child that writes the other of two days' rows and is killed on the way.
"""

import hashlib
import json
import os
import random
import signal
import tempfile
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from calback_assets.days import Stretch
from calback_assets.delivery.database import DatabaseTarget
from calback_assets.delivery.files import FilesTarget
from calback_assets.delivery.folder import FolderStore
from calback_assets.delivery.formats import FORMATS
from calback_assets.delivery.ordering import Sorter
from calback_assets.delivery.piece import Piece, Target
from calback_assets.tables.metrics import FREQUENT_USERS
from calback_assets.warehouse.rows import arrow_schema
from calback_assets_tests.delivery.postgres import psql
from calback_assets_tests.forked import fork_server

DAY = date(2024, 1, 10)
ROWS = {"csv": 20_000, "xlsx": 2_000, "parquet": 20_000, "database": 20_000}
"""As many as take about a tenth of a second."""
TIMES = 3


def export(place: str, suffix: str, generation: int) -> None:
    """Replace the day by rows that all tell their generation."""
    schema, rows = arrow_schema(FREQUENT_USERS), ROWS[suffix]
    columns = [
        pa.array([DAY] * rows),
        pa.array([f"user {number:06}" for number in range(rows)]),
        *[pa.array([generation] * rows, pa.int64())] * 2,
        *[pa.array([True] * rows)] * 2,
    ]
    batches = pa.Table.from_arrays(columns, schema=schema).to_batches(1_000)
    target: Target = (
        DatabaseTarget(place) if suffix == "database" else FilesTarget(FolderStore(Path(place)), FORMATS[suffix])
    )
    with Sorter.opened() as sorter, target.opened(FREQUENT_USERS) as opened:
        opened.deliver(
            Piece(
                f"{FREQUENT_USERS.name}_{DAY}",
                FREQUENT_USERS,
                Stretch.on(DAY),
                str(generation),
                "a run",
                None,
                False,
                lambda: iter(batches),
                lambda given: sorter.flat(given, FREQUENT_USERS),
            )
        )


def export_beside(scratch: Path, place: str, suffix: str, generation: int) -> None:
    """The same, with a folder for what a killed process leaves of its own."""
    tempfile.tempdir = str(scratch)
    export(place, suffix, generation)


def killed(scratch: Path, place: str, suffix: str, generation: int, after: float) -> bool:
    """Export in a process of its own, and kill it on the way; whether it was killed."""
    child = fork_server(__name__).Process(target=export_beside, args=(scratch, place, suffix, generation))
    child.start()
    child.join(after)
    if child.exitcode is None and child.pid is not None:
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode != 0


def moment(attempt: int, seconds: float) -> float:
    """When to kill: early, then later and later, and never twice at the same point."""
    return seconds * (attempt + random.uniform(0.2, 1.0)) / TIMES  # noqa: S311 - not for secrets


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_a_killed_export_leaves_the_old_file_or_the_new_one(tmp_path: Path, suffix: str) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    path = tmp_path / FREQUENT_USERS.name / f"{FREQUENT_USERS.name}_{DAY}.{suffix}"
    manifest = path.parent / "_manifest" / f"{path.name}.json"
    whole: list[str] = []
    for generation in (0, 1):
        started = time.monotonic()
        export(str(tmp_path), suffix, generation)
        seconds = time.monotonic() - started
        whole.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert whole[0] != whole[1]
    assert not killed(scratch, str(tmp_path), suffix, 1, 60.0)  # The fork server has begun.

    kills = 0
    for attempt in range(TIMES):
        kills += killed(scratch, str(tmp_path), suffix, attempt % 2, moment(attempt, seconds))
        assert hashlib.sha256(path.read_bytes()).hexdigest() in whole
        (named,) = json.loads(manifest.read_text())["files"]
        assert (named["name"], named["rows"]) == (path.name, ROWS[suffix])
        assert named["sha256"] in whole
        assert {found.name for found in path.parent.iterdir()} <= {path.name, "_manifest", ".lock", ".new"}
    assert kills

    export(str(tmp_path), suffix, 0)
    assert {found.name for found in path.parent.iterdir()} == {path.name, "_manifest", ".lock"}
    assert json.loads(manifest.read_text())["files"][0]["sha256"] == whole[0]


def test_a_killed_export_leaves_the_old_rows_or_the_new_ones(tmp_path: Path, postgres: str) -> None:
    started = time.monotonic()
    export(postgres, "database", 0)
    seconds = time.monotonic() - started
    assert not killed(tmp_path, postgres, "database", 1, 60.0)

    kills = 0
    for attempt in range(TIMES):
        kills += killed(tmp_path, postgres, "database", attempt % 2, moment(attempt, seconds))
        (found,) = psql(
            postgres,
            "SELECT COUNT(*), MIN(active_days_30d), MAX(active_days_30d), MIN(version) FROM frequent_users, "
            "calback_manifest WHERE export = 'frequent_users'",
        )
        assert found in [[str(ROWS["database"]), generation, generation, generation] for generation in ("0", "1")]
    assert kills
