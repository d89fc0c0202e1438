"""The Dagster instance that the tests of this folder share."""

from collections.abc import Iterator

import pytest
from dagster import DagsterInstance

# This module reads the environment when it is first imported; the tests build definitions of their own.
with pytest.MonkeyPatch.context() as patch:
    patch.setenv("CALBACK_START_DATE", "2024-01-01")
    import calback_assets.definitions  # noqa: F401


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """One for all tests, because it takes seconds to make; each test keeps to assets of its own."""
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as made:
        yield made
