"""A Firestore on the loopback interface: the calls that this project makes, as the service answers them.

Which call does what stands here. What is stored, queried and written, and what goes wrong on purpose, stands in
modules of their own. What is not served is refused by name.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from google.cloud.firestore_v1 import types

from calback_assets_tests.firestore.faults import Fault, Faults
from calback_assets_tests.firestore.names import document_path
from calback_assets_tests.firestore.query import Query, split_points
from calback_assets_tests.firestore.refusal import Refusal, invalid, unserved
from calback_assets_tests.firestore.served import check_served
from calback_assets_tests.firestore.store import Store
from calback_assets_tests.firestore.values import keep, mask_of
from calback_assets_tests.firestore.writes import apply, written_path

_SERVICE = "google.firestore.v1.Firestore"
# A stream takes a thread, also one that stalls.
_THREADS = 64
# What is left of a call when its test has ended may take so long.
_GRACE_SECONDS = 1
_MAX_REQUEST_BYTES = 10 * 2**20
_MAX_BATCH = 500
_MAX_AGGREGATIONS = 5

_RunQueryResponse: Any = types.RunQueryResponse.pb()
_RunAggregationQueryResponse: Any = types.RunAggregationQueryResponse.pb()
_PartitionQueryResponse: Any = types.PartitionQueryResponse.pb()
_BatchGetDocumentsResponse: Any = types.BatchGetDocumentsResponse.pb()
_CommitResponse: Any = types.CommitResponse.pb()
_BatchWriteResponse: Any = types.BatchWriteResponse.pb()


@dataclass(frozen=True)
class Request:
    """A request that arrived: the method's name, the protocol's message, the metadata."""

    method: str
    message: Any
    metadata: tuple[tuple[str, str | bytes], ...]


class Firestore:
    """A server of one project's default database; a context manager, which serves at `host` inside its block.

    Attributes:
        host: for `FIRESTORE_EMULATOR_HOST`.
        project: the only project that is served.
        store: the documents.
        faults: what goes wrong.
        requests: every request so far, in the order of arrival.
        documents_per_partition: below about that many a collection is not split further, as with the service.
    """

    host: str

    def __init__(self, project: str = "calback-test", *, port: int = 0) -> None:
        self.project = project
        self.store = Store(project)
        self.faults = Faults()
        self.requests: list[Request] = []
        self.documents_per_partition = 128
        self._port = port

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(_THREADS)
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
        self._server = grpc.server(self._threads, options=options)
        handlers = {
            "RunQuery": self._handler("RunQuery", self._run_query),
            "RunAggregationQuery": self._handler("RunAggregationQuery", self._run_aggregation_query),
            "PartitionQuery": self._handler("PartitionQuery", self._partition_query),
            "BatchGetDocuments": self._handler("BatchGetDocuments", self._batch_get_documents),
            "Commit": self._handler("Commit", self._commit),
            "BatchWrite": self._handler("BatchWrite", self._batch_write),
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, handlers), _RefusingHandler())
        )
        self.host = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{self._port}')}"
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Nobody is in the middle of a call as a rule; cutting off even idle clients makes them complain.
        self._server.stop(_GRACE_SECONDS).wait()
        self._threads.shutdown()

    def stop(self) -> None:
        """Ends the server in the middle of whatever it does, as if its process had died."""
        self._server.stop(None)

    def _handler(self, method: str, answer: Callable[[Any], Iterator[Any]]) -> grpc.RpcMethodHandler:
        """A handler that answers with a stream: on the wire, a single answer is a stream of one message."""

        def handle(message: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            self.requests.append(Request(method, message, tuple(context.invocation_metadata())))
            try:
                yield from _struck(
                    self._answers(method, answer, message), self.faults.meeting(method, message), context
                )
            except Refusal as refusal:
                context.abort(refusal.code, refusal.message)

        return grpc.unary_stream_rpc_method_handler(
            handle,
            request_deserializer=getattr(types, f"{method}Request").pb().FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )

    def _answers(self, method: str, answer: Callable[[Any], Iterator[Any]], message: Any) -> Iterator[Any]:
        check_served(method, message)
        if message.ByteSize() > _MAX_REQUEST_BYTES:
            raise invalid(f"Request payload size exceeds the limit: {_MAX_REQUEST_BYTES} bytes.")
        yield from answer(message)

    def _run_query(self, request: Any) -> Iterator[Any]:
        self._check_parent(request.parent)
        time = self._read_time(request)
        query = Query(self.store, request.parent, request.structured_query, time)
        empty = _RunQueryResponse()
        empty.read_time.FromMicroseconds(time)
        head = empty.SerializeToString()
        is_first = True
        for document in query.documents():
            response = _RunQueryResponse.FromString(head)
            response.document.MergeFromString(document)
            if query.mask is not None:
                keep(response.document.fields, query.mask)
            if is_first:
                response.skipped_results = query.skipped
                is_first = False
            yield response
        if is_first:
            empty.skipped_results = query.skipped
            yield empty

    def _run_aggregation_query(self, request: Any) -> Iterator[Any]:
        self._check_parent(request.parent)
        time = self._read_time(request)
        aggregated = request.structured_aggregation_query
        if not 1 <= len(aggregated.aggregations) <= _MAX_AGGREGATIONS:
            raise invalid(f"A query takes 1 to {_MAX_AGGREGATIONS} aggregations.")
        query = Query(self.store, request.parent, aggregated.structured_query, time)
        count = sum(1 for _ in query.documents())
        response = _RunAggregationQueryResponse()
        response.read_time.FromMicroseconds(time)
        nameless = 0
        for aggregation in aggregated.aggregations:
            if not aggregation.HasField("count"):
                raise unserved("an aggregation other than count")
            if not aggregation.alias:
                nameless += 1
            alias = aggregation.alias or f"field_{nameless}"
            if alias in response.result.aggregate_fields:
                raise invalid(f'Two aggregations have the alias "{alias}".')
            limited = aggregation.count.HasField("up_to")
            if limited and aggregation.count.up_to.value <= 0:
                raise invalid("up_to must be greater than zero.")
            answer = min(count, aggregation.count.up_to.value) if limited else count
            response.result.aggregate_fields[alias].integer_value = answer
        yield response

    def _partition_query(self, request: Any) -> Iterator[Any]:
        self._check_parent(request.parent)
        if request.parent != self.store.root:
            raise invalid("The parent of a partitioned query must be the root of the documents.")
        if request.partition_count <= 0 or request.page_size < 0:
            raise invalid("partition_count must be positive, and page_size not negative.")
        begin, time = self._page(request)
        points = split_points(
            self.store,
            request.structured_query,
            time,
            count=request.partition_count,
            documents_per_partition=self.documents_per_partition,
        )
        end = begin + request.page_size if request.page_size else len(points)
        response = _PartitionQueryResponse()
        for point in points[begin:end]:
            cursor = response.partitions.add(before=True)
            cursor.values.add(reference_value=f"{self.store.root}/{point.path}")
        if end < len(points):
            response.next_page_token = f"{end}@{time}"
        yield response

    def _batch_get_documents(self, request: Any) -> Iterator[Any]:
        self._check_database(request.database)
        time = self._read_time(request)
        mask = mask_of(request.mask.field_paths) if request.HasField("mask") else None
        if not request.documents:
            raise unserved("a request for no documents")
        # The order is not promised to be that of the request, and a name that is there twice is answered once.
        for name in sorted(set(request.documents)):
            document = self.store.get(document_path(name, self.store.root), time)
            response = _BatchGetDocumentsResponse()
            response.read_time.FromMicroseconds(time)
            if document is None:
                response.missing = name
            else:
                response.found.MergeFromString(document)
                if mask is not None:
                    keep(response.found.fields, mask)
            yield response

    def _commit(self, request: Any) -> Iterator[Any]:
        self._check_database(request.database)
        response = _CommitResponse()
        with self.store.commit() as commit:
            for write in request.writes:
                response.write_results.add().CopyFrom(apply(write, commit, self.store.root))
        response.commit_time.FromMicroseconds(commit.time)
        yield response

    def _batch_write(self, request: Any) -> Iterator[Any]:
        self._check_database(request.database)
        if len(request.writes) > _MAX_BATCH:
            raise invalid(f"maximum {_MAX_BATCH} writes allowed per request")
        paths = [written_path(write, self.store.root) for write in request.writes]
        if len(set(paths)) < len(paths):
            raise invalid("A document cannot be written to more than once per request.")
        response = _BatchWriteResponse()
        for write in request.writes:
            result, status = response.write_results.add(), response.status.add()
            try:
                with self.store.commit() as commit:
                    result.CopyFrom(apply(write, commit, self.store.root))
            except Refusal as refusal:
                status.code, status.message = refusal.code.value[0], refusal.message
        yield response

    def _page(self, request: Any) -> tuple[int, int]:
        """Which split point a page begins with, and the time that it is of: all pages are of the first one's."""
        if not request.page_token:
            return 0, self._read_time(request)
        begin, _, time = request.page_token.partition("@")
        if not begin.isdecimal() or not time.isdecimal():
            raise invalid("page_token is none that this server has given out.")
        if request.HasField("read_time") and self._read_time(request) != int(time):
            raise invalid("page_token is of another read_time.")
        return int(begin), self.store.snapshot(int(time))

    def _check_database(self, database: str) -> None:
        if f"{database}/documents" != self.store.root:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"The database {database} does not exist; {self.store.root} does.")

    def _check_parent(self, parent: str) -> None:
        self._check_database(parent.partition("/documents")[0])

    def _read_time(self, request: Any) -> int:
        if not request.HasField("read_time"):
            return self.store.snapshot(None)
        if request.read_time.nanos % 1000:
            raise invalid("read_time must be of whole microseconds.")
        return self.store.snapshot(request.read_time.ToMicroseconds())


def _struck(answers: Iterator[Any], faults: list[Fault], context: grpc.ServicerContext) -> Iterator[Any]:
    """The answers, with what goes wrong before, between and after them."""
    if not faults:
        yield from answers
        return
    sent = 0
    while True:
        for fault in faults:
            fault.strike(sent, context)
        answer = next(answers, None)
        if answer is None:
            return
        yield answer
        sent += 1


class _RefusingHandler(grpc.GenericRpcHandler):
    """Every other method, refused by its name."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        refusal = unserved(handler_call_details.method)

        def handle(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            context.abort(refusal.code, refusal.message)
            yield

        return grpc.stream_stream_rpc_method_handler(handle)
