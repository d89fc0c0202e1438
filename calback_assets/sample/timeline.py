"""When things happen in the sample: its days, how busy each is, and the hours of a day.

Only dates and their weights belong here; nothing about a person. A day is a Seoul day, counted from the first
day of the sample; a time is microseconds since 1970 UTC. No clock is read.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

START_DATE = date(2024, 1, 1)
TIMEZONE = "Asia/Seoul"
LAUNCH_DAY = -365
"""The day the app came out, long before the first day that has events."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SEOUL_OFFSET = 9 * HOUR
"""Seoul has kept no summer time since 1988, so the offset is a constant."""

_ORIGIN = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * SECOND - SEOUL_OFFSET
_WEEKDAYS = np.array([1.15, 1.05, 1.0, 1.0, 1.1, 0.8, 0.85])  # Monday first
_HOURS = np.array([2.2, 1.2, 0.7, 0.4, 0.4, 0.7, 1.8, 3.8, 6.0, 6.2, 5.2, 4.8,
                   6.0, 5.2, 4.6, 4.4, 4.6, 5.4, 6.4, 6.6, 6.8, 7.0, 6.4, 4.2])  # fmt: skip
_SEASONS = (
    (date(2024, 1, 1), 1, 0.7),
    (date(2024, 2, 9), 4, 0.55),  # Lunar New Year
    (date(2024, 3, 2), 14, 1.3),  # the semester starts
    (date(2024, 9, 1), 14, 1.25),
    (date(2024, 9, 16), 3, 0.6),  # Chuseok
    (date(2025, 1, 28), 3, 0.55),
    (date(2025, 3, 2), 14, 1.3),
    (date(2025, 9, 1), 14, 1.25),
    (date(2025, 10, 5), 4, 0.6),
    (date(2026, 2, 16), 3, 0.55),
    (date(2026, 3, 2), 14, 1.3),
)
_GROWTH_DAYS, _GROWTH_ENDS = 100.0, 150
_BURST_EVERY, _BURST_FIRST, _BURST_FADES = 43, 17, np.array([2.6, 1.9, 1.5, 1.2])


def date_of(day: int) -> date:
    """The date of a day of the sample."""
    return START_DATE + timedelta(days=day)


def day_start(day: int) -> int:
    """The first microsecond of a Seoul day."""
    return _ORIGIN + day * DAY


def busyness(first: int, last: int) -> Floats:
    """How much is going on, day by day from `first` up to `last` (exclusive); an ordinary day is 1."""
    days = np.arange(first, last)
    weight: Floats = _WEEKDAYS[(days + START_DATE.weekday()) % 7]
    for begin, length, factor in _SEASONS:
        offset = (begin - START_DATE).days
        weight = np.where((days >= offset) & (days < offset + length), weight * factor, weight)
    return weight


def sign_up_weights(last: int) -> Floats:
    """Relative number of sign-ups on each day from the launch up to `last` (exclusive)."""
    days = np.arange(LAUNCH_DAY, last)
    weight: Floats = np.exp(np.minimum(days, _GROWTH_ENDS) / _GROWTH_DAYS) * busyness(LAUNCH_DAY, last)
    since_burst = (days - _BURST_FIRST) % _BURST_EVERY
    in_burst = since_burst < len(_BURST_FADES)
    weight[in_burst] *= _BURST_FADES[since_burst[in_burst]]
    return weight


def times_of_day(rng: np.random.Generator, count: int) -> Ints:
    """Microseconds since a Seoul midnight, denser in the hours when people are awake."""
    hours = rng.choice(len(_HOURS), size=count, p=_HOURS / _HOURS.sum())
    return hours * HOUR + rng.integers(0, HOUR, size=count)
