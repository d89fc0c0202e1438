"""Tests of the GoogleSQL bridge: what a model may say, and how it is rendered for DuckDB."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlglot
from dagster import DailyPartitionsDefinition
from sqlglot import exp

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.checks import CHECKS
from calback_assets.days import Stretch
from calback_assets.errors import ModelError
from calback_assets.partitions import SAME_DAY, Reach, trailing
from calback_assets.tables import EVENT_DATE, TABLES
from calback_assets.tables.core import UNIFIED_EVENTS
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_USERS
from calback_assets.warehouse.googlesql.model import Input, Model
from calback_assets.warehouse.googlesql.template import Parameter
from calback_assets_tests.warehouse.helpers import CALENDAR, DAY

INPUTS = {
    "raw_access_log": Input(RAW_ACCESS_LOG, SAME_DAY),
    "raw_users": Input(RAW_USERS, None),
    "raw_events": Input(RAW_EVENTS, trailing(7)),
}
MODELS = (
    [asset.model for asset in SQL_ASSETS]
    + [asset.ripple.model for asset in SQL_ASSETS if asset.ripple]
    + [check.model for check in CHECKS]
)
every_model = pytest.mark.parametrize("model", MODELS, ids=[model.path.name for model in MODELS])
every_asset = pytest.mark.parametrize("declared", SQL_ASSETS, ids=[asset.table.name for asset in SQL_ASSETS])

PEOPLE = "[STRUCT('b' AS key, 2 AS n), STRUCT('a' AS key, 3 AS n), STRUCT('a' AS key, 1 AS n)]"


def model_of(folder: Path, sql: str, inputs: Mapping[str, Input] = INPUTS) -> Model:
    (path := folder / "model.sql").write_text(sql, encoding="utf-8")
    return Model(path, inputs)


def refusal(folder: Path, sql: str) -> str:
    with pytest.raises(ModelError) as caught:
        model_of(folder, sql)
    return str(caught.value)


def value(folder: Path, expression: str, parameters: Mapping[str, Parameter] | None = None) -> object:
    """What an expression of a model comes to on DuckDB."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        sql = model_of(folder, f"SELECT {expression} AS value").duckdb_template.fill(parameters or {})
        ((found,),) = connection.execute(sql).fetchall()
    return found


@pytest.mark.parametrize(
    ("expression", "call"),
    [
        ("FARM_FINGERPRINT('a')", "FARM_FINGERPRINT"),
        ("farm_fingerprint('a')", "FARM_FINGERPRINT"),
        ("`farm_fingerprint`('a')", "FARM_FINGERPRINT"),
        ("FORMAT_TIMESTAMP('%F', created_at, 'Asia/Seoul')", "FORMAT_TIMESTAMP"),
        ("EXTRACT(DAYOFWEEK FROM created_at)", "EXTRACT"),
        ("DATE_TRUNC(DATE '2024-01-10', WEEK)", "DATE_TRUNC(… WEEK)"),
        ("DATE_TRUNC(DATE '2024-01-10', ISOWEEK)", "DATE_TRUNC(… ISOWEEK)"),
        ("DATE_DIFF(DATE '2024-01-10', DATE '2024-01-01', WEEK)", "DATE_DIFF(… WEEK)"),
        ("TO_JSON(user_id)", "TO_JSON"),
        ("LAX_INT64(user_id)", "LAX_INT64"),
        ("SAFE.PARSE_JSON(user_id)", "SAFE.PARSE_JSON"),
        ("SAFE.SUM(flag)", "SAFE.SUM"),
        ("RAND()", "RAND"),
        ("CURRENT_TIMESTAMP()", "CURRENT_TIMESTAMP"),
        ("CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("CURRENT_DATE", "CURRENT_DATE"),
        ("dataset.own_function(user_id)", "DATASET.OWN_FUNCTION"),
    ],
)
def test_a_function_outside_the_allow_list_is_refused_with_its_name_file_and_line(
    tmp_path: Path, expression: str, call: str
) -> None:
    assert refusal(tmp_path, f"-- A comment.\nSELECT\n  {expression} AS value\nFROM raw_users") == (
        f"model.sql, line 3: {call} is not in the allow-list of GoogleSQL; add it to "
        "warehouse/googlesql/functions.py with conformance rows, or write the model without it"
    )


def test_a_week_that_begins_on_a_named_day_is_refused(tmp_path: Path) -> None:
    assert "DATE_TRUNC(… " in refusal(tmp_path, "SELECT DATE_TRUNC(DATE '2024-01-10', WEEK(MONDAY)) AS value")


def test_a_function_named_in_a_comment_or_a_string_is_no_call(tmp_path: Path) -> None:
    assert value(tmp_path, "'RAND()' /* RAND() */ -- RAND()\n") == "RAND()"


def test_definitions_with_a_refused_model_do_not_load(tmp_path: Path) -> None:
    (path := tmp_path / "sneaky.sql").write_text("SELECT FARM_FINGERPRINT(user_id) AS dau FROM unified_events")
    declared = SqlAsset(DAILY_ACTIVE_USERS, path, reads={"unified_events": SAME_DAY})

    with pytest.raises(ModelError, match=r"^sneaky.sql, line 1: FARM_FINGERPRINT is not in the allow-list"):
        declared.build(DailyPartitionsDefinition("2024-01-01"), {})


def test_division_by_the_operator_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "SELECT flag / friend_count AS value FROM raw_users") == (
        "model.sql: the operator / divides by zero differently on each engine; use SAFE_DIVIDE"
    )


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("SELECT user_id FROM raw_meetings", "raw_meetings"),
        ("SELECT user_id FROM other.raw_users", "other.raw_users"),
        ("SELECT user_id FROM raw_users WHERE user_id IN (SELECT user_id FROM hidden)", "hidden"),
    ],
)
def test_a_table_that_is_no_input_is_refused(tmp_path: Path, sql: str, table: str) -> None:
    assert refusal(tmp_path, sql) == (
        f"model.sql: reads {table}, which is none of its inputs: raw_access_log, raw_events, raw_users"
    )


@pytest.mark.parametrize("sql", ["SELECT FROM WHERE", "SELECT 'open", "", "SELECT (1 AS x"])
def test_what_is_not_googlesql_is_refused_with_the_name_of_the_file(tmp_path: Path, sql: str) -> None:
    assert refusal(tmp_path, sql).startswith("model.sql: not GoogleSQL: ")


@pytest.mark.parametrize("sql", ["DELETE FROM raw_users", "DROP TABLE raw_users", "SELECT 1 AS a; SELECT 2 AS b"])
def test_what_is_not_one_query_is_refused(tmp_path: Path, sql: str) -> None:
    assert refusal(tmp_path, sql).startswith("model.sql: ")


def test_a_look_up_in_an_unnest_becomes_a_list_function(tmp_path: Path) -> None:
    look_up = "(SELECT p.value.int_value FROM UNNEST(event_params) AS p WHERE p.key = 'ga_session_id' LIMIT 1)"
    sql = " ".join(model_of(tmp_path, f"SELECT {look_up} AS value FROM raw_events").duckdb_template.sql.split())

    assert "UNNEST" not in sql
    assert "LIST_FILTER(event_params, LAMBDA p : p.key = 'ga_session_id')" in sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"(SELECT p.n FROM UNNEST({PEOPLE}) AS p WHERE p.key = 'b' LIMIT 1)", 2),
        (f"(SELECT p.n FROM UNNEST({PEOPLE}) AS p WHERE p.key = 'c' LIMIT 1)", None),
        (f"ARRAY(SELECT p.n FROM UNNEST({PEOPLE}) AS p ORDER BY 1)", [1, 2, 3]),
        (f"ARRAY(SELECT p.n FROM UNNEST({PEOPLE}) AS p ORDER BY 1 DESC)", [3, 2, 1]),
        (f"ARRAY(SELECT p.key FROM UNNEST({PEOPLE}) AS p ORDER BY p.n)", ["a", "b", "a"]),
        (f"ARRAY(SELECT DISTINCT p.key FROM UNNEST({PEOPLE}) AS p ORDER BY 1)", ["a", "b"]),
        (f"ARRAY(SELECT p.n FROM UNNEST({PEOPLE}) AS p ORDER BY 1 LIMIT 2)", [1, 2]),
        (f"(SELECT p.n FROM UNNEST({PEOPLE}) AS p ORDER BY p.n DESC LIMIT 1)", 3),
        (f"(SELECT p.n FROM UNNEST({PEOPLE}) AS p ORDER BY p.n LIMIT 1 OFFSET 1)", 2),
        ("(SELECT MAX(x) FROM UNNEST([1, 2]) AS x LIMIT 1)", 2),
        ("ARRAY(SELECT COUNT(*) FROM UNNEST([1, 2, 3]) AS x)", [3]),
        ("(SELECT COUNT(*) FROM (SELECT x FROM UNNEST([1, 2, 3]) AS x LIMIT 2) AS t)", 2),
        ("ARRAY_TO_STRING(ARRAY(SELECT p FROM UNNEST(CAST(NULL AS ARRAY<STRING>)) AS p), '&')", ""),
    ],
)
def test_a_sub_query_over_an_unnest_gives_what_it_says_or_is_refused(
    tmp_path: Path, expression: str, expected: object
) -> None:
    """A rewrite that cannot be right must not be tried: the model is refused, or left to SQLGlot."""
    try:
        found = value(tmp_path, expression)
    except ModelError:
        return
    assert found == expected


def test_timestamp_micros_knows_its_time_zone(tmp_path: Path) -> None:
    assert value(tmp_path, "TIMESTAMP_MICROS(1710460800000001)") == datetime(2024, 3, 15, 0, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["O'Neil", "'; DROP TABLE x; --", 'say "hi"', "back\\slash", "$day @day", "캘박"])
def test_a_text_parameter_arrives_as_it_is(tmp_path: Path, text: str) -> None:
    assert value(tmp_path, "@who", {"who": text}) == text


@pytest.mark.parametrize(
    "parameter", [DAY, datetime(2024, 1, 9, 15, tzinfo=UTC), 7, -1], ids=["day", "instant", "number", "negative"]
)
def test_a_parameter_arrives_in_its_type(tmp_path: Path, parameter: Parameter) -> None:
    assert value(tmp_path, "@given", {"given": parameter}) == parameter


def test_a_missing_parameter_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="who"):
        value(tmp_path, "@who")


@pytest.mark.parametrize("text", ["costs $day", "$day", "mail@day"])
def test_what_looks_like_a_parameter_in_a_string_stays_text(tmp_path: Path, text: str) -> None:
    assert value(tmp_path, f"CONCAT('{text}', CAST(@day AS STRING))", {"day": DAY}) == f"{text}2024-01-10"


def test_a_join_in_parentheses_is_joined_or_refused(tmp_path: Path) -> None:
    joined = (
        "SELECT log.user_id FROM (raw_access_log AS log INNER JOIN raw_users AS people ON people.user_id = log.user_id)"
    )
    try:
        sql = model_of(tmp_path, joined).duckdb_template.sql
    except ModelError:
        return
    assert "calback.raw_users" in sql


@every_model
def test_every_scan_of_a_partitioned_table_carries_the_constant_days_of_its_input(model: Model) -> None:
    stretch = Stretch(DAY, DAY + timedelta(days=2))
    given = CALENDAR.parameters(model, stretch)
    partitioned = {name: source for name, source in model.inputs.items() if source.reach is not None}
    windows: dict[str, Parameter] = {}
    input_of: dict[tuple[date, date], str] = {}
    for index, (name, source) in enumerate(partitioned.items()):
        assert source.reach is not None
        assert (given[f"{name}_from"], given[f"{name}_until"]) == source.reach.of(
            stretch, CALENDAR.first, date(9999, 12, 30)
        )
        # Days that tell one input from another, whatever the query calls them.
        windows[f"{name}_from"], windows[f"{name}_until"] = marks = date(2030 + index, 1, 1), date(2030 + index, 1, 2)
        input_of[marks] = name

    sql = model.duckdb_template.fill({**given, **windows, **settings(model)})
    scans = [table for table in sqlglot.parse_one(sql, read="duckdb").find_all(exp.Table) if table.db == "calback"]

    assert {scan.name for scan in scans} == {source.table.name for source in model.inputs.values()}
    found = set()
    for scan in scans:
        if TABLES[scan.name].is_partitioned:
            assert scan.parent_select is not None
            name = input_of[days_of(scan.parent_select)]
            assert partitioned[name].table.name == scan.name
            found.add(name)
    assert found == partitioned.keys()


def settings(model: Model) -> dict[str, Parameter]:
    given: dict[str, Parameter] = {"frequent_min_days": 3, "frequent_window_days": 3, "start_date": DAY}
    return {name: value for name, value in given.items() if f"@{name}" in model.sql}


def days_of(select: exp.Select) -> tuple[date, date]:
    """The two constants that bound `event_date` in a scan."""
    (lower,) = select.args["where"].find_all(exp.GTE)
    (upper,) = select.args["where"].find_all(exp.LT)
    for bound in (lower, upper):
        assert bound.this.name == EVENT_DATE
        assert isinstance(bound.expression, exp.Cast)
        assert isinstance(bound.expression.this, exp.Literal)
    return date.fromisoformat(lower.expression.this.name), date.fromisoformat(upper.expression.this.name)


def test_a_scan_reads_the_columns_of_the_contract_alone(tmp_path: Path) -> None:
    model = model_of(tmp_path, "SELECT * FROM raw_users", {"raw_users": INPUTS["raw_users"]})
    (scan,) = [
        table.parent_select for table in sqlglot.parse_one(model.duckdb_template.sql, read="duckdb").find_all(exp.Table)
    ]
    assert scan is not None
    assert scan.named_selects == list(RAW_USERS.column_names)


@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        (SAME_DAY, (DAY, date(2024, 1, 11))),
        (trailing(30), (CALENDAR.first, date(2024, 1, 11))),
        (Reach(None, -1), (CALENDAR.first, DAY)),
        (Reach(1, None), (date(2024, 1, 11), date(2024, 2, 1))),
    ],
)
def test_an_input_is_pruned_to_its_reach_within_the_data_set(
    tmp_path: Path, reach: Reach, expected: tuple[date, date]
) -> None:
    model = model_of(tmp_path, "SELECT user_id FROM raw_events", {"raw_events": Input(RAW_EVENTS, reach)})

    found = model.window_parameters(Stretch.on(DAY), CALENDAR.first, date(2024, 1, 31))

    assert (found["raw_events_from"], found["raw_events_until"]) == expected


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT user_id FROM raw_events", 90),
        ("WITH per AS (SELECT event_date FROM raw_events GROUP BY event_date) SELECT * FROM days, per", 90),
        ("SELECT * FROM (SELECT event_date FROM raw_events UNION ALL SELECT event_date FROM days)", 90),
        ("SELECT user_id FROM days INNER JOIN raw_events ON TRUE", 270),
        ("WITH all_days AS (SELECT * FROM raw_events) SELECT user_id FROM all_days CROSS JOIN days", 270),
        ("SELECT user_id FROM days, (SELECT * FROM raw_events UNION ALL SELECT * FROM raw_events)", 270),
    ],
    ids=["once", "grouped first", "beside the days", "joined with the days", "behind a name", "behind a union"],
)
def test_rows_of_a_window_count_for_each_day_only_where_a_join_with_the_days_repeats_them(
    tmp_path: Path, sql: str, read: int
) -> None:
    model = model_of(tmp_path, sql, {"raw_events": Input(RAW_EVENTS, trailing(7))})
    written = {"raw_events": {DAY + timedelta(days=after): 10 for after in range(-6, 4)}}
    # Ten rows a day over ten days; the last day is not written yet, and the windows of four days hold 7, 7, 7 and 6.
    written["raw_events"][DAY + timedelta(days=3)] = 0
    stretch = Stretch(DAY, DAY + timedelta(days=3))

    assert model.rows_read(written, stretch) == read


@every_asset
def test_lineage_covers_every_column_of_every_model(declared: SqlAsset) -> None:
    covered = declared.model.lineage.keys() & set(declared.table.column_names)
    # What statistics add to the columns of a query hangs on all of them.
    assert declared.refine or sorted(covered) == sorted(declared.table.column_names)


@every_asset
def test_lineage_names_columns_that_exist(declared: SqlAsset) -> None:
    contracts = {source.table.name: source.table for source in declared.model.inputs.values()}
    for origins in declared.model.lineage.values():
        for table, column in origins:
            assert column in contracts[table].column_names


def test_lineage_follows_a_look_up_in_the_parameters_of_an_event() -> None:
    (unified,) = [asset for asset in SQL_ASSETS if asset.table is UNIFIED_EVENTS]

    assert unified.model.lineage["session_id"] == {("raw_events", "event_params"), ("raw_events", "user_pseudo_id")}
