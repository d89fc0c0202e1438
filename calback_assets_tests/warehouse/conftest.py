"""Fixtures of the warehouse's tests: a warehouse on a real file, and Dagster instances."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from calback_assets_tests.warehouse.helpers import Desk, WarehouseUnderTest, warehouse_under_test


@pytest.fixture(scope="session")
def instance() -> Iterator[DagsterInstance]:
    """One instance for all tests that only run something."""
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(params=["duckdb", "bigquery", pytest.param("project", marks=pytest.mark.gcp)])
def warehouse(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[WarehouseUnderTest]:
    """Every warehouse that must keep the write contract."""
    with warehouse_under_test(request, monkeypatch, tmp_path) as made:
        yield made


@pytest.fixture
def desk(warehouse: WarehouseUnderTest, instance: DagsterInstance, tmp_path: Path) -> Desk:
    return Desk(warehouse, instance, tmp_path)
