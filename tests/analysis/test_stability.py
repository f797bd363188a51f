"""Least over most: the one measure of a rate that holds."""

from __future__ import annotations

import pytest

from iobench.analysis.stability import least_over_most
from iobench.analysis.types import Estimate
from iobench.model import Verdict


def estimate(*values: float, first: int = 1) -> Estimate:
    rounds = tuple(range(first, first + len(values)))
    return Estimate(len(values), sorted(values)[len(values) // 2], None, Verdict.VALID, (), values, rounds)


def test_the_share_is_of_medians_and_lies_in_its_interval() -> None:
    share, (low, high) = least_over_most([estimate(99, 100, 101), estimate(79, 80, 81), estimate(94, 95, 96)])
    assert share == pytest.approx(0.8)
    assert 0.77 < low <= share <= high < 0.82


def test_a_flat_rate_is_near_one_and_never_above() -> None:
    share, (low, high) = least_over_most([estimate(99, 100, 101), estimate(101, 100, 99)])
    assert share == 1 and 0.97 < low < 1 and high == 1


def test_rounds_of_several_campaigns_are_not_paired() -> None:
    apart = least_over_most([estimate(80, 100, 120), estimate(80, 100, 120, first=11)])
    paired = least_over_most([estimate(80, 100, 120), estimate(80, 100, 120)])
    assert paired[1] == (1, 1) and apart[1][0] < 0.9


def test_nought_holds_nothing() -> None:
    assert least_over_most([estimate(0, 0), estimate(0, 0)]) == (0.0, (0.0, 0.0))
