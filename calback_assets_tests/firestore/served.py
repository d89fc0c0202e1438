"""Which parts of a request are served: a part that nobody looks at would be ignored, so it is refused.

What a served part means, and which of its values are served, stands with the code that reads it.
"""

from collections.abc import Iterable
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

from calback_assets_tests.firestore.refusal import unserved

_QUERY = (
    "select.fields.field_path",
    "from_.collection_id",
    "from_.all_descendants",
    "where",
    "order_by.field.field_path",
    "order_by.direction",
    "start_at.values",
    "start_at.before",
    "end_at.values",
    "end_at.before",
    "offset",
    "limit.value",
)
_WRITES = (
    "writes.update.name",
    "writes.update.fields",
    "writes.update_mask.field_paths",
    "writes.update_transforms.field_path",
    "writes.update_transforms.set_to_server_value",
    "writes.delete",
    "writes.current_document.exists",
    "writes.current_document.update_time",
)


def _below(parent: str, paths: Iterable[str]) -> list[str]:
    return [f"{parent}.{path}" for path in paths]


_AGGREGATION = "structured_aggregation_query"
_SERVED = {
    "RunQuery": {"parent", "read_time", *_below("structured_query", _QUERY)},
    "RunAggregationQuery": {
        "parent",
        "read_time",
        *_below(f"{_AGGREGATION}.structured_query", _QUERY),
        f"{_AGGREGATION}.aggregations.alias",
        f"{_AGGREGATION}.aggregations.count.up_to.value",
    },
    "PartitionQuery": {
        "parent",
        "read_time",
        "partition_count",
        "page_size",
        "page_token",
        *_below("structured_query", [path for path in _QUERY if path.startswith(("from_.", "order_by."))]),
    },
    "BatchGetDocuments": {"database", "documents", "mask.field_paths", "read_time"},
    "Commit": {"database", *_WRITES},
    "BatchWrite": {"database", *_WRITES},
}


def check_served(method: str, request: Any) -> None:
    """Refuses a request of which a part would be ignored.

    Raises:
        Refusal: names the part.
    """
    _check(request, _SERVED[method], method, "")


def _check(message: Any, served: set[str], method: str, above: str) -> None:
    for unknown in UnknownFieldSet(message):
        raise unserved(f"{method}: field number {unknown.field_number} below '{above}', unknown to the library,")
    for descriptor, value in message.ListFields():
        path = f"{above}{descriptor.name}"
        if path in served:
            continue
        if not any(name.startswith(f"{path}.") for name in served):
            raise unserved(f"{method}: {path}")
        for part in [value] if hasattr(value, "ListFields") else value:
            _check(part, served, method, f"{path}.")
