"""The sample's Firestore documents: users and meetings, one snapshot at the end of the sample.

Only documents belong here, with the flaws of old ones. Everything personal is made of a person's number and
says so: nothing in it could be mistaken for somebody.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from calback_assets.sample.people import People
from calback_assets.sample.randomness import LETTERS_AND_DIGITS, generator, random_texts
from calback_assets.sample.records import FriendRequests, Meetings
from calback_assets.sample.timeline import HOUR, Bools, Ints, day_start

_PROPOSED = 0.15
"""Share of the meetings with nobody in `involved` that are proposals."""

_KNOWS_NO_GUESTS = -180
"""Before this day meetings had no `involved` and no `pendingInvolved`."""

_FLAWED = 0.06
"""Share of the documents from before the first day in which a field is missing, null or of a wrong type."""

_WRONG_TYPES_PER_MILLE = 5
"""Fewer than so many of a collection's documents have a field of a wrong type: a reader may refuse 10."""

_COLOURS = ("#ff8a80", "#ffd180", "#a7ffeb", "#82b1ff", "#b388ff")
_RULES = ("FREQ=WEEKLY;BYDAY=MO;COUNT=10", "FREQ=DAILY;COUNT=5", "FREQ=MONTHLY;BYMONTHDAY=1")

_ABSENT = object()
Flaws = tuple[tuple[str, Any], ...]
"""Fields, and what stands in their place."""
_USER_FLAWS: Flaws = (
    ("openPrivacy", _ABSENT),
    ("openPrivacy", "true"),
    ("flag", "3"),
    ("flag", None),
    ("friends", None),
    ("friends", {"0": "not-a-list"}),
    ("email", _ABSENT),
    ("reqReceived", _ABSENT),
)
_MEETING_FLAWS: Flaws = (
    ("involved", "not-a-list"),
    ("owner", None),
    ("owner", 42),
    ("from", 1_690_000_000_000),
    ("to", _ABSENT),
    ("isAllDay", "false"),
    ("recurrenceRule", _ABSENT),
)

Document = dict[str, Any]


class Firestore:
    """Collects what people create day by day, and writes the two collections at the end."""

    def __init__(self, folder: Path, seed: int, people: People, days: int) -> None:
        """`folder` exists; what was created before the first day is drawn at once."""
        self._folder = folder
        self._people = people
        self._uids: list[str] = people.user_id.tolist()
        self._now = day_start(days)
        self._rng = generator(seed, "firestore")
        self._meetings = [self._old_meetings()]
        self._requests = [self._old_requests()]

    def add(self, meetings: Meetings, requests: FriendRequests) -> None:
        """Take what a day has created."""
        self._meetings.append(meetings)
        self._requests.append(requests)

    def write(self) -> int:
        """Write both collections; returns the number of meetings."""
        meetings = Meetings.joined(self._meetings)
        meetings = meetings.picked(np.argsort(meetings.created, kind="stable"))
        is_proposal = ~meetings.with_others & (self._rng.random(len(meetings.owner)) < _PROPOSED)
        _write(self._folder / "meetingsCollection.jsonl", self._meeting_documents(meetings, is_proposal))
        created = np.bincount(meetings.owner[~is_proposal], minlength=self._people.count)
        _write(self._folder / "userCollection.jsonl", self._user_documents(created))
        return len(meetings.owner)

    def _old_meetings(self) -> Meetings:
        owner = self._old_people(1.2)
        return Meetings(owner, self._since_sign_up(owner), self._rng.random(len(owner)) < 0.5)

    def _old_requests(self) -> FriendRequests:
        sender = self._old_people(0.8)
        return FriendRequests(sender, self._since_sign_up(sender), self._rng.random(len(sender)) < 0.6)

    def _old_people(self, mean: float) -> Ints:
        """Those who came before the first day, each as often as they created something."""
        old = np.flatnonzero(self._people.first_day[: self._people.registered] < 0)
        return np.repeat(old, self._rng.poisson(mean, size=len(old)))

    def _since_sign_up(self, person: Ints) -> Ints:
        return self._between(self._people.created[person], day_start(0))

    def _between(self, begin: Ints, end: int) -> Ints:
        # What a session made after midnight of the last day lies after the end.
        return begin + (self._rng.random(len(begin)) * np.maximum(end - begin, 0)).astype(np.int64)

    def _somebody_else(self, person: Ints, time: Ints) -> Ints:
        """For each, somebody who had signed up by then; the person again where there was nobody else."""
        known = np.searchsorted(self._people.created[: self._people.registered], time)
        other = (self._rng.random(len(person)) * known).astype(np.int64)
        return np.where(other == person, np.maximum(other - 1, 0), other)

    def _guests(self, meetings: Meetings, has_guests: Bools) -> list[list[str]]:
        """For each meeting somebody else, or several, where it has guests at all."""
        number = has_guests + self._rng.poisson(has_guests * 0.8)
        rows = np.repeat(np.arange(len(number)), number)
        owners = meetings.owner[rows]
        others = self._somebody_else(owners, meetings.created[rows])
        guests: list[list[str]] = [[] for _ in number]
        for row, owner, other in zip(rows.tolist(), owners.tolist(), others.tolist(), strict=True):
            if other != owner and self._uids[other] not in guests[row]:
                guests[row].append(self._uids[other])
        return guests

    def _meeting_documents(self, meetings: Meetings, is_proposal: Bools) -> Iterator[Document]:
        rng, count = self._rng, len(meetings.owner)
        ids = random_texts(rng, count, 20, LETTERS_AND_DIGITS).tolist()
        begins = meetings.created // HOUR * HOUR + rng.integers(1, 24 * 21, size=count) * HOUR
        created, updated, starts, ends = (
            _rfc3339(times)
            for times in (meetings.created, self._between(meetings.created, self._now), begins, begins + HOUR)
        )
        involved = self._guests(meetings, meetings.with_others)
        invited = self._guests(meetings, is_proposal | (meetings.with_others & (rng.random(count) < 0.2)))
        repeats, all_day = rng.random(count) < 0.07, rng.random(count) < 0.12
        colour = rng.integers(0, len(_COLOURS), size=count)
        knows_guests = meetings.created >= day_start(_KNOWS_NO_GUESTS)
        flaw = self._flaws(meetings.created, _MEETING_FLAWS)
        for row, owner in enumerate(meetings.owner.tolist()):
            document_id = f"pending{ids[row]}" if is_proposal[row] else ids[row]
            data: Document = {
                "owner": self._uids[owner],
                "content": f"Meeting {row:06d}",
                "from": starts[row],
                "to": ends[row],
                "background": _COLOURS[colour[row]],
                "isAllDay": bool(all_day[row]),
                "id": f"appointment-{row:06d}",
                "recurrenceId": None,
                "recurrenceRule": _RULES[row % len(_RULES)] if repeats[row] else None,
                "recurrenceExceptionDates": [starts[row]] if repeats[row] and row % 2 else None,
                "MID": document_id,
            }
            if knows_guests[row]:
                data |= {"involved": involved[row], "pendingInvolved": invited[row]}
            _spoil(data, _MEETING_FLAWS, flaw[row])
            yield _document(document_id, created[row], updated[row], data)

    def _user_documents(self, meetings_created: Ints) -> Iterator[Document]:
        rng, count = self._rng, self._people.registered
        joined = self._people.created[:count]
        created, updated = _rfc3339(joined), _rfc3339(self._between(joined, self._now))
        friends, received, sent = self._friendships()
        has_photo, has_token, is_open = (rng.random(count) < share for share in (0.6, 0.85, 0.7))
        blocked = np.where(rng.random(count) < 0.01, self._somebody_else(np.arange(count), joined), np.arange(count))
        flaw = self._flaws(joined, _USER_FLAWS)
        for row, uid in enumerate(self._uids[:count]):
            data: Document = {
                "name": f"Name {row:06d}",
                "email": f"user-{row:06d}@example.invalid",
                "photoUrl": f"https://example.invalid/photo/{row:06d}.png" if has_photo[row] else "",
                "token": f"token-{row:06d}" if has_token[row] else "",
                "flag": int(meetings_created[row]),
                "friends": friends[row],
                "blockedUsers": [self._uids[blocked[row]]] if blocked[row] != row else [],
                "reqReceived": received[row],
                "reqSent": sent[row],
                "openPrivacy": bool(is_open[row]),
            }
            _spoil(data, _USER_FLAWS, flaw[row])
            yield _document(uid, created[row], updated[row], data)

    def _friendships(self) -> tuple[defaultdict[int, list[str]], ...]:
        """By person: the friends, the requests received, and those sent that nobody has answered."""
        requests = FriendRequests.joined(self._requests)
        targets = self._somebody_else(requests.sender, requests.sent).tolist()
        friends, received, sent = (defaultdict[int, list[str]](list) for _ in range(3))
        for sender, target, accepted in zip(requests.sender.tolist(), targets, requests.accepted.tolist(), strict=True):
            if sender == target or self._uids[target] in friends[sender]:
                continue
            to_sender, to_target = (friends, friends) if accepted else (sent, received)
            to_sender[sender].append(self._uids[target])
            to_target[target].append(self._uids[sender])
        return friends, received, sent

    def _flaws(self, created: Ints, flaws: Flaws) -> Ints:
        """The number of each document's flaw, -1 for none; only old documents have one."""
        draw = self._rng.random(len(created))
        kind = self._rng.integers(0, len(flaws), size=len(created))
        flawed = (created < day_start(0)) & (draw < _FLAWED)
        is_wrong_type = np.array([value is not _ABSENT and value is not None for _, value in flaws])
        of_wrong_type = np.flatnonzero(flawed & is_wrong_type[kind])
        most = max(len(created) * _WRONG_TYPES_PER_MILLE - 1, 0) // 1000
        flawed[of_wrong_type[np.argsort(draw[of_wrong_type])][most:]] = False
        return np.where(flawed, kind, -1)


def _document(document_id: str, created: str, updated: str, data: Document) -> Document:
    return {"id": document_id, "create_time": created, "update_time": updated, "data": data}


def _spoil(data: Document, flaws: Flaws, number: int) -> None:
    if number < 0:
        return
    field, value = flaws[number]
    if value is _ABSENT:
        del data[field]
    else:
        data[field] = value


def _rfc3339(times: Ints) -> list[str]:
    return [f"{text}Z" for text in np.datetime_as_string(times.astype("datetime64[us]"), unit="us").tolist()]


def _write(path: Path, documents: Iterable[Document]) -> None:
    encode = json.JSONEncoder(separators=(",", ":")).encode
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{encode(document)}\n" for document in documents)
