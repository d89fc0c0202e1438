"""The figures of the page: those of the tables, with gaps where a day is missing and no small count."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as some

from calback_assets.dashboard.figures import FEW, MOST_DAYS, REST, figures_of, folded, hidden
from calback_assets_tests.dashboard.given import MONDAY, active, rows, used, world
from calback_assets_tests.report.given import AS_OF, flows, insight, power

counts = some.integers(0, 40)


def test_a_day_has_the_figures_of_the_tables() -> None:
    curve = power(MONDAY, [500, 300, 120, 60, 20])
    figures = figures_of(rows([active(MONDAY, 100, wau=400, mau=1000)], found=insight(power=curve)), 3)
    assert figures
    assert figures.days == [
        {
            "date": "2024-01-01",
            "dau": 100,
            "wau": 400,
            "mau": 1000,
            "stickiness": 0.1,
            "new_users": 20,
            "frequent": 200,  # 120 + 60 + 20 were there on at least three days.
            "frequent_share": 0.2,
        }
    ]


def test_a_missing_day_is_a_gap_and_a_day_without_anybody_a_zero() -> None:
    nobody = active(MONDAY, 0)
    figures = figures_of(rows([nobody, active(MONDAY + timedelta(days=2), 50)]), 3)
    assert figures
    zero, missing, last = figures.days
    assert (zero["dau"], zero["stickiness"], zero["frequent"]) == (0, None, 0)
    assert {*missing.values()} == {"2024-01-02", None}
    assert (last["dau"], last["frequent"]) == (50, None)  # The power curve is still to be made.


def test_without_a_day_there_is_nothing() -> None:
    assert figures_of(rows([]), 3) is None


def test_no_more_days_than_a_telephone_opens_and_those_the_newest() -> None:
    figures = figures_of(rows([active(MONDAY, 9), active(MONDAY + timedelta(days=MOST_DAYS), 20)]), 3)
    assert figures
    assert (figures.first, len(figures.days)) == (date(2024, 1, 2), MOST_DAYS)


def test_small_counts_are_part_of_the_rest_and_a_small_rest_is_none() -> None:
    assert folded({"IOS": 50, "WEB": 9, "TV": 8}) == {"IOS": 50, REST: 17}
    assert folded({"IOS": 50, "WEB": 9}) == {"IOS": 50, REST: FEW}
    assert folded({"IOS": 50}) == {"IOS": 50}


def test_of_parts_of_a_known_whole_two_are_hidden_where_one_is_small() -> None:
    assert hidden({"new": 300, "returning": 900, "resurrected": 4}) == {
        "new": FEW,
        "returning": 900,
        "resurrected": FEW,
    }
    assert hidden({"new": 8, "returning": 900, "resurrected": 4}) == {"new": FEW, "returning": 900, "resurrected": FEW}
    assert hidden({"new": 0, "returning": 900, "resurrected": 20}) == {"new": 0, "returning": 900, "resurrected": 20}


@given(some.tuples(counts, counts, counts))
def test_no_hidden_count_under_ten_follows_from_the_others(parts: tuple[int, int, int]) -> None:
    given_parts = dict(zip("abc", parts, strict=True))
    shown = hidden(given_parts)
    assert all(shown[name] in (FEW, count) for name, count in given_parts.items())
    assert not any(0 < count < 10 for count in shown.values() if isinstance(count, int))
    secret = sum(count for name, count in given_parts.items() if shown[name] == FEW)
    assert secret == 0 or secret >= 10 or sum(parts) < 10


@given(some.dictionaries(some.sampled_from(["a", "b", "c", "d", REST]), counts))
def test_nobody_is_lost_by_folding_but_a_rest_of_under_ten(values: dict[str, int]) -> None:
    shown = folded(values)
    known = sum(count for count in shown.values() if isinstance(count, int))
    assert all(count == FEW or count >= 10 for count in shown.values() if isinstance(count, str) or count)
    assert (REST in shown and shown[REST] == FEW) == (known != sum(values.values()))
    assert sum(values.values()) - known < 10


def test_the_values_of_a_month_that_are_least_common_are_the_rest() -> None:
    names = [f"1.{number}" for number in range(20)]
    by = [used(MONDAY, name, 100 - place, "app_version") for place, name in enumerate(names)]
    figures = figures_of(rows([active(MONDAY, 500)], by), 3)
    assert figures
    values = figures.values["app_version"]
    cells = {values.names[name]: people for _, name, people in values.cells}
    assert cells == {**{name: 100 - place for place, name in enumerate(names[:12])}, REST: sum(range(81, 89))}


def test_days_that_may_still_change_are_told() -> None:
    figures = figures_of(world(), 3)
    assert figures
    assert figures.not_final == [AS_OF]


def test_weeks_are_full_and_begin_when_a_return_can_be_seen() -> None:
    days = [MONDAY + timedelta(days=number) for number in range(45)]
    figures = figures_of(rows([active(day, 300) for day in days], found=insight(lifecycle=[*map(flows, days)])), 3)
    assert figures
    assert figures.weeks == [
        {
            "date": "2024-02-05",
            "until": "2024-02-11",
            "new": 50.0,
            "returning": 300.0,
            "resurrected": 20.0,
            "dormant": 40.0,
        }
    ]


def test_a_cohort_has_shares_of_weeks_that_are_over() -> None:
    figures = figures_of(world(), 3)
    assert figures
    first, second = figures.cohorts
    assert first == {
        "date": "2024-01-01",
        "until": "2024-01-07",
        "size": 200,
        "week_1": 0.32,
        "week_2": 0.26,
        "week_3": 0.205,
        "week_4": 0.15,
    }
    assert [second[f"week_{week}"] for week in figures.periods] == [0.305, 0.24, None, None]
