"""Tests of what BigQuery tells of a table, as the sources ask it."""

import time
from unittest.mock import patch

import pytest
from google.api_core.exceptions import Forbidden

from calback_assets.errors import SourceError
from calback_assets.sources.bigquery.catalog import BigQueryCatalog
from calback_assets.sources.bigquery.query import Dataset
from calback_assets_tests.bigquery.clients import Emulator, client
from calback_assets_tests.bigquery.proxy import Fault, FaultProxy
from calback_assets_tests.sources.bigquery.tables import PROJECT, Tables
from calback_assets_tests.sources.helpers import MARK


def dataset(name: str) -> Dataset:
    return Dataset(PROJECT, name, "CALBACK_GA4_DATASET", "analytics_<property id>")


def test_types_are_told_in_the_words_of_googlesql(tables: Tables) -> None:
    columns = {
        "a": "INT64",
        "b": "FLOAT64",
        "c": "BOOL",
        "d": "STRING",
        "e": "DATE",
        "f": "TIMESTAMP",
        "g": "ARRAY<STRING>",
        "h": "STRUCT<`x` INT64, `y` STRUCT<`z` BOOL>>",
        "i": "ARRAY<STRUCT<`key` STRING, `value` STRUCT<`int_value` INT64, `double_value` FLOAT64>>>",
    }
    tables.add("t", columns, [])
    assert BigQueryCatalog(lambda: tables.client).columns(dataset(tables.dataset), "t") == columns


def test_a_table_that_is_not_there_is_none_until_it_is(tables: Tables) -> None:
    catalog = BigQueryCatalog(lambda: tables.client)
    assert catalog.columns(dataset(tables.dataset), "t") is None
    tables.add("t", {"a": "INT64"}, [])
    assert catalog.columns(dataset(tables.dataset), "t") == {"a": "INT64"}


def test_a_dataset_that_is_not_there_is_an_error_of_the_setting(tables: Tables) -> None:
    with pytest.raises(SourceError) as caught:
        BigQueryCatalog(lambda: tables.client).columns(dataset("analytics_typo"), "t")
    assert str(caught.value) == (
        f"CALBACK_GA4_DATASET: dataset analytics_typo does not exist in project {PROJECT}; "
        "set it to analytics_<property id>"
    )


@pytest.mark.parametrize("asked", ["get_table", "get_dataset"])
def test_a_dataset_that_may_not_be_read_names_the_role_and_nobody(tables: Tables, asked: str) -> None:
    with (
        patch.object(tables.client, asked, side_effect=Forbidden(f"Access Denied: User {MARK}")),
        pytest.raises(SourceError) as caught,
    ):
        BigQueryCatalog(lambda: tables.client).columns(dataset(tables.dataset), "t")
    assert str(caught.value) == (
        f"CALBACK_GA4_DATASET: dataset {tables.dataset} in project {PROJECT} may not be read, or does not exist; "
        "grant the platform's account roles/bigquery.dataViewer on it"
    )
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("question", ["tables", "columns", "days", "any_of", "now"])
def test_a_service_that_does_not_answer_is_given_up_within_patience(emulator: Emulator, question: str) -> None:
    given = {"tables": (), "columns": ("t",), "days": ("t", "day", "TRUE"), "any_of": ("t", "a"), "now": ()}
    with FaultProxy(emulator.url) as between, client(between.url, PROJECT) as connected:
        between.arm(Fault.UNAVAILABLE, times=1000)
        catalog = BigQueryCatalog(lambda: connected, 0.3)
        began = time.monotonic()
        # On a machine that stands still for so long, the last request is given up before its answer.
        with pytest.raises(SourceError, match=r"^BigQuery did not answer \((ServiceUnavailable|ReadTimeout)\); "):
            getattr(catalog, question)(dataset("d"), *given[question])
        assert time.monotonic() - began < 5


def test_a_query_that_may_not_be_run_names_the_role(tables: Tables) -> None:
    with (
        patch.object(tables.client, "query", side_effect=Forbidden(f"Access Denied: User {MARK}")),
        pytest.raises(SourceError) as caught,
    ):
        BigQueryCatalog(lambda: tables.client).now(dataset(tables.dataset))
    assert str(caught.value) == (
        f"no query may be run in project {PROJECT}; grant the platform's account roles/bigquery.jobUser on it"
    )
