"""Steady state after SNIA's PTS, with figures alone."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench.analysis import steady


def test_a_level_rate_is_steady_in_the_first_window() -> None:
    state = steady.judge([100.0, 101, 99, 100, 100, 100])
    assert state.reached and state.window is not None
    assert (state.window.first, state.window.last) == (1, 5)
    assert state.window.average == pytest.approx(100)


def test_a_fall_is_not_steady_until_it_is_over() -> None:
    state = steady.judge([1000.0, 700, 500, 350, 250, 200, 200, 200, 200, 200])
    assert state.reached and state.window is not None
    assert (state.window.first, state.window.last) == (6, 10)


def test_each_criterion_alone_refuses() -> None:
    # 11 % of rise on a fitted line, and 11 % between the extremes: the slope refuses.
    sloped = steady.window([100.0, 103, 106, 109, 112], 5)
    assert sloped.excursion < steady.EXCURSION_MOST and sloped.slope > steady.SLOPE_MOST and not sloped.holds
    # level, but one round far off: the excursion refuses.
    jagged = steady.window([100.0, 100, 130, 100, 100], 5)
    assert jagged.slope == pytest.approx(0) and jagged.excursion > steady.EXCURSION_MOST and not jagged.holds


def test_never_level_is_not_reached() -> None:
    state = steady.judge([100.0 * 1.2**i for i in range(steady.MOST_ROUNDS)])
    assert not state.reached and state.window is not None
    assert state.window.last == steady.MOST_ROUNDS


def test_too_few_rounds_have_no_window() -> None:
    assert steady.judge([1.0] * 4).window is None
    with pytest.raises(ValueError, match="window"):
        steady.window([1.0] * 4, 4)


def test_a_drive_that_does_nothing_is_not_steady() -> None:
    assert not steady.judge([0.0] * 9).reached


@given(st.lists(st.floats(1, 1e6), min_size=5, max_size=30))
def test_what_holds_is_what_the_definition_says(rounds: list[float]) -> None:
    import numpy as np

    state = steady.judge(rounds)
    assert state.window is not None
    part = rounds[state.window.first - 1 : state.window.last]
    slope = np.polyfit(range(5), part, 1)[0]
    assert state.window.slope * state.window.average == pytest.approx(abs(slope) * 4, abs=1e-3, rel=1e-6)
    assert state.window.excursion * state.window.average == pytest.approx(max(part) - min(part))


# The PTS once more, by other means: whole numbers, the normal equations, no division before the end.
# "Max(y) - Min(y) within the measurement window is less than 20 % of Ave(y)", and "Max(y) - Min(y) as defined by the
# linear curve fit of the data within the window is within 10 % of the average": a line's extremes are at its ends.


def _by_the_text(rounds: list[int]) -> tuple[int, int] | None:
    """The first window of five rounds that meets both, exactly; None where there is none."""
    n = 5
    for first in range(1, len(rounds) - n + 2):
        points = [(x, rounds[x - 1]) for x in range(first, first + n)]
        sx, sy = sum(x for x, _ in points), sum(y for _, y in points)
        sxy, sxx = sum(x * y for x, y in points), sum(x * x for x, _ in points)
        rise = Fraction(n * sxy - sx * sy, n * sxx - sx * sx)
        start = (Fraction(sy) - rise * sx) / n
        line = [start + rise * x for x, _ in points]
        values = [y for _, y in points]
        if 5 * n * (max(values) - min(values)) <= sy and 10 * n * (max(line) - min(line)) <= sy:
            return first, first + n - 1
    return None


@given(st.lists(st.integers(800, 1300), min_size=1, max_size=25), st.integers(0, 12))
def test_the_first_steady_window_is_that_of_the_text(rounds: list[int], falling: int) -> None:
    # A drive that falls at first, and then scatters about some rate.
    rounds = [value + 300 * max(0, falling - i) for i, value in enumerate(rounds)]
    expected = _by_the_text(rounds)
    state = steady.judge([float(value) for value in rounds])
    assert (state.window is None) == (len(rounds) < 5)
    found = (state.window.first, state.window.last) if state.window is not None and state.reached else None
    if found != expected:  # only a rounding error may stand between the two
        edges = [steady.window([float(v) for v in rounds], w[1]) for w in (found, expected) if w is not None]
        assert any(
            min(abs(e.excursion - steady.EXCURSION_MOST), abs(e.slope - steady.SLOPE_MOST)) < 1e-9 for e in edges
        )


def test_windows_at_the_very_limits_hold_and_one_beyond_does_not() -> None:
    assert _by_the_text([90, 110, 100, 90, 110]) == (1, 5) and steady.judge([90.0, 110, 100, 90, 110]).reached
    assert _by_the_text([89, 110, 101, 90, 110]) is None and not steady.judge([89.0, 110, 101, 90, 110]).reached
