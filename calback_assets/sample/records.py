"""What the parts of the sample hand to each other about a day: columns of numbers, and the names of events.

Only these shapes belong here; who fills them is `sessions`, who writes them are the sources.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Self

import numpy as np

from calback_assets.sample.timeline import Bools, Ints


class Event(IntEnum):
    """The events, named as in the export."""

    first_open = 0
    session_start = 1
    screen_view = 2
    user_engagement = 3
    login = 4
    sign_up = 5
    calendar_view = 6
    meeting_open = 7
    calendar_share = 8
    friend_request_sent = 9
    friend_request_accepted = 10
    invite_accepted = 11
    search = 12
    theme_change = 13
    notification_open = 14
    notification_receive = 15
    app_remove = 16
    app_update = 17
    os_update = 18
    app_exception = 19


class Columns:
    """Base of the dataclasses whose fields are arrays of one length."""

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """One after another."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def picked(self, rows: Ints | Bools) -> Self:
        """The rows of these numbers, or those that are marked."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return type(self)(**{name: getattr(self, name)[rows] for name in names})


@dataclass(frozen=True)
class Sessions(Columns):
    """One entry a session, in order of device and start."""

    person: Ints
    device: Ints
    number: Ints
    """Counts the sessions of the device."""
    start: Ints
    end: Ints
    known_from: Ints
    """From here on the events carry the user id."""
    offset: Ints
    """Days since the sign-up."""
    anchor: Bools
    """The session of the day in which the person does what the day holds for them."""
    opens_first: Bools

    @property
    def signed_in(self) -> Bools:
        """Those in which the user id comes to be known."""
        known: Bools = self.known_from < self.end
        return known


@dataclass(frozen=True)
class EventRows(Columns):
    """One entry an event."""

    time: Ints
    name: Ints
    person: Ints
    device: Ints
    known: Bools
    session_id: Ints
    """0 outside sessions, and in versions of the app that knew none."""
    session_number: Ints
    engaged: Bools
    value: Ints
    """The one parameter that is the event's own; what it means depends on the name."""
    bundle: Ints
    batch_index: Ints


@dataclass(frozen=True)
class Meetings(Columns):
    """One entry a meeting that was created."""

    owner: Ints
    created: Ints
    with_others: Bools


@dataclass(frozen=True)
class FriendRequests(Columns):
    """One entry a friend request that was sent."""

    sender: Ints
    sent: Ints
    accepted: Bools


@dataclass(frozen=True)
class DayActivity:
    """All that happened on a day."""

    sessions: Sessions
    events: EventRows
    meetings: Meetings
    friend_requests: FriendRequests
