"""Fixtures of the warehouse's tests: a warehouse on a real file, and Dagster instances."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from calback_assets_tests.warehouse.helpers import Desk, EmbeddedWarehouse, WarehouseUnderTest


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
    if request.param == "duckdb":
        yield EmbeddedWarehouse(tmp_path)
        return
    from calback_assets_tests.warehouse import emulated

    if request.param == "project":
        with emulated.real_warehouse(request.getfixturevalue("project")) as real:
            yield real
        return
    emulator = request.getfixturevalue("emulator")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
    yield emulated.EmulatedWarehouse(emulator.url)


@pytest.fixture
def desk(warehouse: EmbeddedWarehouse, instance: DagsterInstance, tmp_path: Path) -> Desk:
    return Desk(warehouse, instance, tmp_path)
