"""The formats of files: how rows become one file or several.

A module for each; where a file goes to does not belong here.
"""

from calback_assets.delivery.formats.csv_format import CsvFormat
from calback_assets.delivery.formats.made import Format
from calback_assets.delivery.formats.parquet_format import ParquetFormat
from calback_assets.delivery.formats.xlsx_format import XlsxFormat

FORMATS: dict[str, Format] = {made.suffix: made for made in (CsvFormat(), XlsxFormat(), ParquetFormat())}

__all__ = ["FORMATS", "Format"]
