"""A run that is killed at any request of its write leaves its days all old or all new, and the next run mends all.

The child is a process of its own, and the proxy holds back one answer, so that it dies while it waits for it: the
emulator has done what the request asked for. Children come from a fork server that has imported everything.
"""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.context import ForkServerContext

import pandas as pd
import pytest
from dagster import DagsterInstance

from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.bigquery.jobs import EmulatedBigQuery
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.proxy import FaultProxy, SlowAnswer
from calback_assets_tests.forked import fork_server
from calback_assets_tests.warehouse.emulated import LOCATION, EmulatedWarehouse
from calback_assets_tests.warehouse.helpers import CALENDAR, DAY, asset_of, metrics, run

DAYS = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
HELD = SlowAnswer(60)
"""Longer than any test: the child is dead before."""


def write(url: str, project: str, generation: int) -> None:
    """Runs in the child: one materialization of a stretch, whose rows say which generation they are of."""
    os.environ[EMULATOR_HOST] = url
    resource = EmulatedBigQuery(project=project, location=LOCATION)
    io_manager = WarehouseIOManager(BigQueryWarehouse(resource, "calback"), CALENDAR)
    rows = [metrics(day, dau=generation) for day in DAYS]
    with DagsterInstance.ephemeral() as instance:
        made = asset_of(DAILY_ACTIVE_USERS, lambda: pd.DataFrame(rows))
        assert run(made, io_manager, instance, DAYS).success


class Victim:
    """Partitions, and the children that write them at once."""

    def __init__(self, context: ForkServerContext, proxy: FaultProxy, warehouse: EmulatedWarehouse) -> None:
        self.context = context
        self.proxy = proxy
        self.warehouse = warehouse

    def write(self, generation: int, *, killed_at: int | None = None) -> int | None:
        """Let one child write, kill it where the answer to its n-th request is held back, and say how it ended."""
        if killed_at is not None:
            self.proxy.arm(HELD, at=killed_at)
        child = self.context.Process(target=write, args=(self.proxy.url, self.warehouse.client.project, generation))
        child.start()
        if killed_at is not None:
            self.proxy.wait_until_held()
            child.kill()
        child.join()
        self.proxy.disarm()
        return child.exitcode

    @property
    def generations(self) -> list[int]:
        return [row["dau"] for row in self.warehouse.rows(DAILY_ACTIVE_USERS)]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return fork_server(
        *(__name__, "sqlglot.dialects.bigquery", "sqlglot.dialects.duckdb", "sqlglot.typing"),
        # What an instance of Dagster loads late.
        *("alembic.command", "dagster._core.launcher.sync_in_memory_run_launcher"),
        *("dagster._core.storage.event_log.in_memory", "dagster._core.storage.runs.in_memory"),
    )


@pytest.fixture
def victim(processes: ForkServerContext, emulator: Emulator) -> Iterator[Victim]:
    with FaultProxy(emulator.url) as proxy:
        yield Victim(processes, proxy, EmulatedWarehouse(emulator.url))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_killed_at_any_request_leaves_all_old_or_all_new_and_the_next_run_mends_all(victim: Victim) -> None:
    assert victim.write(0) == 0
    before = len(victim.proxy.log)
    assert victim.write(0) == 0
    requests = len(victim.proxy.log) - before
    seen = set()
    for generation in range(1, requests + 1):
        old = victim.generations
        assert victim.write(generation, killed_at=generation) == -signal.SIGKILL
        left = victim.generations
        assert left in (old, [generation] * len(DAYS))
        seen.add(left == old)
    assert seen == {True, False}
    assert victim.write(requests + 1) == 0
    assert victim.generations == [requests + 1] * len(DAYS)
