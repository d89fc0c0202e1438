"""The rows of a table in BigQuery as they arrive, a batch at a time.

Both ways to them belong here: the Storage Read API, and the pages of a query's result where that is denied or absent,
or the table is a view, which that API does not read. Which rows and columns are asked for, and what becomes of them,
does not.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property

import pyarrow as pa
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.types import DataFormat, ReadSession

from calback_assets.sources.bigquery.client import (
    FAILURES,
    PATIENCE_SECONDS,
    REQUEST_SECONDS,
    STREAM_SECONDS,
    explain,
    reader_of,
    retrying,
)
from calback_assets.sources.bigquery.query import Dataset

_PAGE_ROWS = 10_000


class BigQueryRows:
    """Reads the tables that a client can see."""

    def __init__(
        self,
        connect: Callable[[], bigquery.Client],
        connect_reader: Callable[[bigquery.Client], BigQueryReadClient | None] = reader_of,
    ) -> None:
        """Calls nothing yet.

        Args:
            connect: makes the client, which looks for credentials; called with the first question.
            connect_reader: makes the client of the Storage Read API beside it; None where there is none.
        """
        self._connect = connect
        self._connect_reader = connect_reader

    @cached_property
    def _client(self) -> bigquery.Client:
        return self._connect()

    @cached_property
    def _reader(self) -> BigQueryReadClient | None:
        return self._connect_reader(self._client)

    def batches(
        self, dataset: Dataset, table: str, columns: Sequence[str], where: str = "", at: datetime | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a table, one batch in memory at a time.

        Args:
            dataset: that of the table.
            table: its name.
            columns: names of columns, and of fields in a struct, as `device.category`, which come in such a struct.
            where: a condition of simple comparisons on its columns, as GoogleSQL.
            at: a moment of the last days, as of which it is read; None for now, and for a view.

        Raises:
            SourceError: the table cannot be read, or not to its end.
        """
        try:
            client, reader = self._client, self._reader
            reference = bigquery.DatasetReference(dataset.project, dataset.name).table(table)
            found = streamed(reader, client.project, reference, columns, where, at) if reader else None
            if found is None:
                sql = selection(dataset.table(table), columns, where, at=at)
                patience = retrying()
                # With a retry of jobs already here, the client would ask again for ten minutes, whatever `retry` says.
                job = client.query(sql, retry=patience, job_retry=None, timeout=REQUEST_SECONDS)
                found = paged(job, patience, DEFAULT_JOB_RETRY.with_timeout(PATIENCE_SECONDS))
            yield from found
        except FAILURES as error:
            raise explain(error, dataset, table) from None


def streamed(
    reader: BigQueryReadClient,
    project: str,
    table: bigquery.TableReference,
    columns: Sequence[str],
    where: str,
    at: datetime | None = None,
) -> Iterator[pa.RecordBatch] | None:
    """Rows from the Storage Read API as they arrive, of these columns alone; None where it is denied, and of a view.

    A stream that breaks is resumed by Google's own client.

    Args:
        reader: a client of the API.
        project: the one that asks, and is billed.
        table: what is read.
        columns: names of columns, and of fields in a struct.
        where: a condition of simple comparisons.
        at: as of when; None for now.

    Raises:
        FAILURES: the table cannot be read.
    """
    asked = ReadSession(
        table=f"projects/{table.project}/datasets/{table.dataset_id}/tables/{table.table_id}",
        data_format=DataFormat.ARROW,
        read_options=ReadSession.TableReadOptions(selected_fields=columns, row_restriction=where),
        table_modifiers=ReadSession.TableModifiers(snapshot_time=at),
    )
    patience = retrying()
    try:
        session = reader.create_read_session(
            parent=f"projects/{project}",
            read_session=asked,
            max_stream_count=1,
            retry=patience,
            timeout=REQUEST_SECONDS,
        )
    except (exceptions.PermissionDenied, exceptions.InvalidArgument):
        return None
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    return (
        pa.ipc.read_record_batch(pa.py_buffer(message.arrow_record_batch.serialized_record_batch), schema)
        for stream in session.streams
        for message in reader.read_rows(stream.name, retry=patience, timeout=STREAM_SECONDS)  # type: ignore[no-untyped-call]
    )


def paged(job: bigquery.QueryJob, patience: Retry, job_patience: Retry = DEFAULT_JOB_RETRY) -> Iterator[pa.RecordBatch]:
    """Rows from the REST interface, as the pages of a query's result.

    Args:
        job: the query.
        patience: with a request that fails for a passing reason.
        job_patience: with such a job; Google's default, which leaves a job whose id was given alone.

    Raises:
        FAILURES: the query is at fault, or its result cannot be read.
    """
    yield from job.result(page_size=_PAGE_ROWS, retry=patience, job_retry=job_patience).to_arrow_iterable()


def selection(
    table: str, columns: Sequence[str], where: str = "", limit: int | None = None, at: datetime | None = None
) -> str:
    """The query for what the Storage Read API would give, as GoogleSQL.

    Args:
        table: its name, as GoogleSQL.
        columns: names of columns, and of fields in a struct.
        where: a condition; every row without one.
        limit: the most rows that are wanted.
        at: as of when; None for now.
    """
    fields: dict[str, list[str]] = {}
    for name in columns:
        column, _, field = name.partition(".")
        fields.setdefault(column, []).extend([field] if field else [])
    expressions = (
        f"STRUCT({', '.join(f'`{column}`.`{name}` AS `{name}`' for name in of_column)}) AS `{column}`"
        if of_column
        else f"`{column}`"
        for column, of_column in fields.items()
    )
    then = "" if at is None else f" FOR SYSTEM_TIME AS OF TIMESTAMP '{at.isoformat()}'"
    only = f" WHERE {where}" if where else ""
    at_most = "" if limit is None else f" LIMIT {limit}"
    return f"SELECT {', '.join(expressions)} FROM {table}{then}{only}{at_most}"
