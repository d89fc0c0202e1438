"""Thresholds: chosen by a statistic that statsmodels has too, and confirmed only by people it was not chosen on."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from calback_assets.analysis.adjustment import activity
from calback_assets.analysis.first_weeks import FirstWeeks
from calback_assets.analysis.lift import lifts
from calback_assets.analysis.thresholds import chosen, halves
from calback_assets_tests.analysis.first_week_rows import JOINED, first_week_rows

PEOPLE = 6000


class World:
    """Friends help from the third on, searching from the first, and opening pages is being there."""

    def __init__(self) -> None:
        rng = np.random.default_rng(9)
        self.days = rng.integers(1, 8, size=PEOPLE)
        self.did = {
            "friend": rng.poisson(1.5, size=PEOPLE),
            "page": self.days + (rng.random(PEOPLE) < 0.1),
            "search": rng.poisson(0.7, size=PEOPLE),
        }
        chance = 0.15 + 0.02 * self.days + 0.25 * (self.did["friend"] >= 3) + 0.2 * (self.did["search"] >= 1)
        self.returned = rng.random(PEOPLE) < chance
        self.joined_on = JOINED + np.arange(PEOPLE) // 200

    def people(self) -> FirstWeeks:
        return FirstWeeks.read(
            first_week_rows(self.did, self.returned, active_days=self.days, joined_on=self.joined_on)
        )

    def newer_rows(self) -> pd.DataFrame:
        found = lifts(first_week_rows(self.did, self.returned, active_days=self.days, joined_on=self.joined_on))
        return found[(found["period"] == "newer") & (found["outcome"] == "returned")].set_index("behaviour")


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_the_older_and_the_newer_share_neither_a_person_nor_a_day(world: World) -> None:
    split = halves(world.people())
    assert split is not None
    older, newer = split
    assert older.joined_on.max() < newer.joined_on.min()
    assert len(older.joined_on) + len(newer.joined_on) == PEOPLE
    assert len(older.joined_on) == PEOPLE / 2


def test_people_of_one_day_cannot_be_split() -> None:
    assert halves(FirstWeeks.read(first_week_rows({"a": np.ones(50, int)}, np.arange(50) < 9))) is None


def test_the_threshold_is_where_the_score_statistic_of_statsmodels_is_largest(world: World, sm: ModuleType) -> None:
    people = world.people()
    (threshold,) = chosen(people, "returned")
    assert (people.behaviours[threshold.behaviour], threshold.at_least, threshold.is_helpful) == ("friend", 3, True)
    model = sm.GLM(
        people.outcomes["returned"].astype(float),
        sm.add_constant(activity(people, "returned")),
        family=sm.families.Binomial(),
    ).fit()
    friends = people.times[:, threshold.behaviour]
    statistics = [
        model.score_test(exog_extra=(friends[:, None] >= least).astype(float)).statistic.item() for least in range(1, 7)
    ]
    assert int(np.argmax(statistics)) + 1 == 3


def test_a_threshold_that_newer_people_confirm_is_found(world: World) -> None:
    rows = world.newer_rows()
    assert list(rows.index) == ["friend"]
    (friend,) = rows.itertuples()
    assert (friend.at_least, friend.people, friend.is_found) == (3, PEOPLE / 2, True)
    assert friend.did == (world.did["friend"][PEOPLE // 2 :] >= 3).sum()
    assert friend.adjusted_low > 1
    assert friend.joined_from > world.joined_on[PEOPLE // 2 - 1].item()


def test_a_threshold_is_not_confirmed_by_the_people_it_was_chosen_on() -> None:
    world = World()
    newer = np.arange(PEOPLE) >= PEOPLE // 2
    world.returned[newer] = np.random.default_rng(1).permutation(world.returned[newer])
    friend = world.newer_rows().loc["friend"]
    assert (friend["at_least"], friend["is_found"]) == (3, False)
    assert friend["adjusted_low"] < 1 < friend["adjusted_high"]


def test_newer_people_who_say_the_opposite_confirm_nothing() -> None:
    world = World()
    newer = np.arange(PEOPLE) >= PEOPLE // 2
    world.returned[newer] = ~world.returned[newer]
    friend = world.newer_rows().loc["friend"]
    assert friend["adjusted_high"] < 1
    assert friend["adjusted_q"] < 0.05
    assert not friend["is_found"]
