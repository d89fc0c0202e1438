"""How anything here is measured: in a process of its own, timed inside it, in turns with its peers.

Processes, clocks and memory belong here; what is measured stands in the other modules. Linux only: the peak of a
process's memory is read from `/proc`.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Work: TypeAlias = Callable[[], None]
"""What the clock runs for."""
Subject: TypeAlias = Callable[..., Work]
"""A module-level function that makes everything ready and returns the work; its arguments fit into JSON."""


@dataclass(frozen=True)
class Scale:
    """How large everything is, and how often it is measured."""

    events: int
    """App events a day; the rows of the access log, meetings and users follow from it."""
    days: int
    short_history: int
    long_history: int
    rewritten_rows: int
    runs: int
    seeds: int
    """Of samples, where chance is measured."""

    @property
    def opens(self) -> int:
        """Access-log rows a day."""
        return self.events // 5

    @property
    def meetings(self) -> int:
        """Meetings a day."""
        return self.events // 50

    @property
    def users(self) -> int:
        """People with an account."""
        return self.events // 10


FULL = Scale(events=1_000_000, days=30, short_history=30, long_history=365, rewritten_rows=1_000_000, runs=3, seeds=40)
QUICK = Scale(events=50_000, days=3, short_history=5, long_history=40, rewritten_rows=50_000, runs=1, seeds=3)


@dataclass(frozen=True)
class Cost:
    """What one piece of work took."""

    seconds: float
    megabytes: float
    """The process's peak of resident memory."""
    made: object = None
    """What was found in the folder afterwards, to be held against what others made."""


Contestant: TypeAlias = Callable[[Path], Cost]
"""One side of a comparison: works in an empty folder of its own."""


def in_turns(work: Path, runs: int, contestants: Mapping[str, Contestant]) -> dict[str, Cost]:
    """The median cost of each, measured in turns, so that a slow minute of the machine hits all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    for run in range(runs):
        # Who goes first changes: the second finds the input in the page cache.
        order = list(contestants.items())
        for name, measure in order if run % 2 == 0 else reversed(order):
            with tempfile.TemporaryDirectory(dir=work) as folder:
                cost = measure(Path(folder))
            print(f"  {name}: {cost.seconds:.2f} s", file=sys.stderr, flush=True)
            assert not costs[name] or cost.made == costs[name][0].made, f"{name} makes something else each time"
            costs[name].append(cost)
    return {
        name: Cost(
            statistics.median(cost.seconds for cost in measured),
            statistics.median(cost.megabytes for cost in measured),
            measured[0].made,
        )
        for name, measured in costs.items()
    }


def in_child(subject: Subject, look: Callable[[Path], object], **arguments: str | int) -> Contestant:
    """A contestant that works in a fresh interpreter, with imports and preparation left out of its time.

    Args:
        subject: is given the contestant's folder as `folder`, and the arguments.
        look: tells what was made in the folder; not timed.
        arguments: the subject's other arguments.
    """

    def measure(folder: Path) -> Cost:
        order = {
            "module": subject.__module__,
            "function": subject.__name__,
            "arguments": {**arguments, "folder": str(folder)},
        }
        printed = _run([sys.executable, "-m", "benchmarks.child", json.dumps(order)], {})
        return Cost(**json.loads(printed.splitlines()[-1]), made=look(folder))

    return measure


def whole_process(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """The time of a command from its start to its end; memory of a tree of processes is not told."""
    started = time.perf_counter()
    _run(command, environment)
    return Cost(time.perf_counter() - started, math.nan)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    # Nothing of the caller's own deployment or instance gets in.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
    finished = subprocess.run(
        command,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{finished.stderr[-5000:]}")
    return finished.stdout
