"""What is true of the access log wherever it stands, in files or in BigQuery.

Which of its days are there, and what its fields are called, belongs here; how they are read does not.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_ACCESS_LOG


@dataclass(frozen=True)
class Fields:
    """The names that the log's writer gave to what every line holds."""

    user: str = "userId"
    date: str = "date"

    @property
    def origins(self) -> Mapping[str, str]:
        """The field that each stored column follows from; Kafka's own keep their names."""
        own = {name: name for name in RAW_ACCESS_LOG.column_names}
        return own | {EVENT_DATE: self.date, "user_id": self.user}


DEFAULT_FIELDS = Fields()


class FoundLog:
    """The log as it was when somebody looked."""

    def __init__(self, where: str, days: Collection[date]) -> None:
        """Take what was found.

        Args:
            where: the place that was looked at.
            days: those that the log has anything of.
        """
        self._where = where
        self._days = days

    @property
    def where(self) -> str:
        """The place that was looked at."""
        return self._where

    @property
    def last(self) -> date | None:
        """The last day the log has anything of."""
        return max(self._days, default=None)

    def has(self, day: date) -> bool:
        """Whether the log has anything of the day."""
        return day in self._days

    def is_final(self, _day: date, _today: date) -> bool:
        """Always: the log is landed once."""
        return True

    def lacks(self, _day: date) -> Sequence[str]:
        """Nothing: a day's rows stand in one place alone."""
        return ()
