"""First weeks as numbers, by hand."""

from typing import Any

import pyarrow as pa

from calback_assets.analysis.features import Vocabulary, matrix, vocabulary_of
from calback_assets.tables.insight import FIRST_WEEK
from calback_assets.warehouse.rows import arrow_schema

SCHEMA = arrow_schema(FIRST_WEEK)
VOCABULARY = Vocabulary(("ANDROID", "IOS"), ("calendar_share", "search"))


def week(platform: str | None, *counts: int, **times: int) -> dict[str, Any]:
    names = ("active_days", "sessions", "events", "app_opens")
    behaviours = [{"behaviour": name, "times": number, "days": 1} for name, number in times.items()]
    return dict(zip(names, counts, strict=True)) | {"platform": platform, "behaviours": behaviours}


def weeks(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def test_a_column_stands_for_each_feature() -> None:
    assert VOCABULARY.features == (
        "active_days",
        "sessions",
        "events",
        "app_opens",
        "platform",
        "calendar_share",
        "search",
    )
    rows = weeks(
        week("IOS", 2, 3, 40, 5, search=7, theme_change=1),
        week(None, 1, 1, 9, 0),
        week("ANDROID", 1, 1, 8, 2, calendar_share=1, search=2),
        week("WEB", 1, 0, 1, 0, theme_change=4),
    )
    expected = [[2, 3, 40, 5, 2, 0, 7], [1, 1, 9, 0, 0, 0, 0], [1, 1, 8, 2, 1, 1, 2], [1, 0, 1, 0, 0, 0, 0]]
    assert matrix(rows, VOCABULARY).tolist() == expected
    parts = pa.concat_tables([rows.slice(0, 1), rows.slice(1, 2), rows.slice(3)])
    assert matrix(parts, VOCABULARY).tolist() == expected
    assert matrix(rows.slice(2), VOCABULARY).tolist() == expected[2:]


def test_nobody_is_a_matrix_without_rows() -> None:
    assert matrix(SCHEMA.empty_table(), VOCABULARY).shape == (0, 7)
    assert matrix(pa.Table.from_batches([], SCHEMA), VOCABULARY).shape == (0, 7)
    assert vocabulary_of(SCHEMA.empty_table()) == Vocabulary((), ())


def test_what_few_people_did_is_no_feature() -> None:
    rows = weeks(
        *[week("IOS", 1, 1, 1, 1, search=1) for _ in range(20)],
        *[week("WEB", 1, 1, 1, 1, rare=9) for _ in range(19)],
    )
    assert vocabulary_of(rows) == Vocabulary(("IOS",), ("search",))
    # Of 2,100 people, 20 are less than one in a hundred.
    many = pa.concat_tables([rows, weeks(*[week("ANDROID", 1, 1, 1, 1, often=1) for _ in range(2_061)])])
    assert vocabulary_of(many) == Vocabulary(("ANDROID",), ("often",))


def test_of_thousands_of_behaviours_the_most_common_are_taken() -> None:
    everything = {f"event_{number:03d}": 1 for number in range(250)}
    rows = weeks(*[week(None, 1, 1, 1, 1, **everything) for _ in range(20)], week(None, 1, 1, 1, 1, event_249=1))
    found = vocabulary_of(rows).behaviours
    assert len(found) == 200
    assert found[0] == "event_000"
    assert found[-1] == "event_249"
