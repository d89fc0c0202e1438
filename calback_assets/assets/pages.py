"""The report's pages as files: both are replaced, or neither.

Only writing belongs here; what is in a page is made by `calback_assets.report`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from calback_assets.errors import CalbackError
from calback_assets.report.page import Report

_NEW = ".new"


def page_of(folder: Path, language: str) -> Path:
    """Where the page of a language stands."""
    return folder / f"insight.{language}.html"


def write_pages(reports: Mapping[str, Report], folder: Path) -> dict[str, Path]:
    """Write the page of every language into a folder, which is made where it is not there.

    Returns:
        The pages by language.

    Raises:
        CalbackError: they cannot be written; the old pages stand.
    """
    pages = {page_of(folder, language): report.page() for language, report in reports.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for page, text in pages.items():
                _write_new(page, text)
            for page in pages:
                _new(page).replace(page)
        finally:
            for page in pages:
                _new(page).unlink(missing_ok=True)
    except OSError as error:
        raise CalbackError(
            f"insight_report: the pages cannot be written to {folder} ({error.strerror}); the old ones stand; make "
            "room or mend the rights there, or set CALBACK_REPORT_DIR to another folder"
        ) from None
    return {language: page_of(folder, language) for language in reports}


def _new(page: Path) -> Path:
    return page.with_name(page.name + _NEW)


def _write_new(page: Path, text: str) -> None:
    with _new(page).open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        # A disk may say only now that it is full.
        file.flush()
        os.fsync(file.fileno())
