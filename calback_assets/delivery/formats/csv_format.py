"""CSV: UTF-8 with the mark that tells Excel so, and no text that a spreadsheet would run.

Only how a CSV is written belongs here.
"""

from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from calback_assets.delivery.formats.formulas import defused
from calback_assets.delivery.formats.made import SHEET_ROWS, Made, cut
from calback_assets.delivery.piece import Piece

_MARK = b"\xef\xbb\xbf"
"""Without it Excel takes the file for one in the code page of its country."""


class CsvFormat:
    """Writes CSV: as many files as a spreadsheet needs to open them."""

    suffix = "csv"

    def __init__(self, sheet_rows: int = SHEET_ROWS) -> None:
        """Begin another file after so many lines."""
        self._sheet_rows = sheet_rows

    def write(self, piece: Piece, folder: Path) -> Made:
        """Write the rows of a piece into new files of a folder.

        Raises:
            OSError: there is no room for them.
        """
        schema = pa.schema([(name, pa.string()) for name in piece.table.column_names])
        files: list[tuple[Path, int]] = []
        with ExitStack() as opened:

            def begin(schema: pa.Schema) -> csv.CSVWriter:
                opened.close()
                path = folder / f"{len(files) + 1}.{self.suffix}"
                file = opened.enter_context(path.open("wb"))
                file.write(_MARK)
                files.append((path, 0))
                return opened.enter_context(csv.CSVWriter(file, schema))

            for number, batch in cut(piece.flat(), self._sheet_rows - 1):
                safe = _safe(batch)
                if number == len(files):
                    writer = begin(safe.schema)
                writer.write_batch(safe)
                path, rows = files[-1]
                files[-1] = (path, rows + batch.num_rows)
            if not files:
                begin(pa.schema([(name, pa.string()) for name in map(_name, schema.names)]))
        total = sum(rows for _, rows in files)
        notes = [f"{total:,} rows are more than a sheet takes: {len(files)} files"] if len(files) > 1 else []
        return Made(files, notes)


def _safe(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [defused(column) if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=list(map(_name, batch.schema.names)))


def _name(column: str) -> str:
    return str(defused(pa.array([column]))[0].as_py())
