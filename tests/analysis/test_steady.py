"""Steady state after SNIA's PTS, with figures alone."""

from __future__ import annotations

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
