"""The progress bar of every command that takes time.

Only how progress looks belongs here; what is counted is for the command to say.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from calback_assets.cli.endings import go_on


class _Moving(Progress):
    """Progress that looks how far things have come each time that it is drawn."""

    look: Callable[[], None] | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.look:
            self.look()
        yield from super().get_renderables()


class Bar:
    """How far a command has come."""

    def __init__(self, progress: Progress, title: str, total: int, share: Callable[[], float]) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)
        self._total = total
        self._share = share
        self._done = self._begun = 0
        self._shown = 0.0

    def begin(self, count: int) -> None:
        """So many are done at once, from now on."""
        self._begun = count
        self._shown = self._done

    def look(self) -> None:
        """Move by as much as is done of what was begun, and never back."""
        self._shown = max(self._shown, min(self._done + self._begun * self._share(), self._total))
        self._progress.update(self._task, completed=self._shown)

    def advance(self, doing: str | None = None, count: int = 1) -> None:
        """One more is done, or several.

        Raises:
            KeyboardInterrupt: somebody has asked the command to end.
        """
        self._done += count
        self._begun = 0
        self._shown = max(self._shown, self._done)
        self._progress.update(self._task, completed=self._shown, description=doing)
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
def bar(title: str, total: int, share: Callable[[], float] = lambda: 0.0) -> Iterator[Bar]:
    """A bar on stderr with the elapsed time; where stderr is no terminal, one line at the end.

    Args:
        title: what stands before it.
        total: how many there are to do.
        share: how much is done of those that are done at once, from 0 to 1; asked from another thread.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _Moving(*columns, console=Console(stderr=True)) as progress:
        made = Bar(progress, title, total, share)
        progress.look = made.look
        yield made
