"""The GoogleSQL that models may use: an allow-list of functions, each with the proof that engines agree on it.

A function belongs here only with conformance rows: an expression and the value that BigQuery's documentation gives for
it. Tests run every row on every engine. Rendering belongs in `model`, not here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime


@dataclass(frozen=True)
class Conformance:
    """A GoogleSQL expression and its value, which every engine must return."""

    expression: str
    expected: object


def _over(expression: str, rows: str) -> str:
    """A scalar query of an aggregate over literal rows, e.g. `_over("COUNT(x)", "1, 2")`."""
    return f"(SELECT {expression} FROM UNNEST([{rows}]) AS x)"


_PARAMS = "[STRUCT('b' AS key, 2 AS number), STRUCT('a' AS key, 1 AS number), STRUCT('a' AS key, 3 AS number)]"

ALLOWED: dict[str, tuple[Conformance, ...]] = {
    "ARRAY": (
        Conformance(f"ARRAY(SELECT p.number * 2 FROM UNNEST({_PARAMS}) AS p ORDER BY 1)", [2, 4, 6]),
        Conformance(f"ARRAY(SELECT p.number FROM UNNEST({_PARAMS}) AS p WHERE p.key = 'b')", [2]),
        Conformance(
            f"ARRAY(SELECT CONCAT(p.key, CAST(p.number AS STRING)) FROM UNNEST({_PARAMS}) AS p ORDER BY 1)",
            ["a1", "a3", "b2"],
        ),
    ),
    "ARRAY_AGG": (
        Conformance(_over("ARRAY_AGG(x ORDER BY x)", "3, 1, 2"), [1, 2, 3]),
        Conformance(_over("ARRAY_AGG(STRUCT(x AS n) ORDER BY x)", "2, 1"), [{"n": 1}, {"n": 2}]),
    ),
    "ARRAY_LENGTH": (
        Conformance("ARRAY_LENGTH(['a', NULL])", 2),
        Conformance("ARRAY_LENGTH(ARRAY<STRUCT<x INT64>>[])", 0),
    ),
    "ARRAY_TO_STRING": (
        Conformance("ARRAY_TO_STRING(['a', 'b'], '&')", "a&b"),
        Conformance("ARRAY_TO_STRING(['a', NULL, 'b'], '&')", "a&b"),
    ),
    "CAST": (
        Conformance("CAST(12 AS STRING)", "12"),
        Conformance("CAST('12' AS INT64)", 12),
        Conformance("CAST(NULL AS STRING)", None),
        Conformance("CAST(TRUE AS INT64)", 1),
    ),
    "COALESCE": (Conformance("COALESCE(NULL, 2, 3)", 2),),
    "CONCAT": (
        Conformance("CONCAT('a', 'b', 'c')", "abc"),
        Conformance("CONCAT('a', CAST(NULL AS STRING))", None),
    ),
    "COUNT": (
        Conformance(_over("COUNT(x)", "1, NULL, 1"), 2),
        Conformance(_over("COUNT(*)", "1, NULL, 1"), 3),
        Conformance(_over("COUNT(DISTINCT x)", "1, NULL, 1"), 1),
    ),
    "COUNTIF": (
        Conformance(_over("COUNTIF(x > 1)", "1, 2, 3, NULL"), 2),
        Conformance(_over("COUNTIF(x > 9)", "1"), 0),
        Conformance("(SELECT COUNTIF(x > 1) FROM UNNEST([1]) AS x WHERE x > 1)", 0),
    ),
    "DATE_ADD": (
        Conformance("DATE_ADD(DATE '2024-02-28', INTERVAL 2 DAY)", date(2024, 3, 1)),
        Conformance("DATE_ADD(DATE '2024-01-01', INTERVAL -1 DAY)", date(2023, 12, 31)),
    ),
    "DATE_DIFF": (
        Conformance("DATE_DIFF(DATE '2024-03-01', DATE '2024-02-28', DAY)", 2),
        Conformance("DATE_DIFF(DATE '2024-01-01', DATE '2024-01-02', DAY)", -1),
    ),
    "DATE_SUB": (
        Conformance("DATE_SUB(DATE '2024-03-01', INTERVAL 1 DAY)", date(2024, 2, 29)),
        Conformance("DATE_SUB(DATE '2024-01-01', INTERVAL -1 DAY)", date(2024, 1, 2)),
    ),
    "DATE_TRUNC": (
        Conformance("DATE_TRUNC(DATE '2024-02-29', MONTH)", date(2024, 2, 1)),
        Conformance("DATE_TRUNC(DATE '2024-12-31', MONTH)", date(2024, 12, 1)),
    ),
    "GENERATE_ARRAY": (Conformance("GENERATE_ARRAY(0, 3)", [0, 1, 2, 3]),),
    "IF": (
        Conformance("IF(1 > 2, 'a', 'b')", "b"),
        Conformance("IF(NULL, 'a', 'b')", "b"),
    ),
    "LAG": (
        Conformance(
            "ARRAY(SELECT COALESCE(y, -1) FROM (SELECT x, LAG(x) OVER (ORDER BY x) AS y "
            "FROM UNNEST([10, 20, 30]) AS x) ORDER BY 1)",
            [-1, 10, 20],
        ),
    ),
    "LEAD": (
        Conformance(
            "ARRAY(SELECT COALESCE(y, -1) FROM (SELECT x, LEAD(x) OVER (ORDER BY x) AS y "
            "FROM UNNEST([10, 20, 30]) AS x) ORDER BY 1)",
            [-1, 20, 30],
        ),
    ),
    "LOGICAL_AND": (
        Conformance(_over("LOGICAL_AND(x)", "TRUE, FALSE"), False),
        Conformance(_over("LOGICAL_AND(x)", "TRUE, NULL"), True),
    ),
    "MAX": (Conformance(_over("MAX(x)", "1, NULL, 3"), 3),),
    "MD5": (Conformance("TO_HEX(MD5('calback'))", "40efe8fbc78b6ad39884838eba93e5b8"),),
    "MIN": (Conformance(_over("MIN(x)", "3, NULL, 1"), 1),),
    "MOD": (
        Conformance("MOD(17, 7)", 3),
        Conformance("MOD(14, 7)", 0),
        # How models find the Monday of a week.
        Conformance(
            "DATE_SUB(DATE '2023-01-01', INTERVAL MOD(DATE_DIFF(DATE '2023-01-01', DATE '1969-12-29', DAY), 7) DAY)",
            date(2022, 12, 26),
        ),
    ),
    "ROUND": (
        Conformance("ROUND(2.5)", 3.0),
        Conformance("ROUND(-2.5)", -3.0),
    ),
    "ROW_NUMBER": (
        Conformance(
            "(SELECT x FROM (SELECT x, ROW_NUMBER() OVER (ORDER BY x NULLS LAST) AS n "
            "FROM UNNEST([CAST(NULL AS INT64), 7]) AS x) WHERE n = 1)",
            7,
        ),
        Conformance(
            "(SELECT x FROM (SELECT x, ROW_NUMBER() OVER (ORDER BY x DESC) AS n "
            "FROM UNNEST([5, CAST(NULL AS INT64), 7]) AS x) WHERE n = 1)",
            7,
        ),
    ),
    "SAFE_CAST": (
        Conformance("SAFE_CAST('x' AS INT64)", None),
        Conformance("SAFE_CAST(1e300 AS INT64)", None),
        Conformance("SAFE_CAST(12.0 AS INT64)", 12),
    ),
    "SAFE_DIVIDE": (
        Conformance("SAFE_DIVIDE(1, 4)", 0.25),
        Conformance("SAFE_DIVIDE(1, 0)", None),
    ),
    "SUM": (
        Conformance(_over("SUM(x)", "1, NULL, 3"), 4),
        Conformance("(SELECT SUM(x) FROM UNNEST([1]) AS x WHERE x > 1)", None),
    ),
    "TIMESTAMP_MICROS": (
        Conformance("TIMESTAMP_MICROS(1710460800000001)", datetime(2024, 3, 15, 0, 0, 0, 1, tzinfo=UTC)),
    ),
    "TO_HEX": (Conformance("TO_HEX(MD5(''))", "d41d8cd98f00b204e9800998ecf8427e"),),
}

UNITS = {
    "DATE_ADD": frozenset({"DAY"}),
    "DATE_DIFF": frozenset({"DAY"}),
    "DATE_SUB": frozenset({"DAY"}),
    "DATE_TRUNC": frozenset({"MONTH"}),
}
"""For functions that take a date part last: the parts that the rows above prove."""
