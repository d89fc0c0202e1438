"""The model and the chances are the same whichever warehouse the first weeks are in."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from google.cloud import bigquery

from calback_assets.settings import Settings
from calback_assets.tables.insight import RETURN_MODEL
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.rows import conform
from calback_assets_tests.assets.insight.model_world import BEGIN, LAST, World
from calback_assets_tests.bigquery.clients import Emulator, client

pytestmark = pytest.mark.slow

PROJECT = "return-propensity"


@pytest.fixture(scope="module")
def in_bigquery(emulator: Emulator) -> Iterator[World]:
    with client(emulator.url, PROJECT) as bigquery_client, pytest.MonkeyPatch.context() as patched:
        patched.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
        dataset = bigquery.Dataset(f"{PROJECT}.calback")
        dataset.location = "asia-northeast3"
        bigquery_client.create_dataset(dataset)
        environ = {
            "CALBACK_WAREHOUSE": "bigquery",
            "CALBACK_GCP_PROJECT": PROJECT,
            "CALBACK_PSEUDONYM_KEY": "a key of sixteen letters",
            "CALBACK_START_DATE": str(BEGIN),
            "CALBACK_END_DATE": str(LAST),
        }
        yield World(warehouse_of(Settings.from_env(environ)))


def test_both_warehouses_learn_the_same_and_give_the_same_chances(in_bigquery: World, tmp_path: Path) -> None:
    local = World(DuckDBWarehouse(tmp_path / "warehouse.duckdb"))
    assert in_bigquery.result.success
    assert [evaluation.passed for evaluation in in_bigquery.result.get_asset_check_evaluations()] == [True]
    one, other = (
        conform(world.models.sort_values("model"), RETURN_MODEL).to_pylist() for world in (local, in_bigquery)
    )
    assert one == other
    one, other = (world.scores.sort_by("user_id") for world in (local, in_bigquery))
    assert one.drop_columns("propensity").equals(other.drop_columns("propensity"))
    assert np.abs(one["propensity"].to_numpy() - other["propensity"].to_numpy()).max() < 1e-9
