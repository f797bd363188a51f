"""The search for the highest rate (or load) that holds: bracketing, then bisection. Pure.

The search keeps nothing: what is to be tried next follows from what was tried, so that a resumed campaign
goes on alike. A rate holds when one of its tries held: a hiccup of the machine must not end a search, so the
lowest failure, which decides, is tried again before it is believed. How often says the evidence: not at all
where the drive did its most and that was too little, once more as a rule, twice where the machine was pressed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# The first step of the bracketing, as a share of the rate; each further one is twice as large.
FIRST_STEP = 0.04
# How near the rate that fails must be to the one that holds.
PRECISION = 0.01
# How often a rate that fails is tried before that is believed.
TRIES = 2
# The same where each try may have failed for the machine's other work.
PRESSED_TRIES = 3
# From this ratio on a failure is tried again before the search goes on below it: it may have been a hiccup.
WIDE = 1.1
# What is tried with random arrivals, as shares of the rate that held evenly spaced, until one holds.
CONFIRM_SHARES = (1.0, 0.98, 0.95, 0.9, 0.8, 0.65, 0.5)
# The first rate, as a share of what the drive did when it was asked for all it can.
FIRST_SHARE = 0.98
# The lowest rate that is tried, as a share of the same.
LOWEST_SHARE = 0.001


class End(StrEnum):
    """How a search ended."""

    FOUND = "found"
    FAILS_AT_LOWEST = "fails-at-lowest"
    HOLDS_AT_MOST = "holds-at-most"  # at the highest that may be tried, or that the machine can offer
    UNDECIDED = "undecided"  # it fails at the lowest, but this machine was at its own end
    OPEN = "open"  # it was interrupted, or ran out of time


@dataclass(frozen=True, slots=True)
class Trial:
    """A rate (1/s) or load that was tried.

    `at_end`: no more can be offered, by the machine or by what was asked. `pressed`: the machine had other work
    that may be why it failed. `sure`: it failed while the drive did as much as it ever did.
    """

    x: float
    holds: bool
    at_end: bool = False
    pressed: bool = False
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what is searched, and how finely.

    `first` is the rate (1/s) or load that is tried first, `lowest` and `most` are the ends, all of them
    multiples of `grain` where that is not 0: loads are whole numbers, and some programs take whole rates.
    """

    first: float
    lowest: float
    most: float = math.inf
    precision: float = PRECISION
    grain: float = 0.0
    doubling: bool = False  # the bracketing doubles from its first step on, as loads do

    def fit(self, x: float) -> float:
        """Return a rate moved between the ends, on the grain."""
        inside = min(self.most, max(self.lowest, x))
        return self.grain * max(1, round(inside / self.grain)) if self.grain else inside


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found: the highest that held, the lowest above it that failed, and how it ended."""

    end: End
    highest: float | None
    failed: float | None


def outcome(trials: Sequence[Trial], bounds: Bounds) -> Outcome:
    """Return what the trials say."""
    held, failed = _edges(trials)
    if following(trials, bounds) is not None:
        return Outcome(End.OPEN, held, failed)
    if held is None:
        busy = failed is not None and _ended(trials, failed)
        return Outcome(End.UNDECIDED if busy else End.FAILS_AT_LOWEST, None, failed)
    if failed is None or _ended(trials, failed):
        return Outcome(End.HOLDS_AT_MOST, held, failed)
    return Outcome(End.FOUND, held, failed)


def following(trials: Sequence[Trial], bounds: Bounds) -> float | None:
    """Return the rate to try next, None when the search is over."""
    held, failed = _edges(trials)
    if not trials:
        return bounds.fit(bounds.first)
    if held is None and failed is not None:
        if len({t.x for t in trials}) == 1 and _pressed(trials, failed) and _doubtful(trials, failed):
            return failed  # the closed loop did more: going down from a hiccup costs more than to look again
        return _lower(trials, failed, bounds)
    if held is not None and failed is None:
        return None if held >= bounds.most else _higher(trials, held, bounds)
    assert held is not None and failed is not None
    soon = failed > held * WIDE or _pressed(trials, failed)
    if soon and _doubtful(trials, failed) and not bounds.doubling:
        return failed
    if not _close(held, failed, bounds):
        middle = bounds.grain * math.floor((held + failed) / 2 / bounds.grain) if bounds.grain else (held + failed) / 2
        return max(middle, held + bounds.grain)
    return failed if _doubtful(trials, failed, PRESSED_TRIES) else None


def _edges(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """The highest that held, and the lowest above it that failed in all its tries.

    What failed below one that held was a hiccup, not the limit.
    """
    held = max((t.x for t in trials if t.holds), default=None)
    failed = min((t.x for t in trials if not t.holds and (held is None or t.x > held)), default=None)
    return held, failed


def _ended(trials: Sequence[Trial], x: float) -> bool:
    return any(t.at_end for t in trials if t.x == x)


def _doubtful(trials: Sequence[Trial], x: float, pressed_tries: int = TRIES) -> bool:
    """Whether a failure is to be tried again; `pressed_tries` where each of its tries was under pressure."""
    own = [t for t in trials if t.x == x]
    return not any(t.sure for t in own) and len(own) < (pressed_tries if all(t.pressed for t in own) else TRIES)


def _pressed(trials: Sequence[Trial], x: float) -> bool:
    return all(t.pressed for t in trials if t.x == x)


def _close(held: float, failed: float, bounds: Bounds) -> bool:
    return failed - held <= max(bounds.grain * 1.001, bounds.precision * held)


def _step(number: int, bounds: Bounds) -> float:
    """The factor of a step of the bracketing: 1.04, 1.08, 1.16, 1.32, …; loads double."""
    return 2.0 if bounds.doubling else 1 + FIRST_STEP * 2.0**number


def _lower(trials: Sequence[Trial], failed: float, bounds: Bounds) -> float | None:
    if failed <= bounds.lowest:
        return failed if _doubtful(trials, failed, PRESSED_TRIES) else None
    number = len({t.x for t in trials}) - 1
    return min(failed - bounds.grain, bounds.fit(failed / _step(number, bounds)))


def _higher(trials: Sequence[Trial], held: float, bounds: Bounds) -> float:
    number = len({t.x for t in trials if t.holds}) - 1
    return max(held + bounds.grain, bounds.fit(held * _step(number, bounds)))


def confirming(highest: float, tried: Sequence[Trial], grain: float = 0.0) -> float | None:
    """Return the rate to try next with random arrivals: downwards from what held, until one holds.

    None when one held, or when the last share failed too.
    """
    for share in CONFIRM_SHARES:
        x = grain * max(1, round(highest * share / grain)) if grain else highest * share
        found = [trial for trial in tried if abs(trial.x - x) <= max(grain, 0.005 * x)]
        if not found:
            return x
        if any(trial.holds for trial in found):
            return None
    return None


def confirmed(highest: float, tried: Sequence[Trial]) -> float | None:
    """Return the highest rate that held with random arrivals, of those tried for what held evenly spaced."""
    return max((trial.x for trial in tried if trial.holds and trial.x <= highest * 1.005), default=None)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A place on the curve of latency (seconds) against throughput (1/s)."""

    throughput: float
    latency: float


def knee(points: Sequence[CurvePoint]) -> int | None:
    """Return the index of the knee: where throughput over mean latency, the power, is greatest.

    Kleinrock, "Power and deterministic rules of thumb for probabilistic problems in computer communications",
    ICC 1979. None with fewer than three points: two have no bend.
    """
    if len(points) < 3:
        return None
    return max(range(len(points)), key=lambda i: points[i].throughput / points[i].latency)
