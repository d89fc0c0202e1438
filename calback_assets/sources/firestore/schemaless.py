"""Taking a schemaless value for what it should be, exactly or not at all.

One function for each kind of value that a Firestore field can be declared to hold; each raises
`UnusableError` for a value that is of another kind. Which field holds what stands in `documents`. Nothing
here quotes a value: it may be a person's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EXACT_DOUBLE = 2**53
"""Up to here a double holds every integer; beyond, its digits are no longer those that were sent."""
_INT64_RANGE = range(-(2**63), 2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = (("_seconds", "_nanoseconds"), ("seconds", "nanoseconds"))
"""The fields of a timestamp of the Admin SDK and of the client SDK, both of JavaScript, as JSON."""
_NANOSECONDS = range(10**9)
_TYPED = {"__datatype__", "value"}
"""The fields of a value that node-firestore-import-export writes with its type."""
_OUTSIDE = "a timestamp outside the years 1 to 9999"


class UnusableError(Exception):
    """A value that cannot be taken as it is.

    Attributes:
        reason: what it is and what it should be, without the value.
        instead: what of it can be taken.
    """

    def __init__(self, reason: str, instead: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instead = instead


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value that no column can take, told by its kind alone: a map, a reference, a point on the globe."""

    kind: str


def _unusable(expected: str, value: object) -> UnusableError:
    return UnusableError(f"expected {expected}, found {_kind(value)}")


def _kind(value: object) -> str:
    return value.kind if isinstance(value, Foreign) else type(value).__name__


def string(value: object) -> str:
    """A text that can be stored."""
    if not isinstance(value, str):
        raise _unusable("a string", value)
    if not _is_text(value):
        raise UnusableError("a string that is not valid Unicode")
    return value


def _is_text(value: str) -> bool:
    """Whether a string can be stored: JSON can spell half a surrogate pair, which no encoding can write."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def length(value: object) -> int:
    """The characters of a text that is not itself stored."""
    if not isinstance(value, str):
        raise _unusable("a string", value)
    return len(value)


def is_filled(value: object) -> bool:
    """Whether a text holds anything."""
    return length(value) > 0


def boolean(value: object) -> bool:
    """True or false, and no number."""
    if not isinstance(value, bool):
        raise _unusable("a boolean", value)
    return value


def integer(value: object) -> int:
    """An integer; also as a double without fraction, which is how JavaScript clients write numbers."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_DOUBLE:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unusable("an integer", value)
    if value not in _INT64_RANGE:
        raise UnusableError("an integer beyond 64 bits")
    return value


def strings(value: object) -> list[str]:
    """The strings of a list; what else stands in it is left out and reported."""
    if not isinstance(value, (list, tuple)):  # A union takes twice as long to look into.
        raise _unusable("a list", value)
    if _are_plain(value):
        return list(value)
    strings = [item for item in value if isinstance(item, str) and _is_text(item)]
    if len(strings) < len(value):
        raise UnusableError("a list in which not every element is a string", instead=strings)
    return strings


def _are_plain(items: Sequence[object]) -> bool:
    """Whether all are strings that can be stored, told at once for the lists of ids that almost all lists are."""
    try:
        return "".join(items).isascii()  # type: ignore[arg-type]  # What else than a string raises.
    except TypeError:
        return False


def count(value: object) -> int:
    """How many strings a list holds; what else stands in it is not counted, and reported."""
    try:
        return len(strings(value))
    except UnusableError as unusable:
        if isinstance(unusable.instead, list):
            unusable.instead = len(unusable.instead)
        raise


def timestamp(value: object) -> datetime:
    """A point in time; also as JSON exports write it: RFC 3339, BigQuery's own text, or a map of seconds."""
    if isinstance(value, str):
        text = value
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            value = _as_bigquery_prints(text)
    elif isinstance(value, dict):
        value = _from_map(value)
    if not isinstance(value, datetime):
        raise _unusable("a timestamp", value)
    return _in_utc(value)


def _as_bigquery_prints(value: str) -> datetime:
    """`2024-03-01 10:00:00.5 UTC`."""
    try:
        return datetime.fromisoformat(value.replace(" UTC", "+00:00"))
    except ValueError:
        raise UnusableError("a string that is no RFC 3339 timestamp") from None


def _from_map(value: Mapping[str, object]) -> object:
    """A timestamp as client libraries leave it in JSON; any other map as it is.

    Raises:
        UnusableError: the seconds or nanoseconds are none.
    """
    if value.keys() == _TYPED and value["__datatype__"] == "timestamp" and isinstance(value["value"], dict):
        value = value["value"]
    if value.get("type") == "firestore/timestamp/1.0":
        value = {name: item for name, item in value.items() if name != "type"}
    for seconds, nanoseconds in _SECONDS:
        if value.keys() == {seconds, nanoseconds}:
            return _since_1970(value[seconds], value[nanoseconds])
    return value


def _since_1970(seconds: object, nanoseconds: object) -> datetime:
    fraction = integer(nanoseconds)
    if fraction not in _NANOSECONDS:
        raise UnusableError("a timestamp with nanoseconds that are no part of a second")
    try:
        return _EPOCH + timedelta(seconds=integer(seconds), microseconds=fraction // 1000)
    except OverflowError:
        raise UnusableError(_OUTSIDE) from None


def _in_utc(value: datetime) -> datetime:
    """A time with a zone, as UTC.

    Raises:
        UnusableError: without a zone the text does not say which point in time it means.
    """
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise UnusableError("a timestamp without a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise UnusableError(_OUTSIDE) from None
