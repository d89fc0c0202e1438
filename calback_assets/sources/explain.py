"""Finding out which file, and which line of it, made a query over files fail.

Runs only after a failure: the files are read once more, in order, until one of them shows what is wrong. What
a source's lines must hold is for the source to say.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import duckdb

from calback_assets.errors import SourceError
from calback_assets.sources.coercion import own_message
from calback_assets.sources.json_lines import file_error


def explanation(
    queries: Mapping[Path, str], line_problems: Callable[[Path], Iterator[SourceError]], error: Exception
) -> SourceError:
    """The first problem of the first file that has one, without any of its content.

    Args:
        queries: for each file, in the order they were read, the query over it alone.
        line_problems: finds what is wrong with the lines of a file of JSON lines.
        error: what the query over all of them raised.
    """
    for path, query in queries.items():
        problem = None if path.suffix.lower() == ".parquet" else _first(line_problems(path))
        if problem:
            return problem
        if found := engine_problem(query):
            return file_error(path, found)
    names = ", ".join(str(path) for path in queries) or "no file"
    return SourceError(
        f"{names}: each file can be read, but the query over them failed ({type(error).__name__}). "
        "Check memory and disk space, and that no file changed meanwhile."
    )


def _first(problems: Iterator[SourceError]) -> SourceError | None:
    try:
        return next(problems, None)
    except SourceError as unreadable:
        return unreadable


def engine_problem(query: str) -> str | None:
    """What keeps DuckDB from running a query to its end; None where nothing does."""
    with duckdb.connect() as connection:
        try:
            for _ in connection.sql(query).to_arrow_reader():
                pass
        except (duckdb.Error, OSError) as error:  # Arrow's reader says it with an error of the system's.
            return own_message(error) or "damaged, DuckDB cannot read it to its end"
    return None
