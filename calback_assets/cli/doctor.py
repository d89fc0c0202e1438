"""`calback doctor`: how a deployment stands, in one table.

Only printing belongs here; what is examined, and how, stands in `findings`.
"""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from calback_assets.cli.findings import Finding, State, findings, told
from calback_assets.errors import SettingsError
from calback_assets.settings import Understanding, environment, of_the_file

_STYLES = {State.WELL: "green", State.WARNING: "yellow", State.TROUBLE: "bold red"}
_ARROW = "→ "
"""Before what to do."""


def examine() -> bool:
    """Print what was found; whether there is no trouble."""
    problems: list[Finding] = []
    in_file: Collection[str] = ()
    try:
        in_file = of_the_file(environment())
    except SettingsError as error:
        problems = told("settings", error)  # The rest is as the process was given it.
    understanding = Understanding.of(os.environ, in_file)
    with Console(stderr=True).status("looking at the sources and the warehouse"):  # Seen by a terminal alone.
        found = problems + findings(understanding, os.environ, datetime.now(UTC))
    _print(found)
    return all(finding.state is not State.TROUBLE for finding in found)


def _print(found: Sequence[Finding]) -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    if console.is_terminal:
        console.print(_grid(found), soft_wrap=False)
    else:
        for finding in found:
            remedy = f" {_ARROW}{finding.remedy}" if finding.remedy else ""
            console.print(f"{finding.state}: {finding.what}: {finding.so}{remedy}")
    count = Counter(finding.state for finding in found)
    console.print(f"trouble: {count[State.TROUBLE]}, warnings: {count[State.WARNING]}")


def _grid(found: Sequence[Finding]) -> Grid:
    grid = Grid()
    for name in ("what", "state"):
        grid.add_column(name, no_wrap=True)
    grid.add_column("what is so, and what to do", overflow="fold")
    last = None
    for finding in found:
        if last not in (None, finding.what):
            grid.add_section()
        cell = Text(finding.so)
        if finding.remedy:
            cell.append(f"\n{_ARROW}{finding.remedy}", "bold")
        grid.add_row("" if finding.what == last else finding.what, Text(finding.state, _STYLES[finding.state]), cell)
        last = finding.what
    return grid
