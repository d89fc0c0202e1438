"""Tests of the access log's table in BigQuery as `raw_access_log`: its SQL, and what the emulator makes of it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError

from calback_assets.days import Stretch
from calback_assets.errors import SettingsError, SourceError
from calback_assets.sources.access_log.log import Fields
from calback_assets.sources.access_log.table import AccessLogTable
from calback_assets.sources.bigquery.catalog import BigQueryCatalog
from calback_assets.sources.bigquery.query import TableQuery
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets_tests.sources.bigquery.tables import PROJECT, Columns, Tables, scans
from calback_assets_tests.sources.helpers import MARK

DAY = date(2024, 3, 14)
SEOUL = "Asia/Seoul"
BARE = {"userId": "INT64", "date": "DATE"}
EXPECTED = "<dataset>.<table> of a table with a column userId, partitioned by its column date"


def query(columns: Mapping[str, str], table: str = "ops.opens") -> TableQuery:
    return AccessLogTable(Columns(opens=columns), PROJECT, table, SEOUL).look(DAY).read(Stretch.on(DAY))


@pytest.mark.parametrize(
    ("name", "full_name"),
    [("ops.opens", f"`{PROJECT}.ops.opens`"), ("backend-1.ops.opens", "`backend-1.ops.opens`")],
)
def test_one_table_is_read_and_only_the_partition_of_the_day(name: str, full_name: str) -> None:
    found = query(BARE, name)
    assert list(scans(found)) == [full_name]
    (select,) = scans(found).values()
    assert select.named_selects == list(RAW_ACCESS_LOG.column_names)
    condition = select.args["where"].this
    assert (
        condition.sql(dialect="bigquery")
        == "`date` >= CAST('2024-03-14' AS DATE) AND `date` < CAST('2024-03-15' AS DATE)"
    )
    assert found.facts == {DAY: {"tables": "opens"}}


@pytest.mark.parametrize("name", ["", "opens", "ops.", "ops.o`pens", ".opens", "ops-1.opens", "p.`ops`.opens"])
def test_a_table_that_cannot_be_one_is_an_error_of_the_setting(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        query(BARE, name)
    assert str(caught.value).startswith("CALBACK_ACCESS_LOG_TABLE ")
    assert str(caught.value).endswith(f"; set it to {EXPECTED}")


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"date": "DATE"}, "no column userId, which every row must have"),
        ({"userId": "INT64"}, "no column date, which every row must have"),
        (BARE | {"date": "STRING"}, "column date is STRING where DATE, TIMESTAMP or INT64 is expected"),
        (BARE | {"userId": "FLOAT64"}, "column userId is FLOAT64 where STRING is expected"),
        (BARE | {"userId": "STRUCT<id INT64>"}, "column userId is STRUCT where STRING is expected"),
        (BARE | {"offset": "TIMESTAMP"}, "column offset is TIMESTAMP where INT64 is expected"),
    ],
)
def test_a_table_that_is_no_access_log_is_an_error(columns: dict[str, str], problem: str) -> None:
    with pytest.raises(SourceError) as caught:
        query(columns)
    assert str(caught.value) == f"ops.opens: {problem}. Set CALBACK_ACCESS_LOG_TABLE to {EXPECTED}."


def source(tables: Tables) -> AccessLogTable:
    return AccessLogTable(BigQueryCatalog(lambda: tables.client), PROJECT, f"{tables.dataset}.opens", SEOUL)


def read(tables: Tables) -> list[dict[str, Any]]:
    return sorted(
        tables.read(source(tables).look(DAY).read(Stretch.on(DAY)), RAW_ACCESS_LOG), key=lambda row: str(row["user_id"])
    )


def test_whole_numbers_become_texts_and_the_rows_of_the_day_stay_with_their_copies(tables: Tables) -> None:
    ids = [0, -1, 2**63 - 1, 0]
    rows = [{"userId": id_, "date": "2024-03-14"} for id_ in ids]
    others = [{"userId": 5, "date": "2024-03-13"}, {"userId": 6, "date": "2024-03-15"}, {"userId": 7, "date": None}]
    tables.add("opens", BARE, rows + others)
    kafka = {"topic": None, "partition": None, "offset": None}
    assert read(tables) == [{"event_date": DAY, "user_id": id_} | kafka for id_ in sorted(map(str, ids))]


def test_texts_stay_as_they_are_with_the_coordinates_that_the_connector_kept(tables: Tables) -> None:
    columns = {
        "date": "DATE",
        "topic": "STRING",
        "offset": "INT64",
        "partition": "STRING",
        "userId": "STRING",
        "more": "JSON",
    }
    kafka = {"topic": "opens", "partition": "2", "offset": 2**53 + 1}
    ids = ["0", "007", "1.5", 'a "quoted" \\ id', "null", "사용자"]
    tables.add("opens", columns, [{"userId": id_, "date": "2024-03-14"} | kafka for id_ in ids])
    stored = {"event_date": DAY, "topic": "opens", "partition": 2, "offset": 2**53 + 1}
    assert read(tables) == [stored | {"user_id": id_} for id_ in ids]


def test_what_is_there_is_told_by_the_days_that_have_rows(tables: Tables) -> None:
    assert source(tables).look(DAY).last is None
    tables.add("opens", BARE, [{"userId": 1, "date": f"2024-03-{day}"} for day in ("10", "13", "13")])
    found = source(tables).look(date(2024, 3, 11))
    assert found.where == f"table {tables.dataset}.opens in project {PROJECT}"
    assert found.last == date(2024, 3, 13)
    assert [day for day in range(10, 16) if found.has(date(2024, 3, day))] == [13]
    # What ended before the first day that is asked for still says with which day.
    assert source(tables).look(DAY).last == date(2024, 3, 13)


@pytest.mark.parametrize("has_opens", [False, True])
def test_no_table_and_a_day_without_rows_are_no_opens_in_the_contract_s_types(tables: Tables, has_opens: bool) -> None:
    if has_opens:
        tables.add("opens", BARE, [])
    assert read(tables) == []
    assert source(tables).look(DAY).read(Stretch.on(DAY)).facts[DAY] == {"tables": "opens" if has_opens else "none"}


@pytest.mark.parametrize(
    ("columns", "row", "problem"),
    [
        (BARE, {"userId": None}, "userId is missing"),
        (BARE | {"userId": "STRING"}, {"userId": ""}, "userId is missing"),
        (BARE | {"offset": "STRING"}, {"userId": 1, "offset": MARK}, "offset does not hold an exact INT64"),
    ],
)
def test_a_row_that_cannot_be_taken_ends_the_query_and_is_not_quoted(
    tables: Tables, columns: dict[str, str], row: dict[str, object], problem: str
) -> None:
    tables.add("opens", columns, [row | {"date": "2024-03-14"}])
    with pytest.raises(GoogleAPICallError) as caught:
        read(tables)
    assert f"{tables.dataset}.opens: {problem}. Correct or remove such rows." in str(caught.value)
    assert MARK not in str(caught.value)


def test_the_columns_bear_the_names_that_the_settings_give(tables: Tables) -> None:
    tables.add("opens", {"member id": "INT64", "day": "DATE"}, [{"member id": 7, "day": "2024-03-14"}])
    catalog = BigQueryCatalog(lambda: tables.client)
    found = AccessLogTable(catalog, PROJECT, f"{tables.dataset}.opens", SEOUL, Fields("member id", "day")).look(DAY)
    assert found.last == DAY
    kafka = {"topic": None, "partition": None, "offset": None}
    assert tables.read(found.read(Stretch.on(DAY)), RAW_ACCESS_LOG) == [{"event_date": DAY, "user_id": "7"} | kafka]


def test_a_table_without_the_columns_of_the_settings_is_an_error_that_names_them() -> None:
    with pytest.raises(SourceError) as caught:
        AccessLogTable(Columns(opens=BARE), PROJECT, "ops.opens", SEOUL, Fields("member", "day")).look(DAY)
    assert str(caught.value) == (
        "ops.opens: no column member, which every row must have. Set CALBACK_ACCESS_LOG_TABLE to <dataset>.<table> of "
        "a table with a column member, partitioned by its column day."
    )
