"""Snapshots of a live Firestore in every warehouse: both tables or none, and what has gone is marked."""

from datetime import date
from typing import Any

import grpc
import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult, materialize

from calback_assets.assets.raw import raw_assets
from calback_assets.partitions import daily_partitions
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.sources.firestore.client import Patience, connected
from calback_assets.sources.firestore.documents import collections
from calback_assets.sources.firestore.live import LiveFirestore
from calback_assets.tables.raw import RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.erasure import Subjects
from calback_assets.warehouse.intake import Intake, Policy, Sources
from calback_assets_tests.firestore.server import Firestore
from calback_assets_tests.warehouse.helpers import SEOUL, Row, WarehouseUnderTest, error_of


class Snapshots:
    """The raw assets over a Firestore and a warehouse."""

    def __init__(self, firestore: Firestore, warehouse: WarehouseUnderTest, instance: DagsterInstance) -> None:
        self._firestore = firestore
        self._warehouse = warehouse
        self._instance = instance

    def take(self, *tables: str) -> ExecuteInProcessResult:
        """Materialize both halves, or those named."""
        (snapshot, *_) = raw_assets(daily_partitions(date(2024, 1, 1), None, SEOUL))
        patience = Patience(attempts=2, first_pause_seconds=0)
        declared = collections(b"key of a test", tolerated=0.01)
        live = LiveFirestore(self._firestore.project, connected, declared, patience)
        return materialize(
            [snapshot],
            instance=self._instance,
            resources={
                "io_manager": self._warehouse.io_manager(),
                "intake": Intake(Sources(live, declared, {}), Policy(), self._warehouse.opened(), ()),
            },
            selection=[AssetKey(name) for name in tables] or None,
            raise_on_error=False,
        )

    def stored(self) -> tuple[list[Row], list[Row]]:
        """Users and meetings."""
        return self._warehouse.rows(RAW_USERS), self._warehouse.rows(RAW_MEETINGS)


@pytest.fixture
def snapshots(firestore: Firestore, warehouse: WarehouseUnderTest, instance: DagsterInstance) -> Snapshots:
    """Two users, who have a meeting."""
    firestore.store.put("userCollection/u1", {"flag": 1})
    firestore.store.put("userCollection/u2", {"flag": "two"})
    firestore.store.put("meetingsCollection/m1", {"owner": "u1", "involved": ["u1", "u2"]})
    return Snapshots(firestore, warehouse, instance)


def figures(result: ExecuteInProcessResult, table: str) -> dict[str, object]:
    (event,) = [event for event in result.get_asset_materialization_events() if event.asset_key == AssetKey(table)]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_both_tables_are_of_one_time_and_say_what_could_not_be_taken(snapshots: Snapshots) -> None:
    result = snapshots.take()
    users, meetings = snapshots.stored()
    assert [user["user_id"] for user in users] == ["u1", "u2"]
    assert [meeting["involved_ids"] for meeting in meetings] == [["u1", "u2"]]
    (read_at,) = {row["snapshot_at"] for row in users + meetings}
    told = figures(result, "raw_users")
    assert told["read_at"] == figures(result, "raw_meetings")["read_at"] == read_at.isoformat()
    assert (told["documents"], told["problems"], told["rejected_documents"]) == (2, 1, 1)
    assert told["problems_by_reason"] == "- flag: expected an integer, found str: 1"
    assert told["first_problems"] == "- `u2` flag: expected an integer, found str"


def test_who_was_erased_is_counted_among_the_problems_and_not_named(
    snapshots: Snapshots, warehouse: WarehouseUnderTest
) -> None:
    snapshots.take()
    with warehouse.opened().session() as session:
        session.erase(Subjects(DEVELOPMENT_KEY).hash("u2"), "an-erasure")
    told = figures(snapshots.take(), "raw_users")
    assert [user["user_id"] for user in snapshots.stored()[0]] == ["u1"]
    assert (told["problems"], told["first_problems"]) == (1, "none")


def test_each_half_can_be_taken_alone(snapshots: Snapshots, firestore: Firestore) -> None:
    snapshots.take()
    firestore.store.put("userCollection/u3", {})
    firestore.store.put("meetingsCollection/m2", {})
    assert snapshots.take("raw_meetings").success
    users, meetings = snapshots.stored()
    assert (len(users), len(meetings)) == (2, 2)
    asked = [_collection(request.message) for request in firestore.requests if request.method == "RunQuery"]
    assert sorted(asked) == ["meetingsCollection", "meetingsCollection", "userCollection"]


def test_a_failure_in_either_collection_leaves_both_tables_as_they_were(
    snapshots: Snapshots, firestore: Firestore
) -> None:
    snapshots.take()
    before = snapshots.stored()
    firestore.store.delete("userCollection/u1")
    firestore.store.delete("meetingsCollection/m1")
    for collection in ("userCollection", "meetingsCollection"):
        firestore.faults.fail(
            grpc.StatusCode.UNAVAILABLE,
            "RunQuery",
            times=None,
            when=lambda request, name=collection: _collection(request) == name,
        )
        result = snapshots.take()
        assert "Firestore did not answer (ServiceUnavailable)" in error_of(result)
        assert snapshots.stored() == before
        firestore.faults.clear()


def _collection(request: Any) -> str:
    (source,) = request.structured_query.from_
    return str(source.collection_id)


def test_a_server_that_dies_for_good_leaves_the_old_tables(snapshots: Snapshots, firestore: Firestore) -> None:
    snapshots.take()
    before = snapshots.stored()
    firestore.faults.call(firestore.stop, "RunQuery", after=1)
    assert not snapshots.take().success
    assert snapshots.stored() == before


def test_what_has_gone_from_firestore_is_marked_until_it_comes_back(snapshots: Snapshots, firestore: Firestore) -> None:
    firestore.store.put("meetingsCollection/m2", {"owner": "u2"})
    snapshots.take()
    firestore.store.delete("userCollection/u1")
    firestore.store.delete("meetingsCollection/m1")
    snapshots.take()
    (gone, stays), (meeting, _) = snapshots.stored()
    assert (gone["user_id"], stays["user_id"]) == ("u1", "u2")
    assert gone["deleted_at"] is not None
    assert meeting["deleted_at"] is not None
    assert stays["deleted_at"] is None

    firestore.store.put("userCollection/u1", {"flag": 7})
    snapshots.take()
    (back, _), (meeting, _) = snapshots.stored()
    assert (back["deleted_at"], back["flag"]) == (None, 7)
    assert meeting["deleted_at"] is not None
