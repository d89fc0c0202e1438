"""What holds for every test: none reaches a network, but those of `make test-gcp`; and the fixtures of all folders.

Other fixtures live beside the tests that use them. The guard sees the sockets of this
process that Python opens, not those of a child process or of gRPC's own C core.
"""

import gc
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from xdist.remote import Producer

from calback_assets_tests.turns import Scheduling, longest_first

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from calback_assets_tests.bigquery.clients import Emulator
    from calback_assets_tests.firestore.server import Firestore


_NEW_BEFORE_COLLECTION = 100_000
"""As few collections of garbage as memory admits: with Python's own number they take a tenth of the suite's time."""


def _refuse_the_network() -> None:
    """Guard what opens a connection. A hook of `sys.audit` would be asked at each `id` and each frame as well."""
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, _guarded(name, getattr(socket.socket, name), lambda given: given[-1][0]))
    socket.getaddrinfo = _guarded("getaddrinfo", socket.getaddrinfo, lambda given: given[0])


def _guarded(name: str, function: Callable[..., Any], host_in: Callable[[Sequence[Any]], object]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*given: Any, **options: Any) -> Any:
        is_internet = not isinstance(given[0], socket.socket) or given[0].family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and not _is_this_machine(host := host_in(given)):
            # Not an OSError: code that retries or tolerates a lost connection must not hide it.
            raise RuntimeError(f"a test reached for the network: {name} to {host!r}")
        return function(*given, **options)

    return guarded


def _is_this_machine(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def pytest_configure(config: pytest.Config) -> None:
    """Shut the network off, except for the suite that needs it; keep what is compiled."""
    # Whatever the machine says: each worker, and each of a hundred commands, would compile every module anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    gc.set_threshold(_NEW_BEFORE_COLLECTION)
    _read_migrations_once()
    if not _is_gcp(config):
        # Google's library reads it once, when it is imported, and would look for a metadata server.
        os.environ["NO_GCE_CHECK"] = "true"
        _refuse_the_network()


def _read_migrations_once() -> None:
    """Let Alembic keep what it has read: for each instance of hundreds Dagster has it read all of its migrations."""
    read, known = ScriptDirectory.from_config, dict[str | None, ScriptDirectory]()

    def from_config(config: Config) -> ScriptDirectory:
        location = config.get_main_option("script_location")
        if location not in known:
            known[location] = read(config)
        return known[location]

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign]


def _hasten_events_in_memory() -> None:
    """For each of a run's hundreds of events Dagster's instances in memory open their database anew.

    And they look into it for tables and columns that versions before this one may not have made.
    """
    from dagster._core.storage.event_log.in_memory import InMemoryEventLogStorage
    from dagster._core.storage.event_log.schema import AssetKeyTable, SqlEventLogStorageMetadata

    connect = InMemoryEventLogStorage._connect

    @contextmanager
    def connected(storage: InMemoryEventLogStorage) -> "Iterator[Connection]":
        if threading.current_thread() is not threading.main_thread():  # SQLite's connections are their thread's.
            with connect(storage) as connection:
                yield connection
        else:
            with storage._db_lock, storage._held_conn.begin():
                yield storage._held_conn

    def has_table(_: InMemoryEventLogStorage, name: str) -> bool:
        return name in SqlEventLogStorageMetadata.tables

    def has_column(_: InMemoryEventLogStorage, __: "Connection", name: str) -> bool:
        return name in AssetKeyTable.columns

    InMemoryEventLogStorage._connect = connected  # type: ignore[method-assign]
    InMemoryEventLogStorage.has_table = has_table  # type: ignore[method-assign]
    InMemoryEventLogStorage._has_asset_key_col_on_connection = has_column  # type: ignore[method-assign]


def _is_gcp(config: pytest.Config) -> bool:
    return config.option.markexpr == "gcp"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """What stays together stays on one worker."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest begin."""
    items[:] = longest_first(items)


def pytest_collection_finish() -> None:
    """What was imported is known, and stays: no collection of garbage need look at it again."""
    if "dagster" in sys.modules:
        _hasten_events_in_memory()
    gc.collect()
    gc.freeze()


@pytest.fixture
def no_collection() -> Iterator[None]:
    """No finalizer of what other tests have left runs while a parser is at the end of its stack, and fails there."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> str:
    """The id of a real Google project, which is billed."""
    found = os.environ.get("CALBACK_GCP_PROJECT")
    if not found or not _is_gcp(request.config):
        pytest.skip("needs a real Google project: CALBACK_GCP_PROJECT=... make test-gcp")
    return found


@pytest.fixture(scope="session")
def emulator() -> "Iterator[Emulator]":
    """A BigQuery for all tests of this process, each in a project or dataset of its own."""
    from calback_assets_tests.bigquery.emulator import running_emulator  # Seconds, which few tests need.

    with running_emulator() as started:
        yield started


@pytest.fixture
def firestore(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Firestore]":
    """An empty Firestore, which every client of this process reaches while the test runs."""
    from calback_assets_tests.firestore.server import Firestore  # Few tests need the client library.

    with Firestore() as serving:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", serving.host)
        yield serving
