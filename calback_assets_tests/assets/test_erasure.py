"""Erasing people from whole worlds: afterwards every table is as if they had never been.

The oracle is another warehouse, in which the same people were suppressed before the first day was read. The world holds
what is hard: shared devices, app events before a sign-in, meetings owned and joined, events of others that name them,
days on which nobody else opened the app, and copies of events.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.sql_asset import dependents
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables import TABLES
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.erasure import Subjects
from calback_assets_tests.assets.given import Row, micros
from calback_assets_tests.assets.worlds import Platform, contents, write_lines, write_opens

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=age) for age in range(8)]
LAST = DAYS[-1]
NAMES = ("ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal")
PEOPLE = [f"person-{name}-{number:03}" for number, name in enumerate(NAMES)]
DEVICES = [f"device-{number}" for number in range(9)]
ERASED = PEOPLE[:3]
SEED = 20240110
# Each of them makes a day that others than the erased see differently afterwards, and has days of its own.
WITHOUT_CONSENT, INVITED, SHARED, LOGGED_BY_ONE = ({DAYS[age], DAYS[age + 3]} for age in range(4))


def write_world(data: Path, chance: random.Random) -> None:
    """Files of all sources, in which everybody meets everybody else."""
    documents = [
        {"id": who, "create_time": at(chance.choice(DAYS)), "update_time": at(LAST), "data": {"email": f"{who}@x.kr"}}
        for who in PEOPLE
    ]
    write_lines(data / "firestore" / "userCollection.jsonl", documents)
    write_lines(data / "firestore" / "meetingsCollection.jsonl", (meeting(n, chance) for n in range(40)))
    for age, day in enumerate(DAYS):
        write_lines(data / "analytics" / f"events_{day:%Y%m%d}.jsonl", events(day, chance))
        opened = PEOPLE[:1] if day in LOGGED_BY_ONE else chance.choices(PEOPLE, k=6)
        write_opens(data, day, ({"userId": who} for who in opened) if age else ())


def at(day: date) -> str:
    return f"{day}T03:00:00Z"


def meeting(number: int, chance: random.Random) -> Row:
    owner, *involved = chance.sample(PEOPLE, k=3)
    day = chance.choice(DAYS)
    data = {"owner": owner, "involved": [owner, *involved], "content": "lunch"}
    return {"id": f"meeting-{number}", "create_time": at(day), "update_time": at(day), "data": data}


def events(day: date, chance: random.Random) -> Iterator[Row]:
    """App events of a day; at few times, so that events of different people coincide."""
    for index in range(20):
        # Everybody has a device, and the last one goes round.
        number = chance.randrange(len(DEVICES) if day in SHARED else len(PEOPLE))
        owner = PEOPLE[number] if number < len(PEOPLE) else chance.choice(PEOPLE)
        has_device = day not in WITHOUT_CONSENT or chance.random() < 0.7
        params = [{"key": "ga_session_id", "value": {"int_value": str(chance.randrange(3))}}]
        if day in INVITED and chance.random() < 0.5:
            params.append({"key": "invited", "value": {"string_value": chance.choice([*PEOPLE, *DEVICES])}})
        row = {
            "event_timestamp": str(micros(f"{day} {chance.randrange(8, 12):02}:00")),
            "event_name": chance.choice(("tap", "tap", "session_start")),
            "event_params": params,
            "user_pseudo_id": DEVICES[number] if has_device else None,
            "user_id": chance.choice((owner, None)),
        }
        if chance.random() < 0.5:
            row |= {"event_bundle_sequence_id": str(index), "batch_event_index": "1"}
        yield row
        if chance.random() < 0.1:
            yield row | {"user_id": None}


def warehouse_of(platform: Platform) -> DuckDBWarehouse:
    return DuckDBWarehouse(platform.home / "warehouse.duckdb", dependents(SQL_ASSETS))


def erase(platform: Platform, people: Sequence[str]) -> None:
    with warehouse_of(platform).session() as session:
        for who in people:
            session.erase(Subjects(DEVELOPMENT_KEY).hash(who), "erasure")


def tables_of(platform: Platform) -> Mapping[str, list[tuple[object, ...]]]:
    with warehouse_of(platform).session() as session:
        return contents(session)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The world, built without anybody erased."""
    platform = Platform(tmp_path_factory.mktemp("world") / "built", FIRST, LAST)
    write_world(platform.data, random.Random(SEED))  # noqa: S311 - not for secrets
    platform.build(FIRST, LAST)
    return platform


@pytest.fixture(scope="module")
def never(built: Platform, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[tuple[object, ...]]]:
    """Every table of a warehouse in which they were suppressed from the start."""
    platform = beside(built, tmp_path_factory.mktemp("never"))
    erase(platform, ERASED)
    platform.build(FIRST, LAST)
    # A device on which one of them is seen late is theirs before, too: days that this has made stale.
    platform.build(LAST, LAST)
    return tables_of(platform)


def beside(platform: Platform, home: Path) -> Platform:
    """A platform over the same files with a warehouse of its own."""
    (home / "data").symlink_to(platform.data)
    return replace(platform, home=home)


def test_after_an_erasure_and_the_next_run_every_table_is_as_if_they_had_never_been(
    built: Platform, never: Mapping[str, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    platform = built.copied(tmp_path / "copy")
    before = tables_of(platform)
    # Nobody has had the time for an outcome, so the model says that there was nobody to learn from.
    held = {name for name in TABLES.keys() & before.keys() if before[name]} - {"return_model"}
    assert {name for name in held if mentions(before[name], ERASED)} == {name for name in held if TABLES[name].person}

    erase(platform, ERASED)

    after = tables_of(platform)
    assert {name for name in after if mentions(after[name], ERASED)} == set()
    platform.build(LAST, LAST)
    rebuilt = tables_of(platform)
    assert [name for name in rebuilt if rebuilt[name] != never[name]] == []
    # Without an outcome a model is of nobody, before and after.
    assert {name for name in held if rebuilt[name] == before[name]} <= {"return_model"}


def mentions(rows: Sequence[tuple[object, ...]], people: Sequence[str]) -> bool:
    return any(who in repr(rows) for who in people)


def test_days_that_are_read_again_after_an_erasure_change_nothing(
    built: Platform, never: Mapping[str, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    platform = beside(built, tmp_path)
    platform.build(DAYS[2], DAYS[4])
    erase(platform, ERASED)
    platform.build(DAYS[4], LAST)
    platform.build(FIRST, DAYS[3])
    # What the first days tell of devices is known now, and has made later days stale.
    platform.build(LAST, LAST)

    late = tables_of(platform)

    assert [name for name in late if late[name] != never[name]] == []
