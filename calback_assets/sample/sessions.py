"""What happens on one day: who comes, their sessions, and what they do there.

Only behaviour belongs here. How an event is written is in `ga4_export`, how a document is in `firestore`.
"""

import numpy as np

from calback_assets.sample import planted
from calback_assets.sample.people import NEVER, Devices, People
from calback_assets.sample.randomness import generator
from calback_assets.sample.records import DayActivity, Event, EventRows, FriendRequests, Meetings, Sessions
from calback_assets.sample.timeline import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Bools,
    Ints,
    busyness,
    day_start,
    times_of_day,
)

RELEASE_EVERY = 21
"""Days from one release of the app to the next."""

SECOND_DEVICE_FROM = 20
"""Days after the sign-up from which those who have a second device use it."""

_LATER_CHANCE = {
    "meeting_with_others": 0.07,
    "friend_request_accepted": 0.03,
    "calendar_share": 0.03,
    "invite_accepted": 0.05,
    "app_exception": 0.01,
    "search": 0.06,
    "theme_change": 0.02,
    "meeting_alone": 0.06,
    "friend_request_unanswered": 0.02,
}
"""Chance of each behaviour on an active day after the first week."""

_UNKNOWN = np.iinfo(np.int64).max
"""Later than any event: the user id does not come to be known."""


class Simulation:
    """Plays one day after the other; from day to day it remembers what the devices count and hold."""

    def __init__(self, seed: int, people: People, devices: Devices, days: int) -> None:
        """`days` is the length of the sample."""
        self._seed = seed
        self._people = people
        self._devices = devices
        self._busy = busyness(0, days)
        # Those who came before the sample begins have had some sessions already.
        self._session_count = np.tile(np.maximum(-people.first_day, 0), 2) // 6

    def play(self, day: int) -> DayActivity:
        """What happens on `day`; days are played in order."""
        rng = generator(self._seed, "sessions", day)
        sessions = self._sessions(rng, day)
        rows = _Rows(sessions, self._devices.update_lag[sessions.device] != NEVER)
        self._open(rng, rows)
        self._look_around(rng, rows)
        meetings, requests = self._act(rng, rows)
        self._without_a_person(rng, rows, day)
        return DayActivity(sessions, rows.finished(), meetings, requests)

    def _active(self, rng: np.random.Generator, day: int) -> Ints:
        """The people who come on a day."""
        people = self._people
        offset = day - people.first_day
        in_week = (offset >= 0) & (offset < planted.FIRST_WEEK)
        this_day = people.week[np.arange(people.count), np.clip(offset, 0, planted.FIRST_WEEK - 1)]
        staying = (offset >= planted.FIRST_WEEK) & (offset <= people.last_day)
        comes = rng.random(people.count) < people.rate * self._busy[day]
        before = (offset < 0) & (offset >= -people.lead_days)
        looks = (offset == -people.lead_days) | (rng.random(people.count) < 0.4)
        surely = (offset == people.return_day) | (offset == people.comeback_day)
        return np.flatnonzero((in_week & this_day) | (staying & comes) | (before & looks) | surely)

    def _sessions(self, rng: np.random.Generator, day: int) -> Sessions:
        people = self._people
        active = self._active(rng, day)
        per_person = 1 + rng.poisson(0.1 + 0.7 * people.rate[active])
        person = np.repeat(active, per_person)
        count = len(person)
        first_row = np.cumsum(per_person) - per_person
        anchor = np.zeros(count, dtype=np.bool_)
        anchor[first_row] = True

        offset = day - people.first_day[person]
        created = people.created[person]
        signs_up = anchor & (offset == 0)
        before_it = rng.integers(15 * SECOND, 90 * SECOND, size=count)
        start = np.where(signs_up, created - before_it, day_start(day) + times_of_day(rng, count))
        length = np.clip(rng.lognormal(np.log(100), 0.9, size=count), 20, 2400) * SECOND
        end = np.where(signs_up, created, start) + length.astype(np.int64)

        earliest = np.lexsort((start, np.repeat(np.arange(len(active)), per_person)))[first_row]
        opens_first = np.zeros(count, dtype=np.bool_)
        opens_first[earliest] = offset[earliest] == -people.lead_days[person[earliest]]

        elsewhere = (offset > SECOND_DEVICE_FROM) & (rng.random(count) < 0.4)
        device = np.where(elsewhere, people.second_device[person], people.device[person])
        np.minimum.at(self._devices.first_touch, device, start)
        order = np.lexsort((start, device))
        return Sessions(
            person=person[order],
            device=device[order],
            number=self._numbers(device[order]),
            start=start[order],
            end=end[order],
            known_from=self._known_from(rng, person, offset, start)[order],
            offset=offset[order],
            anchor=anchor[order],
            opens_first=opens_first[order],
        )

    def _known_from(self, rng: np.random.Generator, person: Ints, offset: Ints, start: Ints) -> Ints:
        """Never before the sign-up; later from the start, or from when the app has restored the sign-in."""
        restores = rng.random(len(person)) < 0.08
        signed_in = start + np.where(restores, rng.integers(2 * SECOND, 9 * SECOND, size=len(person)), 0)
        known_from = np.where(offset > 0, signed_in, self._people.created[person])
        return np.where((person >= self._people.registered) | (offset < 0), _UNKNOWN, known_from)

    def _numbers(self, device: Ints) -> Ints:
        """Number the sessions of each device on from those of the days before; `device` is sorted."""
        starts = np.flatnonzero(np.diff(device, prepend=-1))
        lengths = np.diff(starts, append=len(device))
        rank = np.arange(len(device)) - np.repeat(starts, lengths)
        number = self._session_count[device] + rank + 1
        self._session_count[device[starts]] += lengths
        return number

    def _open(self, rng: np.random.Generator, rows: "_Rows") -> None:
        sessions = rows.sessions
        registered = sessions.person < self._people.registered
        method = rng.integers(0, 3, size=len(registered))
        rows.add(Event.first_open, sessions.opens_first, sessions.start)
        rows.add(Event.session_start, np.full(len(registered), True), sessions.start)
        signs_up = sessions.anchor & (sessions.offset == 0) & registered
        rows.add(Event.sign_up, signs_up, sessions.known_from, method)
        signs_in = sessions.signed_in & (sessions.offset > 0) & (rng.random(len(registered)) < 0.012)
        rows.add(Event.login, signs_in, sessions.known_from, method)

    def _look_around(self, rng: np.random.Generator, rows: "_Rows") -> None:
        count = len(rows.sessions.start)
        rows.add_several(rng, Event.screen_view, 1 + rng.poisson(1.2, size=count), values=6)
        rows.add_several(rng, Event.calendar_view, rng.poisson(0.7, size=count), values=3)
        rows.add_several(rng, Event.meeting_open, rng.poisson(0.35, size=count), values=2)
        milliseconds = (rows.sessions.end - rows.sessions.start) // 1000
        spent = (milliseconds * rng.uniform(0.3, 0.95, size=count)).astype(np.int64)
        rows.add(Event.user_engagement, np.full(count, True), rows.sessions.end, spent)

    def _act(self, rng: np.random.Generator, rows: "_Rows") -> tuple[Meetings, FriendRequests]:
        """The behaviours of the day, in the anchor session and after the sign-in."""
        sessions = rows.sessions
        count = len(sessions.start)
        able = sessions.anchor & sessions.signed_in
        from_then = np.where(able, np.maximum(sessions.start, sessions.known_from), sessions.start) + SECOND
        room = np.maximum(sessions.end - from_then, 1)
        meetings: list[Meetings] = []
        requests: list[FriendRequests] = []
        for index, behaviour in enumerate(planted.BEHAVIOURS):
            name = behaviour.name
            planned = self._people.action_day[index, sessions.person] == sessions.offset
            later = rng.random(count) < _LATER_CHANCE[name]
            does = able & np.where(sessions.offset < planted.FIRST_WEEK, planned, later)
            time = from_then + (rng.random(count) * room).astype(np.int64)
            who, when = sessions.person[does], time[does]
            if name.startswith("meeting"):
                meetings.append(Meetings(who, when, np.full(len(who), name == "meeting_with_others")))
            elif name.startswith("friend_request"):
                answered = name == "friend_request_accepted"
                requests.append(FriendRequests(who, when, np.full(len(who), answered)))
                rows.add(Event.friend_request_sent, does, time)
                if answered:
                    rows.add(Event.friend_request_accepted, does, (time + sessions.end) // 2)
            else:
                rows.add(Event[name], does, time, rng.integers(1, 5, size=count))
        opens = able & (rng.random(count) < planted.CONFOUNDED_CHANCE)
        rows.add(Event[planted.CONFOUNDED], opens, from_then, rng.integers(0, 3, size=count))
        return Meetings.joined(meetings), FriendRequests.joined(requests)

    def _without_a_person(self, rng: np.random.Generator, rows: "_Rows", day: int) -> None:
        """Events that fire on a device whoever holds it, or nobody."""
        people = self._people
        offset = day - people.first_day
        removed = (people.removal_day != NEVER) & (offset > people.removal_day)
        lingers = offset < people.last_day + planted.FIRST_WEEK
        installed = np.flatnonzero((offset > 0) & lingers & ~removed)
        count = len(installed)
        lag = self._devices.update_lag[people.device[installed]]
        happens = {
            Event.notification_receive: installed[rng.random(count) < 0.08],
            Event.app_update: installed[(lag != NEVER) & ((day - lag) % RELEASE_EVERY == 0)],
            Event.os_update: installed[rng.random(count) < 0.004],
            Event.app_remove: np.flatnonzero(offset == people.removal_day),
        }
        for event, who in happens.items():
            known = (who < people.registered) & (rng.random(len(who)) < 0.9)
            time = day_start(day) + rng.integers(8 * HOUR, 22 * HOUR, size=len(who))
            rows.add_outside(event, who, people.device[who], known, time, rng.integers(0, 3, size=len(who)))


class _Rows:
    """Collects the events of a day and joins them in order of time."""

    def __init__(self, sessions: Sessions, has_session_ids: Bools) -> None:
        self.sessions = sessions
        self._session_id = np.where(has_session_ids, sessions.start // SECOND, 0)
        self._parts: list[EventRows] = []

    def add(self, event: Event, mask: Bools, time: Ints, value: Ints | None = None) -> None:
        """One event in each marked session."""
        rows = np.flatnonzero(mask)
        self._add(event, rows, time[rows], np.zeros_like(rows) if value is None else value[rows])

    def add_several(self, rng: np.random.Generator, event: Event, times: Ints, values: int) -> None:
        """As many events in each session as `times` says, anywhere between its start and its end."""
        rows = np.repeat(np.arange(len(times)), times)
        start, end = self.sessions.start[rows], self.sessions.end[rows]
        when = start + 1 + (rng.random(len(rows)) * (end - start - 1)).astype(np.int64)
        self._add(event, rows, when, rng.integers(0, values, size=len(rows)))

    def add_outside(self, event: Event, person: Ints, device: Ints, known: Bools, time: Ints, value: Ints) -> None:
        """One event for each person, outside sessions."""
        zeros = np.zeros_like(person)
        self._parts.append(
            EventRows(
                time=time,
                name=np.full_like(person, event),
                person=person,
                device=device,
                known=known,
                session_id=zeros,
                session_number=zeros,
                engaged=zeros > 0,
                value=value,
                bundle=time % DAY // MINUTE,
                batch_index=zeros,
            )
        )

    def _add(self, event: Event, rows: Ints, time: Ints, value: Ints) -> None:
        sessions = self.sessions
        start, end, number = sessions.start[rows], sessions.end[rows], sessions.number[rows]
        self._parts.append(
            EventRows(
                time=time,
                name=np.full_like(rows, event),
                person=sessions.person[rows],
                device=sessions.device[rows],
                known=time >= sessions.known_from[rows],
                session_id=self._session_id[rows],
                session_number=number,
                engaged=end - start > 30 * SECOND,
                value=value,
                bundle=2 * number + (time > (start + end) // 2),
                batch_index=np.zeros_like(rows),
            )
        )

    def finished(self) -> EventRows:
        """All of them in order of time, each with its place in its bundle."""
        rows = EventRows.joined(self._parts)
        rows = rows.picked(np.lexsort((rows.name, rows.time)))
        order = np.lexsort((rows.bundle, rows.device))
        device, bundle = rows.device[order], rows.bundle[order]
        begins = (np.diff(device, prepend=-1) != 0) | (np.diff(bundle, prepend=-1) != 0)
        place = np.arange(len(order))
        rows.batch_index[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
        return rows
