"""The definitions of `metrics.md` once more, in plain sets and loops: who was active when gives every number.

Nothing of the package is used here; it is slow on purpose and shares no idea with the SQL.
"""

from collections.abc import Mapping
from datetime import date, timedelta

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


def _of_day(activity: Activity, day: date) -> dict[str, int | float | None]:
    today = activity[day]
    recently = _people(activity, day, 1, 30)
    earlier = frozenset().union(*(people for other, people in activity.items() if other < day))
    month = len(_people(activity, day, 0, 29))
    return {
        "dau": len(today),
        "wau": len(_people(activity, day, 0, 6)),
        "mau": month,
        "stickiness": len(today) / month if month else None,
        "new_users": len(today - earlier),
        "returning_users": len(today & recently),
        "resurrected_users": len((today & earlier) - recently),
    }


def _days(day: date, newest: int, oldest: int) -> list[date]:
    return [day - timedelta(days=age) for age in range(newest, oldest + 1)]


def _people(activity: Activity, day: date, newest: int, oldest: int) -> frozenset[str]:
    return frozenset().union(*(activity.get(other, frozenset()) for other in _days(day, newest, oldest)))
