"""Erasing a person from BigQuery: how it hashes, finds and removes, one statement after the other.

What an erasure does stands in `erasure`; only what BigQuery does in its own way belongs here. The keys of the hash are
query parameters: they stand in no statement's text, and so in no history of statements.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from google.api_core import exceptions
from google.cloud import bigquery

from calback_assets.tables import Table
from calback_assets.warehouse.bigquery.jobs import Jobs, Purpose, QueryParameter
from calback_assets.warehouse.bigquery.ledger import BigQueryLedger
from calback_assets.warehouse.erasure import KEY, SUPPRESSED, Erased, Erasure, Mentions, Subjects
from calback_assets.warehouse.ledger import Dependents

_SCHEMA = [
    bigquery.SchemaField("subject_hash", "STRING", "REQUIRED"),
    bigquery.SchemaField("kind", "STRING", "REQUIRED", description="user or device."),
    bigquery.SchemaField("suppressed_at", "TIMESTAMP", "REQUIRED"),
]
_KEY_SCHEMA = [
    bigquery.SchemaField("fingerprint", "STRING", "REQUIRED"),
    bigquery.SchemaField("entered_at", "TIMESTAMP", "REQUIRED"),
]
_ENTRIES_AT_ONCE = 1_000
"""The text of a statement may be a megabyte long."""


class Connected(Protocol):
    """A session, as far as an erasure needs it."""

    def stored(self, table_name: str) -> bigquery.Table | None:
        """The table of that name, where there is one."""

    def create(self, table_name: str, schema: Sequence[bigquery.SchemaField], description: str) -> None:
        """Make a table of our own where it is missing."""


class BigQueryErasure(Erasure):
    """The list and the sweep in one dataset.

    The list is first, so that nothing brings back what goes; then the marks in the ledger, then the tables, raw ones
    before those that are made of them. A crash in between is mended by the next erasure, of whomever.
    """

    def __init__(
        self,
        session: Connected,
        jobs: Jobs,
        ledger: BigQueryLedger,
        subjects: Subjects,
        dependents: Dependents,
        run_id: str,
    ) -> None:
        """Nothing is read yet."""
        super().__init__(subjects, dependents)
        self._session = session
        self._jobs = jobs
        self._ledger = ledger
        self._run_id = run_id
        self._length = 0

    def watch(self) -> None:
        """Look how long the list is, before a write that an erasure may come in between."""
        self._length = self._entries()

    def is_overtaken(self) -> bool:
        """Whether another process has put somebody on the list since `watch`."""
        return self._entries() != self._length

    def _entries(self) -> int:
        """How long the list is, which only grows; BigQuery counts a whole table without reading it."""
        if self._session.stored(SUPPRESSED) is None:
            return 0
        ((entries,),) = self._ask(f"SELECT COUNT(*) FROM {SUPPRESSED}")
        return int(entries)

    def clean_with_parameters(self, table: Table, sql: str) -> tuple[str, Sequence[QueryParameter]]:
        """`clean`, and the parameters that the query then needs."""
        clean = self.clean(table, sql)
        return clean, self._parameters if clean != sql else ()

    @property
    def _parameters(self) -> Sequence[QueryParameter]:
        """What a statement from `clean` needs beside its text."""
        return (
            # It takes bytes, which its annotation forgot.
            bigquery.ScalarQueryParameter("inner_key", "BYTES", self.subjects.inner),  # type: ignore[arg-type]
            bigquery.ScalarQueryParameter("outer_key", "BYTES", self.subjects.outer),  # type: ignore[arg-type]
            bigquery.ArrayQueryParameter("suppressed", "STRING", sorted(self.hashes)),
        )

    def _listed(self) -> Sequence[tuple[str, str]]:
        # Asked anew for every partition: a run may go on for hours, and an erasure come in between.
        if self._session.stored(SUPPRESSED) is None:
            return []
        return [(entry, kind) for entry, kind in self._ask(f"SELECT DISTINCT subject_hash, kind FROM {SUPPRESSED}")]

    def _list(self, kind: str, hashes: Collection[str]) -> None:
        self._session.create(SUPPRESSED, _SCHEMA, "Who has been erased, by keyed hash: their rows are written no more.")
        self._length += len(hashes)
        entered = [f"('{entry}', '{kind}', CURRENT_TIMESTAMP())" for entry in sorted(hashes)]
        for first in range(0, len(entered), _ENTRIES_AT_ONCE):
            entries = ", ".join(entered[first : first + _ENTRIES_AT_ONCE])
            self._run(f"INSERT INTO {SUPPRESSED} (subject_hash, kind, suppressed_at) VALUES {entries}", SUPPRESSED)

    def _key(self) -> str | None:
        client = self._jobs.client
        table = bigquery.DatasetReference(client.project, self._jobs.dataset).table(KEY)
        try:
            # Listed, not queried: that is one request and free, and every session begins with it.
            entered = list(client.list_rows(table, selected_fields=_KEY_SCHEMA, retry=self._jobs.retry))
        except exceptions.NotFound:
            return None
        last = max(entered, key=lambda entry: entry["entered_at"], default=None)
        return None if last is None else str(last["fingerprint"])

    def _enter_key(self) -> None:
        self._session.create(KEY, _KEY_SCHEMA, "With which key hashes were made, by fingerprint; the last entry holds.")
        self._run(
            f"INSERT INTO {KEY} (fingerprint, entered_at) VALUES ('{self.subjects.fingerprint}', CURRENT_TIMESTAMP())",
            KEY,
        )

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self._run(sql, "").result(retry=self._jobs.retry)]

    def _change(self, table: Table, sql: str) -> None:
        self._run(sql, table.name)

    def _run(self, sql: str, table_name: str) -> bigquery.QueryJob:
        return self._jobs.query(sql, Purpose(self._run_id or "read", table_name, "", "erase"), self._parameters)

    def _enter(self, erased: Sequence[Erased], stale: str | None) -> None:
        cause = f"{self._run_id} erasure"
        if stale:
            self._ledger.mark_stale(stale, cause, Purpose(self._run_id, "", "", "erase"))
        self._ledger.recount(erased, cause, self._run_id)

    def _exists(self, table: Table) -> bool:
        return self._session.stored(table.name) is not None

    def _stored(self, table: Table) -> str:
        return table.name

    def _quoted(self, name: str) -> str:
        return f"`{name}`"

    def _recognize(self, _relations: Iterable[tuple[Table, str]], /) -> bool:
        return True

    def _hashed(self, value: str) -> str:
        return f"TO_HEX(SHA256(CONCAT(@outer_key, SHA256(CONCAT(@inner_key, CAST({value} AS BYTES))))))"

    def _is_erased(self, value: str) -> str:
        return f"{self._hashed(value)} IN UNNEST(@suppressed)"

    def _mentions(self, column: str, mentions: Mentions) -> str:
        return f"EXISTS(SELECT 1 FROM UNNEST({column}) AS item WHERE {self._is_erased(f'item{mentions.path}')})"

    def _without(self, column: str, mentions: Mentions) -> str:
        is_erased = self._is_erased(f"item{mentions.path}")
        return (
            f"ARRAY(SELECT item FROM UNNEST({column}) AS item WITH OFFSET AS place "
            f"WHERE NOT COALESCE({is_erased}, FALSE) ORDER BY place)"
        )
