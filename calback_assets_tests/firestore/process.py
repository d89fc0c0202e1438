"""The server in a process of its own, for measurements: there it shares no interpreter lock with the client.

`python -m calback_assets_tests.firestore.process FOLDER` prints its address when it is ready, and ends with its
standard input, so that it never outlives who started it.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from calback_assets_tests.firestore.files import load_folder
from calback_assets_tests.firestore.server import Firestore


@contextmanager
def serving(folder: Path, project: str = "calback-test") -> Iterator[str]:
    """The address of a server in a process of its own, with the documents of a folder of `<collection>.jsonl`."""
    command = [sys.executable, "-m", "calback_assets_tests.firestore.process", str(folder), "--project", project]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host = process.stdout.readline().strip()
        if not host:
            raise RuntimeError("the Firestore of the tests did not start; its own error stands above")
        yield host
        # The block of Popen closes the input, which ends the process, and waits for it.


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--project", default="calback-test", show_default=True)
@click.option("--port", default=0, help="The port on the loopback interface; 0 for a free one.")
def main(folder: Path, project: str, port: int) -> None:
    """Serves the documents of FOLDER, a file <collection>.jsonl each, until standard input ends."""
    with Firestore(project, port=port) as firestore:
        load_folder(firestore.store, folder)
        click.echo(firestore.host)
        sys.stdin.read()


if __name__ == "__main__":
    main()
