"""What an asset hands to the I/O manager: a query, a source's own reading of a day, or rows.

The shapes that cross between assets and warehouses belong here; no engine does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pandas as pd
import pyarrow as pa

from calback_assets.days import Stretch
from calback_assets.sources.bigquery.query import TableQuery
from calback_assets.sources.file_query import FileQuery
from calback_assets.sources.firestore.documents import Problem
from calback_assets.tables import Table
from calback_assets.warehouse.googlesql.model import Model
from calback_assets.warehouse.googlesql.template import Parameter


@dataclass(frozen=True)
class TableRef:
    """A table and the half-open range of days of it that a run may read; no rows."""

    table: Table
    start: date | None
    end: date | None
    """Both None for a snapshot."""


@dataclass(frozen=True)
class Plot:
    """A picture of a table's last days for the materialization's metadata."""

    draw: Callable[[pd.DataFrame], str]
    """From the table's rows of those days to Markdown with the picture in it."""
    days: int = 1
    """Without a meaning for a table that has no days."""


@dataclass(frozen=True)
class Query:
    """A GoogleSQL model to run inside the warehouse, once for each stretch of days that is written.

    A table without days is written once, as of the newest day of what its model reads.
    """

    model: Model
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    ripple: Model | None = None
    """Names the other days of the same table (`event_date`) whose rows change when a day is replaced."""
    plot: Plot | None = None
    refine: Callable[..., pd.DataFrame | pa.Table] | None = None
    """From what the query found (`pa.Table`), and all rows of the tables `beside` it, to the table's rows."""
    beside: Sequence[Table] = ()
    """Tables without days."""


@dataclass(frozen=True)
class Least:
    """How many rows must come to replace those of a day."""

    rows: int
    stored: int
    lacks: Sequence[str] = ()
    """What may hold a part of the day, and is not there."""


def _nothing_demanded(_days: Sequence[date], _stored: Mapping[date, int]) -> Mapping[date, Least]:
    return {}


@dataclass(frozen=True)
class Files:
    """A source's files or tables, read by the engine itself, once for each stretch of days that is written."""

    read: Callable[[Stretch], FileQuery | TableQuery]
    rows: Callable[[date], int]
    """About how many a day has, as far as can be told before it is read; bounds what is read at once."""
    demanded: Callable[[Sequence[date], Mapping[date, int]], Mapping[date, Least]] = _nothing_demanded
    """From the days that are asked for, and the rows that are stored of each day, to how many must come."""


@dataclass(frozen=True)
class Snapshot:
    """All rows of an unpartitioned table, with facts for the materialization's metadata."""

    rows: pa.Table
    facts: Mapping[str, int | str]
    problems: Sequence[Problem] = ()
    """What of the source could not be taken."""
    max_lost_share: float | None = None
    """The share of the rows above which they may not be gone all at once; None for no bound."""
