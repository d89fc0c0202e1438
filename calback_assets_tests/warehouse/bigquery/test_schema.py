"""Tests of table contracts as BigQuery tables; no service is called."""

from dataclasses import replace

import pytest
from google.cloud import bigquery

from calback_assets.errors import ContractError
from calback_assets.tables import TABLES, Column, Table
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS, FREQUENT_USERS
from calback_assets.tables.raw import RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.bigquery.schema import (
    clustering_of,
    googlesql_type,
    missing_columns,
    nullable_schema_of,
    schema_of,
    table_of,
)

REFERENCE = bigquery.DatasetReference("project", "calback").table("any")


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_contract_becomes_a_table_with_partitions_clustering_and_descriptions(table: Table) -> None:
    made = table_of(table, REFERENCE)

    assert [field.name for field in made.schema] == list(table.column_names)
    assert [field.description for field in made.schema] == [column.description for column in table.columns]
    assert made.description == table.description
    assert made.labels == {"managed_by": "calback"}
    if table.is_partitioned:
        assert (made.time_partitioning.type_, made.time_partitioning.field) == ("DAY", "event_date")
        assert made.require_partition_filter is True
    else:
        assert made.time_partitioning is None


def test_a_table_is_clustered_by_its_key_without_the_day() -> None:
    assert clustering_of(FREQUENT_USERS) == ["user_id"]
    assert clustering_of(DAILY_ACTIVE_USERS) == []
    assert clustering_of(RAW_USERS) == ["user_id"]


def test_a_required_column_is_required_and_an_array_is_repeated() -> None:
    modes = {field.name: (field.field_type, field.mode) for field in schema_of(RAW_EVENTS)}

    assert modes["event_date"] == ("DATE", "REQUIRED")
    assert modes["user_id"] == ("STRING", "NULLABLE")
    assert modes["event_params"] == ("STRUCT", "REPEATED")
    assert {field.mode for field in nullable_schema_of(RAW_MEETINGS)} == {"NULLABLE", "REPEATED"}


def test_types_come_back_in_the_words_of_the_contract() -> None:
    answered = bigquery.SchemaField(
        "p", "RECORD", "REPEATED", fields=[bigquery.SchemaField("k", "STRING"), bigquery.SchemaField("n", "INTEGER")]
    )

    assert googlesql_type(answered) == "ARRAY<STRUCT<k STRING, n INT64>>"
    assert googlesql_type(bigquery.SchemaField("f", "FLOAT")) == "FLOAT64"


def test_a_new_nullable_column_is_missing_from_the_stored_table() -> None:
    wider = replace(DAILY_ACTIVE_USERS, declared=(*DAILY_ACTIVE_USERS.declared, Column("fun", "INT64", "How much.")))

    assert [field.name for field in missing_columns(wider, schema_of(DAILY_ACTIVE_USERS))] == ["fun"]
    assert missing_columns(DAILY_ACTIVE_USERS, schema_of(DAILY_ACTIVE_USERS)) == []


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (
            Column("fun", "INT64", "How much.", required=True),
            "daily_active_users.fun: the contract says INT64 NOT NULL, the warehouse has no such column",
        ),
        (None, "daily_active_users: the warehouse has column dau, which the contract lacks"),
    ],
    ids=["a new required column", "a column that has gone"],
)
def test_any_other_change_is_refused_with_what_to_do(added: Column | None, message: str) -> None:
    declared = tuple(column for column in DAILY_ACTIVE_USERS.declared if added or column.name != "dau")
    changed = replace(DAILY_ACTIVE_USERS, declared=(*declared, *([added] if added else [])))

    with pytest.raises(ContractError, match=f"^{message}"):
        missing_columns(changed, schema_of(DAILY_ACTIVE_USERS))


def test_a_column_of_another_type_is_refused() -> None:
    stored = [
        bigquery.SchemaField(field.name, "STRING" if field.name == "dau" else field.field_type, field.mode)
        for field in schema_of(DAILY_ACTIVE_USERS)
    ]

    with pytest.raises(
        ContractError, match=r"^daily_active_users\.dau: the contract says INT64 NOT NULL, the warehouse"
    ):
        missing_columns(DAILY_ACTIVE_USERS, stored)
