"""Fixtures of the warehouse's tests: a warehouse on a real file, and Dagster instances."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from calback_assets_tests.warehouse.helpers import Desk, EmbeddedWarehouse


@pytest.fixture(scope="session")
def instance() -> Iterator[DagsterInstance]:
    """One instance for all tests that only run something."""
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(params=[EmbeddedWarehouse], ids=["duckdb"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedWarehouse:
    """Every warehouse that must keep the write contract."""
    return request.param(tmp_path)


@pytest.fixture
def desk(warehouse: EmbeddedWarehouse, instance: DagsterInstance, tmp_path: Path) -> Desk:
    return Desk(warehouse, instance, tmp_path)
