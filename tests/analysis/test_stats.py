"""Intervals: what they hold, how often they are wrong, and what they do with too little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench import bins
from iobench.analysis import stats
from iobench.analysis.rows import difference
from iobench.analysis.types import Difference
from iobench.bins import Histogram

NAN = math.nan
POSITIVE = st.floats(1e-6, 1e12)


def figure(values, rounds=None):
    return stats.median_figure(list(values), list(rounds or range(1, len(values) + 1)))


def test_every_resample_is_counted_once_up_to_seven_rounds():
    for n in range(1, stats.EXACT_ROUNDS + 1):
        times, weights = stats.resamples(n)
        assert times.shape == (math.comb(2 * n - 1, n), n)
        assert (times.sum(axis=1) == n).all()
        assert weights.sum() == pytest.approx(1)
        assert weights @ times == pytest.approx(np.ones(n))


def test_exact_resamples_agree_with_drawn_ones():
    values = np.array([98.0, 103.0, 100.0, 101.0, 95.0])
    drawn = np.median(values[np.random.default_rng(3).integers(0, 5, (40_000, 5))], axis=1)
    exact, weights = figure(values).resampled, stats.resamples(5)[1]
    for value in values:
        assert weights[exact == value].sum() == pytest.approx((drawn == value).mean(), abs=0.01)


def test_more_rounds_are_drawn_with_a_seed():
    times, weights = stats.resamples(9)
    assert times.shape == (stats.RESAMPLES, 9)
    assert weights.sum() == pytest.approx(1)
    values = [100.0, 101, 99, 98, 102, 100, 103, 97, 100]
    assert figure(values).resampled.tolist() == figure(values).resampled.tolist()


def test_median_of_even_and_odd():
    assert figure([3.0, 1.0, 2.0]).point == 2
    assert figure([4.0, 1.0, 2.0, 3.0]).point == 2.5


@given(st.lists(POSITIVE, min_size=2, max_size=9))
@settings(max_examples=80, deadline=None)
def test_an_interval_holds_its_figure(values):
    low, high = stats.interval(figure(values))
    assert low <= figure(values).point <= high
    assert math.isfinite(low) and math.isfinite(high)


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=2, max_size=8), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_ratios_interval_holds_the_ratio(pairs, paired):
    a, b = figure([x for x, _ in pairs]), figure([y for _, y in pairs], None if paired else range(50, 50 + len(pairs)))
    low, high = stats.ratio_ci(a, b)
    assert low <= a.point / b.point * (1 + 1e-12) and a.point / b.point <= high * (1 + 1e-12)
    assert low > 0 and math.isfinite(high)


def test_one_value_has_no_interval():
    assert stats.interval(figure([5.0])) is None
    assert stats.ratio_ci(figure([5.0]), figure([6.0])) is None


def test_counts_that_may_be_nought():
    assert stats.interval(figure([0, 0, 0])) == (0, 0)
    low, high = stats.interval(figure([0, 0, 5]))
    assert low == 0 and high >= 5
    assert stats.ratio_ci(figure([0.0, 1.0]), figure([1.0, 1.0])) is None


def test_pairing_cancels_drift_that_falls_on_both():
    drift = [1.0, 0.8, 1.1, 0.7, 1.3]
    a = figure([3.0 * d * e for d, e in zip(drift, (1, 1.01, 0.99, 1, 1.005), strict=True)])
    b = figure(drift)
    apart = figure(drift, range(11, 16))
    low, high = stats.ratio_ci(a, b)
    assert 2.9 < low < 3 < high < 3.1
    wide = stats.ratio_ci(a, apart)
    assert wide[0] < 2.3 and wide[1] > 3.9


def test_a_missing_round_is_not_paired():
    five = figure([1.0, 0.8, 1.1, 0.7, 1.3])
    four = figure([3.0, 2.4, 3.3, 2.1], [1, 2, 3, 4])
    paired = stats.ratio_ci(figure([1.0, 0.8, 1.1, 0.7]), four)
    apart = stats.ratio_ci(five, four)
    assert apart[1] - apart[0] > paired[1] - paired[0]


def test_swapping_turns_the_interval_over():
    a, b = figure([3.1, 3.0, 2.9, 3.05, 2.95]), figure([1.0, 1.02, 0.97, 1.01, 0.99])
    forth, back = stats.ratio_ci(a, b), stats.ratio_ci(b, a)
    assert forth == pytest.approx((1 / back[1], 1 / back[0]), rel=0.02)


def test_students_t():
    assert stats.student_t(4) == 2.776
    assert stats.student_t(4.9) == 2.776
    assert stats.student_t(0.5) == 12.706
    assert stats.student_t(60) == pytest.approx(2.0003, abs=0.002)


def told_apart(n, cv, times, comparisons):
    """The share of comparisons that show a difference between drives one of which is `times` as fast."""
    rng = np.random.default_rng(n)
    found = 0
    for _ in range(comparisons):
        drift = rng.normal(0, 0.03, n)
        a = figure(times * np.exp(drift + rng.normal(0, cv, n)))
        b = figure(np.exp(drift + rng.normal(0, cv, n)))
        found += difference(a.point / b.point, stats.ratio_ci(a, b), 0.02) is not Difference.NONE_SHOWN
    return found / comparisons


@pytest.mark.parametrize("n", [2, 3, 5, 8])
@pytest.mark.parametrize("cv", [0.001, 0.01])
def test_equals_are_not_told_apart(n, cv):
    assert told_apart(n, cv, 1, 200) <= 0.05


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_noisy_equals_are_not_told_apart(n):
    # A bootstrap alone tells 24 % of such drives apart at three rounds. 600 comparisons leave chance 1.8 %.
    assert told_apart(n, 0.063, 1, 600) <= 0.068


@pytest.mark.parametrize("cv", [0.001, 0.01, 0.02])
def test_a_tenth_is_found_in_five_rounds(cv):
    assert told_apart(5, cv, 1.1, 200) >= 0.95


def test_three_times_is_found_in_three_noisy_rounds():
    assert told_apart(3, 0.063, 3, 200) >= 0.95


@pytest.mark.parametrize(
    ("ratio", "ends", "shown"),
    [
        (1.5, (1.4, 1.6), Difference.HIGHER),
        (0.5, (0.4, 0.6), Difference.LOWER),
        (1.5, (0.9, 2.0), Difference.NONE_SHOWN),
        (1.002, (1.001, 1.003), Difference.NONE_SHOWN),
        (1.021, (1.02, 1.022), Difference.HIGHER),
        (3.0, None, Difference.NONE_SHOWN),
    ],
)
def test_difference(ratio, ends, shown):
    assert difference(ratio, ends, 0.02) is shown


# --- latencies -----------------------------------------------------------------------------------------


def test_percentiles_come_from_merged_bins():
    # 990 fast operations in one round, 10 of 110 slow in the other: the average of p99s would be 5 ms.
    fast, slow = {100_000: 990}, {100_000: 100, 10_000_000: 10}
    own = [bins.percentile(part, 99) for part in (fast, slow)]
    assert own == [pytest.approx(1e-4), pytest.approx(1e-2)]
    merged = stats.percentile_figures([[Histogram.of(fast), Histogram.of(slow)]], {99: [[NAN, NAN]]}, [1, 2])[99]
    assert merged.values[0] == pytest.approx(own)
    assert merged.point[0] == pytest.approx(1e-4)
    assert stats.intervals(merged)[0, 1] >= 1e-2


def test_merged_percentiles_of_many_rounds_have_ratios():
    rng = np.random.default_rng(4)
    rounds = [{int(v): 3 for v in rng.integers(1_000, 2_000, 50)} for _ in range(10)]
    one = stats.percentile_figures([list(map(Histogram.of, rounds))], {99: [[NAN] * 10]}, range(10))[99]
    assert stats.ratio_intervals(one, one)[0] == pytest.approx((1, 1))
    low, high = stats.intervals(one)[0]
    assert low <= one.point[0] <= high


def test_mean_counts_operations_and_greatest_is_the_greatest():
    assert stats.mean_figure([1.0, 3.0], [300, 100], [1, 2]).point == 1.5
    assert stats.greatest_figure([1.0, 3.0, 2.0], [1, 2, 3]).point == 3.0
