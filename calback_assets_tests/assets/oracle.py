"""The definitions of `metrics.md` and `insight.md` once more, in plain sets and loops, from who was active when.

Nothing of the package is used here; it is slow on purpose and shares no idea with the SQL.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise

Activity = Mapping[date, frozenset[str]]
"""The people active on each day of a data set; a day without people is there, empty."""


def lifecycle(activity: Activity) -> dict[date, dict[str, int | float | None]]:
    """The numbers of every day."""
    return {day: _of_day(activity, day) for day in activity}


def frequent(activity: Activity) -> dict[date, dict[str, tuple[int, int]]]:
    """For every day, its frequent users with their active days in the 30 days and in the month so far."""
    found = {}
    for day in activity:
        counts = {
            user: (
                sum(user in activity.get(other, ()) for other in _days(day, 0, 29)),
                sum(user in activity.get(other, ()) for other in _days(day, 0, day.day - 1)),
            )
            for user in _people(activity, day, 0, 30)
        }
        found[day] = {user: both for user, both in counts.items() if max(both) >= 3}
    return found


def flows(activity: Activity) -> dict[date, dict[str, int]]:
    """Where the people of every day come from and where they go."""
    found = {}
    for day, today in activity.items():
        yesterday, recently, current = (_people(activity, day, *ages) for ages in ((1, 1), (1, 30), (0, 29)))
        found[day] = {
            "current_users": len(current),
            **_arrivals(activity, day),
            "dormant_users": len(_people(activity, day, 30, 30) - current),
            "active_to_active": len(today & yesterday),
            "idle_to_active": len((today & recently) - yesterday),
            "active_to_idle": len(yesterday - today),
            "idle_to_idle": len(current - today - yesterday),
        }
    return found


def power(activity: Activity) -> dict[date, dict[int, int]]:
    """For every day, how many people were active on how many of the 30 days that end with it."""
    found = {}
    for day in activity:
        counts = Counter(user for other in _days(day, 0, 29) for user in activity.get(other, ()))
        found[day] = dict(Counter(counts.values()))
    return found


def retention(
    joined: Mapping[str, date], activity: Activity, as_of: date
) -> dict[tuple[date, str, int], tuple[int, int, int]]:
    """Of every cohort and period that anybody of it has lived through: its size, who has, and who of them came."""
    found: dict[tuple[date, str, int], tuple[int, int, int]] = {}
    for user, day in joined.items():
        ages = {(other - day).days for other, people in activity.items() if user in people and other >= day}
        for (measure, period), (window, over) in _periods().items():
            key = (day - timedelta(days=day.weekday()), measure, period)
            size, eligible, retained = found.get(key, (0, 0, 0))
            has_had = day + timedelta(days=over) <= as_of
            found[key] = (size + 1, eligible + has_had, retained + (has_had and not ages.isdisjoint(window)))
    return {key: counts for key, counts in found.items() if counts[1]}


def _periods() -> dict[tuple[str, int], tuple[range, int]]:
    """By measure and period: the ages that count, and the age at which all of them have passed."""
    found = {("week", week): (range(7 * week, 7 * week + 7), 7 * week + 6) for week in range(27)}
    for previous, day in pairwise((0, 1, 3, 7, 14, 30)):
        found["day", day] = (range(day, day + 1), day)
        found["unbounded", day] = (range(day, 10_000), day)
        found["bracket", day] = (range(previous + 1, day + 1), day)
    return found


def _arrivals(activity: Activity, day: date) -> dict[str, int]:
    today = activity[day]
    recently = _people(activity, day, 1, 30)
    earlier = frozenset().union(*(people for other, people in activity.items() if other < day))
    return {
        "new_users": len(today - earlier),
        "returning_users": len(today & recently),
        "resurrected_users": len((today & earlier) - recently),
    }


def _of_day(activity: Activity, day: date) -> dict[str, int | float | None]:
    today = activity[day]
    month = len(_people(activity, day, 0, 29))
    return {
        "dau": len(today),
        "wau": len(_people(activity, day, 0, 6)),
        "mau": month,
        "stickiness": len(today) / month if month else None,
        **_arrivals(activity, day),
    }


def _days(day: date, newest: int, oldest: int) -> list[date]:
    return [day - timedelta(days=age) for age in range(newest, oldest + 1)]


def _people(activity: Activity, day: date, newest: int, oldest: int) -> frozenset[str]:
    return frozenset().union(*(activity.get(other, frozenset()) for other in _days(day, newest, oldest)))
