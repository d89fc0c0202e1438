"""The progress bar of every command that takes time.

Only how progress looks belongs here; what is counted is for the command to say.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from calback_assets.cli.endings import go_on


class Bar:
    """How far a command has come."""

    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)
        self._total = total

    def advance(self, doing: str | None = None, count: int = 1) -> None:
        """One more is done, or several.

        Raises:
            KeyboardInterrupt: somebody has asked the command to end.
        """
        self._progress.update(self._task, advance=count, description=doing)
        go_on()

    def expect_one_more(self) -> None:
        """More turned out to be needed than was known at the start."""
        self._total += 1
        self._progress.update(self._task, total=self._total)

    def note(self, text: str) -> None:
        """Say something above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def title(self, text: str) -> None:
        """Change what stands before the bar."""
        self._progress.update(self._task, description=text)


@contextmanager
def bar(title: str, total: int) -> Iterator[Bar]:
    """A bar on stderr with the elapsed time; where stderr is no terminal, one line at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bar(progress, title, total)
