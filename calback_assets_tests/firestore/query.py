"""What a structured query asks for: its documents in the order of their names, its partitions, its count.

Served are the queries that this project makes and those near to them; every other one is refused.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeAlias

from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.order import Order

from calback_assets_tests.firestore.names import Key, document_path, path_below, sort_key
from calback_assets_tests.firestore.refusal import invalid, unserved
from calback_assets_tests.firestore.store import Entry, Store, first_after, first_from
from calback_assets_tests.firestore.values import Document, Mask, field_names, mask_of, value_at

_NAME = "__name__"
_Direction: TypeAlias = types.StructuredQuery.Direction
_Operator: TypeAlias = types.StructuredQuery.FieldFilter.Operator
_Condition: TypeAlias = Callable[[Any], bool]

_NAME_OPERATORS = (
    _Operator.EQUAL,
    _Operator.LESS_THAN,
    _Operator.LESS_THAN_OR_EQUAL,
    _Operator.GREATER_THAN,
    _Operator.GREATER_THAN_OR_EQUAL,
)


class Query:
    """One query at one time.

    Attributes:
        skipped: how many documents `offset` takes away, known once the first one is read.
        mask: the fields that are asked for, None for all of them.
    """

    def __init__(self, store: Store, parent: str, query: Any, time: int) -> None:
        self.skipped = 0
        self._store = store
        self._time = time
        self._query = query
        self._descending = _is_descending(query)
        self.mask = _mask(query)
        if len(query.from_) != 1 or not query.from_[0].collection_id:
            raise unserved("a query of other than one collection id")
        selector = query.from_[0]
        parent_path = path_below(parent, store.root)
        if parent_path.count("/") % 2 == 0 and parent_path:
            raise invalid(f'The parent "{parent}" is neither a document nor the root of the documents.')
        self._entries = store.entries(parent_path, selector.collection_id, all_descendants=selector.all_descendants)
        self._begin, self._end = 0, len(self._entries)
        self._conditions: list[_Condition] = []
        if query.HasField("where"):
            self._filter(query.where)
        self._cut_at_cursors()
        if query.offset < 0 or query.limit.value < 0:
            raise invalid("offset and limit cannot be negative.")

    def documents(self) -> Iterator[bytes]:
        """The documents as they are sent, each with all its fields."""
        found = self._found()
        self.skipped = sum(1 for _ in islice(found, self._query.offset))
        return islice(found, self._query.limit.value) if self._query.HasField("limit") else found

    def _found(self) -> Iterator[bytes]:
        positions = range(self._begin, self._end)
        for position in reversed(positions) if self._descending else positions:
            document = self._entries[position].at(self._time)
            if document is not None and self._is_meant(document):
                yield document

    def _is_meant(self, document: bytes) -> bool:
        if not self._conditions:
            return True
        message = Document.FromString(document)
        return all(condition(message) for condition in self._conditions)

    def _filter(self, where: Any) -> None:
        kind = where.WhichOneof("filter_type")
        if kind == "composite_filter":
            composite = where.composite_filter
            if composite.op != types.StructuredQuery.CompositeFilter.Operator.AND:
                raise unserved("a composite filter other than AND")
            for part in composite.filters:
                self._filter(part)
        elif kind == "field_filter":
            self._filter_field(where.field_filter)
        else:
            raise unserved(f"a {kind}")

    def _filter_field(self, field_filter: Any) -> None:
        path, operator, value = field_filter.field.field_path, field_filter.op, field_filter.value
        if path == _NAME:
            self._filter_name(operator, value)
        elif operator == _Operator.EQUAL:
            names = field_names(path)
            if value.WhichOneof("value_type") is None:
                raise invalid(f"The filter on {path} has no value.")
            self._conditions.append(lambda document: _equals(value_at(document.fields, names), value))
        else:
            raise unserved(f"a filter {_Operator(operator).name} on {path}")

    def _filter_name(self, operator: int, value: Any) -> None:
        if operator not in _NAME_OPERATORS:
            raise unserved(f"a filter {_Operator(operator).name} on {_NAME}")
        key = self._key(value)
        if operator in (_Operator.EQUAL, _Operator.GREATER_THAN_OR_EQUAL):
            self._begin_at(first_from(self._entries, key))
        if operator in (_Operator.EQUAL, _Operator.LESS_THAN_OR_EQUAL):
            self._end_at(first_after(self._entries, key))
        if operator == _Operator.GREATER_THAN:
            self._begin_at(first_after(self._entries, key))
        if operator == _Operator.LESS_THAN:
            self._end_at(first_from(self._entries, key))

    def _cut_at_cursors(self) -> None:
        for name, is_start in (("start_at", True), ("end_at", False)):
            if not self._query.HasField(name):
                continue
            cursor = getattr(self._query, name)
            if len(cursor.values) > len(self._query.order_by):
                raise invalid(f"{name}: the cursor has more values than the query has orders.")
            if not cursor.values:
                raise unserved(f"{name}: a cursor without values")
            position = self._position(self._key(cursor.values[0]), before=cursor.before)
            # What comes first in the results comes last among the names when they descend.
            if is_start is self._descending:
                self._end_at(position)
            else:
                self._begin_at(position)

    def _position(self, key: Key, *, before: bool) -> int:
        """Where the results are cut, before the cursor's own document or after it."""
        return first_from(self._entries, key) if before is not self._descending else first_after(self._entries, key)

    def _begin_at(self, position: int) -> None:
        self._begin = max(self._begin, position)

    def _end_at(self, position: int) -> None:
        self._end = min(self._end, position)

    def _key(self, value: Any) -> Key:
        if value.WhichOneof("value_type") != "reference_value":
            raise invalid(f"{_NAME} can be compared with a reference to a document only.")
        return sort_key(document_path(value.reference_value, self._store.root))


def split_points(store: Store, query: Any, time: int, *, count: int, documents_per_partition: int) -> list[Entry]:
    """The documents, at most `count`, at which a collection group falls into parts of about the same size.

    As with the service they are fewer where a part would have few documents.
    """
    if not all(selector.all_descendants for selector in query.from_) or len(query.from_) != 1:
        raise invalid("A partitioned query must be of one collection with all descendants.")
    if len(query.order_by) != 1 or _is_descending(query):
        raise invalid("A partitioned query must be ordered by __name__ ascending, and by nothing else.")
    entries = store.entries("", query.from_[0].collection_id, all_descendants=True)
    there = [entry for entry in entries if entry.at(time) is not None]
    parts = min(count + 1, max(1, len(there) // documents_per_partition))
    return [there[number * len(there) // parts] for number in range(1, parts)]


def _is_descending(query: Any) -> bool:
    if not query.order_by:
        return False
    if len(query.order_by) > 1 or query.order_by[0].field.field_path != _NAME:
        raise unserved(f"an order other than by {_NAME}")
    return bool(query.order_by[0].direction == _Direction.DESCENDING)


def _mask(query: Any) -> Mask | None:
    if not query.select.fields:
        return None
    return mask_of(field.field_path for field in query.select.fields)


def _equals(value: Any, wanted: Any) -> bool:
    return value is not None and Order.compare(value, wanted) == 0
