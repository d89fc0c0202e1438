"""The wide table: names from strangers become columns, and never too many."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from calback_assets.delivery.who_did_what import READ, WhoDidWhat, column_names
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.warehouse.rows import arrow_schema
from calback_assets_tests.delivery.world import DAY

FIXED = ["event_date", "user_id", "is_anonymous", "events", "sessions", "app_opens", "meetings_created"]


def batch(*actions: dict[str, int] | None) -> pa.RecordBatch:
    """A row for each person, with how often they did what."""
    rows = [
        {
            "event_date": DAY,
            "user_id": f"u{number}",
            "actions": None if done is None else [{"event_name": n, "events": times} for n, times in done.items()],
        }
        for number, done in enumerate(actions)
    ]
    schema = arrow_schema(USER_DAILY_ACTIVITY, READ)
    return pa.RecordBatch.from_pylist([dict.fromkeys(READ) | row for row in rows], schema=schema)


def test_a_part_of_a_batch_counts_for_its_own_people() -> None:
    given = batch({"a": 1}, None, {"b": 2, "a": 3}, {}, {"b": 4})
    wide = WhoDidWhat.of([given])

    (rows,) = wide.rows([given.slice(1)])

    assert wide.table.column_names == (*FIXED, "a", "b")
    assert list(zip(*(rows[name].to_pylist() for name in ("user_id", "a", "b")), strict=True)) == [
        ("u1", 0, 0),
        ("u2", 3, 2),
        ("u3", 0, 0),
        ("u4", 0, 4),
    ]


def test_the_most_frequent_actions_have_columns_and_all_others_one_together() -> None:
    given = [batch({"rare": 1, "often": 5}), batch({"seldom": 2, "sometimes": 3, "rare": 1})]
    wide = WhoDidWhat.of(given, most=2)

    rows = pa.Table.from_batches(wide.rows(given)).to_pylist()

    assert wide.table.column_names == (*FIXED, "often", "sometimes", "other_actions")
    assert [(row["often"], row["sometimes"], row["other_actions"]) for row in rows] == [(5, 0, 1), (0, 3, 3)]
    assert wide.table.columns[-1].description == "How often they did anything but the 2 most frequent actions."


def test_days_on_which_nobody_did_anything_have_the_fixed_columns() -> None:
    wide = WhoDidWhat.of([batch(None)])

    (rows,) = wide.rows([batch(None)])

    assert (rows.schema.names, rows.num_rows) == (FIXED, 1)


def test_names_are_told_apart() -> None:
    names = ["events", "Login", "login", "a b", "a-b", "=1+1", "", "일정", "x" * 90]

    assert column_names(names, FIXED) == [
        "events_2",
        "Login",
        "login_2",
        "a_b",
        "a_b_2",
        "_1_1",
        "_",
        "일정",
        "x" * 60,
    ]


@settings(max_examples=50)
@given(st.lists(st.text(max_size=8), unique=True))
def test_any_names_become_as_many_columns(names: list[str]) -> None:
    made = column_names(names, FIXED)

    assert len({name.casefold() for name in [*made, *FIXED]}) == len(names) + len(FIXED)
    assert all(name.isidentifier() or name[0].isnumeric() or not name.isascii() for name in made)
