"""A PostgreSQL of one's own: a private cluster in a temporary folder, made of Debian's programs.

It is skipped where they are missing, but not in CI.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = Path("/usr/lib/postgresql")
USER, PASSWORD = "calback", "geheim-und-lang"
_SERVER = "postgres"
"""The account that Debian makes: the server refuses to run as root."""


def _bin() -> Path:
    """The folder of the newest version's programs."""
    found = sorted(PROGRAMS.glob("*/bin/postgres"))
    if not found:
        reason = f"there is no PostgreSQL in {PROGRAMS}; install it: apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found[-1].parent


@contextmanager
def running_postgres() -> Iterator[str]:
    """A server at a socket of its own, as the URL of its only user."""
    programs = _bin()
    # Not pytest's folder: the path of a socket is short, and what is inside belongs to another account.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        (folder / "password").write_text(PASSWORD)
        (folder / "data").mkdir()
        if os.geteuid() == 0:
            account = pwd.getpwnam(_SERVER)
            for path in (folder, *folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        data = folder / "data"
        secret = f"--pwfile={folder / 'password'}"
        _run([programs / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", secret, "-N", "-E", "UTF8"])
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        _run([programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://{USER}:{PASSWORD}@/{_SERVER}?host={folder}"
        finally:
            _run([programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def psql(url: str, sql: str) -> list[list[str]]:
    """What PostgreSQL's own client prints of a query: fields of rows."""
    environ = {**os.environ, "PGPASSWORD": PASSWORD, "PGTZ": "UTC"}
    folder = url.partition("host=")[2]
    command = [_bin() / "psql", "-h", folder, "-U", USER, "-d", _SERVER, "-At", "-F", "\t", "-c", sql]
    printed = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return [line.split("\t") for line in printed.stdout.splitlines()]


def _run(command: Sequence[str | Path]) -> None:
    as_server = ["setpriv", f"--reuid={_SERVER}", f"--regid={_SERVER}", "--clear-groups"] if os.geteuid() == 0 else []
    # The server keeps the pipes of whoever started it.
    subprocess.run([*as_server, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
