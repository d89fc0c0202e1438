"""What the tests of the analysis share: the oracle."""

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def sm() -> ModuleType:
    """statsmodels, imported where it is asked: a second and a half that every worker would pay."""
    import statsmodels.api

    oracle: ModuleType = statsmodels.api
    return oracle
