"""Tests of the function allow-list: every row holds on both engines, as the models reach them."""

import re
from pathlib import Path

import duckdb
import pytest

import calback_assets
from calback_assets.warehouse.googlesql.functions import ALLOWED, UNITS
from calback_assets.warehouse.googlesql.model import Model
from calback_assets_tests.bigquery.clients import Emulator, client

ROWS = [(name, row) for name, rows in ALLOWED.items() for row in rows]
MODEL_FILES = sorted(Path(calback_assets.__file__).parent.rglob("*.sql"))
SYNTAX = frozenset({"AS", "IN", "STRUCT", "UNNEST", "OVER", "FROM", "JOIN", "ON", "AND", "OR", "NOT", "WHEN"})
"""Words that stand before a parenthesis in the models and call nothing."""


@pytest.fixture(scope="module")
def on_duckdb(model: Model) -> list[object]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        (values,) = connection.execute(model.duckdb_template.fill({})).fetchall()
    return list(values)


@pytest.fixture(scope="module")
def on_bigquery(model: Model, emulator: Emulator) -> list[object]:
    with client(emulator.url, "functions") as connected:
        (row,) = connected.query(model.bigquery_template.fill({})).result()
    return list(row.values())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Every expression as a column of one model."""
    path = tmp_path_factory.mktemp("functions") / "model.sql"
    columns = ",\n  ".join(f"{row.expression} AS value_{number}" for number, (_, row) in enumerate(ROWS))
    path.write_text(f"SELECT\n  {columns}\n", encoding="utf-8")
    return Model(path, {})


@pytest.mark.parametrize("engine", ["on_duckdb", "on_bigquery"])
@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{name}-{row.expression}" for name, row in ROWS])
def test_an_expression_has_the_value_and_the_type_that_bigquery_documents(
    engine: str, number: int, request: pytest.FixtureRequest
) -> None:
    value, expected = request.getfixturevalue(engine)[number], ROWS[number][1].expected
    assert (type(value), value) == (type(expected), expected)


def test_every_function_has_rows_of_its_own() -> None:
    lacking = [
        name for name, rows in ALLOWED.items() if not any(re.search(rf"\b{name}\(", row.expression) for row in rows)
    ]
    assert lacking == []


def test_every_function_that_a_model_calls_has_rows() -> None:
    assert MODEL_FILES
    for path in MODEL_FILES:
        code = re.sub(r"--.*|'[^']*'", "", path.read_text(encoding="utf-8"))
        called = set(re.findall(r"\b([A-Za-z_]\w*)\(", code)) - SYNTAX
        assert called <= {name for name, rows in ALLOWED.items() if rows}, path.name


def test_every_date_part_that_is_allowed_is_proven_by_a_row() -> None:
    for name, units in UNITS.items():
        assert {row.expression.rstrip(")").split()[-1] for row in ALLOWED[name]} == units
