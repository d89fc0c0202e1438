"""`calback dashboard`: the pages made anew, and where they stand.

Only the front belongs here: the pages are made by `calback_assets.dashboard`, from tables as they are stored.
"""

from pathlib import Path

import click
from rich.console import Console

from calback_assets.assets.delivery.dashboard import DASHBOARD, TABLES, read_annotations
from calback_assets.assets.pages import write_pages
from calback_assets.cli.report import read_tables
from calback_assets.cli.show import note_age
from calback_assets.dashboard.figures import Rows
from calback_assets.dashboard.page import pages_of
from calback_assets.report.findings import Insight
from calback_assets.settings import Settings
from calback_assets.warehouse.deployed import warehouse_of


def write_dashboard(settings: Settings, language: str, *, is_opening: bool) -> None:
    """Make the pages anew, say where the one in the language is, and open it if that is wanted.

    Raises:
        CalbackError: the warehouse or the annotations cannot be read, a table was never written, or the pages cannot
            be.
    """
    annotations = read_annotations(settings.annotations)
    warehouse = warehouse_of(settings)
    with warehouse.reading() as session:
        found = read_tables(session, settings, TABLES, DASHBOARD)
    note_age(warehouse, Console(stderr=True, markup=False, highlight=False, soft_wrap=True))
    rows = Rows(active=found.pop("active"), by=found.pop("by"), insight=Insight(**found))
    pages = write_pages(pages_of(rows, annotations, settings.frequent_min_days), settings.report_dir, DASHBOARD)
    Console(markup=False, highlight=False, soft_wrap=True).print(dashboard_line(pages[language]))
    if is_opening:
        click.launch(pages[language].absolute().as_uri())


def dashboard_line(page: Path) -> str:
    """Where the page stands, as a line."""
    return f"Dashboard: {page}"
