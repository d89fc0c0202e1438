"""One `calback ui` for all tests of this folder: the morning after a night in which the machine was off.

The data set is an access log of eight days up to yesterday. The instance knows the first and no other; the schedule was
switched on before last midnight and missed it. Beside it, to look at, what `make demo` leaves behind.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from dagster import AssetKey, AssetMaterialization, DagsterInstance
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from playwright.sync_api import Page, expect

from calback_assets.cli import main
from calback_assets.sample import write_sample
from calback_assets_tests.browser import chromium
from calback_assets_tests.dagit.graph import DAILY
from calback_assets_tests.dagit.hostile_page import foreign_site
from calback_assets_tests.dagit.server import LOCATION, REPOSITORY, RUN_SECONDS, Dagit, calback_ui, environment_of

WAIT_MILLISECONDS = 60_000
_STILL = """const still = new CSSStyleSheet();
still.replaceSync("*, ::before, ::after { animation: none !important; transition: none !important }");
document.adoptedStyleSheets = [still];"""
"""What moves is drawn sixty times a second, as long as a page waits for a run."""


def timezone_far_from_midnight() -> str:
    """Where it is neither evening nor early morning now, so that no second midnight passes during the tests."""
    seoul = "Asia/Seoul"
    return seoul if 3 <= datetime.now(ZoneInfo(seoul)).hour < 21 else "UTC"


@dataclass(frozen=True)
class Morning:
    """Dagit after the missed tick was made up for, and the days of its data set."""

    dagit: Dagit
    days: list[date]
    """Eight days, the last of them yesterday; on the n-th, the people 1 to n opened the app."""
    tick: dict[str, Any]
    """The tick of last midnight."""


@pytest.fixture(scope="package")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Morning]:
    """Once the runs of the missed tick have ended."""
    root = tmp_path_factory.mktemp("dagit")
    timezone = timezone_far_from_midnight()
    midnight = datetime.now(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight.date() - timedelta(days=age) for age in range(8, 0, -1)]
    _write_access_log(root / "data", days)
    home = root / "home"
    home.mkdir()
    with DagsterInstance.local_temp(str(home)) as instance:
        for name in DAILY:
            instance.report_runless_asset_event(AssetMaterialization(AssetKey(name), partition=str(days[0])))
        instance.add_instigator_state(_switched_on(midnight.astimezone(UTC) - timedelta(hours=12)))
    environment = {
        "CALBACK_START_DATE": str(days[0]),
        "CALBACK_DATA_DIR": str(root / "data"),
        "CALBACK_DUCKDB_PATH": str(root / "warehouse.duckdb"),
        "CALBACK_TIMEZONE": timezone,
    }
    with calback_ui(home, environment) as dagit:
        tick = dagit.wait_for("tick of the schedule", RUN_SECONDS, lambda: _last_tick(dagit))
        for run_id in tick["runIds"]:
            dagit.finished_run(run_id)
        yield Morning(dagit, days, tick)


@dataclass(frozen=True)
class Demo:
    """A Dagit to look at the one run that the command made."""

    dagit: Dagit
    run_id: str


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """What `make demo` and `make ui-readonly` do, with a smaller sample and fewer tables."""
    root = tmp_path_factory.mktemp("demo")
    write_sample(root / "data", users=60, days=5, seed=7)
    environment = {"CALBACK_DATA_DIR": str(root / "data"), "CALBACK_DUCKDB_PATH": str(root / "warehouse.duckdb")}
    home = root / "dagster"
    with patch.dict(os.environ, environment_of(home, environment), clear=True), pytest.MonkeyPatch.context() as patched:
        # The definitions read the environment when they are imported, as in a process of their own.
        patched.delitem(sys.modules, "calback_assets.definitions", raising=False)
        with ThreadPoolExecutor(1) as beside:  # The browser's events have this thread.
            selected = ["run", "--select", "*daily_active_users"]
            done = beside.submit(CliRunner().invoke, main, selected, prog_name="calback").result()
    (run_id,) = re.findall(r"Dagit run (\S+)", done.stdout)
    with calback_ui(home, environment, "--read-only") as dagit:
        yield Demo(dagit, run_id)


@pytest.fixture(scope="package")
def window() -> Iterator[Page]:
    """A browser's only one."""
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1800, "height": 1000})
        context.set_default_timeout(WAIT_MILLISECONDS)
        expect.set_options(timeout=WAIT_MILLISECONDS)
        context.add_init_script(_STILL)
        yield context.new_page()


@pytest.fixture
def stranger(window: Page) -> Iterator[Page]:
    """A browser that has no token."""
    yield window
    leave(window)


def leave(page: Page) -> None:
    """Close what is open, which asks on as long as it is, and keep its process, which has compiled its scripts."""
    if page.url != "about:blank":
        page.goto(urljoin(page.url, "/server_info"))


@pytest.fixture
def page(morning: Morning, stranger: Page) -> Page:
    """The browser after it has followed the address with the token."""
    stranger.goto(morning.dagit.way_in)
    return stranger


@pytest.fixture(scope="package")
def site() -> Iterator[int]:
    """The port of a web server of somebody else's."""
    with foreign_site() as port:
        yield port


def _write_access_log(data: Path, days: list[date]) -> None:
    for number, day in enumerate(days, start=1):
        folder = data / "access_log" / f"date={day}"
        folder.mkdir(parents=True)
        lines = (json.dumps({"userId": user, "date": str(day)}) for user in range(1, number + 1))
        (folder / "opens.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _switched_on(moment: datetime) -> InstigatorState:
    """What an instance keeps of a schedule that has been running since then."""
    target = LoadableTargetOrigin(module_name=LOCATION)
    repository = RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION), REPOSITORY)
    return InstigatorState(
        RemoteInstigatorOrigin(repository, "nightly"),
        InstigatorType.SCHEDULE,
        InstigatorStatus.DECLARED_IN_CODE,
        ScheduleInstigatorData("0 0 * * *", moment.timestamp()),
    )


def _last_tick(dagit: Dagit) -> dict[str, Any] | None:
    query = """query($schedule: ScheduleSelector!) { scheduleOrError(scheduleSelector: $schedule) { ... on Schedule {
        scheduleState { ticks(limit: 5) { status timestamp runIds runKeys error { message } } } } } }"""
    selector = {"scheduleName": "nightly", "repositoryName": REPOSITORY, "repositoryLocationName": LOCATION}
    ticks = dagit.ask(query, schedule=selector)["scheduleOrError"]["scheduleState"]["ticks"]
    if not ticks or ticks[0]["status"] == "STARTED":
        return None
    assert len(ticks) == 1
    tick: dict[str, Any] = ticks[0]
    return tick
