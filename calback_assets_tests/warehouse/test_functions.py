"""Tests of the function allow-list: every row holds on DuckDB, as the models reach it."""

import re
from pathlib import Path

import duckdb
import pytest

import calback_assets
from calback_assets.warehouse.functions import ALLOWED, UNITS, Conformance
from calback_assets.warehouse.googlesql import Model

ROWS = [(name, row) for name, rows in ALLOWED.items() for row in rows]
MODEL_FILES = sorted(Path(calback_assets.__file__).parent.rglob("*.sql"))
SYNTAX = frozenset({"AS", "IN", "STRUCT", "UNNEST", "OVER", "FROM", "JOIN", "ON", "AND", "OR", "NOT", "WHEN"})
"""Words that stand before a parenthesis in the models and call nothing."""


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name}-{row.expression}" for name, row in ROWS])
def test_an_expression_has_the_value_and_the_type_that_bigquery_documents(
    name: str, row: Conformance, tmp_path: Path
) -> None:
    (path := tmp_path / "model.sql").write_text(f"SELECT {row.expression} AS value")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        ((value,),) = connection.execute(Model(path, {}).duckdb_template.fill({})).fetchall()

    assert (type(value), value) == (type(row.expected), row.expected), name


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
