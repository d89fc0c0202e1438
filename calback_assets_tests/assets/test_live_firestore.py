"""The whole platform over a live Firestore: what is deleted there changes no past day."""

from datetime import UTC, date, datetime
from pathlib import Path

from calback_assets.assets import SQL_ASSETS
from calback_assets_tests.assets.worlds import PROJECT, Platform, contents, write_opens
from calback_assets_tests.firestore.server import Firestore

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)
DERIVED = [declared.table.name for declared in SQL_ASSETS]


def test_what_is_deleted_in_firestore_changes_no_past_day(firestore: Firestore, tmp_path: Path) -> None:
    assert firestore.project == PROJECT
    platform = Platform(tmp_path, FIRST, LAST, firestore=firestore.host)
    at = datetime(2024, 1, 2, 3, tzinfo=UTC)
    for user in ("u1", "u2"):
        firestore.store.put(f"userCollection/{user}", {"flag": 1}, create_time=at)
        firestore.store.put(f"meetingsCollection/of {user}", {"owner": user}, create_time=at)
    write_opens(platform.data, date(2024, 1, 3), [{"userId": "u1"}])

    platform.build(FIRST, LAST)
    with platform.warehouse.session(read_only=True) as session:
        before = contents(session, DERIVED)
    (day,) = [row for row in platform.rows("daily_active_users") if row["event_date"] == date(2024, 1, 2)]
    assert (day["dau"], day["meetings_created"]) == (2, 2)

    firestore.store.delete("userCollection/u2")
    firestore.store.delete("meetingsCollection/of u2")
    platform.build(FIRST, LAST)
    with platform.warehouse.session(read_only=True) as session:
        assert contents(session, DERIVED) == before
    assert [row["deleted_at"] is None for row in platform.rows("raw_users")] == [True, False]
    assert [row["deleted_at"] is None for row in platform.rows("raw_meetings")] == [True, False]
