"""Population stability, by hand."""

import math

import numpy as np
import pytest

from calback_assets.analysis.drift import bins_of, shares_of, stability_index


def test_a_part_ends_with_its_edge() -> None:
    assert shares_of(np.array([0.0, 1.0, 1.0, 2.0, 9.0]), [0.0, 1.0]).tolist() == [0.2, 0.4, 0.4]


def test_ten_parts_of_equal_size_and_fewer_where_many_are_alike() -> None:
    even = bins_of("score", np.arange(100.0))
    assert even["edges"] == [9, 19, 29, 39, 49, 59, 69, 79, 89]
    assert even["shares"] == pytest.approx([0.1] * 10)
    seldom = bins_of("search", np.array([0.0] * 19 + [3.0]))
    assert (seldom["edges"], seldom["shares"]) == ([0], pytest.approx([0.95, 0.05]))
    assert bins_of("search", np.zeros(5)) == {"feature": "search", "edges": [], "shares": [1.0]}


def test_the_index_is_zero_for_the_same_people_and_grows_with_the_distance() -> None:
    values = np.array([0.0] * 80 + [1.0] * 20)
    assert stability_index(values, [0], [0.8, 0.2]) == 0
    # (0.8 - 0.5) ln(0.8 / 0.5) + (0.2 - 0.5) ln(0.2 / 0.5)
    expected = 0.3 * math.log(1.6) - 0.3 * math.log(0.4)
    assert stability_index(values, [0], [0.5, 0.5]) == pytest.approx(expected)
    assert stability_index(values, [0], [1.0, 0.0]) == pytest.approx(
        -0.2 * math.log(0.8) + (0.2 - 0.0001) * math.log(0.2 / 0.0001)
    )
    assert stability_index(values, [], [1.0]) == 0
