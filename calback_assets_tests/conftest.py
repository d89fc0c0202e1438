"""What holds for every test: none of them reaches a network.

Only that belongs here; fixtures live beside the tests that use them. The guard sees the sockets of this
process that Python opens, not those of a child process or of gRPC's own C core.
"""

import ipaddress
import socket
import sys


def _refuse_the_network(event: str, args: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        connection, address = args
        if not isinstance(connection, socket.socket) or not isinstance(address, tuple):
            return
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        host = address[0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if not _is_this_machine(host):
        # Not an OSError: code that retries or tolerates a lost connection must not hide it.
        raise RuntimeError(f"a test reached for the network: {event} to {host!r}")


def _is_this_machine(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


sys.addaudithook(_refuse_the_network)
