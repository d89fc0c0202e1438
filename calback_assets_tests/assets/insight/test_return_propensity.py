"""From first weeks to a model and to chances, by a real run on DuckDB over inputs as they would be written."""

from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from calback_assets.analysis.features import matrix
from calback_assets.analysis.propensity import promoted, scored
from calback_assets.checks.drift import CHECK_NAME, drift
from calback_assets.tables.insight import RETURN_MODEL, RETURN_PROPENSITY
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.rows import arrow_schema
from calback_assets_tests.assets.insight.model_world import LAST, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(DuckDBWarehouse(tmp_path_factory.mktemp("propensity") / "warehouse.duckdb"))


@pytest.fixture(scope="module")
def weeks(world: World) -> pa.Table:
    return world.weeks


def test_everybody_is_scored_under_the_last_day_of_their_first_week(world: World, weeks: pa.Table) -> None:
    assert world.result.success
    found = promoted(world.models)
    assert found is not None
    assert set(world.scores["model"].to_pylist()) == {"logistic"}
    assert set(world.scores["model_version"].to_pylist()) == {found.version}
    expected = dict(
        zip(
            zip(*(weeks[name].to_pylist() for name in ("user_id", "event_date", "joined_on")), strict=True),
            found.model.scores(matrix(weeks, found.model.vocabulary)),
            strict=True,
        )
    )
    stored = zip(
        *(world.scores[name].to_pylist() for name in ("user_id", "event_date", "joined_on", "propensity")), strict=True
    )
    assert {tuple(key): score for *key, score in stored} == expected


def test_the_card_is_in_the_metadata_and_names_nobody(world: World) -> None:
    metadata = world.result.asset_materializations_for_node(RETURN_MODEL.name)[0].metadata
    card = str(metadata["plot"].value)
    assert "Promoted: on people it learned nothing of" in card
    assert metadata["row_count"].value == 3
    lineage = metadata["dagster/column_lineage"].value.deps_by_column
    assert lineage.keys() == set(RETURN_MODEL.column_names)
    assert {dep.column_name for dep in lineage["auc"]} >= {"behaviours", "returned"}
    assert not any(user_id in card for user_id in world.scores["user_id"].to_pylist())


def test_the_check_looks_at_the_people_of_the_last_28_days(world: World, weeks: pa.Table) -> None:
    (evaluation,) = world.result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == (CHECK_NAME, True)
    newest = sum(day > LAST - timedelta(days=28) for day in weeks["event_date"].to_pylist())
    assert evaluation.metadata["people"].value == newest > 500
    assert evaluation.metadata["first_moved"].value == "none"


def test_people_who_are_others_are_told_by_what_has_moved(world: World, weeks: pa.Table) -> None:
    found = promoted(world.models)
    assert found is not None
    assert drift(weeks, found).moved == []
    busier = weeks.set_column(
        weeks.schema.get_field_index("active_days"), "active_days", pc.add(weeks["active_days"], pa.scalar(2))
    )
    moved = [sentence.partition(":")[0] for sentence in drift(busier, found).moved]
    assert moved == ["active_days", "propensity"]
    assert drift(busier.slice(0, 199), found).moved == []


def test_without_a_promoted_model_a_chance_is_not_known(weeks: pa.Table) -> None:
    models = pd.DataFrame({"model": ["base_rate"], "is_promoted": [False], "version": ["1"]})
    rows = scored(weeks.slice(0, 3), models)
    assert rows.schema.equals(arrow_schema(RETURN_PROPENSITY))
    assert [row["propensity"] for row in rows.to_pylist()] == [None] * 3
    assert {(row["model"], row["model_version"]) for row in rows.to_pylist()} == {(None, None)}
    assert rows["joined_on"][0].as_py() >= date(2024, 1, 1)
