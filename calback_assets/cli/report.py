"""`calback report`, and the answer that closes a run: the three main sentences and where the page stands.

Only the front belongs here: the pages are made by `calback_assets.report`, from tables as they are stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import click
import pandas as pd
from rich.console import Console

from calback_assets.assets.insight.insight_report import PAGE
from calback_assets.assets.pages import write_pages
from calback_assets.cli.show import note_age
from calback_assets.errors import WarehouseError
from calback_assets.report.findings import TABLES, Insight, columns_of
from calback_assets.report.page import reports_of
from calback_assets.settings import LAST_DAY, Settings
from calback_assets.tables import Table
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.warehouse import Session


def print_answer(settings: Settings, language: str, *, is_opening: bool) -> None:
    """Make the pages anew, print the answer, and open the page if that is wanted.

    Raises:
        CalbackError: the warehouse cannot be read, a table was never written, or the pages cannot be.
    """
    out = Console(markup=False, highlight=False, soft_wrap=True)
    warehouse = warehouse_of(settings)
    with warehouse.reading() as session:
        insight = Insight(**read_tables(session, settings, TABLES, "report"))
    note_age(warehouse, Console(stderr=True, markup=False, highlight=False, soft_wrap=True))
    reports = reports_of(insight)
    texts = {code: report.page() for code, report in reports.items()}
    page = write_pages(texts, settings.report_dir, PAGE)[language]
    for line in answer_lines(reports[language].answer, page):
        out.print(line)
    if is_opening:
        click.launch(page.absolute().as_uri())


def answer_lines(sentences: Sequence[str], page: Path) -> Iterator[str]:
    """The answer as lines."""
    yield from (f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1))
    yield f"Report: {page}"


def read_tables(
    session: Session, settings: Settings, tables: Mapping[str, Table], what: str
) -> dict[str, pd.DataFrame]:
    """All rows of the tables that something is made of, under the names that they are given.

    Raises:
        WarehouseError: a table was never written.
    """
    missing = [table.name for table in tables.values() if not session.exists(table)]
    if missing:
        raise WarehouseError(
            f"the {what} is made of tables that were never written: {', '.join(missing)}; make them: calback run, or "
            f"only them: calback run --select '{','.join(missing)}'"
        )
    end = (settings.end_date or LAST_DAY) + timedelta(days=1)

    def ref(table: Table) -> TableRef:
        return TableRef(table, settings.start_date, end) if table.is_partitioned else TableRef(table, None, None)

    return {name: session.read(ref(table), columns_of(table)).to_pandas() for name, table in tables.items()}
