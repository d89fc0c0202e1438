"""xlsx: dates are dates, numbers are numbers, and every text is a text, whatever it begins with.

Only how a workbook is written belongs here.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format as CellFormat
from xlsxwriter.worksheet import Worksheet

from calback_assets.delivery.formats.formulas import is_formula
from calback_assets.delivery.formats.made import SHEET_ROWS, Made, cut
from calback_assets.delivery.piece import Piece
from calback_assets.tables import Table

_Write: TypeAlias = Callable[[Worksheet, int, int, Any], None]

_LONGEST_TEXT = 32_767
_EXACT = 10**15
"""Excel keeps fifteen digits of a number."""
_FIRST_YEAR = 1900
_MADE_AT = datetime(2000, 1, 1, tzinfo=UTC)
"""A workbook says when it was made, and the same rows are to be the same bytes."""
_WIDTHS = {"DATE": 12, "TIMESTAMP": 20, "STRING": 24, "INT64": 14, "FLOAT64": 14, "BOOL": 10}


class XlsxFormat:
    """Writes one workbook, with as many sheets as the rows need, and one that says what the columns are."""

    suffix = "xlsx"

    def __init__(self, sheet_rows: int = SHEET_ROWS) -> None:
        """Begin another sheet after so many lines."""
        self._sheet_rows = sheet_rows

    def write(self, piece: Piece, folder: Path) -> Made:
        """Write the rows of a piece into a new workbook of a folder.

        Raises:
            OSError: there is no room for it.
        """
        path = folder / f"1.{self.suffix}"
        with _opened(path, folder) as book:
            cells = _Cells(book)
            sheets, rows = 0, 0
            sheet = None
            for number, batch in cut(piece.flat(), self._sheet_rows - 1):
                if number == sheets:
                    sheets, line = number + 1, 1
                    sheet = cells.begin(piece.table, sheets)
                cells.rows(sheet, line, batch)
                line += batch.num_rows
                rows += batch.num_rows
            if sheet is None:
                cells.begin(piece.table, 1)
            cells.explain(piece.table)
        notes = [f"{rows:,} rows are more than a sheet takes: {sheets} sheets"] if sheets > 1 else []
        if cells.were_cut:
            notes.append(f"{cells.were_cut:,} texts are longer than a cell takes and were cut at {_LONGEST_TEXT:,}")
        return Made([(path, rows)], notes)


@contextmanager
def _opened(path: Path, folder: Path) -> Iterator[Workbook]:
    """A workbook whose rows go to files of a folder as they come, and that is put together of these at the end.

    Raises:
        OSError: there is no room for it.
    """
    book = Workbook(path, {"constant_memory": True, "tmpdir": str(folder)})
    book.use_zip64()
    book.set_properties({"created": _MADE_AT.replace(tzinfo=None)})
    try:
        yield book
        book.close()
    except FileCreateError as error:
        raise error.args[0] from None  # What the system said.
    finally:
        for sheet in book.worksheets():
            with suppress(OSError):  # Of a disk that is full, which was said already.
                sheet.row_data_fh.close()


class _Cells:
    """The sheets of one workbook."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._head = book.add_format({"bold": True, "bottom": 1})
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._quoted = book.add_format({"quote_prefix": True})
        """Excel takes the text for a text even after somebody has edited it."""
        self.were_cut = 0

    def begin(self, table: Table, number: int) -> Worksheet:
        sheet = self._book.add_worksheet(table.name if number == 1 else f"{table.name} {number}")
        for place, column in enumerate(table.columns):
            sheet.set_column(place, place, max(_WIDTHS.get(column.type, 40), min(len(column.name) + 2, 40)))
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(table.columns):
            self._text(sheet, 0, place, column.name, self._head)
        return sheet

    def rows(self, sheet: Worksheet, line: int, batch: pa.RecordBatch) -> None:
        columns = [
            (place, self._writer(kind), _values(column))
            for place, (kind, column) in enumerate(zip(batch.schema.types, batch.columns, strict=True))
        ]
        for row in range(batch.num_rows):
            for place, write, values in columns:
                if (value := values[row]) is not None:
                    write(sheet, line + row, place, value)

    def explain(self, table: Table) -> None:
        sheet = self._book.add_worksheet("columns")
        sheet.set_column(0, 1, 28)
        sheet.set_column(2, 2, 100)
        lines = [("column", "type", "what it is"), *((c.name, c.type, c.description) for c in table.columns)]
        for row, texts in enumerate(lines):
            for place, text in enumerate(texts):
                self._text(sheet, row, place, text, self._head if row == 0 else None)

    def _writer(self, kind: pa.DataType) -> _Write:
        if pa.types.is_boolean(kind):
            return self._write_boolean
        if pa.types.is_date(kind):
            return self._write_day
        if pa.types.is_timestamp(kind):
            return self._write_time
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return self._write_number
        return self._text

    def _write_boolean(self, sheet: Worksheet, row: int, place: int, value: bool) -> None:
        sheet.write_boolean(row, place, value)

    def _write_day(self, sheet: Worksheet, row: int, place: int, value: date) -> None:
        if value.year < _FIRST_YEAR:
            self._text(sheet, row, place, str(value))
        else:
            sheet.write_datetime(row, place, value, self._day)

    def _write_time(self, sheet: Worksheet, row: int, place: int, value: datetime) -> None:
        if value.year < _FIRST_YEAR:
            self._text(sheet, row, place, str(value))
        else:
            sheet.write_datetime(row, place, value, self._time)

    def _write_number(self, sheet: Worksheet, row: int, place: int, value: float) -> None:
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) > _EXACT):
            self._text(sheet, row, place, str(value))
        else:
            sheet.write_number(row, place, value)

    def _text(self, sheet: Worksheet, row: int, place: int, text: str, look: CellFormat | None = None) -> None:
        if len(text) > _LONGEST_TEXT:
            self.were_cut += 1
            text = text[:_LONGEST_TEXT]
        sheet.write_string(row, place, text, self._quoted if look is None and is_formula(text) else look)


def _values(column: pa.Array) -> list[Any]:
    # Excel knows no time zones: instants are told in UTC.
    naive = column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column
    values: list[Any] = naive.to_pylist()
    return values
