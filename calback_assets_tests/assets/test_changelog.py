"""The whole platform over a changelog of firestore-bigquery-export: what is deleted there changes no past day."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

from calback_assets.assets import SQL_ASSETS
from calback_assets_tests.assets.worlds import Platform, contents, write_opens
from calback_assets_tests.sources.helpers import write_lines

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)
DERIVED = [declared.table.name for declared in SQL_ASSETS]


def change(path: str, at: str, operation: str, data: dict[str, object] | None = None) -> dict[str, object]:
    name = f"projects/calback/databases/(default)/documents/{path}"
    text = None if data is None else json.dumps(data)
    return {"document_name": name, "timestamp": at, "operation": operation, "data": text}


def export(path: Path, changes: list[dict[str, object]], at: datetime) -> None:
    write_lines(path, changes)
    os.utime(path, (at.timestamp(), at.timestamp()))


def test_what_a_changelog_deletes_gets_a_tombstone_and_changes_no_past_day(tmp_path: Path) -> None:
    platform = Platform(tmp_path, FIRST, LAST)
    users, meetings = (platform.data / "firestore" / f"{name}_raw_changelog.json.gz" for name in ("users", "meetings"))
    made = "2024-01-02 03:00:00 UTC"
    signed_up = [change(f"userCollection/{user}", made, "CREATE", {"flag": 1}) for user in ("u1", "u2")]
    met = [change(f"meetingsCollection/of {user}", made, "CREATE", {"owner": user}) for user in ("u1", "u2")]
    write_opens(platform.data, date(2024, 1, 3), [{"userId": "u1"}])
    export(users, signed_up, datetime(2024, 1, 4, tzinfo=UTC))
    export(meetings, met, datetime(2024, 1, 4, tzinfo=UTC))

    platform.build(FIRST, LAST)
    with platform.warehouse.session(read_only=True) as session:
        before = contents(session, DERIVED)
    (day,) = [row for row in platform.rows("daily_active_users") if row["event_date"] == date(2024, 1, 2)]
    assert (day["dau"], day["meetings_created"]) == (2, 2)

    later, exported = "2024-01-04 03:00:00.5 UTC", datetime(2024, 1, 5, tzinfo=UTC)
    changed = change("userCollection/u1", later, "UPDATE", {"flag": 2})
    export(users, [change("userCollection/u2", later, "DELETE"), changed, *signed_up], exported)
    export(meetings, [*met, change("meetingsCollection/of u2", later, "DELETE")], exported)
    platform.build(FIRST, LAST)
    with platform.warehouse.session(read_only=True) as session:
        assert contents(session, DERIVED) == before
    stored = {row["user_id"]: (row["flag"], row["deleted_at"] is None) for row in platform.rows("raw_users")}
    assert stored == {"u1": (2, True), "u2": (1, False)}
    assert [row["deleted_at"] is None for row in platform.rows("raw_meetings")] == [True, False]
