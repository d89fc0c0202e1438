"""Who lives in the sample: when each person signs up, how often they come, when they leave, on which device.

Only what is decided once per person or device belongs here. What happens on a day is in `sessions`, what a
document looks like in `firestore`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calback_assets.sample import planted
from calback_assets.sample.randomness import HEX_DIGITS, LETTERS_AND_DIGITS, generator, random_texts
from calback_assets.sample.timeline import (
    DAY,
    LAUNCH_DAY,
    MINUTE,
    Bools,
    Floats,
    Ints,
    busyness,
    day_start,
    sign_up_weights,
    times_of_day,
)

NEVER = -1_000_000
"""A day that does not come; below every day that does."""

_VISITORS = 0.12
"""People who look and never sign up, per person who does."""

_KINDS = ((0.45, 0.03), (0.33, 0.14), (0.16, 0.38), (0.06, 0.72))
"""Share of people and their chance to come on an ordinary day: one-day visitors, casual, regular, heavy."""

_OPENED_BEFORE = 0.08
"""Share of people who open the app some days before they sign up."""

_LIFETIME, _LOYAL_LIFETIME, _LOYAL = 45.0, 320.0, 0.15
"""Mean days that people who return stay, that the loyal stay, and the share of the loyal."""

_REMOVES, _LOOKS_IN, _SHARES_DEVICE, _SECOND_DEVICE = 0.3, 0.05, 0.006, 0.08
_RESET_CLOCK, _NO_CONSENT, _NEVER_UPDATES = 0.002, 0.01, 0.01


@dataclass(frozen=True)
class People:
    """One entry a person: those who sign up, in the order in which they do, then the visitors.

    Days are counted from the sign-up (a visitor's first day), except `first_day`.
    """

    registered: int
    """How many sign up."""
    user_id: npt.NDArray[np.str_]
    created: Ints
    first_day: Ints
    """The sign-up's day of the sample; negative before it begins."""
    lead_days: Ints
    """How many days before the sign-up the app was first opened."""
    rate: Floats
    week: Bools
    """(person, day of the first week): active or not."""
    action_day: Ints
    """(behaviour, person): the day of the first week on which it is done, or NEVER."""
    return_day: Ints
    """A day of days 8–37 on which a person who returns surely comes; NEVER for those who do not return."""
    last_day: Ints
    comeback_day: Ints
    """A single day, long after leaving, on which a few look in again, or NEVER."""
    removal_day: Ints
    device: Ints
    second_device: Ints

    @property
    def count(self) -> int:
        """Everybody, with the visitors."""
        return len(self.first_day)


@dataclass(frozen=True)
class Devices:
    """One entry a device: everybody's first, then everybody's second, which most do not have."""

    pseudo_id: npt.NDArray[np.str_]
    first_touch: Ints
    """Moved forward by the simulation when a session comes earlier than the sign-up."""
    consent: Bools
    profile: Ints
    place: Ints
    campaign: Ints
    update_lag: Ints
    """Days until a release is installed, or NEVER."""


def make_people(seed: int, users: int, days: int) -> tuple[People, Devices]:
    """Draw everybody who signs up before the end of the sample, the visitors, and all their devices."""
    rng = generator(seed, "people")
    visitors = round(users * _VISITORS)
    count = users + visitors
    is_user = np.arange(count) < users
    first_day = np.concatenate([_sign_up_days(rng, users, days), _sign_up_days(rng, visitors, days)])
    # Two minutes after midnight at the earliest, so that the session of the sign-up starts on the same day.
    created = day_start(0) + first_day * DAY + np.maximum(times_of_day(rng, count), 2 * MINUTE)
    created[is_user] = np.sort(created[is_user])
    opened_before = is_user & (rng.random(count) < _OPENED_BEFORE)

    shares, rates = np.array(_KINDS).T
    rate = rates[rng.choice(len(rates), size=count, p=shares)] * rng.uniform(0.7, 1.3, size=count)
    week = _first_week(rng, first_day, rate, days)
    action_day = _action_days(rng, week, is_user)
    done = action_day != NEVER
    return_day = _return_days(rng, first_day, week, done, days)
    last_day = _last_days(rng, return_day, done)
    looks_in = np.maximum(last_day, planted.FIRST_WEEK + planted.RETURN_WINDOW) + rng.integers(10, 60, size=count)
    removal_day = np.maximum(return_day, last_day) + rng.integers(1, 9, size=count)

    device = np.arange(count)
    device[1:] -= rng.random(count - 1) < _SHARES_DEVICE
    people = People(
        registered=users,
        user_id=random_texts(rng, count, 28, LETTERS_AND_DIGITS),
        created=created,
        first_day=first_day,
        lead_days=np.where(opened_before, rng.integers(1, 6, size=count), 0),
        rate=rate,
        week=week,
        action_day=action_day,
        return_day=return_day,
        last_day=last_day,
        comeback_day=np.where(rng.random(count) < _LOOKS_IN, looks_in, NEVER),
        removal_day=np.where(rng.random(count) < _REMOVES, removal_day, NEVER),
        device=device,
        second_device=np.where(rng.random(count) < _SECOND_DEVICE, count + np.arange(count), device),
    )
    return people, _make_devices(generator(seed, "devices"), people)


def _sign_up_days(rng: np.random.Generator, count: int, days: int) -> Ints:
    weights = sign_up_weights(days)
    return np.sort(rng.choice(len(weights), size=count, p=weights / weights.sum())) + LAUNCH_DAY


def _busyness_after(first_day: Ints, begin: int, length: int, days: int) -> Floats:
    """(person, day): how busy the days are that come `begin` days and more after each person's first."""
    day = first_day[:, None] + begin + np.arange(length)
    after: Floats = busyness(LAUNCH_DAY, days + begin + length)[day - LAUNCH_DAY]
    return after


def _first_week(rng: np.random.Generator, first_day: Ints, rate: Floats, days: int) -> Bools:
    busy = _busyness_after(first_day, 0, planted.FIRST_WEEK, days)
    week: Bools = rng.random(busy.shape) < rate[:, None] * busy * 1.2  # what is new is used more
    week[:, 0] = True
    return week


def _action_days(rng: np.random.Generator, week: Bools, is_user: Bools) -> Ints:
    """Each behaviour falls on one of the active days, so doing it says nothing about how many there are."""
    action_day = np.full((len(planted.BEHAVIOURS), len(week)), NEVER)
    for index, behaviour in enumerate(planted.BEHAVIOURS):
        done = is_user & (rng.random(len(week)) < behaviour.share)
        picked = np.argmax(rng.random(week.shape) * week, axis=1)
        action_day[index] = np.where(done, picked, NEVER)
    return action_day


def _return_days(rng: np.random.Generator, first_day: Ints, week: Bools, done: Bools, days: int) -> Ints:
    returns = rng.random(len(week)) < planted.return_probability(week.sum(axis=1), done)
    busy = _busyness_after(first_day, planted.FIRST_WEEK, planted.RETURN_WINDOW, days)
    # The place of the largest u^(1/w) is a draw in proportion to w.
    picked = planted.FIRST_WEEK + np.argmax(rng.random(busy.shape) ** (1 / busy), axis=1)
    return np.where(returns, picked, NEVER)


def _last_days(rng: np.random.Generator, return_day: Ints, done: Bools) -> Ints:
    """Those who do not return leave with their first week; what brings people back also makes them stay."""
    mean = np.where(rng.random(len(return_day)) < _LOYAL, _LOYAL_LIFETIME, _LIFETIME)
    stays = planted.FIRST_WEEK + rng.exponential(mean * np.sqrt(planted.effect(done)))
    return np.where(return_day == NEVER, planted.FIRST_WEEK - 1, stays.astype(np.int64))


def _make_devices(rng: np.random.Generator, people: People) -> Devices:
    count = 2 * people.count
    began_before = people.first_day < people.lead_days
    first_touch = people.created - np.where(began_before, people.lead_days * DAY, 0)
    first_touch = np.concatenate([first_touch, first_touch + 20 * DAY])
    reset = rng.random(count) < _RESET_CLOCK
    first_touch[reset] = rng.integers(0, 30 * DAY, size=int(reset.sum()))
    return Devices(
        pseudo_id=random_texts(rng, count, 32, HEX_DIGITS),
        first_touch=first_touch,
        consent=rng.random(count) >= _NO_CONSENT,
        profile=rng.choice(8, size=count, p=[0.22, 0.16, 0.1, 0.06, 0.2, 0.16, 0.06, 0.04]),
        place=rng.choice(5, size=count, p=[0.62, 0.22, 0.1, 0.04, 0.02]),
        campaign=rng.choice(4, size=count, p=[0.6, 0.2, 0.12, 0.08]),
        update_lag=np.where(rng.random(count) < _NEVER_UPDATES, NEVER, rng.integers(0, 12, size=count)),
    )
