"""What is left of a partition in BigQuery when a request of its write fails, ours and the stock I/O manager's?

Every request of a write fails once in every way, and the writer is killed at every request. A partition is lost if
neither all of its old nor all of its new rows are there afterwards. On the emulator, behind the tests' fault proxy.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext
from pathlib import Path
from uuid import uuid4

from dagster import materialize

from benchmarks.harness import Scale
from benchmarks.rewrite import REWRITTEN, frame, returning
from benchmarks.stock_bigquery import DATASET, MANAGERS, QUIET, at_the_emulator, new_project
from benchmarks.table import Losses
from benchmarks.workload import FIRST_DAY
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.emulator import running_emulator
from calback_assets_tests.bigquery.proxy import AnyFault, Fault, FaultProxy, SlowAnswer

_PEER = "stock manager"
_ROWS = 3
_HELD = SlowAnswer(600)
_GIVEN_UP_AFTER = 300
_FAULTS: dict[str, AnyFault] = {
    "the connection is dropped before a request arrives": Fault.DROPPED_BEFORE,
    "the connection is dropped before its answer arrives": Fault.DROPPED_AFTER,
    "429 in answer to a request": Fault.RATE_LIMITED,
    "503 in answer to a request": Fault.UNAVAILABLE,
    "half of an answer arrives": Fault.TRUNCATED,
    "killed with SIGKILL at a request": _HELD,
}


def answer(_work: Path, _scale: Scale) -> list[Losses]:
    """The partitions that each manager loses, fault by fault."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with running_emulator() as emulator, FaultProxy(emulator.url) as proxy:
        # Over REST, so that every request of ours meets the proxy.
        ours, stock = (_Writer(context, emulator, proxy, name) for name in ("ours over REST", "stock"))
        losses = [
            Losses("g", what, ours.lost(fault), ours.requests, stock.lost(fault), stock.requests, _PEER)
            for what, fault in _FAULTS.items()
        ]
        what = "a column comes in another type"
        return [*losses, Losses("g", what, ours.lost_to_bad_data(), 1, stock.lost_to_bad_data(), 1, _PEER)]


class _Writer:
    """A partition that one manager writes, in a process of its own each time."""

    def __init__(self, context: ForkServerContext, emulator: Emulator, proxy: FaultProxy, manager: str) -> None:
        self._context = context
        self._proxy = proxy
        self._behind_proxy = Emulator(proxy.url, emulator.storage_endpoint)
        self._manager = manager
        self._generation = 0
        self._client = new_project(emulator, f"project-{uuid4().hex[:8]}")
        self._write()
        before = len(proxy.log)
        self._write()
        self.requests = len(proxy.log) - before

    def lost(self, fault: AnyFault) -> int:
        """How many of the writes, each with one faulty request, leave a partition that is neither old nor new."""
        lost = 0
        for at in range(1, self.requests + 1):
            self._proxy.arm(fault, at=at)
            self._write(is_killed=fault == _HELD)
            lost += self._is_lost()
            if self._found() != self._rows_of(self._generation):
                self._write()
        return lost

    def lost_to_bad_data(self) -> int:
        """Whether the partition is lost when it is written from a DataFrame that the table does not take."""
        self._write(is_bad=True)
        return int(self._is_lost())

    def _is_lost(self) -> bool:
        return self._found() not in (self._rows_of(self._generation - 1), self._rows_of(self._generation))

    def _write(self, *, is_killed: bool = False, is_bad: bool = False) -> None:
        self._generation += 1
        child = self._context.Process(
            target=write, args=(self._manager, self._behind_proxy, self._client.project, self._generation, is_bad)
        )
        child.start()
        if is_killed:
            self._proxy.wait_until_held()
            child.kill()
        child.join(_GIVEN_UP_AFTER)
        child.kill()
        self._proxy.disarm()

    def _found(self) -> list[int]:
        return [row[0] for row in self._client.query(f"SELECT events FROM {DATASET}.{REWRITTEN.name}").result()]

    def _rows_of(self, generation: int) -> list[int]:
        return [generation] * _ROWS


def write(manager: str, emulator: Emulator, project: str, generation: int, is_bad: bool) -> None:
    """One materialization of the partition, whose rows say which generation they are of, or are of another type."""
    rows = frame(_ROWS, seed=generation).assign(events="many" if is_bad else generation)
    with at_the_emulator(emulator):
        resources = {"io_manager": MANAGERS[manager](emulator, project)}
        materialize(
            [returning(rows)],
            partition_key=str(FIRST_DAY),
            resources=resources,
            run_config=QUIET,
            raise_on_error=False,
        )
