"""The one table of results, in `README.md` between its markers, with the machine it was measured on.

Formatting belongs here; figures come from the questions' modules.
"""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

README = Path(__file__).with_name("README.md")

_BEGIN, _END = "<!-- begin: results -->", "<!-- end: results -->"
_HEAD = "| | what | ours | peer | ratio | at most | |\n|---|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Row:
    """One figure of ours beside that of a peer."""

    question: str
    what: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    at_most: float | None
    """What our figure divided by the peer's should not exceed; None where it is only told."""

    @property
    def text(self) -> str:
        """The row in Markdown."""
        ratio = self.ours / self.peer
        verdict = "" if self.at_most is None else "met" if ratio <= self.at_most else "**not met**"
        at_most = "" if self.at_most is None else f"{self.at_most:g}"
        return (
            f"| {self.question} | {self.what} | {self._shown(self.ours)} | {self._shown(self.peer)} ({self.peer_name}) "
            f"| {ratio:.2f} | {at_most} | {verdict} |"
        )

    def _shown(self, value: float) -> str:
        return f"{value:,.0f} MB" if self.unit == "MB" else f"{value:,.2f} {self.unit}"


@dataclass(frozen=True)
class Losses:
    """How many partitions were lost, ours beside those of a peer; ours should lose none."""

    question: str
    what: str
    ours: int
    our_writes: int
    peers: int
    peer_writes: int
    peer_name: str

    @property
    def text(self) -> str:
        """The row in Markdown."""
        return (
            f"| {self.question} | partitions lost: {self.what} | {self.ours} of {self.our_writes} "
            f"| {self.peers} of {self.peer_writes} ({self.peer_name}) | | 0 | {'**not met**' if self.ours else 'met'} |"
        )


@dataclass(frozen=True)
class Share:
    """In how many of so many trials something happened, and the share at which that is good enough."""

    question: str
    what: str
    times: int
    trials: int
    bound: float | None
    """None where the share is only told."""
    is_floor: bool = False
    """Whether the share should reach the bound, or not exceed it."""

    @property
    def text(self) -> str:
        """The row in Markdown."""
        bound = verdict = ""
        if self.bound is not None:
            share = self.times / self.trials
            is_met = share >= self.bound if self.is_floor else share <= self.bound
            bound = f"{'at least' if self.is_floor else 'at most'} {self.bound:.0%}"
            verdict = "met" if is_met else "**not met**"
        return f"| {self.question} | {self.what} | {self.times} of {self.trials} | {bound} | | | {verdict} |"


def markdown(rows: list[str], conditions: str) -> str:
    """The table, and under which conditions it was measured."""
    return "\n".join((_HEAD, *rows, "", conditions))


def conditions(runs: int) -> str:
    """The machine and the versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("dagster", "duckdb", "sqlglot", "pandas", "pyarrow"))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return (
        f"Medians of {runs} runs on {os.cpu_count()} cores ({_cpu_model()}), {memory:.0f} GB of memory, "
        f"{platform.system()}, Python {platform.python_version()}, {packages}."
    )


def publish(rows: list[str], said: str) -> None:
    """Put the rows into the README; those of other questions stay if they were measured under the same conditions."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    old, after = rest.split(_END)
    kept = [line for line in old.splitlines() if re.match(r"\| [a-z] \|", line)] if said in old else []
    measured = {_letter(row) for row in rows}
    merged = sorted([line for line in kept if _letter(line) not in measured] + rows, key=_letter)
    README.write_text(f"{before}{_BEGIN}\n{markdown(merged, said)}\n{_END}{after}", encoding="utf-8")


def _letter(row: str) -> str:
    return row.split("|")[1].strip()


def _cpu_model() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return found[1] if found else platform.machine()
