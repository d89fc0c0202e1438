"""What goes wrong between a client and Firestore: a status instead of a message, a stall, something that happens.

When and how often is decided here. What the client should make of it is not.
"""

from collections.abc import Callable
from threading import Event, Lock
from typing import Any, TypedDict, Unpack

import grpc

from calback_assets_tests.firestore.refusal import Refusal

_Act = Callable[[grpc.ServicerContext], None]


class Fault:
    """Something that happens to calls: to which of them, after how many messages, and how often.

    Attributes:
        fired: how often it has happened.
    """

    def __init__(self, act: _Act, method: str | None, where: "Where") -> None:
        self.fired = 0
        self._act = act
        self._method = method
        self._after = where.get("after", 0)
        self._times = where.get("times", 1)
        self._when = where.get("when", lambda _: True)
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


class Where(TypedDict, total=False):
    """Which calls a fault happens to, when, and how often."""

    after: int
    """How many messages of a call are sent first, by default none. A call with one answer has one message: after 1
    the work is done and the answer lost."""
    times: int | None
    """How often it happens, by default once; None for good."""
    when: Callable[[Any], bool]
    """Which requests it happens to, given the protocol's message; by default every one."""


class Faults:
    """The faults of a server, to which can be added while it serves.

    A call meets those that are there when it arrives. Each is for one method, `RunQuery` or `Commit` say, or for
    every one when that is None.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def fail(self, code: grpc.StatusCode, method: str | None = None, **where: Unpack[Where]) -> Fault:
        """Ends calls with a status."""

        def act(_: grpc.ServicerContext) -> None:
            raise Refusal(code, "an injected fault")

        return self._add(act, method, where)

    def stall(self, method: str | None = None, **where: Unpack[Where]) -> Fault:
        """Sends nothing more until the client's deadline is over, or it has gone."""

        def act(context: grpc.ServicerContext) -> None:
            over = Event()
            if context.add_callback(over.set):
                over.wait()

        return self._add(act, method, where)

    def call(self, hook: Callable[[], object], method: str | None = None, **where: Unpack[Where]) -> Fault:
        """Calls a function of the test, before the next message is made and sent."""

        def act(_: grpc.ServicerContext) -> None:
            hook()

        return self._add(act, method, where)

    def clear(self) -> None:
        """Lets every later call alone."""
        self._faults = []

    def meeting(self, method: str, request: Any) -> list[Fault]:
        """The faults that can happen to a call."""
        return [fault for fault in self._faults if fault.meets(method, request)]

    def _add(self, act: _Act, method: str | None, where: Where) -> Fault:
        fault = Fault(act, method, where)
        self._faults = [*self._faults, fault]
        return fault
