"""Parquet: the contract's own types, nested ones among them.

Only how a Parquet file is written belongs here.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from calback_assets.delivery.formats.made import Made
from calback_assets.delivery.piece import Piece
from calback_assets.warehouse.rows import arrow_schema


class ParquetFormat:
    """Writes one file, however many rows there are."""

    suffix = "parquet"

    def write(self, piece: Piece, folder: Path) -> Made:
        """Write the rows of a piece into a new file of a folder.

        Raises:
            OSError: there is no room for it.
        """
        path, rows = folder / f"1.{self.suffix}", 0
        schema = arrow_schema(piece.table)
        described = pa.schema(
            [
                part.with_metadata({"description": column.description})
                for part, column in zip(schema, piece.table.columns, strict=True)
            ]
        )
        with pq.ParquetWriter(path, described, compression="zstd") as writer:
            for batch in piece.nested():
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=described))
                rows += batch.num_rows
        return Made([(path, rows)])
