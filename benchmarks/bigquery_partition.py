"""What does a partition cost on BigQuery, written atomically and read, over the stock I/O manager's?

On the emulator, in another process: the ratio says what the clients do, not what BigQuery does.
"""

import json
from pathlib import Path
from uuid import uuid4

import pandas as pd
from dagster import AssetsDefinition, DailyPartitionsDefinition, asset, materialize

from benchmarks.harness import Scale, Work, in_child, in_turns
from benchmarks.platform_run import instance
from benchmarks.rewrite import REWRITTEN, frame, returning
from benchmarks.stock_bigquery import DATASET, MANAGERS, QUIET, at_the_emulator, new_project
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY, TIMEZONE
from calback_assets_tests.bigquery.clients import Emulator, client
from calback_assets_tests.bigquery.emulator import running_emulator

_FOUND = "found.json"


def answer(work: Path, scale: Scale) -> list[Row]:
    """A million rows of eight columns, at full size."""
    rows = scale.rewritten_rows
    with running_emulator() as emulator:
        where = {"url": emulator.url, "storage_endpoint": emulator.storage_endpoint, "rows": rows}
        written = in_turns(
            work, scale.runs, {name: in_child(rewrite, _found, manager=name, **where) for name in ("ours", "stock")}
        )
        projects = {name: str(in_child(store, _found, manager=name, **where)(work).made) for name in MANAGERS}
        # Over REST a million rows take minutes, in which fast and slow moments of the machine even out.
        read = in_turns(
            work,
            1,
            {name: in_child(read_back, _found, manager=name, project=projects[name], **where) for name in MANAGERS},
        )
    assert written["ours"].made == written["stock"].made, "they store different rows"
    assert read["ours"].made == read["ours over REST"].made == read["stock"].made, "they read different rows"
    what, peer = f"{rows:,} × {len(REWRITTEN.columns)} on BigQuery's emulator", "stock BigQuery manager"
    once = f"{peer}, one run"
    return [
        Row("f", f"rewrite of {what}", "s", written["ours"].seconds, written["stock"].seconds, peer, 2),
        Row("f", "the same, peak memory", "MB", written["ours"].megabytes, written["stock"].megabytes, peer, None),
        Row("f", f"read of {what}", "s", read["ours"].seconds, read["stock"].seconds, once, 1),
        Row("f", "the same, peak memory", "MB", read["ours"].megabytes, read["stock"].megabytes, once, 1),
        Row("f", "the read over REST", "s", read["ours over REST"].seconds, read["stock"].seconds, once, 1),
        Row("f", "the same, peak memory", "MB", read["ours over REST"].megabytes, read["stock"].megabytes, once, 1),
    ]


def rewrite(manager: str, url: str, storage_endpoint: str, rows: int, folder: str) -> Work:
    """The rewrite of a partition that exists."""
    emulator = Emulator(url, storage_endpoint)
    project = _stored(Path(folder), manager, emulator, rows)
    new = returning(frame(rows, seed=2))

    def work() -> None:
        _materialize(Path(folder), manager, emulator, project, [new])
        with client(url, project) as connected:
            (row,) = connected.query(
                f"SELECT COUNT(*), SUM(events), SUM(bytes) FROM {DATASET}.{REWRITTEN.name}"
            ).result()
        _tell(folder, list(row.values()))

    return work


def store(manager: str, url: str, storage_endpoint: str, rows: int, folder: str) -> Work:
    """A project in which the manager has stored the partition, made by a process of its own: its memory is not told."""
    project = _stored(Path(folder), manager, Emulator(url, storage_endpoint), rows)
    return lambda: _tell(folder, project)


def read_back(manager: str, project: str, url: str, storage_endpoint: str, rows: int, folder: str) -> Work:  # noqa: ARG001
    """A downstream asset that takes the partition as a DataFrame."""
    emulator = Emulator(url, storage_endpoint)

    @asset(partitions_def=DailyPartitionsDefinition(start_date=str(FIRST_DAY), timezone=TIMEZONE))
    def sums(rewritten: pd.DataFrame) -> None:
        _tell(folder, [len(rewritten), int(rewritten["events"].sum()), int(rewritten["bytes"].sum())])

    upstream = returning(pd.DataFrame())
    return lambda: _materialize(Path(folder), manager, emulator, project, [upstream, sums], "sums")


def _stored(folder: Path, manager: str, emulator: Emulator, rows: int) -> str:
    """A project in which the manager has stored the partition."""
    project = f"project-{uuid4().hex[:8]}"
    new_project(emulator, project).close()
    _materialize(folder, manager, emulator, project, [returning(frame(rows, seed=1))])
    return project


def _materialize(
    folder: Path,
    manager: str,
    emulator: Emulator,
    project: str,
    assets: list[AssetsDefinition],
    selection: str = REWRITTEN.name,
) -> None:
    with at_the_emulator(emulator):
        resources = {"io_manager": MANAGERS[manager](emulator, project)}
        materialized = materialize(
            assets,
            selection=[selection],
            partition_key=str(FIRST_DAY),
            instance=instance(folder),
            resources=resources,
            run_config=QUIET,
        )
    assert materialized.success


def _tell(folder: str, found: object) -> None:
    (Path(folder) / _FOUND).write_text(json.dumps(found), encoding="utf-8")


def _found(folder: Path) -> object:
    return json.loads((folder / _FOUND).read_text(encoding="utf-8"))
