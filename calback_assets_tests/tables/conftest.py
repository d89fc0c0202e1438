"""Fixtures of the contracts' tests: the platform's definitions, made for a data set of one week."""

from pathlib import Path

import pytest
from dagster import Definitions

from calback_assets.settings import Settings


@pytest.fixture(scope="session")
def defs(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    """The definitions of a closed data set; the module's own are made from the environment when it is imported."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CALBACK_START_DATE", "2024-01-01")
        from calback_assets.definitions import build_defs
    folder: Path = tmp_path_factory.mktemp("platform")
    return build_defs(
        Settings.from_env(
            {
                "CALBACK_DATA_DIR": str(folder),
                "CALBACK_DUCKDB_PATH": str(folder / "warehouse.duckdb"),
                "CALBACK_START_DATE": "2024-01-01",
                "CALBACK_END_DATE": "2024-01-07",
            }
        )
    )
