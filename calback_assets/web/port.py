"""The port of this machine that Dagit is to answer on, before anything of Dagit is there."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from calback_assets.errors import CalbackError


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The port, taken before anything is started; 0 takes a free one.

    Raises:
        CalbackError: another program has it, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CalbackError(
                f"port {port} of {host} is taken, perhaps by another Dagit; end it, or choose another with --port"
            ) from None
        reason = str(error.strerror).partition(" (")[0]
        raise CalbackError(
            f"{host} cannot be listened on at port {port}: {reason}; give an address of this machine with "
            "--host, and a port that you may use with --port"
        ) from None
    with listener:
        yield listener
