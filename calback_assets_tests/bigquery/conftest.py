"""What tests of BigQuery's own ways share."""

from collections.abc import Iterator

import pytest

from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.proxy import FaultProxy


@pytest.fixture
def proxy(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """The line to the emulator, on which every client of the warehouse finds it."""
    with FaultProxy(emulator.url) as between:
        monkeypatch.setenv(EMULATOR_HOST, between.url)
        yield between
