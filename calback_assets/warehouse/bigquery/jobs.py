"""BigQuery jobs that are safe to retry: ids that say what they are, and errors that say what to do.

The client, job ids and what a warehouse makes of Google's errors belong here; which statements are sent does not.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import IO, TypeAlias, TypeVar
from uuid import uuid4

from dagster_gcp import BigQueryResource
from google.api_core import exceptions, retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from calback_assets.errors import CalbackError, WarehouseError
from calback_assets.sources.bigquery.client import (
    EMULATOR_HOST,
    PATIENCE_SECONDS,
    REQUEST_SECONDS,
    no_access,
    no_answer,
    redacted,
    retrying,
)
from calback_assets.warehouse.warehouse import never_written, under_way

Job = TypeVar("Job", bigquery.QueryJob, bigquery.LoadJob)
QueryParameter: TypeAlias = bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter

_TRANSIENT_REASONS = frozenset({"backendError", "internalError", "rateLimitExceeded", "jobRateLimitExceeded"})
_WRITING = ("bigquery.tables.getData", "bigquery.tables.updateData")
_ATTEMPTS = 4
"""How often a job that BigQuery itself failed for a passing reason is sent anew."""


@dataclass(frozen=True)
class Limits:
    """Bounds on every job."""

    timeout_seconds: float = 1800.0
    """After which BigQuery ends a statement, and we stop asking for it."""
    maximum_bytes_billed: int | None = None
    """Above which BigQuery refuses a statement before it runs."""
    request_seconds: float = REQUEST_SECONDS
    """How long one request may stay without an answer."""
    patience_seconds: float = PATIENCE_SECONDS
    """How long a request that fails for a passing reason is tried again."""


@dataclass(frozen=True)
class Purpose:
    """What a job is for: the ground of its id, and its labels."""

    run_id: str
    table: str
    partition: str
    step: str

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels in the characters that BigQuery allows."""
        labels = {"asset": self.table, "partition": self.partition, "run_id": self.run_id, "step": self.step}
        return {"managed_by": "calback", **{name: value.lower()[:63] for name, value in labels.items() if value}}

    def job_id(self, session: str, number: int, attempt: int) -> str:
        """Fixed before the job is sent, so that an insert that is repeated is one job; another session's is another."""
        named = (self.run_id, self.table, self.partition, self.step)
        return "_".join(("calback", *(name for name in named if name), session, str(number), str(attempt)))


READ = Purpose("read", "", "", "read")
"""Of every query that changes nothing."""


class EmulatedBigQuery(BigQueryResource):
    """Dagster's resource at the address of an emulator, where nobody asks for credentials."""

    @contextmanager
    def get_client(self) -> Iterator[bigquery.Client]:
        """A client without credentials; it finds the emulator by the client's own variable, BIGQUERY_EMULATOR_HOST."""
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        yield bigquery.Client(self.project, credentials, location=self.location)


def resource_of(project: str, location: str | None) -> BigQueryResource:
    """Dagster's resource, at Google or at the emulator that the client's own variable names."""
    kind = EmulatedBigQuery if os.environ.get(EMULATOR_HOST) else BigQueryResource
    return kind(project=project, location=location)


def client_of(resource: BigQueryResource) -> bigquery.Client:
    """A client that lives as long as the process."""
    with resource.get_client() as client:
        return client


@dataclass
class Jobs:
    """Runs jobs through one client."""

    client: bigquery.Client
    dataset: str
    limits: Limits
    _session: str = field(default_factory=lambda: uuid4().hex[:12], init=False)
    _number: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Google's own back-off, with jitter, for what passes."""
        self.retry = retrying(self.limits.patience_seconds)

    def query(self, sql: str, purpose: Purpose, parameters: Sequence[QueryParameter] = ()) -> bigquery.QueryJob:
        """Run a statement and wait for its end.

        Raises:
            FAILURES: the statement is at fault, or BigQuery cannot be reached.
            WarehouseError: it has not ended in time.
        """

        def send(job_id: str) -> bigquery.QueryJob:
            return self.client.query(
                sql,
                job_id=job_id,
                job_config=self._config(purpose, parameters),
                retry=_NEVER,
                job_retry=None,
                timeout=self.limits.request_seconds,
            )

        return self._run(send, purpose)

    def days(self, sql: str) -> list[date]:
        """The days that a query finds."""
        return [day for (day,) in self.query(sql, READ).result(retry=self.retry)]

    def load(
        self, parquet: IO[bytes], table: bigquery.TableReference, schema: list[bigquery.SchemaField], purpose: Purpose
    ) -> bigquery.LoadJob:
        """Load a Parquet file into a table and wait for the end; free of charge."""
        options = bigquery.ParquetOptions()  # type: ignore[no-untyped-call]
        options.enable_list_inference = True
        config = bigquery.LoadJobConfig(
            schema=schema,
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            parquet_options=options,
            labels=purpose.labels,
        )

        def send(job_id: str) -> bigquery.LoadJob:
            return self.client.load_table_from_file(
                parquet,
                table,
                rewind=True,
                job_id=job_id,
                job_config=config,
                num_retries=0,
                timeout=self.limits.request_seconds,
            )

        return self._run(send, purpose)

    def columns(self, sql: str) -> list[bigquery.SchemaField]:
        """The columns of a query, which is not run."""
        config = bigquery.QueryJobConfig(
            dry_run=True, use_query_cache=False, default_dataset=f"{self.client.project}.{self.dataset}"
        )
        job = self.client.query(sql, job_config=config, retry=self.retry, job_retry=None)
        return list(job.schema or ())

    def may_be_made(self) -> bool:
        """Whether jobs may be, by one that is only checked."""
        try:
            self.columns("SELECT 1 AS one")
        except exceptions.Forbidden:
            return False
        return True

    def may_write(self, table: bigquery.Table) -> bool | None:
        """Whether a table may be written; None where the service does not tell, as an emulator."""
        try:
            answer = self.client.test_iam_permissions(
                table, _WRITING, retry=self.retry, timeout=self.limits.request_seconds
            )
        except (exceptions.NotFound, exceptions.MethodNotAllowed, exceptions.MethodNotImplemented):
            return None
        return set(_WRITING) <= set(answer.get("permissions", ()))

    def _config(self, purpose: Purpose, parameters: Sequence[QueryParameter]) -> bigquery.QueryJobConfig:
        config = bigquery.QueryJobConfig(
            default_dataset=f"{self.client.project}.{self.dataset}",
            labels=dict(purpose.labels),
            maximum_bytes_billed=self.limits.maximum_bytes_billed,
            query_parameters=list(parameters),
            use_legacy_sql=False,
        )
        config.job_timeout_ms = int(self.limits.timeout_seconds * 1000)
        return config

    def _run(self, send: Callable[[str], Job], purpose: Purpose) -> Job:
        self._number += 1
        for attempt in range(1, _ATTEMPTS + 1):
            job = self._insert(send, purpose.job_id(self._session, self._number, attempt))
            try:
                with under_way(partial(_share_done, job)):
                    job.result(retry=self.retry, timeout=self.limits.timeout_seconds)
            except exceptions.GoogleAPICallError as error:
                if attempt == _ATTEMPTS or not _is_passing(job):
                    raise error
                continue
            except TimeoutError:
                raise WarehouseError(
                    f"{purpose.table or 'a query'}: BigQuery has not ended the statement within "
                    f"{self.limits.timeout_seconds:g} seconds, and ends it by itself, done or not; run the same again, "
                    "or set CALBACK_BIGQUERY_TIMEOUT_SECONDS to more"
                ) from None
            return job
        raise AssertionError("the last attempt returns or raises")

    def _insert(self, send: Callable[[str], Job], job_id: str) -> Job:
        """Insert a job; where the answer was lost, the id is taken, and the job is found again instead of repeated."""

        def insert_or_find() -> Job:
            try:
                return send(job_id)
            except exceptions.Conflict:
                # Of the kind that was sent under this id.
                return self.client.get_job(  # type: ignore[return-value]
                    job_id, retry=self.retry, timeout=self.limits.request_seconds
                )

        return self.retry(insert_or_find)()


_NEVER = retry.Retry(predicate=lambda _: False)


def _is_passing(job: bigquery.QueryJob | bigquery.LoadJob) -> bool:
    return (job.error_result or {}).get("reason") in _TRANSIENT_REASONS


def _share_done(job: bigquery.QueryJob | bigquery.LoadJob) -> float:
    """How much of a query is done, as BigQuery said when the client last looked whether it has ended.

    The client looks every ten seconds, and BigQuery says anything new about every thirty: a request of our own would
    tell no more, and would have to come from this thread, which may not use the client beside the one that waits.
    """
    timeline = job.timeline if isinstance(job, bigquery.QueryJob) else []
    if not timeline:
        return 0.0
    completed, pending = timeline[-1].completed_units or 0, timeline[-1].pending_units or 0
    return completed / max(completed + pending, 1)  # It falls where BigQuery finds that there is more to do.


def explain(error: Exception, project: str, dataset: str, location: str) -> CalbackError:
    """An error of Google as one of ours: what to do about it, without the values that its message may quote."""
    if problem := no_access(error) or no_answer(error):
        return WarehouseError(problem)
    if isinstance(error, exceptions.Forbidden):
        return WarehouseError(
            f"BigQuery denies access to dataset {dataset} in project {project} ({_reason(error)}); grant this account "
            "roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on the dataset"
        )
    if isinstance(error, exceptions.NotFound):
        what = re.match(r".*?[Nn]ot found: (Project|Dataset|Table) ([\w.:-]+)", str(error), re.DOTALL)
        if what and what[1] == "Project":
            return WarehouseError(f"there is no project {project}; set CALBACK_GCP_PROJECT to the id of yours")
        if what and what[1] == "Table":
            return never_written(re.split(r"[.:]", what[2])[-1])
        return WarehouseError(
            f"there is no dataset {dataset} in project {project}; make it with bq mk --location={location} "
            f"{project}:{dataset}, or set CALBACK_BIGQUERY_DATASET"
        )
    return WarehouseError(f"BigQuery could not run the query: {redacted(error)}")


def no_jobs(project: str) -> WarehouseError:
    """The error of an account that may make no jobs."""
    return WarehouseError(
        f"BigQuery lets this account make no jobs in project {project}; grant it roles/bigquery.jobUser on the project"
    )


def no_writing(project: str, dataset: str) -> WarehouseError:
    """The error of an account that may only look."""
    return WarehouseError(
        f"BigQuery lets this account not write dataset {dataset} in project {project}; grant it "
        "roles/bigquery.dataEditor on the dataset"
    )


def _reason(error: exceptions.GoogleAPICallError) -> str:
    return next((str(detail.get("reason")) for detail in error.errors if detail.get("reason")), type(error).__name__)
