"""What the tests of endings share: a small sample, and what a run that nobody disturbs makes of it."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from calback_assets.sample import write_sample
from calback_assets_tests.cli.terminal import Terminal, tables

_DAYS = 5
UP_TO_ACTIVE_USERS = "*daily_active_users"
"""A selection for what is the same whichever tables a run writes."""
SELECTED = (
    *("raw_users", "raw_meetings", "raw_events", "raw_access_log"),
    *("device_identity", "unified_events", "user_daily_activity", "user_first_seen", "daily_active_users"),
)
"""What it selects."""


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves that nobody disturbs."""

    data: Path
    warehouse: Path
    tables: dict[str, list[tuple[object, ...]]]
    selected: dict[str, list[tuple[object, ...]]]
    """Of the tables of `SELECTED` alone."""
    seconds: float


def environment(data: Path, warehouse: Path, home: Path | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
    kept |= {"CALBACK_DATA_DIR": str(data), "CALBACK_DUCKDB_PATH": str(warehouse), "COLUMNS": "200"}
    return kept if home is None else kept | {"DAGSTER_HOME": str(home)}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    data, warehouse = folder / "sample", folder / "warehouse.duckdb"
    write_sample(data, users=60, days=_DAYS, seed=7)
    ended = Terminal(environment(data, warehouse)).run("run")
    assert ended.code == 0
    return Undisturbed(data, warehouse, tables(warehouse), tables(warehouse, SELECTED), ended.seconds)
