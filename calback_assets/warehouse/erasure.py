"""Erasing a person: the suppression list, the sweep through every table, and the filter on whatever comes from outside.

What holds for every engine belongs here: who is meant, which rows go, which mentions are unlinked, which days must be
built anew, and whether the key is still the one that hashes were made with. How an engine hashes, deletes and keeps its
ledger stands in `duckdb.erasure` and `bigquery.erasure`.

A person is known by a keyed hash alone. The sweep always goes by the whole list: one that a crash has cut short is
mended by the next.
"""

import hmac
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NoReturn

from calback_assets.days import Stretch, stretches
from calback_assets.errors import WarehouseError
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables import EVENT_DATE, TABLES, Privacy, Table
from calback_assets.tables.raw import EVENT_PARAMS
from calback_assets.warehouse.ledger import Dependents, during, listed, of_table

SUPPRESSED = "suppressed"
"""The table that holds the list, beside the ledger. The first erasure makes it: until then nobody pays for it."""
KEY = "pseudonym_key"
"""The table that tells with which key hashes were made, those of the list and of columns; its last entry holds.

A table, so that it can be read by whom the hashes can be read, and by nobody else.
"""

USER, DEVICE = "user_id", "user_pseudo_id"
"""A table with both tells which user was on which device."""
_KEY_KIND = "key"
"""The kind of an entry that told with which key a list was made, before there was a table of its own for that."""
_ENOUGH_PEOPLE = 3
"""Of so many all might not have another address by chance."""
_BLOCK_BYTES = 64
"""Of SHA-256, to which HMAC fills up a key."""
_PATHS = {"ARRAY<STRING>": "", EVENT_PARAMS: ".value.string_value"}
"""Types of lists that may mention a person, and where in an item the id would stand."""
ALWAYS = f"{EVENT_DATE} >= DATE '0001-01-01'"
"""Every day there may be: BigQuery answers no query over a daily table without a constant range."""


class Subjects:
    """The keyed hash under which a person is known to the list; not the one of e-mail addresses."""

    def __init__(self, pseudonym_key: bytes) -> None:
        """Derive a key of its own, so that the list can be joined with nothing else that is hashed."""
        self._key = hmac.digest(pseudonym_key, b"calback suppression list", "sha256")
        filled = self._key.ljust(_BLOCK_BYTES, b"\0")
        self.inner = bytes(byte ^ 0x36 for byte in filled)
        self.outer = bytes(byte ^ 0x5C for byte in filled)

    def hash(self, subject: str) -> str:
        """HMAC-SHA256 of a user or device id, hexadecimal: SHA256(outer || SHA256(inner || id)) inside an engine."""
        return hmac.digest(self._key, subject.encode(), "sha256").hex()

    @property
    def fingerprint(self) -> str:
        """Tells one key from another; the hash of what no id can be.

        Of the key it tells what the hash of any address tells that somebody knows.
        """
        return self.hash("\0")


@dataclass(frozen=True)
class Mentions:
    """A list that may name other people than the one whose row it is in."""

    column: str
    type: str
    path: str
    """From an item of the list to the id in it."""


def mentions(table: Table) -> list[Mentions]:
    """The columns of a table that may name other people.

    Raises:
        KeyError: a list of personal values of a type in which no erasure knows how to find a person.
    """
    return [
        Mentions(column.name, column.type, _PATHS[column.type])
        for column in table.columns
        if column.is_personal and column.name not in table.person and column.type.startswith("ARRAY")
    ]


def knows_people(table: Table) -> bool:
    """Whether rows of the table belong to a person, or may name one."""
    return bool(table.person or mentions(table))


def hashed(table: Table) -> list[str]:
    """The columns of a table that hold hashes made with the key."""
    return [column.name for column in table.columns if column.privacy is Privacy.HASH]


@dataclass(frozen=True)
class Touched:
    """What an erasure finds in one day of a table, or in a snapshot."""

    day: date | None
    stored: int
    removed: int
    unlinked: int

    @property
    def kept(self) -> int:
        """Rows that stay, those that are unlinked among them."""
        return self.stored - self.removed


@dataclass(frozen=True)
class Erased:
    """What an erasure did to a table."""

    table: Table
    touched: Sequence[Touched]

    @property
    def removed(self) -> int:
        """Rows that were the person's."""
        return sum(part.removed for part in self.touched)

    @property
    def unlinked(self) -> int:
        """Rows of others that named the person."""
        return sum(part.unlinked for part in self.touched)

    @property
    def days(self) -> list[date]:
        """The days that changed, in order."""
        return sorted(part.day for part in self.touched if part.day is not None)


class Erasure(ABC):
    """The suppression list of a warehouse and what is done by it."""

    def __init__(self, subjects: Subjects, dependents: Dependents) -> None:
        """Nothing is read yet."""
        self.subjects = subjects
        self._dependents = dependents
        self.hashes: frozenset[str] = frozenset()

    @abstractmethod
    def _listed(self) -> Sequence[tuple[str, str]]:
        """Hash and kind of every entry; nothing where there is no list."""

    @abstractmethod
    def _list(self, kind: str, hashes: Collection[str]) -> None:
        """Make the list where it is missing, and add these entries."""

    @abstractmethod
    def _key(self) -> str | None:
        """The fingerprint of the key that was entered last; None where none was."""

    @abstractmethod
    def _enter_key(self) -> None:
        """Make the table of the key where it is missing, and enter the fingerprint of ours."""

    @abstractmethod
    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query that may use `_is_erased` and `_hashed`."""

    @abstractmethod
    def _change(self, table: Table, sql: str) -> None:
        """Run a statement that may use `_is_erased`."""

    @abstractmethod
    def _enter(self, erased: Sequence[Erased], stale: str | None) -> None:
        """Keep the ledger: rows that are left of each day, and the days that are stale by this condition."""

    @abstractmethod
    def _exists(self, table: Table) -> bool:
        """Whether the table has ever been written."""

    @abstractmethod
    def _stored(self, table: Table) -> str:
        """The table in a FROM."""

    @abstractmethod
    def _quoted(self, name: str) -> str:
        """A column's name."""

    @abstractmethod
    def _recognize(self, relations: Iterable[tuple[Table, str]]) -> bool:
        """Get ready for `_is_erased` over these relations, each in the columns of a table.

        Returns:
            False where nobody on the list is in any of them.
        """

    @abstractmethod
    def _hashed(self, value: str) -> str:
        """An id as the list knows it; `Subjects.hash` inside the engine."""

    @abstractmethod
    def _is_erased(self, value: str) -> str:
        """Whether an id is on the list; NULL may stay NULL."""

    @abstractmethod
    def _mentions(self, column: str, mentions: Mentions) -> str:
        """Whether any item of a list names somebody on the list."""

    @abstractmethod
    def _without(self, column: str, mentions: Mentions) -> str:
        """A list without the items that name somebody on the list, in its order."""

    def check_key(self) -> bool:
        """Whether it is on record that hashes were made with our key.

        Raises:
            WarehouseError: there are hashes, and they were made with another.
        """
        recorded = self._key() or next((entry for entry, kind in self._listed() if kind == _KEY_KIND), None)
        if recorded not in (None, self.subjects.fingerprint) and (self._listed() or self._holds_hashes()):
            self._refuse_key(recorded)
        return recorded == self.subjects.fingerprint

    def is_active(self) -> bool:
        """Read the list; whether anybody is on it.

        Raises:
            WarehouseError: the list was made with another key, so that nobody on it would be recognized.
        """
        listed = self._listed()
        if listed:  # Another process may have made it since the session was opened.
            self.check_key()
        self.hashes = frozenset(entry for entry, kind in listed if kind != _KEY_KIND)
        return bool(self.hashes)

    def erase(self, subject_hash: str) -> list[Erased]:
        """Put a person on the list, with the devices they were seen on, and take everybody on it out of all tables."""
        self.is_active()
        if not self.check_key():
            self._enter_key()
        self._suppress("user", {subject_hash})
        seen = [(table, self._stored(table)) for table in _sightings() if self._exists(table)]
        self._recognize(seen)
        for _, stored in seen:
            self._suppress("device", self._devices(f"{stored} WHERE {ALWAYS}"))
        return self._sweep()

    def erase_again(self) -> None:
        """Take everybody on the list out of all tables once more, for what was written while they were erased."""
        if self.is_active():
            self._sweep()

    def known(self, ids: Collection[str]) -> frozenset[str]:
        """Those of these user or device ids that are on the list."""
        if not ids or not self.is_active():
            return frozenset()
        return frozenset(id_ for id_ in ids if self.subjects.hash(id_) in self.hashes)

    def clean(self, table: Table, sql: str) -> str:
        """The query of a source without the rows of erased people and without their mentions.

        A device that the query shows one of them on joins the list before, and its stored rows go. The key of hashes
        among the rows goes on record.

        Raises:
            WarehouseError: the list, or what is stored of the table, was made with another key.
        """
        if hashed(table) and not self.check_key():
            self._compare_hashes(table, sql)
            self._enter_key()
        if not knows_people(table) or not self.is_active():
            return sql
        given = f"({sql}) AS given"
        is_anyone_there = self._recognize([(table, given)])
        if is_anyone_there and table in _sightings():
            new = self._devices(f"{given} WHERE TRUE") - self.hashes
            if new:
                # Swept first: a crash in between leaves the device unknown, and the next try finds it anew.
                self.hashes |= new
                self._sweep()
                self._list("device", new)
                self._recognize([(table, given)])
        if not is_anyone_there:
            return sql
        selected = ", ".join(self._selected(table))
        return f"SELECT {selected} FROM {given} WHERE NOT {self._is_theirs(table)}"

    def _holds_hashes(self) -> bool:
        """Whether any table has a hash in it."""
        return any(
            self._ask(f"SELECT 1 FROM {self._stored(table)} WHERE {self._quoted(name)} IS NOT NULL LIMIT 1")
            for table in TABLES.values()
            if hashed(table) and self._exists(table)
            for name in hashed(table)
        )

    def _compare_hashes(self, table: Table, sql: str) -> None:
        """Tell another key from what is stored: of a warehouse that is older than the record nothing else does.

        Raises:
            WarehouseError: no hash of the query is the one that is stored in its row.
        """
        (key,) = map(self._quoted, table.key)
        for name in map(self._quoted, hashed(table)):
            ((people, same),) = self._ask(
                f"SELECT COUNT(*) AS people, COUNT(CASE WHEN stored.{name} = given.{name} THEN 1 END) AS same "
                f"FROM {self._stored(table)} AS stored INNER JOIN ({sql}) AS given ON given.{key} = stored.{key} "
                f"WHERE stored.{name} IS NOT NULL AND given.{name} IS NOT NULL"
            )
            if people >= _ENOUGH_PEOPLE and not same:
                self._refuse_key(None)

    def _refuse_key(self, recorded: str | None) -> NoReturn:
        is_published = recorded == Subjects(DEVELOPMENT_KEY).fingerprint
        remedy = "unset it, since that was the published one" if is_published else "set it to that key again"
        raise WarehouseError(
            f"CALBACK_PSEUDONYM_KEY is not the key with which the hashes in this warehouse were made; {remedy}, or "
            "begin a new warehouse as docs/privacy.md says; nothing was written"
        )

    def _suppress(self, kind: str, hashes: Collection[str]) -> None:
        """Add to the list who is not on it."""
        if new := frozenset(hashes) - self.hashes:
            self._list(kind, new)
            self.hashes |= new

    def _devices(self, rows: str) -> frozenset[str]:
        """Hashes of the devices on which these rows, a FROM with its WHERE, show anybody on the list."""
        found = self._ask(
            f"SELECT DISTINCT {self._hashed(DEVICE)} AS device FROM {rows} AND {DEVICE} IS NOT NULL "
            f"AND {self._is_erased(USER)}"
        )
        return frozenset(device for (device,) in found)

    def _sweep(self) -> list[Erased]:
        """Take everybody on the list out of all tables, and mark the days that must be built anew."""
        tables = [table for table in TABLES.values() if knows_people(table) and self._exists(table)]
        if not self._recognize([(table, self._stored(table)) for table in tables]):
            return []
        erased = [Erased(table, touched) for table in tables if (touched := self._touched(table))]
        if not erased:
            return []
        self._enter(erased, self._stale(erased))
        for done in erased:
            when = f"{EVENT_DATE} IN ({listed(done.days)}) AND " if done.days else ""
            table, name = done.table, self._stored(done.table)
            if done.removed:
                self._change(table, f"DELETE FROM {name} WHERE {when}{self._is_theirs(table)}")
            if done.unlinked:
                lists = ", ".join(
                    f"{self._quoted(named.column)} = {self._without(self._quoted(named.column), named)}"
                    for named in mentions(table)
                )
                self._change(table, f"UPDATE {name} SET {lists} WHERE {when}({self._is_mentioned(table)})")
        return erased

    def _touched(self, table: Table) -> list[Touched]:
        theirs = self._is_theirs(table)
        day, by_day = ("CAST(NULL AS DATE)", "")
        if table.is_partitioned:
            day, by_day = EVENT_DATE, f" WHERE {ALWAYS} GROUP BY {EVENT_DATE}"
        found = self._ask(
            f"SELECT {day} AS touched_day, COUNT(*) AS stored, SUM(CASE WHEN {theirs} THEN 1 ELSE 0 END) AS removed, "
            f"SUM(CASE WHEN NOT {theirs} AND ({self._is_mentioned(table)}) THEN 1 ELSE 0 END) AS unlinked "
            f"FROM {self._stored(table)}{by_day}"
        )
        return [Touched(*row) for row in found if row[2] or row[3]]

    def _stale(self, erased: Sequence[Erased]) -> str | None:
        """The condition on the ledger of the days that a rebuild would make other than the sweep does."""
        stale: dict[str, set[date]] = {}
        for done in erased:
            changed = {part.day for part in done.touched if part.day and part.unlinked} | self._shared(done)
            for dependent, reach in self._dependents.get(done.table.name, ()):
                stands_alone = dependent in TABLES and TABLES[dependent].stands_alone
                for day in changed if stands_alone else done.days:
                    start, end = reach.dependents(Stretch.on(day))
                    stale.setdefault(dependent, set()).update(_days(start, end))
        conditions = [of_table(name, during(stretch)) for name, days in stale.items() for stretch in stretches(days)]
        return " OR ".join(conditions) or None

    def _shared(self, done: Erased) -> set[date]:
        """Days on which rows go that may have told something of other people: those of a device that is also theirs."""
        if done.table not in _sightings() or len(done.table.person) == 1 or not done.removed:
            return set()
        others = " UNION ALL ".join(
            f"SELECT {DEVICE} FROM {self._stored(table)} WHERE {ALWAYS} AND {DEVICE} IS NOT NULL "
            f"AND {USER} IS NOT NULL AND NOT {self._is_erased(USER)}"
            for table in _sightings()
            if self._exists(table)
        )
        found = self._ask(
            f"SELECT DISTINCT {EVENT_DATE} FROM {self._stored(done.table)} WHERE {ALWAYS} "
            f"AND {self._is_theirs(done.table)} AND ({DEVICE} IS NULL OR {DEVICE} IN ({others}))"
        )
        return {day for (day,) in found}

    def _is_theirs(self, table: Table) -> str:
        if not table.person:
            return "FALSE"
        names = [self._quoted(name) for name in table.person]
        person = names[0] if len(names) == 1 else f"COALESCE({', '.join(names)})"
        return f"COALESCE({self._is_erased(person)}, FALSE)"

    def _is_mentioned(self, table: Table) -> str:
        found = [self._mentions(self._quoted(named.column), named) for named in mentions(table)]
        return " OR ".join(found) or "FALSE"

    def _selected(self, table: Table) -> Iterator[str]:
        """The columns of a source's query, with lists that mention nobody on the list."""
        lists = {named.column: named for named in mentions(table)}
        for name in table.column_names:
            column = f"given.{self._quoted(name)}"
            yield f"{self._without(column, lists[name])} AS {self._quoted(name)}" if name in lists else column


def _sightings() -> list[Table]:
    return [table for table in TABLES.values() if {USER, DEVICE} <= set(table.column_names)]


def _days(start: date, end: date) -> Iterator[date]:
    return (start + timedelta(days=age) for age in range((end - start).days))
