"""Tests of `user_joined`: who joined on a day, and of whom nobody can say."""

import pytest

from calback_assets.assets.core.user_joined import ASSET
from calback_assets_tests.assets.given import PARAMETERS, Row, day, first_seen, rows_of

DAY = "2024-03-14"


def registered(user: str, **more: object) -> Row:
    return {"event_date": day(DAY), "user_id": user, "source": "users", "event_name": "user_registered", **more}


def found(tables: dict[str, list[Row]], began: str = "2023-01-01") -> dict[str, str]:
    """Whoever joined on the day, and what joining is."""
    rows = rows_of(ASSET, DAY, tables, {**PARAMETERS, "start_date": day(began)})
    assert {row["event_date"] for row in rows} <= {day(DAY)}
    return {row["user_id"]: row["basis"] for row in rows}


def test_who_registered_on_the_day_joined_on_it() -> None:
    events = [registered("ann"), registered("bob", event_date=day("2024-03-13")), registered("cho", source="analytics")]
    events += [registered("dan", event_name="meeting_created", source="meetings")]
    assert found({"unified_events": events, "raw_users": [{"user_id": "ann"}]}) == {"ann": "registration"}


@pytest.mark.parametrize("seen_on", [DAY, "2024-03-10"])
def test_where_there_is_any_account_nobody_joins_without_one(seen_on: str) -> None:
    assert found({"user_first_seen": [first_seen(seen_on, "ann")], "raw_users": [{"user_id": "bob"}]}) == {}


def test_where_there_are_no_accounts_people_join_with_their_first_activity() -> None:
    seen = [first_seen(DAY, "ann"), first_seen("2024-03-13", "bob")]
    assert found({"user_first_seen": seen}) == {"ann": "first_activity"}


@pytest.mark.parametrize(("began", "people"), [("2024-02-14", 0), ("2024-02-13", 1)])
def test_whoever_is_first_seen_within_30_days_of_the_beginning_may_have_been_there_before(
    began: str, people: int
) -> None:
    # The 30th day from 14 February on is 14 March.
    assert len(found({"user_first_seen": [first_seen(DAY, "ann")]}, began)) == people


def test_who_registered_counts_from_the_first_day_of_the_data_on() -> None:
    tables = {"unified_events": [registered("ann")], "raw_users": [{"user_id": "ann"}]}
    assert found(tables, began=DAY) == {"ann": "registration"}
