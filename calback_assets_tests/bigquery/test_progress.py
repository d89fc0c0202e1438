"""How far a query of BigQuery has come can be seen while it runs, and costs no request.

The proxy lets a query seem to run on, and asks from a thread of its own, as the bar does, when the client looks at it.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import repeat

import pytest
from google.api_core.exceptions import Forbidden
from rich.progress import Progress

from calback_assets.cli.bar import Bar
from calback_assets.days import Stretch
from calback_assets.errors import WarehouseError
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.bigquery.jobs import READ, Jobs, Limits, client_of
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.warehouse import Statement, progress, share_done
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.proxy import Fault, FaultProxy, Refusal
from calback_assets_tests.warehouse.emulated import EmulatedWarehouse
from calback_assets_tests.warehouse.helpers import DAY

LOOKS = ["jobs.get", "jobs.getQueryResults"]


@pytest.fixture
def warehouse(emulator: Emulator) -> EmulatedWarehouse:
    return EmulatedWarehouse(emulator.url)


@pytest.fixture
def jobs(proxy: FaultProxy, warehouse: EmulatedWarehouse) -> Jobs:
    del proxy  # Where the client finds it.
    return Jobs(client_of(warehouse.resource), warehouse.dataset, Limits())


class Watched:
    """A bar of four that are computed at once, and what it and the share say before each sample that BigQuery gives."""

    def __init__(self, *samples: Mapping[str, int]) -> None:
        self._samples = samples
        self._progress = Progress(disable=True)
        self._bar = Bar(self._progress, "title", 10, share_done)
        self._bar.begin(4)
        self.shares: list[float] = []
        self.shown: list[float] = []

    def __iter__(self) -> Iterator[Mapping[str, int]]:
        for sample in self._samples:
            self._look()
            yield sample
        self._look()

    def _look(self) -> None:
        self._bar.look()
        self.shares.append(share_done())
        self.shown.append(self._progress.tasks[0].completed)


def units(completed: int, pending: int) -> Mapping[str, int]:
    return {"elapsedMs": 30_000, "completedUnits": completed, "pendingUnits": pending, "activeUnits": 1}


def kinds(proxy: FaultProxy) -> list[str]:
    return [request.kind for request in proxy.log]


def test_while_a_query_runs_the_bar_moves_by_its_share_and_never_back(jobs: Jobs, proxy: FaultProxy) -> None:
    watched = Watched(units(0, 0), units(1, 3), units(1, 9), units(9, 3))
    proxy.prolong("calback_read", watched)

    jobs.query("SELECT 1 AS one", READ)

    assert watched.shares == [0, 0, 0.25, 0.1, 0.75]
    assert watched.shown == [0, 0, 1, 1, 3]
    assert share_done() == 0
    # What the client sends anyway, as long as a query has not ended.
    assert kinds(proxy) == ["jobs.insert", *5 * LOOKS]


def test_a_look_that_fails_fails_nothing_and_tells_what_was_known(jobs: Jobs, proxy: FaultProxy) -> None:
    watched = Watched(units(1, 3), units(3, 1))
    proxy.prolong("calback_read", watched)
    proxy.arm(Fault.UNAVAILABLE, at=4)

    jobs.query("SELECT 1 AS one", READ)

    assert [request.kind for request in proxy.log if request.fault] == ["jobs.get"]
    assert watched.shares == [0, 0.25, 0.75]


@pytest.mark.parametrize("sample", [{}, {"pendingUnits": 5}])
def test_a_sample_that_tells_nothing_is_nothing_done(jobs: Jobs, proxy: FaultProxy, sample: Mapping[str, int]) -> None:
    watched = Watched(sample)
    proxy.prolong("calback_read", watched)

    jobs.query("SELECT 1 AS one", READ)

    assert watched.shares == [0, 0]


def test_of_a_query_that_breaks_off_nothing_is_done(jobs: Jobs, proxy: FaultProxy) -> None:
    watched = Watched(units(1, 3), units(2, 2), units(3, 1))
    proxy.prolong("calback_read", watched)
    proxy.arm(Refusal(403, "PERMISSION_DENIED", "accessDenied", "Access Denied"), at=6)

    with pytest.raises(Forbidden):
        jobs.query("SELECT 1 AS one", READ)

    assert watched.shares == [0, 0.25]
    assert share_done() == 0


def test_a_short_query_is_looked_at_no_more_often_than_before(jobs: Jobs, proxy: FaultProxy) -> None:
    jobs.query("SELECT 1 AS one", READ)

    assert kinds(proxy) == ["jobs.insert", "jobs.getQueryResults"]
    assert share_done() == 0


def test_the_days_of_a_stretch_are_begun_before_the_statement_that_writes_them(
    proxy: FaultProxy, warehouse: EmulatedWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, progress.name)
    stretch = Stretch(DAY, DAY + timedelta(days=1))
    begun_before = list[list[int]]()

    def samples() -> Iterator[Mapping[str, int]]:
        begun_before.append([record.__dict__["begun"] for record in caplog.records])
        yield units(1, 3)

    proxy.prolong("_publish_", samples())
    with BigQueryWarehouse(warehouse.resource, warehouse.dataset).session() as session:
        session.ensure(DAILY_ACTIVE_USERS)
        session.replace_days(
            DAILY_ACTIVE_USERS, stretch, Statement("SELECT * FROM daily_active_users WHERE FALSE"), "run"
        )

    assert begun_before == [[2]]
    assert [vars(record).get("day") for record in caplog.records] == [None, *stretch.days]


def test_a_query_that_does_not_end_in_time_ends_in_what_to_do(proxy: FaultProxy, warehouse: EmulatedWarehouse) -> None:
    jobs = Jobs(client_of(warehouse.resource), warehouse.dataset, Limits(timeout_seconds=0.3))
    proxy.prolong("calback_read", repeat(units(1, 3)))

    with pytest.raises(WarehouseError, match=r"within 0\.3 seconds.*CALBACK_BIGQUERY_TIMEOUT_SECONDS"):
        jobs.query("SELECT 1 AS one", READ)

    assert share_done() == 0
