"""Frequent people against others, by hand and against generalized linear models."""

from datetime import date
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest

from calback_assets.analysis.behaviour import compared
from calback_assets.tables.insight import FREQUENT_USER_BEHAVIOUR
from calback_assets.warehouse.rows import conform

Ints = npt.NDArray[np.int64]


def sums(times: Ints, active_days: Ints, group: str) -> dict[str, int]:
    """What the query adds up over the people of a group."""
    return {
        f"{group}_users": len(times),
        f"{group}_did": int((times > 0).sum()),
        f"{group}_times": int(times.sum()),
        f"{group}_active_days": int(active_days.sum()),
        f"{group}_times_squared": int((times**2).sum()),
        f"{group}_active_days_squared": int((active_days**2).sum()),
        f"{group}_times_by_active_days": int((times * active_days).sum()),
    }


def rows(*behaviours: tuple[str, dict[str, int]]) -> pd.DataFrame:
    return compared(
        pa.Table.from_pylist([{"as_of": date(2024, 4, 29), "behaviour": name} | found for name, found in behaviours])
    )


@pytest.fixture(scope="module")
def people() -> dict[str, tuple[Ints, Ints]]:
    """Times and active days of each person: frequent people do it three times as often, and no more often a day."""
    rng = np.random.default_rng(5)
    days = {"frequent": rng.integers(3, 25, size=300), "other": rng.integers(1, 3, size=900)}
    # People differ from each other by more than chance does, so that a variance of days would be too small.
    return {
        group: (rng.poisson(0.4 * count * rng.gamma(0.5, 2, size=len(count))), count) for group, count in days.items()
    }


def test_shares_and_rates_are_those_counted_by_hand() -> None:
    from scipy.stats import binomtest  # Slow to import.

    # Frequent: 3 people, 4 times on 20 days; others: 4 people, 2 times on 5 days.
    found = rows(
        (
            "search",
            sums(np.array([0, 1, 3]), np.array([5, 5, 10]), "frequent")
            | sums(np.array([0, 0, 1, 1]), np.array([1, 1, 1, 2]), "other"),
        )
    )
    (row,) = found.itertuples()
    assert (row.frequent_share, row.other_share) == (pytest.approx(2 / 3), 0.5)
    assert (row.frequent_per_person, row.other_per_person) == (pytest.approx(4 / 3), 0.5)
    assert (row.frequent_per_active_day, row.other_per_active_day) == (0.2, 0.4)
    assert row.rate_ratio == pytest.approx(0.5)
    expected = binomtest(2, 4).proportion_ci(method="wilson")
    assert (row.other_share_low, row.other_share_high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    # Residuals -1, 0, 1 and -0.4, -0.4, 0.6, 0.2; variance of log rate = n / (n - 1) * sum of squares / times squared.
    variance = 3 / 2 * 2 / 16 + 4 / 3 * 0.72 / 4
    assert row.rate_ratio_low == pytest.approx(0.5 * np.exp(-1.959964 * variance**0.5))
    assert row.rate_ratio_high == pytest.approx(0.5 * np.exp(1.959964 * variance**0.5))


def test_the_rate_ratio_is_that_of_a_poisson_regression_with_robust_errors(
    people: dict[str, tuple[Ints, Ints]], sm: ModuleType
) -> None:
    (row,) = rows(("search", sums(*people["frequent"], "frequent") | sums(*people["other"], "other"))).itertuples()
    log_rate, variance = {}, {}
    for group, (times, days) in people.items():
        model = sm.GLM(times, np.ones(len(times)), family=sm.families.Poisson(), offset=np.log(days))
        fit = model.fit(cov_type="HC0")
        (log_rate[group],), ((uncorrected,),) = fit.params, fit.cov_params()
        variance[group] = uncorrected * len(times) / (len(times) - 1)
    log_ratio = log_rate["frequent"] - log_rate["other"]
    error = (variance["frequent"] + variance["other"]) ** 0.5
    assert np.log(row.rate_ratio) == pytest.approx(log_ratio, abs=1e-9)
    assert np.log(row.rate_ratio_low) == pytest.approx(log_ratio - 1.959964 * error, abs=1e-6)
    assert np.log(row.rate_ratio_high) == pytest.approx(log_ratio + 1.959964 * error, abs=1e-6)


def test_being_there_more_often_is_not_doing_more(people: dict[str, tuple[Ints, Ints]]) -> None:
    (row,) = rows(("search", sums(*people["frequent"], "frequent") | sums(*people["other"], "other"))).itertuples()
    assert row.frequent_per_person > 5 * row.other_per_person
    assert row.other_share_high < row.frequent_share_low
    assert row.rate_ratio_low < 1 < row.rate_ratio_high


def test_what_one_group_never_does_has_no_ratio_and_nobody_has_no_share() -> None:
    never, once = np.zeros(3, dtype=np.int64), np.ones(3, dtype=np.int64)
    nobody = np.zeros(0, dtype=np.int64)
    found = rows(
        ("only_frequent", sums(once, once, "frequent") | sums(never, once, "other")),
        ("only_others", sums(never, once, "frequent") | sums(once, once, "other")),
        ("nobody_frequent", sums(nobody, nobody, "frequent") | sums(once, once, "other")),
        ("one_person", sums(once[:1], once[:1], "frequent") | sums(once, once, "other")),
    ).set_index("behaviour")
    assert found["rate_ratio"].isna().tolist() == [True, True, True, False]
    assert found[["rate_ratio_low", "rate_ratio_high"]].isna().all(axis=None)
    assert found.loc["only_frequent", "other_per_active_day"] == 0
    assert pd.isna(found.loc["nobody_frequent", ["frequent_share", "frequent_per_person"]]).all()


def test_the_rows_are_those_of_the_contract(people: dict[str, tuple[Ints, Ints]]) -> None:
    found = sums(*people["frequent"], "frequent") | sums(*people["other"], "other")
    assert conform(rows(("search", found)), FREQUENT_USER_BEHAVIOUR).num_rows == 1
    schema = pa.schema([("as_of", pa.date32()), ("behaviour", pa.string())] + [(name, pa.int64()) for name in found])
    assert conform(compared(schema.empty_table()), FREQUENT_USER_BEHAVIOUR).num_rows == 0
