"""One contract test for every table: what all declarations have in common."""

import re
from pathlib import Path

import pytest
from sqlglot import exp

from calback_assets.tables import EVENT_DATE, TABLES, Privacy, Table
from calback_assets.tables.core import UNIFIED_EVENTS
from calback_assets.tables.raw import RAW_USERS
from calback_assets.warehouse.duckdb.schema import duckdb_type
from calback_assets.warehouse.erasure import mentions
from calback_assets.warehouse.rows import arrow_type

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SCALARS = {"STRING", "INT64", "FLOAT64", "BOOL", "DATE", "TIMESTAMP"}
POINTS_AT_A_PERSON = {
    "user_id", "user_pseudo_id", "session_id", "email_hash", "owner_id", "involved_ids", "event_params", "properties",
}  # fmt: skip
"""Names of columns whose values point at one person, in whatever table they stand."""

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@every_table
def test_a_table_is_described_in_words(table: Table) -> None:
    assert table.description.endswith(".")
    assert table.grain
    for column in table.declared:
        assert column.description.endswith("."), column.name


@every_table
def test_names_are_snake_case(table: Table) -> None:
    assert SNAKE_CASE.fullmatch(table.name)
    for column in table.columns:
        assert SNAKE_CASE.fullmatch(column.name), column.name


@every_table
def test_no_name_is_declared_twice(table: Table) -> None:
    names = [column.name for column in table.declared]
    assert len(names) == len(set(names))


@every_table
def test_types_are_googlesql_and_have_a_form_in_every_engine(table: Table) -> None:
    for column in table.columns:
        parsed = exp.DataType.build(column.type, dialect="bigquery")
        assert parsed.sql("bigquery") == column.type
        leaves = {node.sql("bigquery") for node in parsed.find_all(exp.DataType) if not node.is_type("array", "struct")}
        assert leaves <= SCALARS, column.name
        assert duckdb_type(column.type)
        assert arrow_type(column.type)


@every_table
def test_the_key_and_the_clustering_are_stored_columns(table: Table) -> None:
    for name in table.key:
        assert table.column(name).required, name
    assert set(table.clustering) <= set(table.column_names)
    assert len(table.clustering) <= 4, "BigQuery clusters by four columns at most"


@every_table
def test_a_partitioned_table_begins_with_its_day(table: Table) -> None:
    if table.is_partitioned:
        first = table.columns[0]
        assert (first.name, first.type, first.required) == (EVENT_DATE, "DATE", True)
    else:
        assert EVENT_DATE not in table.column_names


@every_table
def test_a_tombstone_is_a_nullable_timestamp_of_the_wall_clock_in_a_snapshot_of_a_source(table: Table) -> None:
    if table.tombstone is None:
        assert table.is_partitioned or not table.name.startswith("raw_")
        return
    column = table.column(table.tombstone)
    assert (column.type, column.required, column.wall_clock) == ("TIMESTAMP", False, True)
    assert not table.is_partitioned
    assert len(table.key) == 1


@every_table
def test_columns_that_point_at_a_person_are_flagged(table: Table) -> None:
    unflagged = [
        column.name for column in table.columns if column.name in POINTS_AT_A_PERSON and not column.is_personal
    ]
    assert unflagged == []


@every_table
def test_a_table_with_anything_of_a_person_says_whose_each_row_is(table: Table) -> None:
    """So that an erasure finds the rows of every table, also of those that are added later."""
    if any(column.is_personal for column in table.columns):
        assert table.person
    for name in table.person:
        assert table.column(name).type == "STRING"
        assert table.column(name).is_personal


@every_table
def test_a_list_that_may_name_other_people_is_of_a_type_in_which_an_erasure_finds_them(table: Table) -> None:
    lists = [column.name for column in table.columns if column.is_personal and column.type.startswith("ARRAY")]
    assert [named.column for named in mentions(table)] == lists


@every_table
def test_a_table_says_of_itself_whether_a_row_hangs_on_other_people(table: Table) -> None:
    """Where it does, the days that read an erased person's are rebuilt."""
    if table.stands_alone:
        assert table.person
        assert table.is_partitioned


@every_table
def test_what_is_hashed_is_flagged_and_says_so(table: Table) -> None:
    for column in table.declared:
        if column.privacy is Privacy.HASH:
            assert column.is_personal
            assert column.name.endswith("_hash")


def test_the_page_on_privacy_names_every_table_and_every_column_that_is_not_plainly_kept() -> None:
    page = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    assert set(TABLES) <= named
    for table in TABLES.values():
        treated = {column.name for column in table.declared if column.is_personal or column.privacy is Privacy.DROP}
        assert treated <= named, table.name


def test_what_is_dropped_is_declared_and_not_stored() -> None:
    dropped = {
        (table.name, column.name)
        for table in TABLES.values()
        for column in table.declared
        if column.privacy is Privacy.DROP
    }
    assert dropped == {
        ("raw_users", "name"),
        ("raw_users", "photoUrl"),
        ("raw_users", "token"),
        ("raw_meetings", "content"),
        ("raw_events", "user_properties"),
    }
    for table, column in dropped:
        assert column not in TABLES[table].column_names


def test_a_column_is_found_by_its_name() -> None:
    assert UNIFIED_EVENTS.column("event_id").type == "STRING"


@pytest.mark.parametrize("name", ["nothing", "token"])
def test_a_column_that_is_not_stored_is_not_found(name: str) -> None:
    with pytest.raises(KeyError, match=f"raw_users has no column {name}"):
        RAW_USERS.column(name)
