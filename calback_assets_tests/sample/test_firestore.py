"""The documents: their fields, the flaws of old ones, and that nothing personal is in them."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from calback_assets.sample import write_sample
from calback_assets_tests.sample.helpers import Sample

SAMPLE_STARTS = "2023-12-31T15:00:00"
SAMPLE_ENDS = "2024-02-14T15:00:00"

USER_TYPES: dict[str, type] = {
    "name": str,
    "email": str,
    "photoUrl": str,
    "token": str,
    "flag": int,
    "friends": list,
    "blockedUsers": list,
    "reqReceived": list,
    "reqSent": list,
    "openPrivacy": bool,
}
MEETING_TYPES: dict[str, type | tuple[type, ...]] = {
    "owner": str,
    "content": str,
    "from": str,
    "to": str,
    "background": str,
    "isAllDay": bool,
    "id": str,
    "recurrenceId": type(None),
    "recurrenceRule": (str, type(None)),
    "recurrenceExceptionDates": (list, type(None)),
    "MID": str,
    "involved": list,
    "pendingInvolved": list,
}


def fits(data: dict[str, Any], types: dict[str, Any]) -> bool:
    """Every field is there and of its type, and no other is."""
    return data.keys() == types.keys() and all(type(data[field]) in as_tuple(types[field]) for field in types)


def wrongly_typed(data: dict[str, Any], types: dict[str, Any]) -> list[str]:
    """The fields that hold a value of another type than theirs; null is of every type."""
    return [name for name, value in data.items() if type(value) not in (*as_tuple(types[name]), type(None))]


def as_tuple(types: type | tuple[type, ...]) -> tuple[type, ...]:
    return types if isinstance(types, tuple) else (types,)


def test_new_documents_have_every_field_and_old_ones_some_flaws(sample: Sample) -> None:
    for collection, types in (("userCollection", USER_TYPES), ("meetingsCollection", MEETING_TYPES)):
        documents = sample.documents(collection)
        new = [document for document in documents if document["create_time"] >= SAMPLE_STARTS]
        old = [document for document in documents if document["create_time"] < SAMPLE_STARTS]
        assert len(new) > 500
        assert all(fits(document["data"], types) for document in new)
        assert 10 < sum(not fits(document["data"], types) for document in old) < len(old) / 3


def test_a_field_can_be_missing_null_or_of_another_type(sample: Sample) -> None:
    users = [document["data"] for document in sample.documents("userCollection")]
    assert any("openPrivacy" not in data for data in users)
    assert any(data.get("friends", []) is None for data in users)
    assert {name for data in users for name in wrongly_typed(data, USER_TYPES)} == {"openPrivacy", "flag", "friends"}
    meetings = [document["data"] for document in sample.documents("meetingsCollection")]
    assert any("involved" not in data for data in meetings)
    assert any(data["owner"] is None for data in meetings)
    found = {name for data in meetings for name in wrongly_typed(data, MEETING_TYPES)}
    assert found == {"involved", "owner", "from", "isAllDay"}


# After one day almost all documents are old ones. 1 of 200 would be half a percent.
@pytest.mark.parametrize(("users", "wrong_users"), [(1, 0), (200, 0), (201, 1), (400, 1), (401, 2), (3000, 14)])
@pytest.mark.parametrize("seed", [0, 7])
def test_less_than_half_a_percent_of_the_documents_are_wrongly_typed(
    tmp_path: Path, users: int, wrong_users: int, seed: int
) -> None:
    write_sample(tmp_path / "data", users=users, days=1, seed=seed)
    for collection, types in (("userCollection", USER_TYPES), ("meetingsCollection", MEETING_TYPES)):
        lines = (tmp_path / "data" / "firestore" / f"{collection}.jsonl").read_text(encoding="utf-8").splitlines()
        wrong = [line for line in lines if wrongly_typed(json.loads(line)["data"], types)]
        assert len(wrong) * 200 < len(lines) or not wrong
        if types is USER_TYPES:
            assert len(lines) == users
            assert len(wrong) == wrong_users


def test_documents_lie_in_time_before_the_end_of_the_sample(sample: Sample) -> None:
    for collection in ("userCollection", "meetingsCollection"):
        for document in sample.documents(collection):
            created, updated = document["create_time"], document["update_time"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created)
            assert "2023" <= created <= updated < SAMPLE_ENDS
    for document in sample.documents("meetingsCollection"):
        begins, ends = document["data"]["from"], document["data"].get("to")
        if isinstance(begins, str) and ends is not None:
            assert datetime.fromisoformat(begins) < datetime.fromisoformat(ends)


def test_ids_are_unique_and_refer_to_users(sample: Sample) -> None:
    users, meetings = sample.documents("userCollection"), sample.documents("meetingsCollection")
    uids = {document["id"] for document in users}
    assert len(uids) == len(users)
    assert len({document["id"] for document in meetings}) == len(meetings)
    assert all(document["data"]["MID"] == document["id"] for document in meetings)
    assert {d["data"]["owner"] for d in meetings if isinstance(d["data"]["owner"], str)} <= uids
    for field in ("involved", "pendingInvolved"):
        lists = [d["data"].get(field, []) for d in meetings]
        assert {uid for people in lists if isinstance(people, list) for uid in people} <= uids
    assert all(d["data"]["owner"] not in d["data"].get("involved", []) for d in meetings if d["data"]["owner"] != 42)


def test_proposals_have_ids_of_their_own_kind_and_nobody_who_accepted(sample: Sample) -> None:
    meetings = sample.documents("meetingsCollection")
    proposals = [document for document in meetings if document["id"].startswith("pending")]
    assert 0.02 < len(proposals) / len(meetings) < 0.2
    assert all(not isinstance(d["data"].get("involved"), list) or not d["data"]["involved"] for d in proposals)


def test_the_flag_counts_the_meetings_that_a_user_has_created(sample: Sample) -> None:
    created = [d["data"]["owner"] for d in sample.documents("meetingsCollection") if "pending" not in d["id"][:7]]
    new = [d for d in sample.documents("userCollection") if d["create_time"] >= SAMPLE_STARTS]
    assert all(d["data"]["flag"] == created.count(d["id"]) for d in new[:200])


def test_friendship_is_mutual(sample: Sample) -> None:
    friends = {d["id"]: d["data"]["friends"] for d in sample.documents("userCollection")}
    kept = {uid for uid, others in friends.items() if isinstance(others, list)}
    assert all(uid in friends[other] for uid in kept for other in friends[uid] if other in kept)
    assert sum(len(friends[uid]) for uid in kept) > 500


def test_sign_ups_are_the_same_people_at_the_same_time_in_documents_and_events(sample: Sample) -> None:
    created = {d["id"]: d["create_time"] for d in sample.documents("userCollection")}
    signed_up = sample.query(
        "SELECT DISTINCT user_id, strftime(make_timestamp(event_timestamp), '%Y-%m-%dT%H:%M:%S.%fZ')"
        " FROM events WHERE event_name = 'sign_up'"
    )
    assert len(signed_up) > 800
    assert all(created[uid] == time for uid, time in signed_up)


def test_everything_personal_is_plainly_made_up(sample: Sample) -> None:
    forms = {
        "name": r"Name \d{6}",
        "email": r"user-\d{6}@example\.invalid",
        "photoUrl": r"|https://example\.invalid/photo/\d{6}\.png",
        "token": r"|token-\d{6}",
    }
    for document in sample.documents("userCollection"):
        for field in forms.keys() & document["data"].keys():
            assert re.fullmatch(forms[field], document["data"][field])
    for document in sample.documents("meetingsCollection"):
        assert re.fullmatch(r"Meeting \d{6}", document["data"]["content"])
