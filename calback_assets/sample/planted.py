"""The truth planted in the sample: which first-week behaviours move the odds of return, and by how much.

Only these constants and the formula that joins them belong here; how a behaviour is acted out is in `people`
and `sessions`. `docs/sample-data.md` says the same in words, and a test finds these odds again in the files.
"""

from dataclasses import dataclass

import numpy as np

from calback_assets.sample.timeline import Bools, Floats, Ints

FIRST_WEEK = 7
"""Days 1–7 of a person, of which the first is the day of the sign-up."""

RETURN_WINDOW = 30
"""Days 8–37: a person who is active on any of them has returned."""


@dataclass(frozen=True)
class Behaviour:
    """Something a new person does, or does not do, in the first week."""

    name: str
    definition: str
    share: float
    """Of the people who sign up, whatever else they do."""
    odds_ratio: float
    """By how much it multiplies the odds of return; 1 is no effect."""


BEHAVIOURS = (
    Behaviour("meeting_with_others", "creates a meeting with at least one id in `involved`", 0.18, 2.5),
    Behaviour("friend_request_accepted", "has a friend request accepted (event at the sender)", 0.12, 2.0),
    Behaviour("calendar_share", "shares a calendar (event)", 0.15, 1.7),
    Behaviour("invite_accepted", "accepts an invitation to a meeting (event)", 0.14, 1.4),
    Behaviour("app_exception", "meets a crash (event; not an activity)", 0.12, 0.5),
    Behaviour("search", "searches (event)", 0.25, 1.0),
    Behaviour("theme_change", "changes the theme (event)", 0.20, 1.0),
    Behaviour("meeting_alone", "creates a meeting with nobody in `involved`", 0.16, 1.0),
    Behaviour("friend_request_unanswered", "sends a friend request that nobody answers (event)", 0.12, 1.0),
)

CONFOUNDED = "notification_open"
CONFOUNDED_CHANCE = 0.15
"""Chance on each active day, so people with more active days do it more; it moves nothing by itself."""

BASE_ODDS = 0.16
"""Odds of return of a person who was active on the first day only and did none of the above."""

ACTIVE_DAY_ODDS_RATIO = 1.5
"""By how much each further active day of the first week multiplies the odds of return."""


def effect(done: Bools) -> Floats:
    """What the behaviours that are marked in (behaviour, person) multiply each person's odds by."""
    ratios = np.array([[behaviour.odds_ratio] for behaviour in BEHAVIOURS])
    product: Floats = np.where(done, ratios, 1.0).prod(axis=0)
    return product


def return_probability(active_days: Ints, done: Bools) -> Floats:
    """The chance of return of people with so many active days in the first week who did what is marked."""
    odds = BASE_ODDS * ACTIVE_DAY_ODDS_RATIO ** (active_days - 1.0) * effect(done)
    chance: Floats = odds / (1 + odds)
    return chance
