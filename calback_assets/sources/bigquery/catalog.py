"""BigQuery's own answer to which tables and columns there are, which days, and what time it is.

Only the question to the service belongs here: its types in the words of GoogleSQL, and its refusals in the words of
a person who set it up.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property

from google.api_core.exceptions import Forbidden, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY
from google.cloud.bigquery.table import RowIterator

from calback_assets.errors import SourceError
from calback_assets.sources.bigquery.client import (
    FAILURES,
    PATIENCE_SECONDS,
    REQUEST_SECONDS,
    explain,
    no_access,
    no_answer,
    redacted,
    retrying,
)
from calback_assets.sources.bigquery.query import Dataset

_GOOGLESQL = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
"""Types that the service calls by their older names."""


class BigQueryCatalog:
    """The catalog of the datasets that a client can see; asks anew each time, as intraday tables come and go."""

    def __init__(self, connect: Callable[[], bigquery.Client], patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Asks nothing yet.

        Args:
            connect: makes the client, which looks for credentials; called with the first question.
            patience_seconds: how long a question that fails for a passing reason is asked again.
        """
        self._connect = connect
        self._retry = retrying(patience_seconds)
        self._job_retry = DEFAULT_JOB_RETRY.with_timeout(patience_seconds)
        self._timeout = min(REQUEST_SECONDS, patience_seconds)

    @cached_property
    def _client(self) -> bigquery.Client:
        return self._connect()

    def columns(self, dataset: Dataset, table: str) -> Mapping[str, str] | None:
        """The GoogleSQL type of each column, STRUCT and ARRAY spelled out; None where there is no such table.

        Raises:
            SourceError: there is no such dataset, or it may not be read.
        """
        reference = bigquery.DatasetReference(dataset.project, dataset.name)
        with _asking(dataset):
            try:
                found = self._client.get_table(reference.table(table), retry=self._retry, timeout=self._timeout)
            except NotFound:
                self._check(dataset, reference)
                return None
            return {field.name: _googlesql(field) for field in found.schema}

    def tables(self, dataset: Dataset) -> Collection[str]:
        """The names of all tables of a dataset.

        Raises:
            SourceError: there is no such dataset, or it may not be read.
        """
        reference = bigquery.DatasetReference(dataset.project, dataset.name)
        with _asking(dataset):
            self._check(dataset, reference)
            return {
                found.table_id
                for found in self._client.list_tables(reference, retry=self._retry, timeout=self._timeout)
            }

    def days(self, dataset: Dataset, table: str, day: str, where: str) -> Collection[date]:
        """The days of which a table has rows that a condition leaves; reads the columns of both.

        Raises:
            SourceError: the table may not be read.
        """
        sql = f"SELECT DISTINCT {day} AS day FROM {dataset.table(table)} WHERE {where}"
        with _asking(dataset, table):
            return {row.day for row in self._query(sql)}

    def is_view(self, dataset: Dataset, table: str) -> bool:
        """Whether a table that is there is a view, which neither streams nor knows how it was.

        Raises:
            SourceError: it may not be read.
        """
        reference = bigquery.DatasetReference(dataset.project, dataset.name).table(table)
        with _asking(dataset, table):
            kind = self._client.get_table(reference, retry=self._retry, timeout=self._timeout).table_type
        return bool(kind != "TABLE")

    def any_of(self, dataset: Dataset, table: str, column: str) -> object:
        """What any one row of a table that is there has in a column; None where there is no row.

        Raises:
            SourceError: the table may not be read.
        """
        reference = bigquery.DatasetReference(dataset.project, dataset.name).table(table)
        with _asking(dataset, table):
            found = self._client.get_table(reference, retry=self._retry, timeout=self._timeout)
            if found.table_type == "TABLE":  # For which a query would be billed the whole column.
                fields = [field for field in found.schema if field.name == column]
                rows = self._client.list_rows(found, fields, max_results=1, retry=self._retry, timeout=self._timeout)
            else:
                sql = f"SELECT `{column}` FROM {dataset.table(table)} LIMIT 1"
                rows = self._query(sql)
            return next((row[0] for row in rows), None)

    def now(self, dataset: Dataset) -> datetime:
        """The service's own time, as of which tables can be read.

        Raises:
            SourceError: it does not answer.
        """
        with _asking(dataset):
            try:
                now: datetime
                ((now,),) = self._query("SELECT CURRENT_TIMESTAMP()")
            except Forbidden:
                raise SourceError(
                    f"no query may be run in project {self._client.project}; grant the platform's account "
                    "roles/bigquery.jobUser on it"
                ) from None
        return now

    def _query(self, sql: str) -> RowIterator:
        # With a retry of jobs already here, the client would also ask again for ten minutes, whatever `retry` says.
        job = self._client.query(sql, retry=self._retry, job_retry=None, timeout=self._timeout)
        return job.result(retry=self._retry, job_retry=self._job_retry, timeout=self._timeout)

    def _check(self, dataset: Dataset, reference: bigquery.DatasetReference) -> None:
        """Tells a table that is not there from a dataset that is not."""
        try:
            self._client.get_dataset(reference, retry=self._retry, timeout=self._timeout)
        except NotFound:
            raise SourceError(
                f"{dataset.setting}: dataset {dataset.name} does not exist in project {dataset.project}; "
                f"set it to {dataset.expected}"
            ) from None


@contextmanager
def _asking(dataset: Dataset, table: str | None = None) -> Iterator[None]:
    """Says what Google's errors mean; `table` is that which was there when it was asked for."""
    try:
        yield
    except FAILURES as error:
        if table is not None:
            raise explain(error, dataset, table) from None
        if problem := no_access(error) or no_answer(error):
            raise SourceError(problem) from None
        if isinstance(error, Forbidden):
            # The service says the same of a dataset that may not be seen and of one that is not there.
            raise SourceError(
                f"{dataset.setting}: dataset {dataset.name} in project {dataset.project} may not be read, or does not "
                "exist; grant the platform's account roles/bigquery.dataViewer on it"
            ) from None
        raise SourceError(f"dataset {dataset.name}: BigQuery refuses the question: {redacted(error)}") from None


def _googlesql(field: bigquery.SchemaField) -> str:
    if field.field_type in ("RECORD", "STRUCT"):
        type_ = f"STRUCT<{', '.join(f'`{part.name}` {_googlesql(part)}' for part in field.fields)}>"
    else:
        type_ = _GOOGLESQL.get(field.field_type, field.field_type)
    return f"ARRAY<{type_}>" if field.mode == "REPEATED" else type_
