"""What happened on which day, from a file that people keep: dates to be marked in the pictures.

Reading the text belongs here; where the file is, its reader knows.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from calback_assets.days import parse_day
from calback_assets.errors import SourceError

_COLUMNS = ("date", "text", "text_ko")
_LONGEST = 200


@dataclass(frozen=True)
class Annotation:
    """A day, and what happened on it in each language."""

    day: date
    text: str
    text_ko: str

    def said(self, language: str) -> str:
        """In a language."""
        return self.text_ko if language == "ko" else self.text


def annotations_of(content: str, name: str) -> Sequence[Annotation]:
    """The lines of a CSV file `date,text,text_ko` in the order of their days; `text_ko` may be missing or empty.

    Args:
        content: what is in the file.
        name: how errors call the file.

    Raises:
        SourceError: a line is none; names the file and the line.
    """
    lines = csv.reader(content.splitlines(), strict=True)
    found = []
    try:
        header = next(lines, [])
        if header not in ([*_COLUMNS], [*_COLUMNS[:2]]):
            raise _refused(name, 1, f"it begins with the names of its columns, {','.join(_COLUMNS)}")
        for cells in lines:
            if cells:
                found.append(_annotation(cells, len(header), name, lines.line_num))
    except csv.Error:
        raise _refused(name, lines.line_num, "a quotation mark is not closed, or closes too early") from None
    return sorted(found, key=lambda annotation: annotation.day)


def _annotation(cells: Sequence[str], width: int, name: str, line: int) -> Annotation:
    if len(cells) != width:
        raise _refused(name, line, f"it has {len(cells)} columns, not {width}; put a text with a comma into quotes")
    day, text, korean = [*(cell.strip() for cell in cells), ""][:3]
    try:
        parsed = parse_day(day)
    except ValueError:
        raise _refused(name, line, "its date is no day; write it as YYYY-MM-DD") from None
    if not text or max(len(text), len(korean)) > _LONGEST:
        raise _refused(name, line, f"its text is empty, or longer than {_LONGEST} characters")
    return Annotation(parsed, text, korean or text)


def _refused(name: str, line: int, why: str) -> SourceError:
    return SourceError(f"{name}, line {line}: {why}")
