"""The errors a person meets: one line that says what was wrong, where, and what to do.

Only exception classes belong here. A message never carries personal data: it may name a table, a column,
a file, a line, a document id or an offending value of a column whose contract keeps the value.
"""

from collections.abc import Sequence


class CalbackError(Exception):
    """Base of every error this package raises on purpose; the command line prints it as one line."""


class SettingsError(CalbackError):
    """The environment asks for something that does not exist or contradicts itself."""


class SourceError(CalbackError):
    """Input that cannot be read as what it claims to be; names the file and the line."""

    others: Sequence["SourceError"] = ()
    """What the same look found wrong besides."""

    @classmethod
    def refuse(cls, wrong: Sequence["SourceError"]) -> None:
        """Raise the first of what was found wrong, if anything was; it knows of the others."""
        if wrong:
            first, *first.others = wrong
            raise first


class UnavailableError(SourceError):
    """Input that does not answer, or that there is no access to or no room for; nothing is wrong with its data."""


class ContractError(CalbackError):
    """Data that breaks a table contract; names table, column and an offending value. Nothing was written."""


class WarehouseError(CalbackError):
    """The warehouse cannot be opened, read or written."""


class DeliveryError(CalbackError):
    """An export that cannot be written where it is to go; what was there before stands."""


class ErasureError(CalbackError):
    """A person cannot be erased as it was asked for. Nothing was erased; never quotes who was meant."""


class ModelError(CalbackError):
    """A `.sql` model that cannot be carried to every engine; names the file and the construct."""
