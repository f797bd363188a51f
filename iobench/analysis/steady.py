"""Steady state of a drive after SNIA's SSS PTS: whether the last rounds of a tracked rate lie on a level line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# SNIA Solid State Storage Performance Test Specification (PTS) 2.0.2, "Steady State" and IOPS test.
WINDOW = 5
MOST_ROUNDS = 25
EXCURSION_MOST = 0.20  # (max - min) over the window's average
SLOPE_MOST = 0.10  # the fitted line's rise over the window, over the average


@dataclass(frozen=True, slots=True)
class Window:
    """A window of rounds: the number of its first and last round, from 1, and what was found in it.

    `average` has the unit of the rounds; `excursion` and `slope` are shares of it; `fit` are the fitted
    line's values at the first and the last round.
    """

    first: int
    last: int
    average: float
    excursion: float
    slope: float
    fit: tuple[float, float]

    @property
    def holds(self) -> bool:
        """Whether both criteria of the PTS hold."""
        return self.excursion <= EXCURSION_MOST and self.slope <= SLOPE_MOST


@dataclass(frozen=True, slots=True)
class Steady:
    """The rounds of a tracked rate, with the first window that holds, else the last one there is.

    `window` is None with fewer rounds than a window has. `repeats` are the numbers that the rounds have as steps: those
    before a preparation that had to be redone are none of them.
    """

    rounds: tuple[float, ...]
    window: Window | None
    repeats: tuple[int, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether steady state was reached."""
        return self.window is not None and self.window.holds

    @property
    def in_window(self) -> tuple[int, ...]:
        """The numbers, as steps, of the rounds of the window."""
        return self.repeats[self.window.first - 1 : self.window.last] if self.window else ()


def judge(rounds: Sequence[float], repeats: Sequence[int] = ()) -> Steady:
    """Return whether rounds reach steady state, and in which window first; `repeats` are their numbers as steps."""
    windows = [window(rounds, end) for end in range(WINDOW, len(rounds) + 1)]
    held = next((each for each in windows if each.holds), windows[-1] if windows else None)
    return Steady(tuple(rounds), held, tuple(repeats or range(1, len(rounds) + 1)))


def window(rounds: Sequence[float], last: int) -> Window:
    """Return the window that ends with round `last` (from 1). Raises ValueError where there is none."""
    values = rounds[last - WINDOW : last] if last >= WINDOW else ()
    if len(values) != WINDOW:
        raise ValueError(f"there is no window of {WINDOW} rounds up to round {last} of {len(rounds)}")
    average = sum(values) / WINDOW
    middle = (WINDOW - 1) / 2
    squares = sum((i - middle) ** 2 for i in range(WINDOW))
    per_round = sum((i - middle) * (value - average) for i, value in enumerate(values)) / squares
    if average <= 0:  # a drive that does nothing is level, but not at work
        return Window(last - WINDOW + 1, last, average, float("inf"), float("inf"), (average, average))
    return Window(
        first=last - WINDOW + 1,
        last=last,
        average=average,
        excursion=(max(values) - min(values)) / average,
        slope=abs(per_round) * (WINDOW - 1) / average,
        fit=(average - per_round * middle, average + per_round * middle),
    )
