"""What the tests of the sources in BigQuery share: one emulator, and a dataset for each test."""

from collections.abc import Iterator
from itertools import count

import pytest

from calback_assets_tests.bigquery.clients import Client, Emulator, client
from calback_assets_tests.sources.bigquery.tables import PROJECT, Tables

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def bigquery(emulator: Emulator) -> Iterator[Client]:
    with client(emulator.url, PROJECT) as connected:
        yield connected


@pytest.fixture
def tables(bigquery: Client) -> Tables:
    """The tables of a dataset of the test's own."""
    return Tables(bigquery, bigquery.create_dataset(f"analytics_{next(_NUMBERS)}").dataset_id)
