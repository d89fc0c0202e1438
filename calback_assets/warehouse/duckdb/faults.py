"""What DuckDB raises, in the words of a person who has to mend it.

The faults of files, disks and signals belong here; what is wrong with rows does not.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from calback_assets.errors import WarehouseError


@contextmanager
def faults_of_the_machine(path: Path) -> Iterator[None]:
    """What is the fault of no data and no query, told as what it is.

    Raises:
        WarehouseError: the disk is full.
        KeyboardInterrupt: a signal came.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if "Query interrupted" in str(error):  # What DuckDB makes of the exception that the signal's handler raises.
            raise KeyboardInterrupt from None
        raise
    except duckdb.Error as error:
        if full := _full_disk(path, error):
            raise WarehouseError(full) from None
        raise


def _full_disk(path: Path, error: duckdb.Error) -> str | None:
    text = str(error)
    if not re.search("No space left on device|Disk quota exceeded|max_temp_directory_size", text):
        return None
    named = re.search('file "([^"]+)"', text)  # The warehouse, its log, or what did not fit into memory.
    return (
        f"the disk of {named[1] if named else path} is full; every table is as it was before the day that was being "
        "written; make room there, or set CALBACK_DUCKDB_PATH to a copy of the warehouse on another disk, and run it "
        "again"
    )


def unmakeable(path: Path, why: str | None) -> WarehouseError:
    """The error for a file that cannot be made."""
    return WarehouseError(
        f"the warehouse {path} cannot be made: {why}; set CALBACK_DUCKDB_PATH to a file in a folder that can be written"
    )


def unwritable(path: Path) -> WarehouseError:
    """The error for a file that may be read alone."""
    return WarehouseError(
        f"the warehouse {path} cannot be opened for writing; set CALBACK_DUCKDB_PATH to a file that this user may write"
    )


def why_unopenable(path: Path, error: duckdb.Error) -> str:
    """The sentence for a file that DuckDB does not open."""
    text = str(error)
    if full := _full_disk(path, error):
        return full
    if "not a valid DuckDB" in text:
        return (
            f"{path} is not a DuckDB file; set CALBACK_DUCKDB_PATH to a warehouse, or to a file that does not exist yet"
        )
    if "ermission denied" in text or "Cannot open file" in text or "read-only" in text.lower():
        return str(unwritable(path))
    return f"the warehouse {path} cannot be opened ({redacted(error)}); set CALBACK_DUCKDB_PATH to a file that can"


def redacted(error: Exception) -> str:
    """As much of DuckDB's message as quotes no value."""
    # Only what stands before the first quote: a quoted value may itself hold quotes and line ends.
    return re.split(r"['\"\n]", str(error), maxsplit=1)[0].rstrip() + " …"
