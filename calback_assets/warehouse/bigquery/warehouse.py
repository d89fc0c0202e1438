"""The warehouse in BigQuery: a dataset, and how it stands.

Finding the dataset and keeping its client belong here; what is done with it does not.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from dagster_gcp import BigQueryResource
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.sources.bigquery.client import FAILURES, reader_of
from calback_assets.warehouse.bigquery.jobs import (
    Jobs,
    Limits,
    explain,
    no_jobs,
    no_writing,
)
from calback_assets.warehouse.bigquery.ledger import LEDGER
from calback_assets.warehouse.bigquery.session import BigQuerySession
from calback_assets.warehouse.erasure import Subjects
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.warehouse import (
    Address,
    Condition,
    Warehouse,
)

_GLANCE = Limits(timeout_seconds=10.0, request_seconds=10.0, patience_seconds=10.0)
"""Of somebody who only looks."""
_WRITING = {
    True: "its tables may be written",
    False: "its tables may not be written",
    None: "whether its tables may be written cannot be told",
}


class BigQueryWarehouse(Warehouse):
    """A dataset with the tables in it."""

    kind = "bigquery"

    def __init__(
        self,
        bigquery_resource: BigQueryResource,
        dataset: str,
        dependents: Dependents | None = None,
        limits: Limits | None = None,
        connect_reader: Callable[[bigquery.Client], BigQueryReadClient | None] = reader_of,
        pseudonym_key: bytes = DEVELOPMENT_KEY,
    ) -> None:
        """Name the dataset; nothing is called yet.

        Args:
            bigquery_resource: where it is; with project and location.
            dataset: its name; it must exist.
            dependents: for each table, the partitioned tables that read it and the days they read.
            limits: bounds on every job.
            connect_reader: makes the client of the Storage Read API beside a client.
            pseudonym_key: the secret of keyed hashes, under which the suppression list knows people.
        """
        self._resource = bigquery_resource
        self._dataset = dataset
        self._dependents = dependents or {}
        self._limits = limits or Limits()
        self._connect_reader = connect_reader
        self._subjects = Subjects(pseudonym_key)
        self._kept: list[BigQuerySession] | None = None

    def address(self, table_name: str) -> Address:
        """The table's name in the project, and its page in Google's console."""
        project = self._resource.project or ""
        return Address(
            f"{project}.{self._dataset}.{table_name}",
            f"https://console.cloud.google.com/bigquery?p={project}&d={self._dataset}&t={table_name}&page=table",
        )

    def condition(self) -> Condition:
        """Look at the dataset, what may be done with it and whether jobs may be made; a statement is only checked.

        Raises:
            WarehouseError: no credentials, no permission, no such project or dataset, or the dataset lies elsewhere;
                or its hashes were made with another key.
        """
        project, location = self._resource.project or "", self._resource.location or ""
        try:
            with self._resource.get_client() as client:
                jobs = Jobs(client, self._dataset, _GLANCE)
                session = BigQuerySession(jobs, None, self._dependents, self._subjects)
                session.prepare(read_only=True)
                troubles = [] if jobs.may_be_made() else [no_jobs(project)]
                ledger = session.stored(LEDGER)
                facts = ["the dataset is there"]
                if ledger is not None and not troubles:
                    session.check_key()
                    may_write = jobs.may_write(ledger)
                    facts.append(_WRITING[may_write])
                    troubles += [no_writing(project, self._dataset)] if may_write is False else []
                elif ledger is None:
                    facts.append("nothing is in it yet")
        except FAILURES as error:
            raise explain(error, project, self._dataset, location) from None
        where = f"dataset {self._dataset} in project {project}"
        return Condition(where, facts, ledger is not None, troubles)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the client and what is known of the dataset between the sessions inside."""
        self._kept = []
        try:
            yield
        finally:
            self._kept = None

    def reading(self) -> AbstractContextManager["BigQuerySession"]:
        """A session that only reads: here nobody waits for who writes."""
        return self.session(read_only=True)

    def published(self) -> None:
        """None is needed."""

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator["BigQuerySession"]:
        """A client that has seen the dataset.

        Raises:
            WarehouseError: no credentials, no permission, no such project or dataset, or the dataset lies elsewhere.
        """
        if self._kept:
            yield self._kept[0]
            return
        project, location = self._resource.project or "", self._resource.location or ""
        try:
            with self._resource.get_client() as client:
                jobs = Jobs(client, self._dataset, self._limits)
                session = BigQuerySession(jobs, self._connect_reader(client), self._dependents, self._subjects)
                session.prepare(read_only=read_only)
        except FAILURES as error:
            raise explain(error, project, self._dataset, location) from None
        if self._kept is not None:
            self._kept.append(session)
        yield session
