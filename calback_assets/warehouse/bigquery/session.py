"""One open dataset of BigQuery: the write contract, statement by statement.

Everything that becomes a statement belongs here: publishing, guards, reading. How the dataset is found stands in
`warehouse`; jobs, their retries and their errors are in `jobs`, the ledger of partitions in `ledger`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from sqlglot import exp

from calback_assets.days import Stretch
from calback_assets.errors import CalbackError, ContractError, WarehouseError
from calback_assets.sources.bigquery.client import FAILURES
from calback_assets.sources.bigquery.rows import paged, selection, streamed
from calback_assets.sources.file_query import FileQuery
from calback_assets.tables import EVENT_DATE, Column, Table
from calback_assets.warehouse.bigquery.erasure import BigQueryErasure
from calback_assets.warehouse.bigquery.jobs import (
    READ,
    Jobs,
    Purpose,
    QueryParameter,
    explain,
)
from calback_assets.warehouse.bigquery.ledger import DESCRIPTION, LEDGER, SCHEMA, BigQueryLedger
from calback_assets.warehouse.bigquery.schema import (
    LABELS,
    googlesql_type,
    missing_columns,
    nullable_schema_of,
    table_of,
)
from calback_assets.warehouse.erasure import Erased, Subjects
from calback_assets.warehouse.googlesql.model import Model
from calback_assets.warehouse.googlesql.template import Template
from calback_assets.warehouse.ledger import Dependents, during, is_watched, of_table, staled_by, within
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.rows import SLICE_ROWS, ConformedRows, arrow_type, check_names
from calback_assets.warehouse.warehouse import (
    AtOnce,
    Session,
    Statement,
    Written,
    begun,
    progress,
    refuse_too_few,
    refuse_too_many_gone,
    told,
)

_STAGED_FOR = timedelta(hours=6)
"""After which a staging table that a killed process left behind is gone."""
_DAYS_AT_ONCE = 31
"""A month a statement: windows of thirty days are then read twice and not thirty times, and a failure loses little."""
_NONE: Sequence[QueryParameter] = ()
_FOREIGN_DAY = "foreign day"
_MARK = "calback: "
"""Opens the messages that our own guards raise, which, unlike BigQuery's, hold no value."""


class _Digest(NamedTuple):
    """Tells whether two sets of rows differ."""

    rows: int
    digest: int | None


class BigQuerySession(Session):
    """One client and one dataset."""

    failures = FAILURES
    faults_of_data = (exceptions.BadRequest,)
    at_once = AtOnce(_DAYS_AT_ONCE)

    def __init__(
        self,
        jobs: Jobs,
        reader: BigQueryReadClient | None,
        dependents: Dependents,
        subjects: Subjects,
    ) -> None:
        """Wrap the clients."""
        self._subjects = subjects
        self._jobs = jobs
        self._reader = reader
        self._client = jobs.client
        self._dataset = bigquery.DatasetReference(jobs.client.project, jobs.dataset)
        self._dependents = dependents
        self._ledger = BigQueryLedger(jobs)

    def prepare(self, *, read_only: bool) -> None:
        """See that the dataset is there, and make the ledger where it is missing.

        Raises:
            WarehouseError: the dataset lies in another location, or what is hashed in it was hashed with another key.
        """
        found = self._client.get_dataset(self._dataset, retry=self._jobs.retry)
        wanted = self._client.location
        if found.location and wanted and found.location.upper() != wanted.upper():
            raise WarehouseError(
                f"dataset {self._dataset.dataset_id} lies in {found.location}, and CALBACK_BIGQUERY_LOCATION says "
                f"{wanted}; set it to {found.location}"
            )
        if not read_only:
            self.check_key()
            self.create(LEDGER, SCHEMA, DESCRIPTION)

    def check_key(self) -> None:
        """See that hashes in the dataset were made with our key.

        Raises:
            WarehouseError: they were made with another.
        """
        self._erasure("").check_key()

    def create(self, table_name: str, schema: Sequence[bigquery.SchemaField], description: str) -> None:
        """Make a table of our own, one that keeps no contract, where it is missing."""
        made = bigquery.Table(self._dataset.table(table_name), schema=schema)
        made.description = description
        made.labels = LABELS
        self._create(made)

    def facts(self) -> Mapping[str, int]:
        """Nothing: BigQuery tells the figures of each job."""
        return {}

    def template(self, model: Model) -> Template:
        """The model as it is written."""
        return model.bigquery_template

    def redact(self, error: Exception) -> CalbackError:
        """An error of BigQuery as one of ours, without the values that its message may quote."""
        location = self._client.location or ""
        return explain(error, self._dataset.project, self._dataset.dataset_id, location)

    def records(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query by column name; for few rows."""
        job = self._jobs.query(sql, READ)
        return [dict(row.items()) for row in job.result(retry=self._jobs.retry)]

    def arrow(self, sql: str) -> pa.Table:
        """The rows of a query, all in memory."""
        rows = self._jobs.query(sql, READ).result(retry=self._jobs.retry)
        return rows.to_arrow(bqstorage_client=self._reader, create_bqstorage_client=False)

    def ensure(self, table: Table) -> None:
        """Make the table of the contract, or add nullable columns that the contract has gained.

        Raises:
            ContractError: the stored table differs in any other way.
        """
        wanted = table_of(table, self._dataset.table(table.name))
        stored = self.stored(table.name)
        if stored is None:
            self._create(wanted)
        elif missing := missing_columns(table, stored.schema):
            added = ", ".join(
                f"ADD COLUMN IF NOT EXISTS {_quoted(field.name)} {googlesql_type(field)} "
                f"OPTIONS (description = {exp.Literal.string(field.description or '').sql('bigquery')})"
                for field in missing
            )
            self._jobs.query(f"ALTER TABLE {table.name} {added}", Purpose("schema", table.name, "", "add_columns"))

    def stored(self, table_name: str) -> bigquery.Table | None:
        """The table of that name, where there is one."""
        try:
            return self._client.get_table(self._dataset.table(table_name), retry=self._jobs.retry)
        except exceptions.NotFound:
            return None

    def _create(self, table: bigquery.Table) -> None:
        self._client.create_table(table, exists_ok=True, retry=self._jobs.retry)

    def check_query(self, table: Table, sql: str) -> None:
        """Compare the columns of a query with the contract without running it.

        Raises:
            ContractError: a column is missing, unknown, or of a type that would have to be cast.
        """
        given = {field.name: googlesql_type(field) for field in self._jobs.columns(sql)}
        check_names(list(given), table)
        for column in table.columns:
            if arrow_type(given[column.name]) != arrow_type(column.type):
                example = "a personal value" if column.is_personal else self._example(column, sql)
                raise ContractError(
                    f"{table.name}.{column.name}: the query gives {given[column.name]}, the contract says "
                    f"{column.type}, for example {example}; cast it in the query; nothing was written"
                )

    def _example(self, column: Column, sql: str) -> str:
        found = self.records(f"SELECT `{column.name}` FROM ({sql}) WHERE `{column.name}` IS NOT NULL LIMIT 1")
        return repr(found[0][column.name]) if found else "NULL"

    @contextmanager
    def incoming(self, rows: ConformedRows, run_id: str, /) -> Iterator[str]:
        """Rows from Python in a staging table, under the name by which a statement can select from them."""
        table = rows.table
        staging = self._dataset.table(f"staging_{table.name}_{run_id.replace('-', '')}")
        # Without the contract's modes: its guards are in the statement that publishes.
        made = bigquery.Table(staging, schema=nullable_schema_of(table))
        made.expires = datetime.now(UTC) + _STAGED_FOR
        made.labels = LABELS
        with TemporaryFile() as parquet:
            # Dictionaries take four fifths of the time, and what is read once does not need them.
            with pq.ParquetWriter(parquet, rows.schema, compression="zstd", use_dictionary=False) as writer:
                for part in rows.slices():
                    writer.write_table(part)
            try:
                self._create(made)
                self._jobs.load(parquet, staging, list(made.schema), Purpose(run_id, table.name, "", "load"))
                yield _quoted(staging.table_id)
            finally:
                self._client.delete_table(staging, not_found_ok=True, retry=self._jobs.retry)

    @contextmanager
    def reading(self, query: FileQuery, table: Table, run_id: str, /) -> Iterator[str]:
        """The rows of files, as the statement that selects them: read by a DuckDB of their own, and staged.

        Raises:
            SourceError: a file cannot be read; names it and the line.
        """
        with self.incoming(ConformedRows(lambda: _batches_of(query), table), run_id) as name:
            yield f"SELECT * FROM {name}"

    def replace_days(self, table: Table, stretch: Stretch, statement: Statement, run_id: str) -> Written:
        """Replace a stretch of partitions by the rows of a query in one statement.

        The days that may have become stale are marked before it, so that a crash in between costs a rebuild at most; if
        the rows turn out to be the same, the marks are taken back. Somebody who was erased in the meantime is erased
        from what was written, too.

        Raises:
            ContractError: the rows break the contract; the old partitions stand.
            SourceError: there are fewer rows of a day than there must be; the old partitions stand.
        """
        these = during(stretch)
        sql, parameters = statement.sql, _NONE
        erasure = self._erasure(run_id)
        erasure.watch()
        if statement.is_from_outside:
            sql, parameters = erasure.clean_with_parameters(table, sql)
        if statement.least:
            counted = self._digests(table, f"({sql})", "TRUE", parameters, is_count=True)
            refuse_too_few(table, statement.least, {day: found.rows for day, found in counted.items()})
        rippled = self._jobs.days(statement.ripple) if statement.ripple else []
        is_watched_here = is_watched(table, self._dependents)
        before = self._digests(table, table.name, these) if is_watched_here else {}
        cause = f"{run_id} {table.name} {stretch} {datetime.now(UTC).isoformat()}"
        own, others = staled_by(table, stretch.days, rippled, self._dependents)
        purpose = Purpose(run_id, table.name, str(stretch).replace(" ", "_"), "publish")
        stale = own + others
        if stale:
            self._ledger.mark_stale(" OR ".join(stale), cause, purpose)
        begun(table, stretch)
        job = self._publish(table, sql, stretch, purpose, parameters)
        after = self._digests(table, table.name, these, is_count=not is_watched_here)
        changed = [day for day in stretch.days if before.get(day) != after.get(day)]
        if stale and is_watched_here and len(changed) < len(stretch.days):
            _, still = staled_by(table, changed, (), self._dependents)
            self._ledger.unmark(cause, own + still, purpose)
        row_counts = {day: after[day].rows if day in after else 0 for day in stretch.days}
        self._ledger.enter(table, row_counts, cause, purpose)
        if erasure.is_overtaken():
            # Its marks may have been taken back with ours, and what was written may be made of rows that have gone.
            again = stale if statement.is_from_outside else [*stale, of_table(table.name, these)]
            if again:
                self._ledger.mark_stale(" OR ".join(again), f"{cause} erasure", purpose)
            erasure.erase_again()
        told(table, row_counts)
        return Written(dict(row_counts.items()), sql, self._costs(job))

    def replace_snapshot(self, table: Table, sql: str, run_id: str, /, max_lost_share: float | None = None) -> Written:
        """Replace an unpartitioned table in one statement; rows that are gone stay, marked.

        Raises:
            ContractError: the rows break the contract; the old table stands.
            SourceError: more than that share of the rows has gone at once; the old table stands.
        """
        erasure = self._erasure(run_id)
        erasure.watch()
        sql, parameters = erasure.clean_with_parameters(table, sql)
        if table.tombstone and max_lost_share is not None:
            (key,) = table.key
            counts = self._jobs.query(
                f"SELECT COUNT(old.{key}), COUNTIF(old.{key} IS NOT NULL AND new.{key} IS NULL), COUNT(new.{key}) FROM "
                f"(SELECT {key} FROM {table.name} WHERE {table.tombstone} IS NULL) AS old FULL JOIN ({sql}) AS new "
                f"ON new.{key} = old.{key}",
                READ,
                parameters,
            )
            ((stored, gone, read),) = counts.result(retry=self._jobs.retry)
            refuse_too_many_gone(table, stored, gone, read, max_lost_share)
        job = self._publish(table, sql, None, Purpose(run_id, table.name, "", "publish"), parameters)
        if erasure.is_overtaken():
            erasure.erase_again()
        row_count = self._count(table)  # With the rows that stay, marked.
        progress.info("%s: %d rows", table.name, row_count, extra={"table": table.name, "day": None})
        return Written({None: row_count}, sql, self._costs(job))

    def erase(self, subject_hash: str, run_id: str, /) -> list[Erased]:
        """Take a person out of every table and keep them out; what a crash leaves undone, the next erasure does."""
        return self._erasure(run_id).erase(subject_hash)

    def suppressed(self, ids: Collection[str]) -> Collection[str]:
        """Those of these user or device ids that have been erased."""
        return self._erasure("").known(ids)

    def stale_days(self, table: Table) -> set[date]:
        """Days of the table that were written before something they read changed."""
        return self._ledger.stale_days(table)

    def versions(self, table: Table) -> Mapping[date, str]:
        """What tells a written day of the table from the same day as another run, or an erasure, has left it."""
        return self._ledger.versions(table)

    def days_of_run(self, table: Table, run_id: str) -> list[date]:
        """The days of the table that a run has written and no later one has rewritten."""
        return self._ledger.days_of_run(table, run_id)

    def row_counts(self, tables: Iterable[str]) -> Mapping[str, Mapping[date, int]]:
        """How many rows each written day of these tables has."""
        return self._ledger.row_counts(tables)

    def exists(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        return self.stored(table.name) is not None

    def _batches(self, ref: TableRef, schema: pa.Schema, limit: int | None) -> Iterator[pa.RecordBatch]:
        name, where = ref.table.name, "" if ref.start is None or ref.end is None else within(ref.start, ref.end)
        found = None
        # For a few rows no stream is begun, which would send until it is closed.
        if self._reader and limit is None:
            found = streamed(self._reader, self._client.project, self._dataset.table(name), schema.names, where)
        yield from found or paged(self._jobs.query(selection(name, schema.names, where, limit), READ), self._jobs.retry)

    def _selected(self, query: exp.Select, table: Table) -> Iterator[pa.RecordBatch]:
        sql = query.from_(exp.table_(table.name)).sql("bigquery")
        yield from paged(self._jobs.query(sql, READ), self._jobs.retry)

    def _erasure(self, run_id: str) -> BigQueryErasure:
        return BigQueryErasure(self, self._jobs, self._ledger, self._subjects, self._dependents, run_id)

    def _publish(
        self,
        table: Table,
        sql: str,
        stretch: Stretch | None,
        purpose: Purpose,
        parameters: Sequence[QueryParameter],
    ) -> bigquery.QueryJob:
        """Replace a stretch of days, or a snapshot, by the rows of a query.

        Raises:
            ContractError: a guard of ours has found a row that breaks the contract.
        """
        try:
            return self._jobs.query(
                _merge(table, sql, stretch) if stretch else _merge_snapshot(table, sql), purpose, parameters
            )
        except exceptions.GoogleAPICallError as error:
            own = re.search(rf"{_MARK}(\w+): ([^.]*)\.", str(error))
            if own is None:
                raise
        column, problem = own.groups()
        if stretch:
            problem = self._on_day(column, problem, sql, stretch, parameters)
        raise ContractError(f"{table.name}.{column}: {problem}; nothing was written")

    def _on_day(
        self, column: str, problem: str, sql: str, stretch: Stretch, parameters: Sequence[QueryParameter]
    ) -> str:
        """What a guard has found, with the first of the days on which the query's rows are so."""
        is_foreign = problem == _FOREIGN_DAY
        is_broken = f"NOT ({during(stretch)})" if is_foreign else f"{_quoted(column)} IS NULL AND {during(stretch)}"
        job = self._jobs.query(f"SELECT MIN({EVENT_DATE}), COUNT(*) FROM ({sql}) WHERE {is_broken}", READ, parameters)
        ((day, count),) = job.result(retry=self._jobs.retry)
        if is_foreign:
            return f"{count} rows lie outside the partition {stretch} that is written, for example {day}"
        return f"{problem} on {day}" if day else problem

    def _digests(
        self,
        table: Table,
        relation: str,
        where: str,
        parameters: Sequence[QueryParameter] = _NONE,
        *,
        is_count: bool = False,
    ) -> "dict[date, _Digest]":
        """How many rows each partition has, and, where more than the count is asked for, what they are."""
        digest = "CAST(NULL AS INT64)"
        if not is_count:
            names = ", ".join(_quoted(column.name) for column in table.columns if not column.wall_clock)
            row = f"TO_HEX(MD5(TO_JSON_STRING(STRUCT({names}))))"
            digest = f"BIT_XOR(CAST(CONCAT('0x', SUBSTR({row}, 1, 15)) AS INT64))"
        job = self._jobs.query(
            f"SELECT {EVENT_DATE}, COUNT(*) AS row_count, {digest} AS digest FROM {relation} WHERE {where} "
            f"GROUP BY {EVENT_DATE}",
            READ,
            parameters,
        )
        return {day: _Digest(rows, digest) for day, rows, digest in job.result(retry=self._jobs.retry)}

    def _count(self, table: Table) -> int:
        ((count,),) = self._jobs.query(f"SELECT COUNT(*) AS n FROM {table.name}", READ).result(retry=self._jobs.retry)
        return int(count)

    def _costs(self, job: bigquery.QueryJob) -> Mapping[str, int | str]:
        location = job.location or self._client.location or ""
        return {
            "bytes_processed": job.total_bytes_processed or 0,
            "bytes_billed": job.total_bytes_billed or 0,
            "slot_milliseconds": job.slot_millis or 0,
            "job": f"https://console.cloud.google.com/bigquery?project={self._dataset.project}"
            f"&j=bq:{location}:{job.job_id}&page=queryresults",
        }


def _batches_of(query: FileQuery) -> Iterator[pa.RecordBatch]:
    """The rows of files as they are read.

    Raises:
        SourceError: a file cannot be read.
    """
    with duckdb.connect() as engine:
        try:
            yield from engine.sql(query.sql).to_arrow_reader(SLICE_ROWS)
        except (duckdb.Error, OSError) as error:  # Arrow's reader says it with an error of the system's.
            raise query.explain(error) from None


def _merge(table: Table, sql: str, stretch: Stretch) -> str:
    """One statement that deletes the days and inserts the rows: a reader sees all of the old or all of the new."""
    names = ", ".join(map(_quoted, table.column_names))
    return (
        f"MERGE {table.name} AS target USING ({_guarded(table, sql, stretch)}) AS source ON FALSE "
        f"WHEN NOT MATCHED BY SOURCE AND {during(stretch)} THEN DELETE "
        f"WHEN NOT MATCHED BY TARGET THEN INSERT ({names}) VALUES ({names})"
    )


def _merge_snapshot(table: Table, sql: str) -> str:
    names = ", ".join(map(_quoted, table.column_names))
    insert = f"WHEN NOT MATCHED BY TARGET THEN INSERT ({names}) VALUES ({names})"
    source = f"({_guarded(table, sql, None)}) AS source"
    if not table.tombstone:
        return f"MERGE {table.name} AS target USING {source} ON FALSE WHEN NOT MATCHED BY SOURCE THEN DELETE {insert}"
    (key,) = table.key
    news = ", ".join(f"{_quoted(name)} = source.{_quoted(name)}" for name in table.column_names)
    return (
        f"MERGE {table.name} AS target USING {source} ON target.{key} = source.{key} "
        f"WHEN MATCHED THEN UPDATE SET {news} "
        f"WHEN NOT MATCHED BY SOURCE AND {table.tombstone} IS NULL THEN UPDATE SET {table.tombstone} = "
        f"CURRENT_TIMESTAMP() {insert}"
    )


def _guarded(table: Table, sql: str, stretch: Stretch | None) -> str:
    """The query with the contract's columns, which fails on a NULL in a required one and on a row of another day."""
    return f"SELECT {', '.join(_guard(column, stretch) for column in table.columns)} FROM ({sql})"


def _guard(column: Column, stretch: Stretch | None) -> str:
    name, value = _quoted(column.name), _quoted(column.name)
    if column.required:
        value = f"IFNULL({value}, {_failure(column, 'NULL in a required column')})"
    if column.name == EVENT_DATE and stretch is not None:
        foreign = _failure(column, _FOREIGN_DAY)
        value = f"IF(NOT ({during(stretch)}), {foreign}, {value})"
    return f"{value} AS {name}"


def _failure(column: Column, problem: str) -> str:
    return f"CAST(ERROR('{_MARK}{column.name}: {problem}.') AS {column.type})"


def _quoted(name: str) -> str:
    return f"`{name}`"
