"""Latency bins: merged, percentiles of them, and how many operations a percentile needs."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from iobench import bins
from iobench.errors import ResultsError


def test_percentiles_agree_with_sorted_values() -> None:
    values = sorted(random.Random(2).choices(range(50_000, 60_000), k=2_000))
    for q in (50, 90, 95, 99, 99.9, 100):
        exact = values[math.ceil(len(values) * q / 100) - 1]
        assert bins.percentile(Counter(values), q) == pytest.approx(exact * 1e-9)


def test_rounding_moves_no_percentile() -> None:
    # 999 of 1000 is 99.9 %, which as a float is a hair more.
    assert bins.percentile({1: 999, 2: 1}, 99.9) == 1e-9
    assert bins.percentile({1: 998, 2: 2}, 99.9) == 2e-9


@pytest.mark.parametrize("empty", [{}, {1000: 0}])
def test_no_operation_has_no_percentile(empty: dict[int, int]) -> None:
    with pytest.raises(ResultsError, match="no operation"):
        bins.percentile(empty, 99)


def test_bins_are_summed_in_order() -> None:
    assert list(bins.merged([{5: 1, 9: 2}, {}, {1: 4, 5: 3}]).items()) == [(1, 4), (5, 4), (9, 2)]


@pytest.mark.parametrize(
    ("operations", "q", "enough"),
    [(500, 99, True), (499, 99, False), (5_000, 99.9, True), (4_999, 99.9, False), (1, 50, True), (0, 50, False)],
)
def test_five_operations_lie_beyond(operations: int, q: float, enough: bool) -> None:
    assert bins.carries(operations, q) is enough
