"""What a source of daily rows is, whatever holds its days: files in a folder or tables in BigQuery.

Only the shape that the sources share belongs here; what may be done about a day that is not there is not theirs to say.
"""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from calback_assets.days import Stretch
from calback_assets.sources.bigquery.query import TableQuery
from calback_assets.sources.file_query import FileQuery

A_LOT = 1_000_000
"""Rows of a day of which nobody knows how many it has, before it is read: memory for a second one is not promised."""


class Found(Protocol):
    """What a source has, as it was when it was looked at."""

    @property
    def where(self) -> str:
        """The place that was looked at, as a person would name it."""

    @property
    def last(self) -> date | None:
        """The last day it has anything of; None where it has nothing at all."""

    def has(self, day: date) -> bool:
        """Whether anything is there that is the day's own."""

    def lacks(self, day: date) -> Sequence[str]:
        """What else may hold a part of the day, and should be there by now, and is not."""

    def is_final(self, day: date, today: date, /) -> bool:
        """Whether what is there of the day is what will stay there."""

    def rows(self, day: date) -> int:
        """About how many rows a day has, as far as can be told without reading it; 0 where reading needs no memory."""

    def read(self, stretch: Stretch) -> FileQuery | TableQuery:
        """The rows of these days.

        Raises:
            SourceError: what is there is not what it should be.
        """


class DailySource(Protocol):
    """Files or tables that the warehouse's engine reads itself."""

    def look(self, since: date) -> Found:
        """Look at what is there now.

        Args:
            since: the first day that anybody asks for; what lies before it may be left out.

        Raises:
            SourceError: the place itself is not there, or holds what nobody can read.
        """
