"""How a command ends that somebody interrupts: at once, in one sentence, with the exit code of the signal.

Signals belong here, and nothing of what a command does. While a job runs Dagster handles SIGINT and SIGTERM itself,
both alike, and a library may lose one or make another error of it. So whether one came, and which, is read from the
process's wake-up pipe, into which Python writes a signal whoever handles it.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

_ASKING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The command was asked to end, and its work has ended."""


class _Signals:
    """What this process has heard, and what is to be said of it."""

    def __init__(self) -> None:
        self.said: Callable[[], str] = lambda: "nothing was begun"
        self.is_at_work = False
        self._heard: list[int] = []
        self._pipe: int | None = None

    def listen(self) -> None:
        self._pipe, written = os.pipe()
        for end in (self._pipe, written):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        for number in _ASKING:
            signal.signal(number, self._end)
        sys.unraisablehook = self._lose

    def heard(self) -> list[int]:
        """All that came, in their order."""
        if self._pipe is not None:
            with suppress(BlockingIOError):
                self._heard += [number for number in os.read(self._pipe, 4096) if number in _ASKING]
        return self._heard

    @contextmanager
    def stopping_at_once(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop` when a signal comes inside: no handler runs before a statement in C++ has ended."""
        if self._pipe is None:
            yield
            return
        heard, (ended, end) = self._pipe, os.pipe()

        def wait() -> None:
            readable, _, _ = select.select([heard, ended], [], [])
            if ended not in readable:
                stop()

        waiting = threading.Thread(target=wait)
        waiting.start()
        try:
            yield
        finally:
            # Left alone, it would keep the modules that it knows past the end of the interpreter, and DuckDB says so.
            os.close(end)
            waiting.join()
            os.close(ended)

    def _end(self, number: int, _: FrameType | None) -> None:
        if not self.is_at_work:
            # There is nothing to undo, and an exception would have to find its way out of an import.
            os.write(2, sentence().encode())
            os._exit(128 + number)
        if len(self.heard()) == 1:  # The second finds the work ending.
            raise KeyboardInterrupt

    def _lose(self, lost: "sys.UnraisableHookArgs") -> None:
        """An interrupt that came in the middle of a clean-up is lost there; `go_on` finds it again."""
        if not self.heard():
            sys.__unraisablehook__(lost)


_signals = _Signals()


def listen() -> None:
    """Take the signals of this process for the command's."""
    _signals.listen()


def cease() -> None:
    """The command has ended: a signal would only break off the interpreter's own clean-up."""
    for number in _ASKING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def interruptible(said: Callable[[], str], stop: Callable[[], None] | None = None) -> Iterator[None]:
    """Work that a signal ends, whatever becomes of the signal on its way through the libraries.

    Args:
        said: what there is to say of the work so far, and how to go on; also of a signal that comes later.
        stop: breaks off, from another thread, what the work is waiting for.

    Raises:
        Interrupted: a signal came.
    """
    _signals.said = said
    _signals.is_at_work = True
    try:
        with _signals.stopping_at_once(stop) if stop else nullcontext():
            yield
        go_on()
    except BaseException as error:
        if _signals.heard() or isinstance(error, KeyboardInterrupt):
            raise Interrupted from error
        raise
    finally:
        _signals.is_at_work = False


def go_on() -> None:
    """Pass, as long as nobody has asked the command to end.

    Raises:
        KeyboardInterrupt: somebody has, and a library has lost it.
    """
    if _signals.heard():
        raise KeyboardInterrupt


def sentence() -> str:
    """What is said of an interrupt, below the ^C that a terminal shows."""
    below = "\n" if _signals.heard()[:1] == [signal.SIGINT] and sys.stderr.isatty() else ""
    return f"{below}error: interrupted; {_signals.said()}\n"


def code() -> int:
    """The exit code of an interrupted command, as a shell knows it."""
    return 128 + (_signals.heard() or [signal.SIGINT])[0]
