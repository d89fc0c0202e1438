"""Tests of the stored versions: which one a read at a time sees, and the times that a document can be put with."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import time_ns

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument
from google.cloud.firestore import Client, GeoPoint

from calback_assets_tests.firestore.server import Firestore

LONG_AGO = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)


def ids(client: Client, read_time: datetime | None = None) -> list[str]:
    return [found.id for found in client.collection("users").stream(read_time=read_time)]


def test_a_document_keeps_the_times_it_is_put_with(firestore: Firestore, client: Client) -> None:
    later = LONG_AGO + timedelta(days=1)
    assert firestore.store.put("users/a", {"flag": 1}, create_time=LONG_AGO, update_time=later) == later
    found = client.document("users/a").get()
    assert (found.create_time, found.update_time) == (LONG_AGO, later)


def test_a_document_that_is_put_again_keeps_its_create_time(firestore: Firestore, client: Client) -> None:
    firestore.store.put("users/a", {"flag": 1}, create_time=LONG_AGO)
    updated = firestore.store.put("users/a", {"flag": 2})
    found = client.document("users/a").get()
    assert (found.create_time, found.update_time) == (LONG_AGO, updated)
    assert updated > LONG_AGO


def test_a_document_that_was_gone_has_a_new_create_time(firestore: Firestore, client: Client) -> None:
    firestore.store.put("users/a", {}, create_time=LONG_AGO)
    gone = firestore.store.delete("users/a")
    again = firestore.store.put("users/a", {})
    found = client.document("users/a").get()
    assert found.create_time == found.update_time == again
    assert again > gone


def test_a_read_sees_what_there_was_at_its_time(firestore: Firestore, client: Client) -> None:
    made = firestore.store.put("users/a", {"flag": 1})
    changed = firestore.store.put("users/a", {"flag": 2})
    other = firestore.store.put("users/b", {})
    gone = firestore.store.delete("users/a")
    user = client.document("users/a")
    before = made - timedelta(microseconds=1)
    seen = [user.get(read_time=time).to_dict() for time in (before, made, changed, gone)]
    assert seen == [None, {"flag": 1}, {"flag": 2}, None]
    assert [ids(client, time) for time in (before, made, other, gone)] == [[], ["a"], ["a", "b"], ["b"]]
    counts = [client.collection("users").count().get(read_time=time)[0][0].value for time in (before, other, gone)]
    assert counts == [0, 2, 1]
    assert [user.exists for user in client.get_all([user], read_time=changed)] == [True]


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commits within one microsecond, which no machine makes on demand."""
    now = time_ns()
    monkeypatch.setattr("calback_assets_tests.firestore.store.time_ns", lambda: now)


@pytest.mark.usefixtures("standing_clock")
def test_commits_have_rising_times_of_their_own(firestore: Firestore) -> None:
    times = [firestore.store.put("users/a", {"flag": number}) for number in range(5)]
    assert all(earlier < later for earlier, later in pairwise(times))


@pytest.mark.usefixtures("standing_clock")
def test_nothing_is_committed_at_a_time_that_was_read(firestore: Firestore, client: Client) -> None:
    user = client.document("users/a")
    for before, after in ((None, {"flag": 1}), ({"flag": 1}, {"flag": 2})):
        read = user.get().read_time
        assert firestore.store.put("users/a", after) > read
        assert user.get(read_time=read).to_dict() == before


def test_a_read_of_the_future_is_refused(client: Client) -> None:
    with pytest.raises(InvalidArgument, match="read_time cannot be in the future"):
        ids(client, datetime.now(UTC) + timedelta(minutes=1))


def test_a_read_of_a_time_that_is_no_longer_kept_is_refused(firestore: Firestore, client: Client) -> None:
    assert ids(client, datetime.now(UTC) - timedelta(minutes=59)) == []
    with pytest.raises(FailedPrecondition, match="snapshot version is too old"):
        ids(client, datetime.now(UTC) - timedelta(minutes=61))
    firestore.store.retention = timedelta(days=7)
    assert ids(client, datetime.now(UTC) - timedelta(minutes=61)) == []


def test_a_document_is_not_put_into_the_future_or_before_its_own_past(firestore: Firestore) -> None:
    put = firestore.store.put
    with pytest.raises(ValueError, match="in the future"):
        put("users/a", {}, update_time=datetime.now(UTC) + timedelta(minutes=1))
    with pytest.raises(ValueError, match="not created after"):
        put("users/a", {}, create_time=LONG_AGO + timedelta(seconds=1), update_time=LONG_AGO)
    put("users/a", {}, create_time=LONG_AGO)
    with pytest.raises(ValueError, match="already has a version"):
        put("users/a", {}, update_time=LONG_AGO)


def test_what_is_put_without_limits_arrives_as_it_is(firestore: Firestore, client: Client) -> None:
    data = {
        "text": "캘박",
        "nothing": None,
        "yes": True,
        "number": 2**63 - 1,
        "fraction": 0.5,
        "time": LONG_AGO,
        "list": [1, [2, ["three"]], {}],
        "map": {"inner": {"empty": {}}, "list": []},
        "bytes": b"\x00\xff",
        "place": GeoPoint(37.5, 127.0),
        "friend": client.document("users/b"),
        "__reserved__": 1,
    }
    firestore.store.put("users/a", data)
    assert client.document("users/a").get().to_dict() == data
