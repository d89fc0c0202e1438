"""What goes wrong between a client and Firestore: a status instead of a message, a stall, something that happens.

When and how often is decided here. What the client should make of it is not.
"""

from collections.abc import Callable
from threading import Event, Lock
from typing import Any

import grpc

from calback_assets_tests.firestore.refusal import Refusal

_Act = Callable[[grpc.ServicerContext], None]


def _anything(_: Any) -> bool:
    return True


class Fault:
    """Something that happens to calls: to which of them, after how many messages, and how often.

    Attributes:
        fired: how often it has happened.
    """

    def __init__(self, act: _Act, method: str | None, after: int, times: int | None, when: Callable[[Any], bool]):
        self.fired = 0
        self._act = act
        self._method = method
        self._after = after
        self._times = times
        self._when = when
        self._lock = Lock()
        self._happened = Event()

    def wait_until_fired(self, seconds: float = 60) -> None:
        """Waits until it has happened once, or, where it lasts, has begun."""
        if not self._happened.wait(seconds):
            raise TimeoutError(f"no call met the fault within {seconds} s")

    def meets(self, method: str, request: Any) -> bool:
        """Whether it can happen to a call."""
        return self._method in (None, method) and self._when(request)

    def strike(self, sent: int, context: grpc.ServicerContext) -> None:
        """Happens to a call, where its time has come.

        Raises:
            Refusal: the status that the call ends with.
        """
        if sent != self._after:
            return
        with self._lock:
            if self._times is not None and self.fired >= self._times:
                return
            self.fired += 1
        self._happened.set()
        self._act(context)


class Faults:
    """The faults of a server, which can be added while it serves; a call meets those that are there when it arrives.

    Each method takes the same:
        method: `RunQuery`, `Commit` and so on; None for every one.
        after: how many messages of the call are sent first. A call with one answer has one message: with 1 the work
            is done and its answer lost.
        times: how often it happens; None for good.
        when: which requests it happens to, given the protocol's message.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def fail(
        self,
        code: grpc.StatusCode,
        method: str | None = None,
        *,
        after: int = 0,
        times: int | None = 1,
        when: Callable[[Any], bool] = _anything,
    ) -> Fault:
        """Ends calls with a status."""

        def act(_: grpc.ServicerContext) -> None:
            raise Refusal(code, "an injected fault")

        return self._add(Fault(act, method, after, times, when))

    def stall(
        self,
        method: str | None = None,
        *,
        after: int = 0,
        times: int | None = 1,
        when: Callable[[Any], bool] = _anything,
    ) -> Fault:
        """Sends nothing more until the client's deadline is over, or it has gone."""

        def act(context: grpc.ServicerContext) -> None:
            over = Event()
            if context.add_callback(over.set):
                over.wait()

        return self._add(Fault(act, method, after, times, when))

    def call(
        self,
        hook: Callable[[], object],
        method: str | None = None,
        *,
        after: int = 0,
        times: int | None = 1,
        when: Callable[[Any], bool] = _anything,
    ) -> Fault:
        """Calls a function of the test, before the next message is made and sent."""

        def act(_: grpc.ServicerContext) -> None:
            hook()

        return self._add(Fault(act, method, after, times, when))

    def clear(self) -> None:
        """Lets every later call alone."""
        self._faults = []

    def meeting(self, method: str, request: Any) -> list[Fault]:
        """The faults that can happen to a call."""
        return [fault for fault in self._faults if fault.meets(method, request)]

    def _add(self, fault: Fault) -> Fault:
        self._faults = [*self._faults, fault]
        return fault
