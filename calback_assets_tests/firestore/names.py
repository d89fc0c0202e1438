"""Document names: what one is, which ids Firestore takes, and the order in which it returns them.

A path is a name below the database's root: `userCollection/u1`.
"""

import re

from calback_assets_tests.firestore.refusal import invalid

_RESERVED = re.compile(r"__.*__", re.DOTALL)
_NUMERIC = re.compile(r"__id(-?[0-9]{1,19})__")
_INT64 = range(-(2**63), 2**63)
_MAX_BYTES = 1500

Key = tuple[bytes, ...]


def sort_key(path: str) -> Key:
    """What paths compare by: segment by segment, numeric ids before texts, texts by their UTF-8 bytes."""
    return tuple(_segment_key(segment) for segment in path.split("/"))


def _segment_key(segment: str) -> bytes:
    number = _number(segment)
    if number is None:
        return b"\1" + segment.encode()
    return b"\0" + (number - _INT64.start).to_bytes(8)


def _number(segment: str) -> int | None:
    """The number of an id that is one, as those of imported Datastore entities are."""
    found = _NUMERIC.fullmatch(segment)
    return int(found[1]) if found and int(found[1]) in _INT64 else None


def is_reserved(name: str) -> bool:
    """Whether Firestore keeps the id or field name to itself."""
    return _RESERVED.fullmatch(name) is not None


def document_path(name: str, root: str) -> str:
    """The path of a document's full name.

    Raises:
        Refusal: it names no document, or one of another database.
    """
    path = path_below(name, root)
    if not path or path.count("/") % 2 == 0:
        raise invalid(f'"{name}" names no document: its path needs an even number of segments.')
    return path


def path_below(name: str, root: str) -> str:
    """The path of a full name, empty for the root itself.

    Raises:
        Refusal: the name is of another database, or a segment of it is empty.
    """
    if name == root:
        return ""
    path = name.removeprefix(f"{root}/")
    if path == name:
        raise invalid(f'"{name}" is not in this database, {root}.')
    if "" in path.split("/"):
        raise invalid(f'"{name}" has an empty segment.')
    return path


def check_ids(path: str) -> None:
    """Refuses a path that Firestore would not store a document under.

    Raises:
        Refusal: an id is one of those that it does not take.
    """
    for segment in path.split("/"):
        if segment in (".", "..") or (is_reserved(segment) and _number(segment) is None):
            raise invalid(f'Resource id "{segment}" is invalid because it is reserved.')
        if len(segment.encode()) > _MAX_BYTES:
            raise invalid(f"A resource id is longer than {_MAX_BYTES} bytes.")
