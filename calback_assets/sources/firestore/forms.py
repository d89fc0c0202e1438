"""The forms in which tools write the documents of a collection into a file, each as documents or at once as rows.

What tells a form and what its objects mean belongs here. How objects stand in a file is for `json_files` to know, what
a document's fields become for `documents`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.changes import Change, change_in, latest_of
from calback_assets.sources.firestore.clean import rows_of_lines
from calback_assets.sources.firestore.documents import Document, DocumentCollection, Rows, collection_in
from calback_assets.sources.firestore.schemaless import Foreign, UnusableError, string, timestamp
from calback_assets.sources.json_files import is_in_lines, objects_of
from calback_assets.sources.json_lines import line_error, numbered_lines, objects_in

_Object: TypeAlias = Mapping[str, object]
_Numbered: TypeAlias = Iterable[tuple[int, _Object]]
_FOREIGN = {"bytesValue": "bytes", "geoPointValue": "geo_point", "mapValue": "map", "referenceValue": "reference"}
_ANSWER = {"document", "readTime", "transaction", "skippedResults", "done", "explainMetrics"}
"""All that an answer of `runQuery` may hold."""
_NO_VALUE = "no value of Firestore's REST form"


@dataclass(frozen=True)
class _Form:
    name: str
    marks: Collection[str]
    """An object with one of these fields is of this form."""
    documents: Callable[[Path, _Numbered, DocumentCollection], Iterator[Document]]

    def has(self, found: _Object) -> bool:
        return any(mark in found for mark in self.marks)


def rows_of(path: Path, collection: DocumentCollection, max_bytes: int) -> Iterator[Rows]:
    """The rows of a file's documents, whose first object tells the form of all.

    Args:
        path: of the file.
        collection: whose documents they are.
        max_bytes: the longest line, or object, that is taken.

    Raises:
        SourceError: an object that is no document or of another form, or a file that cannot be read to its end.
    """
    objects = objects_of(path, max_bytes)
    first = next(objects, None)
    if first is None:
        return iter(())
    form = _form_of(first[1]) if first[1] else _REST_PAGES  # As Firestore lists a collection without documents.
    if form is _PLAIN and is_in_lines(path):
        return rows_of_lines(numbered_lines(path, max_bytes), collection, partial(documents_in, path, collection))
    return collection.rows(form.documents(path, chain([first], objects), collection))


def documents_in(path: Path, collection: DocumentCollection, lines: Iterable[tuple[int, bytes]]) -> Iterator[Document]:
    """The documents `{"id", "create_time", "update_time", "data"}` in lines of a file.

    Raises:
        SourceError: a line that is no document.
    """
    return _of_plain(path, objects_in(path, lines, half_characters=True), collection)


def collection_of(path: Path, max_bytes: int) -> str | None:
    """Which collection a changelog is of, by its first row; None where there is no such row.

    Raises:
        SourceError: the file cannot be read.
    """
    for _, row in objects_of(path, max_bytes):
        return collection_in(row.get("document_name"))
    return None


def _form_of(found: _Object) -> _Form:
    return next((form for form in _FORMS if form.has(found)), _PLAIN)


def _cannot(path: Path, number: int, found: _Object, form: _Form, problem: str) -> SourceError:
    """The error for an object that is not what it should be: what is wrong, or that it is of another form."""
    other = _form_of(found)
    if other is not form and (other is not _PLAIN or "id" in found):
        problem = f"of the form {other.name}, and what stands before it of the form {form.name}: a file has one form"
    return line_error(path, number, problem)


def _of_plain(path: Path, objects: _Numbered, _: DocumentCollection) -> Iterator[Document]:
    """`{"id", "create_time", "update_time", "data"}`."""
    for number, line in objects:
        field = ""
        try:
            if not (id_ := string(line.get(field := "id"))):
                raise UnusableError("an empty string")
            created_at = timestamp(line.get(field := "create_time"))
            updated_at = timestamp(line.get(field := "update_time"))
        except UnusableError as error:
            raise _cannot(path, number, line, _PLAIN, f"{field}: {error}") from None
        data = line.get("data")
        if not isinstance(data, dict):
            raise line_error(path, number, "data: expected an object with the document's fields")
        yield Document(id_, created_at, updated_at, data)


def _of_rest(path: Path, objects: _Numbered, collection: DocumentCollection) -> Iterator[Document]:
    """`{"name", "fields", "createTime", "updateTime"}`."""
    for number, found in objects:
        try:
            yield _rest_document(found, collection)
        except UnusableError as error:
            raise _cannot(path, number, found, _REST, error.reason) from None


def _of_rest_pages(path: Path, objects: _Numbered, collection: DocumentCollection) -> Iterator[Document]:
    """`{"documents": […], "nextPageToken"}`, as many as there are pages; the last page may be empty."""
    goes_on: object = None
    for number, page in objects:
        documents = page.get("documents", [])
        if not isinstance(documents, list) or not page.keys() <= {"documents", "nextPageToken"}:
            raise _cannot(path, number, page, _REST_PAGES, "not a page of documents and nothing else")
        for index, found in enumerate(documents):
            try:
                yield _rest_document(found, collection)
            except UnusableError as error:
                raise line_error(path, number, f"documents[{index}]: {error}") from None
        goes_on = page.get("nextPageToken")
    if goes_on:
        raise SourceError(
            f"{path}: the last page has a nextPageToken, so documents are missing. Ask for the pages that follow, and "
            "append them to the file."
        )


def _of_rest_query(path: Path, objects: _Numbered, collection: DocumentCollection) -> Iterator[Document]:
    """`{"document", "readTime"}`, the answers of `runQuery`; one without a document says how far the query has come."""
    for number, found in objects:
        if not found.keys() <= _ANSWER:
            raise _cannot(path, number, found, _REST_QUERY, "not an answer of runQuery and nothing else")
        if "document" in found:
            try:
                yield _rest_document(found["document"], collection)
            except UnusableError as error:
                raise line_error(path, number, f"document: {error}") from None


def _rest_document(found: object, collection: DocumentCollection) -> Document:
    """A document.

    Raises:
        UnusableError: it is none; says which field.
    """
    if not isinstance(found, dict):
        raise UnusableError("expected an object")
    field = ""
    try:
        id_ = collection.id_in(found.get(field := "name"))
        created_at = timestamp(found.get(field := "createTime"))
        updated_at = timestamp(found.get(field := "updateTime"))
        fields = found.get(field := "fields", {})
        if not isinstance(fields, dict):
            raise UnusableError("expected an object with the document's fields")
    except UnusableError as error:
        raise UnusableError(f"{field}: {error}") from None
    data = {name: _rest_value(fields[name]) for name in collection.fields if name in fields}
    return Document(id_, created_at, updated_at, data)


def _rest_value(value: object) -> object:
    """A value of Firestore's REST API as the live Firestore gives it; what is none is told by its kind alone."""
    if not isinstance(value, dict) or len(value) != 1:
        return Foreign(_NO_VALUE)
    ((kind, content),) = value.items()
    try:
        match kind, content:
            case "nullValue", _:
                return None
            case ("booleanValue", bool()) | ("stringValue", str()) | ("doubleValue", int() | float()):
                return content
            case ("doubleValue", "NaN" | "Infinity" | "-Infinity"):
                return float(content)
            case "integerValue", str():
                return int(content)
            case "timestampValue", str():
                return timestamp(content)
            case "arrayValue", dict() if isinstance(items := content.get("values", []), list):
                return [_rest_value(item) for item in items]
    except (ValueError, UnusableError):
        return Foreign(_NO_VALUE)
    return Foreign(_FOREIGN.get(kind, _NO_VALUE))


def _of_changelog(path: Path, objects: _Numbered, collection: DocumentCollection) -> Iterator[Document]:
    """`{"document_name", "timestamp", "operation", "data"}`: of each document the last of its changes."""

    def changes() -> Iterator[Change]:
        for number, row in objects:
            try:
                yield change_in(row, collection, number)
            except UnusableError as error:
                raise _cannot(path, number, row, _CHANGELOG, error.reason) from None

    for latest in latest_of(changes()):
        try:
            yield latest.document(collection)
        except UnusableError as error:
            raise line_error(path, latest.change.number, error.reason) from None


_PLAIN = _Form('{"id", "create_time", "update_time", "data"}', (), _of_plain)
_REST = _Form('{"name", "fields", "createTime", "updateTime"}', ("createTime", "updateTime"), _of_rest)
_REST_PAGES = _Form('{"documents"}', ("documents",), _of_rest_pages)
_REST_QUERY = _Form('{"document", "readTime"}', ("document", "readTime", "transaction"), _of_rest_query)
_CHANGELOG = _Form('{"document_name", "timestamp", "operation", "data"}', ("document_name",), _of_changelog)
_FORMS = (_REST, _REST_PAGES, _REST_QUERY, _CHANGELOG)
