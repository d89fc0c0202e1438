"""`calback sample`: the sample data, in files and in a Firestore emulator, with progress and a summary.

What is in the sample is the business of `calback_assets.sample`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from calback_assets.cli.bar import bar
from calback_assets.cli.endings import interruptible
from calback_assets.sample import write_sample
from calback_assets.settings import FirestoreEmulator

if TYPE_CHECKING:
    from calback_assets.sample.firestore_upload import FirestoreUpload


def write(folder: Path, users: int, days: int, seed: int, emulator: FirestoreEmulator | None) -> None:
    """Write the sample, fill the emulator with its documents where one is given, and say what was written.

    Raises:
        CalbackError: the numbers are impossible, the folder cannot be written, or the emulator is not there or does
            not take the documents.
        Interrupted: a signal came.
    """
    with interruptible(lambda: "run the same command again to finish"):
        if emulator is None:
            counts = _write_files(folder, users, days, seed)
            source = f"CALBACK_DATA_DIR={folder}"
        else:
            # Asked for first, so that nobody waits for a sample to learn that there is no emulator.
            with _upload_to(emulator) as upload:
                counts = _write_files(folder, users, days, seed)
                title = "documents to Firestore"
                with bar(title, counts["people"] + counts["meetings and proposals"]) as progress:
                    uploaded = upload.replace(folder / "firestore", progress.advance)
                    progress.title(title)
            counts |= {"documents in Firestore": uploaded.written, "others removed there": uploaded.removed}
            source = (
                f"CALBACK_DATA_DIR={folder} FIRESTORE_EMULATOR_HOST={emulator.address} "
                f"CALBACK_GCP_PROJECT={emulator.project}"
            )
    table = Table(title=f"Sample data in {folder}", title_justify="left")
    table.add_column("what")
    table.add_column("how many", justify="right")
    for what, count in counts.items():
        table.add_row(what, f"{count:,}")
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"Next: {source} calback run", soft_wrap=True)


def _write_files(folder: Path, users: int, days: int, seed: int) -> dict[str, int]:
    """Returns what to print."""
    with bar(f"sample of {users} users", days) as progress:
        summary = write_sample(folder, users=users, days=days, seed=seed, on_day=lambda _: progress.advance())
    return {
        "people": summary.users,
        "meetings and proposals": summary.meetings,
        "analytics events": summary.events,
        "access log rows": summary.access_rows,
        "files": summary.files,
        "bytes": summary.bytes,
    }


@contextmanager
def _upload_to(emulator: FirestoreEmulator) -> "Iterator[FirestoreUpload]":
    """The way into an emulator that is there."""
    # Google's libraries take seconds to import.
    from calback_assets.sample.firestore_upload import FirestoreUpload
    from calback_assets.sources.firestore.client import connected

    with connected(emulator.project) as client:
        upload = FirestoreUpload(client, emulator.address)
        upload.check()
        yield upload
