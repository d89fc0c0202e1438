"""Fixtures of deliveries: a warehouse to export from, and a database to export into."""

from collections.abc import Iterator

import pytest

from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.delivery.world import filled


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """A warehouse that nobody changes."""
    return filled(tmp_path_factory.mktemp("stored") / "warehouse.duckdb")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of one's own."""
    from calback_assets_tests.delivery.postgres import running_postgres  # A driver, which few tests need.

    with running_postgres() as url:
        yield url
