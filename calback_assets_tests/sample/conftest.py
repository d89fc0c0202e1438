"""The one sample that several modules of this folder read; a test that needs another writes its own."""

from collections.abc import Iterator

import pytest

from calback_assets_tests.sample.helpers import Sample, opened_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """Small, but with enough rows for each kind of dirt."""
    with opened_sample(tmp_path_factory.mktemp("sample") / "data", users=4000, days=45, seed=7) as sample:
        yield sample
