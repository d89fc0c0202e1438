"""The planted truth, found again in the files alone: nothing of the generator is used but its constants."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pytest

from calback_assets.sample import planted
from calback_assets_tests.sample.helpers import Sample, opened_sample

Floats = npt.NDArray[np.float64]

EVENTS = (
    "friend_request_accepted",
    "calendar_share",
    "invite_accepted",
    "app_exception",
    "search",
    "theme_change",
)
NULLS = ("search", "theme_change", "meeting_alone", "friend_request_unanswered", "notification_open")
SEOUL_DAY = "(event_timestamp + 32400000000) // 86400000000"

FIRST_WEEKS = f"""
WITH cohort AS (
  SELECT user_id, min({SEOUL_DAY}) AS first_day FROM events WHERE event_name = 'sign_up' GROUP BY user_id
  HAVING first_day + 36 <= (SELECT max({SEOUL_DAY}) FROM events)
), acts AS (
  SELECT user_id, first_day, event_name, {SEOUL_DAY} - first_day AS day, event_name NOT IN
    ('notification_receive', 'app_remove', 'app_update', 'os_update', 'app_exception') AS is_activity
  FROM events JOIN cohort USING (user_id)
)
SELECT user_id, first_day, bool_or(is_activity AND day BETWEEN 7 AND 36),
  count(DISTINCT day) FILTER (is_activity AND day BETWEEN 0 AND 6),
  list(event_name) FILTER (day BETWEEN 0 AND 6)
FROM acts GROUP BY ALL ORDER BY user_id
"""


@dataclass(frozen=True)
class Cohort:
    """The people whose first 37 days the sample holds; one entry each."""

    returned: Floats
    active_days: Floats
    done: dict[str, Floats]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("planted") / "data"
    with opened_sample(folder, users=24_000, days=70, seed=11) as sample:
        people = sample.query(FIRST_WEEKS)
        with_others = meeting_days(sample, with_others=True)
        alone = meeting_days(sample, with_others=False)
    done: dict[str, list[bool]] = {behaviour.name: [] for behaviour in planted.BEHAVIOURS}
    done["notification_open"] = []
    for user_id, first_day, _, _, events in people:
        week = {(user_id, first_day + day) for day in range(7)}
        done["meeting_with_others"].append(not week.isdisjoint(with_others))
        done["meeting_alone"].append(not week.isdisjoint(alone))
        answered, sent = events.count("friend_request_accepted"), events.count("friend_request_sent")
        done["friend_request_unanswered"].append(sent > answered)
        for name in (*EVENTS, "notification_open"):
            done[name].append(name in events)
    return Cohort(
        returned=np.array([row[2] for row in people], dtype=float),
        active_days=np.array([row[3] for row in people], dtype=float),
        done={name: np.array(marks, dtype=float) for name, marks in done.items()},
    )


def meeting_days(sample: Sample, *, with_others: bool) -> set[tuple[str, int]]:
    """The users who created such meetings, and the Seoul days on which they did."""
    return {
        (document["data"]["owner"], seoul_day(document["create_time"]))
        for document in sample.documents("meetingsCollection")
        if bool(document["data"].get("involved")) is with_others
    }


def seoul_day(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() + 32_400) // 86_400


def log_odds(returned: Floats, columns: dict[str, Floats]) -> tuple[dict[str, float], dict[str, float]]:
    """Logistic regression by Newton's method: each column's log odds ratio, and its standard error."""
    design = np.column_stack([np.ones_like(returned), *columns.values()])
    weights = np.zeros(design.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-design @ weights))
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        weights += np.linalg.solve(information, design.T @ (returned - chance))
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    names = ["base", *columns]
    return dict(zip(names, weights, strict=True)), dict(zip(names, errors, strict=True))


@pytest.fixture(scope="module")
def fit(cohort: Cohort) -> tuple[dict[str, float], dict[str, float]]:
    return log_odds(cohort.returned, {"active_days": cohort.active_days - 1, **cohort.done})


def test_the_cohort_is_large_and_neither_all_nor_none_return(cohort: Cohort) -> None:
    assert len(cohort.returned) > 4000
    assert 0.2 < cohort.returned.mean() < 0.5
    for behaviour in planted.BEHAVIOURS:
        assert cohort.done[behaviour.name].mean() == pytest.approx(behaviour.share, abs=0.02)


@pytest.mark.parametrize("behaviour", planted.BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_each_behaviour_moves_the_odds_of_return_by_what_is_written_down(
    behaviour: planted.Behaviour, fit: tuple[dict[str, float], dict[str, float]]
) -> None:
    estimate, error = fit[0][behaviour.name], fit[1][behaviour.name]
    assert abs(estimate - np.log(behaviour.odds_ratio)) < 3 * error
    if behaviour.odds_ratio != 1:
        assert abs(estimate) > 3 * error


@pytest.mark.parametrize("name", NULLS)
def test_what_moves_nothing_is_not_found_to_move_anything(
    name: str, fit: tuple[dict[str, float], dict[str, float]]
) -> None:
    assert abs(fit[0][name]) < 3 * fit[1][name]


def test_the_base_and_the_active_days_are_as_written_down(
    fit: tuple[dict[str, float], dict[str, float]],
) -> None:
    assert abs(fit[0]["base"] - np.log(planted.BASE_ODDS)) < 3 * fit[1]["base"]
    assert abs(fit[0]["active_days"] - np.log(planted.ACTIVE_DAY_ODDS_RATIO)) < 3 * fit[1]["active_days"]


def test_the_confounded_behaviour_looks_good_until_active_days_are_held_fixed(cohort: Cohort) -> None:
    name = planted.CONFOUNDED
    raw, raw_error = log_odds(cohort.returned, {name: cohort.done[name]})
    assert raw[name] > 4 * raw_error[name]
    held, held_error = log_odds(cohort.returned, {name: cohort.done[name], "active_days": cohort.active_days - 1})
    assert abs(held[name]) < 3 * held_error[name]
