"""Erasing a person from DuckDB: how it hashes, finds and removes.

What an erasure does stands in `erasure`; only what DuckDB does in its own way belongs here. Ids that are found to be on
the list stay inside the engine, in a variable of the session: they stand in no statement's text.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

from calback_assets.sources.coercion import identifier, stored_type
from calback_assets.tables import EVENT_DATE, Table
from calback_assets.warehouse.duckdb.ledger import DuckDBLedger, Executing
from calback_assets.warehouse.erasure import KEY, SUPPRESSED, Erased, Erasure, Mentions, Subjects, mentions
from calback_assets.warehouse.googlesql.model import SCHEMA
from calback_assets.warehouse.ledger import Dependents

UNPURGED = "unpurged"
"""A table that stands while the file may still hold, in free blocks, the bytes of rows that an erasure removed."""
_LIST = f"{SCHEMA}.{SUPPRESSED}"
_ROWS_AT_ONCE = 2_000_000
"""As many rows as are looked through at a time for ids: memory holds the different texts in them."""


class Connected(Executing, Protocol):
    """A session, as far as an erasure needs it."""

    def has(self, table_name: str) -> bool:
        """Whether there is a table of that name."""

    def keep(self, variable: str, value: object, kind: str) -> None:
        """Set a variable of the session, past every statement's text."""


class DuckDBErasure(Erasure):
    """The list and the sweep in one file; the caller's transaction holds them together."""

    def __init__(self, session: Connected, ledger: DuckDBLedger, subjects: Subjects, dependents: Dependents) -> None:
        """Nothing is read yet."""
        super().__init__(subjects, dependents)
        self._session = session
        self._ledger = ledger
        self.is_unpurged = False
        """Whether the file may still hold bytes of what was removed, as far as was looked."""

    def _listed(self) -> Sequence[tuple[str, str]]:
        if not self._session.has(SUPPRESSED):
            return []
        self.is_unpurged = self._session.has(UNPURGED)
        return [(entry, kind) for entry, kind in self._session.execute(f"SELECT subject_hash, kind FROM {_LIST}")]

    def _list(self, kind: str, hashes: Collection[str]) -> None:
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {_LIST} (subject_hash VARCHAR NOT NULL, kind VARCHAR NOT NULL, "
            "suppressed_at TIMESTAMPTZ NOT NULL)"
        )
        entries = ", ".join(f"('{entry}', '{kind}', now())" for entry in sorted(hashes))
        self._session.execute(f"INSERT INTO {_LIST} VALUES {entries}")

    def _key(self) -> str | None:
        if not self._session.has(KEY):
            return None
        ((fingerprint,),) = self._session.execute(f"SELECT arg_max(fingerprint, entered_at) FROM {SCHEMA}.{KEY}")
        return None if fingerprint is None else str(fingerprint)

    def _enter_key(self) -> None:
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{KEY} (fingerprint VARCHAR NOT NULL, entered_at TIMESTAMPTZ NOT NULL)"
        )
        self._session.execute(f"INSERT INTO {SCHEMA}.{KEY} VALUES ('{self.subjects.fingerprint}', now())")

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self._session.execute(sql)

    def _change(self, _table: Table, sql: str, /) -> None:
        self._session.execute(sql)

    def _enter(self, erased: Sequence[Erased], stale: str | None) -> None:
        self._session.execute(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{UNPURGED} (is_unpurged BOOLEAN)")
        self.is_unpurged = True
        self._ledger.recount(erased)
        if stale:
            self._ledger.mark_stale(stale)

    def _exists(self, table: Table) -> bool:
        return self._session.has(table.name)

    def _stored(self, table: Table) -> str:
        return f"{SCHEMA}.{table.name}"

    def _quoted(self, name: str) -> str:
        return identifier(name)

    def _recognize(self, relations: Iterable[tuple[Table, str]]) -> bool:
        """Put the ids of the relations that are on the list into the variable that `_is_erased` looks into.

        Each different text is hashed once: a day of a million events holds far fewer than ten million.
        """
        self._session.keep("calback_inner", self.subjects.inner, "BLOB")
        self._session.keep("calback_outer", self.subjects.outer, "BLOB")
        self._session.keep("calback_suppressed", sorted(self.hashes), "VARCHAR[]")
        self._session.keep("calback_erased", [], "VARCHAR[]")
        for table, relation in relations:
            for rows in self._parts(table, relation):
                self._session.execute(
                    "SET VARIABLE calback_erased = (WITH seen AS MATERIALIZED (SELECT DISTINCT id FROM "
                    f"(SELECT {_ids(table)} AS id FROM {rows}) WHERE id IS NOT NULL) "
                    "SELECT list_distinct(list_concat(getvariable('calback_erased'), COALESCE(list(id), []))) "
                    f"FROM seen WHERE {self._hashed('id')} IN (SELECT unnest(getvariable('calback_suppressed'))))"
                )
        ((count,),) = self._session.execute("SELECT len(getvariable('calback_erased'))")
        return bool(count)

    def _parts(self, table: Table, relation: str) -> Iterator[str]:
        """The relation in parts of so many rows that their texts fit into memory."""
        if relation != self._stored(table) or not table.is_partitioned:
            yield relation
            return
        for first, last in self._ledger.portions(table, _ROWS_AT_ONCE):
            yield f"{relation} WHERE {EVENT_DATE} BETWEEN DATE '{first}' AND DATE '{last}'"

    def _hashed(self, value: str) -> str:
        inner = f"sha256(getvariable('calback_inner') || encode({value}))"
        return f"sha256(getvariable('calback_outer') || unhex({inner}))"

    def _is_erased(self, value: str) -> str:
        return f"list_contains(getvariable('calback_erased'), {value})"

    def _mentions(self, column: str, mentions: Mentions) -> str:
        return f"COALESCE(list_has_any(getvariable('calback_erased'), {_named(column, mentions)}), FALSE)"

    def _without(self, column: str, mentions: Mentions) -> str:
        is_erased = self._is_erased(f"item{mentions.path}")
        return f"list_filter({_typed(column, mentions)}, lambda item: NOT COALESCE({is_erased}, FALSE))"


def _ids(table: Table) -> str:
    """Every id in a row, each on a row of its own."""
    lists = [f"[{', '.join(map(identifier, table.person))}]"] if table.person else []
    lists += [f"COALESCE({_named(identifier(named.column), named)}, [])" for named in mentions(table)]
    return f"unnest(list_concat({', '.join(lists)}))" if len(lists) > 1 else f"unnest({lists[0]})"


def _named(column: str, mentions: Mentions) -> str:
    """The ids in a list."""
    if not mentions.path:
        return _typed(column, mentions)
    return f"list_transform({_typed(column, mentions)}, lambda item: item{mentions.path})"


def _typed(column: str, mentions: Mentions) -> str:
    """A list of a source that holds nothing has no type yet."""
    return f"CAST({column} AS {stored_type(mentions.type)})"
