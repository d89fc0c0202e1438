"""What one write of a request does to its document, and when it is refused."""

from typing import Any

import grpc
from google.cloud.firestore_v1 import types

from calback_assets_tests.firestore.names import check_ids, document_path
from calback_assets_tests.firestore.refusal import Refusal, invalid, unserved
from calback_assets_tests.firestore.store import Commit
from calback_assets_tests.firestore.values import (
    Document,
    Value,
    check_stored,
    field_names,
    keep,
    mask_of,
    replace_at,
    value_at,
)

_WriteResult: Any = types.WriteResult.pb()


def written_path(write: Any, root: str) -> str:
    """The path of the document that a write is of.

    Raises:
        Refusal: there is none, or it is not one that can be written.
    """
    operation = write.WhichOneof("operation")
    if operation not in ("update", "delete"):
        raise unserved("a write other than an update or a delete")
    path = document_path(write.update.name if operation == "update" else write.delete, root)
    check_ids(path)
    return path


def apply(write: Any, commit: Commit, root: str) -> Any:
    """Applies a write; returns its result.

    Raises:
        Refusal: the write is invalid, or its precondition is not met.
    """
    path = written_path(write, root)
    existing = commit.get(path)
    if write.HasField("current_document"):
        _check_precondition(write.current_document, existing, f"{root}/{path}")
    result = _WriteResult()
    if write.WhichOneof("operation") == "delete":
        if write.HasField("update_mask") or write.update_transforms:
            raise invalid("A delete takes neither a mask nor transforms.")
        commit.delete(path)
        return result
    document = _updated(write, existing)
    for transform in write.update_transforms:
        replace_at(document.fields, field_names(transform.field_path), _request_time(transform, commit, result))
    check_stored(document, path)
    if existing is not None and document.fields == existing.fields:
        # As the service says: a write that changes nothing leaves the update time.
        result.update_time.CopyFrom(existing.update_time)
        return result
    commit.set(path, document)
    result.update_time.CopyFrom(document.update_time)
    return result


def _check_precondition(condition: Any, existing: Any, name: str) -> None:
    kind = condition.WhichOneof("condition_type")
    if condition.update_time.nanos % 1000:
        raise invalid("The update_time of a precondition must be of whole microseconds.")
    if existing is None and (kind == "update_time" or condition.exists):
        raise Refusal(grpc.StatusCode.NOT_FOUND, f"No document to update: {name}")
    if existing is not None and kind == "exists" and not condition.exists:
        raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"Document already exists: {name}")
    if kind == "update_time" and condition.update_time != existing.update_time:
        raise Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"the stored version ({existing.update_time.ToMicroseconds()}) does not match the required base "
            f"version ({condition.update_time.ToMicroseconds()})",
        )


def _updated(write: Any, existing: Any) -> Any:
    if not write.HasField("update_mask"):
        return Document(fields=write.update.fields)
    masked = Document(fields=write.update.fields)
    keep(masked.fields, mask_of(write.update_mask.field_paths))
    if masked.fields != write.update.fields:
        raise unserved("an update with fields that its mask does not name")
    document = Document(fields=existing.fields) if existing else Document()
    for path in write.update_mask.field_paths:
        names = field_names(path)
        replace_at(document.fields, names, value_at(write.update.fields, names))
    return document


def _request_time(transform: Any, commit: Commit, result: Any) -> Any:
    if transform.set_to_server_value != types.DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME:
        raise invalid(f"{transform.field_path}: a transform that sets no known server value.")
    value = Value()
    # Of milliseconds, as the service's are.
    value.timestamp_value.FromMilliseconds(commit.time // 1000)
    result.transform_results.add().CopyFrom(value)
    return value
