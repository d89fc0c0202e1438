"""`calback sample`: the sample data, with progress and a summary.

What is in the sample is the business of `calback_assets.sample`.
"""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from calback_assets.cli.bar import bar
from calback_assets.sample import write_sample


def write(folder: Path, users: int, days: int, seed: int) -> None:
    """Write the sample and say what was written.

    Raises:
        CalbackError: the numbers are impossible, or the folder cannot be written.
    """
    with bar(f"sample of {users} users", days) as progress:
        summary = write_sample(folder, users=users, days=days, seed=seed, on_day=lambda _: progress.advance())
    table = Table(title=f"Sample data in {folder}", title_justify="left")
    table.add_column("what")
    table.add_column("how many", justify="right")
    for what, count in (
        ("people", summary.users),
        ("meetings and proposals", summary.meetings),
        ("analytics events", summary.events),
        ("access log rows", summary.access_rows),
        ("files", summary.files),
        ("bytes", summary.bytes),
    ):
        table.add_row(what, f"{count:,}")
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"Next: CALBACK_DATA_DIR={folder} calback run", soft_wrap=True)
