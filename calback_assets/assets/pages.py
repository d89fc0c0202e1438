"""Pages in every language as files: all of them are replaced, or none.

Only writing belongs here; what is in a page is made by `calback_assets.report` and `calback_assets.dashboard`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from calback_assets.errors import CalbackError

_NEW = ".new"


def page_of(folder: Path, name: str, language: str) -> Path:
    """Where the page of a language stands."""
    return folder / f"{name}.{language}.html"


def write_pages(texts: Mapping[str, str], folder: Path, name: str) -> dict[str, Path]:
    """Write the page of every language into a folder, which is made where it is not there.

    Args:
        texts: the pages by language.
        folder: where they stand.
        name: what their names begin with.

    Returns:
        The pages by language.

    Raises:
        CalbackError: they cannot be written; the old pages stand.
    """
    pages = {page_of(folder, name, language): text for language, text in texts.items()}
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
            f"{name}: the pages cannot be written to {folder} ({error.strerror}); the old ones stand; make "
            "room or mend the rights there, or set CALBACK_REPORT_DIR to another folder"
        ) from None
    return {language: page_of(folder, name, language) for language in texts}


def _new(page: Path) -> Path:
    return page.with_name(page.name + _NEW)


def _write_new(page: Path, text: str) -> None:
    with _new(page).open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        # A disk may say only now that it is full.
        file.flush()
        os.fsync(file.fileno())
