"""Tests of what BigQuery tells of a table, as the sources ask it."""

from unittest.mock import patch

import pytest
from google.api_core.exceptions import Forbidden

from calback_assets.errors import SourceError
from calback_assets.sources.bigquery_catalog import BigQueryCatalog
from calback_assets.sources.table_query import Dataset
from calback_assets_tests.sources.helpers import MARK
from calback_assets_tests.sources.tables import PROJECT, Tables


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
