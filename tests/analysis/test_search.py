"""The search on seeded models of drives: it finds what they can, in few tries, whatever the noise does."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from iobench.analysis.search import (
    CONFIRM_SHARES,
    PRESSED_TRIES,
    TRIES,
    Bounds,
    CurvePoint,
    End,
    Outcome,
    Trial,
    confirming,
    following,
    knee,
    outcome,
)

MOST_TRIES = 40


def search(holds: Callable[[float], bool], bounds: Bounds, end: Callable[[float], bool] = lambda x: False) -> (
    tuple[Outcome, list[Trial]]
):  # fmt: skip
    trials: list[Trial] = []
    while (x := following(trials, bounds)) is not None:
        assert bounds.lowest <= x <= bounds.most
        trials.append(Trial(x, holds(x), end(x)))
        assert len(trials) < MOST_TRIES, "it ends"
    return outcome(trials, bounds), trials


@pytest.mark.parametrize("seed", range(40))
def test_a_limit_is_found_within_the_precision(seed: int) -> None:
    drawn = random.Random(seed)
    limit = 10 ** drawn.uniform(1, 6)
    guess = limit * drawn.uniform(0.3, 3)  # what the drive did when asked for all, good or bad
    found, trials = search(lambda x: x <= limit, Bounds(0.97 * guess, 0.001 * guess))
    assert found.end is End.FOUND and found.highest is not None and found.failed is not None
    assert found.highest <= limit < found.failed <= found.highest * 1.0100001
    assert len(trials) <= 20


@pytest.mark.parametrize("seed", range(10))
def test_a_good_guess_needs_few_tries(seed: int) -> None:
    limit = random.Random(seed).uniform(300, 3000)
    _, trials = search(lambda x: x <= limit, Bounds(0.97 * limit, 0.001 * limit))
    assert len(trials) <= 8


@pytest.mark.parametrize("seed", range(40))
def test_hiccups_do_not_end_a_search(seed: int) -> None:
    """One try in eight fails for reasons of the machine: single ones are looked past."""
    drawn = random.Random(seed)
    limit = drawn.uniform(300, 3000)
    tried: list[float] = []

    def holds(x: float) -> bool:
        hiccup = drawn.random() < 0.125 and x not in tried  # never twice at one rate
        tried.append(x)
        return x <= limit and not hiccup

    found, _ = search(holds, Bounds(0.97 * limit, 0.001 * limit))
    assert found.end is End.FOUND and found.highest is not None
    assert 0.985 * limit <= found.highest <= limit


def test_a_failure_is_believed_only_after_a_second_try() -> None:
    _, trials = search(lambda x: x <= 1000, Bounds(970, 1))
    lowest = min(t.x for t in trials if not t.holds)
    assert sum(t.x == lowest for t in trials) == TRIES


@pytest.mark.parametrize("seed", range(40))
def test_a_pressed_machine_is_looked_past(seed: int) -> None:
    """Three tries in ten fail for the machine's other work, also twice at one rate: what failed is looked at again."""
    drawn = random.Random(seed)
    limit = drawn.uniform(300, 3000)
    bounds = Bounds(0.97 * limit, 0.001 * limit)
    trials: list[Trial] = []
    while (x := following(trials, bounds)) is not None:
        hiccup = drawn.random() < 0.3
        trials.append(Trial(x, x <= limit and not hiccup, pressed=True, sure=x > 1.01 * limit and not hiccup))
        assert len(trials) < MOST_TRIES
    found = outcome(trials, bounds)
    assert found.end is End.FOUND and found.failed is not None
    own = [t for t in trials if t.x == found.failed]
    assert any(t.sure for t in own) or len(own) == PRESSED_TRIES


def test_what_failed_for_sure_is_not_tried_again() -> None:
    bounds = Bounds(970, 1)
    trials: list[Trial] = []
    while (x := following(trials, bounds)) is not None:
        trials.append(Trial(x, x <= 1000, pressed=True, sure=x > 1000))
    assert len({t.x for t in trials}) == len(trials) <= 6


def test_going_down_begins_after_a_second_look_where_the_machine_was_pressed() -> None:
    bounds = Bounds(970, 1)
    assert following([Trial(970, False, pressed=True)], bounds) == 970
    assert following([Trial(970, False)], bounds) == pytest.approx(970 / 1.04)


def test_an_slo_that_fails_at_the_lowest_rate() -> None:
    found, trials = search(lambda x: False, Bounds(1000, 10))
    assert found == Outcome(End.FAILS_AT_LOWEST, None, 10)
    assert sum(t.x == 10 for t in trials) == TRIES


def test_a_busy_machine_decides_nothing_of_the_drive() -> None:
    found, _ = search(lambda x: False, Bounds(1000, 10), end=lambda x: True)
    assert found.end is End.UNDECIDED


def test_an_slo_that_holds_at_all_that_may_be_tried() -> None:
    found, _ = search(lambda x: True, Bounds(1000, 1, most=5000))
    assert found == Outcome(End.HOLDS_AT_MOST, 5000, None)


def test_a_machine_that_can_offer_no_more_gives_a_least_value() -> None:
    found, _ = search(lambda x: x <= 3000, Bounds(1000, 1), end=lambda x: x > 3000)
    assert found.end is End.HOLDS_AT_MOST and found.highest is not None
    assert 2970 <= found.highest <= 3000


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 31, 100, 255])
def test_loads_are_whole_and_found_exactly(limit: int) -> None:
    bounds = Bounds(1, 1, most=256, grain=1, doubling=True)
    found, trials = search(lambda x: x <= limit, bounds)
    assert found == Outcome(End.FOUND, limit, limit + 1) or (limit > 100 and found.highest in (limit - 1, limit))
    assert all(t.x == math.floor(t.x) for t in trials)


def test_a_search_that_was_cut_off_says_what_it_has() -> None:
    trials = [Trial(970, True), Trial(1018.5, True), Trial(1120.35, False)]
    assert outcome(trials, Bounds(970, 1)) == Outcome(End.OPEN, 1018.5, 1120.35)


def test_the_search_keeps_nothing() -> None:
    """Begun anew in the middle, with the same trials, it asks for the same."""
    bounds = Bounds(970, 1)
    _, trials = search(lambda x: x <= 1234, bounds)
    for n in range(len(trials)):
        assert following(trials[:n], bounds) == trials[n].x


def test_random_arrivals_go_down_until_one_holds() -> None:
    tried: list[Trial] = []
    while (x := confirming(1000, tried)) is not None:
        tried.append(Trial(x, x <= 920))
    assert [t.x for t in tried] == [1000, 980, 950, 900] and tried[-1].holds
    tried = []
    while (x := confirming(1000, tried)) is not None:
        tried.append(Trial(x, False))
    assert len(tried) == len(CONFIRM_SHARES)


@pytest.mark.parametrize("limit", [1, 4, 5, 17, 101, 404, 2000])
def test_whole_rates_end_too(limit: int) -> None:
    bounds = Bounds(round(0.97 * limit) or 1, 1, grain=1)
    found, trials = search(lambda x: x <= limit, bounds)
    assert all(t.x == math.floor(t.x) for t in trials)
    assert found.end is End.FOUND and found.highest is not None and found.failed is not None
    assert found.highest <= limit < found.failed <= max(found.highest + 1, 1.011 * found.highest)


def test_what_was_tried_for_another_objective_confirms_nothing() -> None:
    assert confirming(1000, [Trial(400, True)]) == 1000


def test_the_knee_of_a_queue_is_where_its_power_is_greatest() -> None:
    """A queue of one server with random service (M/M/1): latency 1/(1 - r), and the power r(1 - r) peaks at a half."""
    curve = [CurvePoint(r, 1 / (1 - r)) for r in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)]
    assert knee(curve) == 2


def test_the_knee_of_a_limited_drive_is_its_limit() -> None:
    flat = [CurvePoint(float(x), 1e-4) for x in (100, 300, 500, 700)]
    assert knee([*flat, CurvePoint(705.0, 0.05)]) == 3


def test_two_points_have_no_knee() -> None:
    assert knee([CurvePoint(1, 1), CurvePoint(2, 2)]) is None
