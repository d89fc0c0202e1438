"""Values as documents hold them: made of Python's, narrowed by a field mask, and held to Firestore's limits.

Everything is on the protobuf runtime's own messages: the client library's wrappers around them are ten times slower.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from google.cloud.firestore_v1 import _helpers, types
from google.cloud.firestore_v1.field_path import FieldPath

from calback_assets_tests.firestore.names import is_reserved
from calback_assets_tests.firestore.refusal import Refusal, invalid

Value: Any = types.Value.pb()
Document: Any = types.Document.pb()

Fields: TypeAlias = MutableMapping[str, Any]
Mask: TypeAlias = dict[str, "Mask | None"]
"""Field names; below each those of its map that are meant, or None for all of the field."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_DEPTH = 20
_MAX_DOCUMENT_BYTES = 1_048_576
_MAX_NAME_BYTES = 1500
_SECONDS = range(-62_135_596_800, 253_402_300_800)
"""Of the years 1 to 9999."""
_QUERY_ONLY = {"field_reference_value", "variable_reference_value", "function_value", "pipeline_value"}


def microseconds(time: datetime) -> int:
    """A time with a zone as Firestore's: microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(time: int) -> datetime:
    """The other way round."""
    return _EPOCH + time * _MICROSECOND


def encode_fields(fields: Fields, data: Mapping[str, object]) -> None:
    """Adds Python values to the fields of a document or map."""
    for name, value in data.items():
        encode(fields[name], value)


def encode(target: Any, value: object) -> None:
    """Sets a value from Python's; of any shape, also one that Firestore refuses, such as a list in a list."""
    if isinstance(value, str):
        target.string_value = value
    elif value is None:
        target.null_value = 0
    elif isinstance(value, bool):
        target.boolean_value = value
    elif isinstance(value, int):
        target.integer_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, datetime):
        target.timestamp_value.FromMicroseconds(microseconds(value))
    elif isinstance(value, (list, tuple)):
        target.array_value.SetInParent()
        for item in value:
            encode(target.array_value.values.add(), item)
    elif isinstance(value, Mapping):
        target.map_value.SetInParent()
        encode_fields(target.map_value.fields, value)
    elif isinstance(value, Value):
        target.CopyFrom(value)
    else:  # Bytes, places, references: rare, so that the wrappers do no harm.
        target.CopyFrom(_helpers.encode_value(value)._pb)


def mask_of(paths: Iterable[str]) -> Mask:
    """The mask of some field paths.

    Raises:
        Refusal: a path that cannot be read.
    """
    mask: Mask = {}
    for path in paths:
        below = mask
        *parents, last = field_names(path)
        for name in parents:
            inner = below.setdefault(name, {})
            if inner is None:
                break  # A shorter path has taken the whole of it.
            below = inner
        else:
            below[last] = None
    return mask


def field_names(path: str) -> tuple[str, ...]:
    """The steps of a field path, whose names may be quoted.

    Raises:
        Refusal: a path that cannot be read.
    """
    try:
        return FieldPath.from_api_repr(path).parts
    except ValueError as error:
        raise invalid(f'Invalid property path "{path}": {error}.') from None


def keep(fields: Fields, mask: Mask) -> None:
    """Removes what the mask does not name."""
    for name in list(fields):
        below = mask.get(name, {})
        if below is None:
            continue
        if not below or not fields[name].HasField("map_value"):
            del fields[name]
            continue
        keep(fields[name].map_value.fields, below)
        if not fields[name].map_value.fields:
            del fields[name]


def value_at(fields: Fields, names: tuple[str, ...]) -> Any:
    """The value at a field path, or None."""
    *parents, last = names
    for name in parents:
        if name not in fields or not fields[name].HasField("map_value"):
            return None
        fields = fields[name].map_value.fields
    return fields.get(last)


def replace_at(fields: Fields, names: tuple[str, ...], value: Any) -> None:
    """Sets the value at a field path, in maps that are made where they are missing; None deletes it."""
    *parents, last = names
    for name in parents:
        if value is None and (name not in fields or not fields[name].HasField("map_value")):
            return
        fields[name].map_value.SetInParent()
        fields = fields[name].map_value.fields
    if value is not None:
        fields[last].CopyFrom(value)
    elif last in fields:
        del fields[last]


def check_stored(document: Any, path: str) -> None:
    """Holds a document that a client writes to Firestore's limits, and cuts its times to microseconds.

    Raises:
        Refusal: a limit is passed, or a value is of a kind that no document holds.
    """
    size = _path_size(path) + 32 + _fields_size(document.fields, depth=1)
    if size > _MAX_DOCUMENT_BYTES:
        raise invalid(
            f'Document "{document.name}" cannot be written because its size ({size:,} bytes) exceeds the maximum '
            f"allowed size of {_MAX_DOCUMENT_BYTES:,} bytes."
        )


def _fields_size(fields: Fields, depth: int) -> int:
    size = 0
    for name, value in fields.items():
        if not name or is_reserved(name):
            raise invalid(f'Field name "{name}" is empty or reserved (__.*__).')
        if len(name.encode()) > _MAX_NAME_BYTES:
            raise invalid(f"A field name is longer than {_MAX_NAME_BYTES} bytes.")
        size += len(name.encode()) + 1 + _size(value, depth)
    return size


def _size(value: Any, depth: int) -> int:
    """A value's bytes, as Firestore's documentation counts them ("storage size calculations")."""
    if depth > _MAX_DEPTH:
        raise invalid(f"A value is nested deeper than {_MAX_DEPTH} levels.")
    kind = value.WhichOneof("value_type")
    if kind == "string_value":
        return len(value.string_value.encode()) + 1
    if kind == "bytes_value":
        return len(value.bytes_value)
    if kind in ("integer_value", "double_value"):
        return 8
    if kind in ("null_value", "boolean_value"):
        return 1
    if kind == "timestamp_value":
        time = value.timestamp_value
        if time.seconds not in _SECONDS or not 0 <= time.nanos < 10**9:
            raise invalid("A timestamp is outside the years 1 to 9999.")
        time.nanos -= time.nanos % 1000
        return 8
    if kind == "geo_point_value":
        return 16
    if kind == "reference_value":
        return _path_size(value.reference_value.partition("/documents/")[2])
    if kind == "map_value":
        return _fields_size(value.map_value.fields, depth + 1)
    if kind == "array_value":
        return sum(_element_size(element, depth + 1) for element in value.array_value.values)
    raise _not_storable(kind)


def _element_size(element: Any, depth: int) -> int:
    if element.HasField("array_value"):
        raise invalid("Cannot convert an array value in an array value.")
    return _size(element, depth)


def _not_storable(kind: str | None) -> Refusal:
    if kind in _QUERY_ONLY:
        return invalid(f"{kind} is not allowed in a document.")
    return invalid("A value without a type, or of one that the installed client library does not know.")


def _path_size(path: str) -> int:
    return 16 + sum(len(segment.encode()) + 1 for segment in path.split("/"))
