"""Whether a measured figure, and the integrity pass, are what was ordered. Failed evidence decides nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from iobench.analysis import stats, steady
from iobench.analysis.handover.figures import Measured
from iobench.analysis.handover.outcome import Circumstances, Item, Outcome
from iobench.analysis.order import Speed
from iobench.analysis.rows import RESOLUTION
from iobench.analysis.types import Estimate
from iobench.model import METRICS
from iobench.texts import Amount, Phrase

LEAST_REPEATS = 3
# A rate that a cap of ours set says nothing of a limit above it.
CAP_NEAR = 0.97
NO_SUCH_FIGURE = "handover.why.no-such-figure"  # no repeat will bring it
_Key = tuple[str, str, str, str, int]  # target, workload, op, metric, load
# What an integrity pass may be marked with: these speak of its speed, and what it read back came from the drive.
_HARMLESS = frozenset(
    {"too-short", "not-steady", "background-io", "client-bound", "depth-not-reached", "thermal", "lost-data"}
)


def judge_speed(speed: Speed, target: str, figures: Measured, how: Circumstances) -> Item:
    """Return whether a measured figure is what was ordered."""
    base = _Base(speed, target)
    if speed.look == "full" and how.look == "quick":
        return base.item(Outcome.SKIPPED, Phrase("handover.not-measured"), Phrase("handover.why.full"))
    if speed.id in how.left_out:
        return base.item(Outcome.UNDECIDED, Phrase("handover.not-measured"), Phrase("handover.why.time"))
    key = (target, speed.workload, speed.op, speed.metric, speed.load)
    if speed.workload == "steady-write":
        undone = _not_steady(figures.steady.get(target))
        if undone is not None:
            return base.item(Outcome.UNDECIDED, Phrase("handover.not-measured"), undone)
    estimate = figures.estimates.get(key)
    dropped = figures.dropped.get(key, Counter())
    if estimate is not None and speed.workload == "steady-write":
        estimate = _in_window(estimate, figures.steady[target])
    if estimate is None or estimate.n < LEAST_REPEATS or estimate.ci95 is None:
        return base.item(Outcome.UNDECIDED, *_too_few(key, estimate, dropped, figures))
    if speed.of_best is not None and (unknown := _unknown_load(key, figures)) is not None:
        return base.item(Outcome.UNDECIDED, Phrase("handover.not-measured"), unknown)
    value, interval = estimate.median, estimate.ci95
    if speed.of_best is not None:
        value, interval = share_of_best(speed, target, figures)
    outcome = decide(interval, speed.at_least if speed.at_most is None else None, speed.at_most, speed.of_best)
    if _capped(speed, how):
        return base.item(Outcome.UNDECIDED, base.found(value, interval, estimate.n), base.capped(how))
    why = None
    if outcome is Outcome.UNDECIDED:
        holds = interval[0] <= speed.limit <= interval[1]
        why = Phrase(
            "handover.why.between" if holds else "handover.why.near",
            {"n": estimate.n, "share": Amount(RESOLUTION, "%")},
        )
    return base.item(outcome, base.found(value, interval, estimate.n), why, value, interval, estimate.n)


def _in_window(estimate: Estimate, state: steady.Steady) -> Estimate | None:
    """The figure of the rounds of the window: those before it are not of the steady state."""
    pairs = zip(estimate.values, estimate.rounds, strict=True)
    kept = [(value, round_) for value, round_ in pairs if round_ in state.in_window]
    if not kept:
        return None
    values, rounds = tuple(value for value, _ in kept), tuple(round_ for _, round_ in kept)
    figure = stats.median_figure(values, rounds)
    return Estimate(len(values), float(figure.point), stats.interval(figure), estimate.verdict, (), values, rounds)


def decide(
    interval: tuple[float, float], at_least: float | None, at_most: float | None, of_best: float | None = None
) -> Outcome:
    """Return pass where the whole interval is on the right side, fail where it is wholly on the wrong one.

    On the wrong one by more than what this tool can tell: a drive that is just what was ordered, on a machine that
    costs it a thousandth, is not accused.
    """
    low, high = interval
    least = at_least if at_least is not None else of_best
    if least is not None:
        wrong = high < least * (1 - RESOLUTION)
        return Outcome.PASS if low >= least else Outcome.FAIL if wrong else Outcome.UNDECIDED
    most = at_most if at_most is not None else 0.0
    wrong = low > most * (1 + RESOLUTION)
    return Outcome.PASS if high <= most else Outcome.FAIL if wrong else Outcome.UNDECIDED


def _unknown_load(key: _Key, figures: Measured) -> Phrase | None:
    """Why a load that was planned has no figure: it might have been the best of all."""
    for load in sorted(figures.loads.get(key[:2], ())):
        other = (*key[:4], load)
        estimate = figures.estimates.get(other)
        if estimate is None or estimate.n < LEAST_REPEATS:
            why = _too_few(other, estimate, figures.dropped.get(other, Counter()), figures)[1]
            return Phrase("handover.why.other-load", {"load": load, "why": why})
    return None


def share_of_best(speed: Speed, target: str, figures: Measured) -> tuple[float, tuple[float, float]]:
    """Return the figure at a load over the best of all loads, and its 95 % interval, as shares."""
    import numpy as np

    mine = {
        load: estimate
        for (of, workload, op, metric, load), estimate in figures.estimates.items()
        if (of, workload, op, metric) == (target, speed.workload, speed.op, speed.metric) and estimate.n
    }
    medians = {load: stats.median_figure(e.values, e.rounds) for load, e in mine.items()}
    alike = len({figure.rounds for figure in medians.values()}) == 1
    drawn = {
        load: figure.resampled if alike else stats.drawn(figure, i) for i, (load, figure) in enumerate(medians.items())
    }
    best = np.stack(list(drawn.values())).max(axis=0)
    shares = drawn[speed.load] / np.where(best > 0, best, np.inf)
    weights = stats.resamples(len(mine[speed.load].values))[1] if alike else None
    point = float(medians[speed.load].point / max(figure.point for figure in medians.values()))
    low, high = stats.quantiles(shares, weights)
    return point, (min(point, low), max(point, high))


def _capped(speed: Speed, how: Circumstances) -> bool:
    """Whether our own cap on the rate keeps a criterion from being decided."""
    if how.max_rate is None or speed.at_most is not None:
        return False
    # Operations under a cap of bytes depend on their size, and under a cap all loads are alike.
    return speed.metric != "throughput" or speed.at_least is None or speed.at_least >= CAP_NEAR * how.max_rate


def _not_steady(state: steady.Steady | None) -> Phrase | None:
    if state is None or not state.rounds:
        return Phrase("handover.why.no-rounds")
    if not state.reached:
        return Phrase("handover.why.not-steady", {"n": len(state.rounds)})
    return None


def _too_few(key: _Key, estimate: Estimate | None, dropped: Counter[str], figures: Measured) -> tuple[Phrase, Phrase]:
    n = estimate.n if estimate else 0
    found = Phrase("handover.not-measured")
    if estimate is not None:
        found = Phrase("handover.found", {"value": Amount(estimate.median, METRICS[key[3]].unit)})
    if dropped:
        reasons = tuple(reason for reason, _ in dropped.most_common(3))
        return found, Phrase("handover.why.evidence", {"n": n, "least": LEAST_REPEATS, "reasons": reasons})
    error = figures.errors.get((key[0], key[1], key[4]))
    if error is not None:
        return found, Phrase("handover.why.error", {"error": error})
    place = key[0], key[1], key[4]
    mine = [each for each in figures.dropped if (each[0], each[1], each[4]) == place]
    given = sorted({f"{op} {metric}" for _, _, op, metric, _ in mine})
    if given and key not in figures.dropped:
        return found, Phrase(NO_SUCH_FIGURE, {"asked": f"{key[2]} {key[3]}", "given": tuple(given)})
    if place in figures.left_out:
        return found, Phrase("handover.why.time")
    return found, Phrase("handover.why.few", {"n": n, "least": LEAST_REPEATS})


class _Base:
    """What all items of one criterion share."""

    def __init__(self, speed: Speed, target: str) -> None:
        self._speed, self._target = speed, target
        self._unit = "%" if speed.of_best is not None else METRICS[speed.metric].unit

    def wanted(self) -> Phrase:
        """The criterion as a phrase."""
        speed = self._speed
        what = Phrase(
            "handover.figure",
            {
                "workload": Phrase(f"workload.{speed.workload}"),
                "metric": Phrase(f"metric.{speed.metric}"),
                "load": speed.load,
            },
        )
        test = "at-least" if speed.at_least is not None else "at-most" if speed.at_most is not None else "of-best"
        return Phrase(f"handover.wants.{test}", {"what": what, "value": Amount(speed.limit, self._unit)})

    def found(self, value: float, interval: tuple[float, float], n: int) -> Phrase:
        """What was measured as a phrase."""
        figures = {"value": value, "low": interval[0], "high": interval[1]}
        return Phrase("handover.measured", {"n": n, **{k: Amount(v, self._unit) for k, v in figures.items()}})

    def capped(self, how: Circumstances) -> Phrase:
        """Why a cap leaves it open."""
        return Phrase("handover.why.capped", {"cap": Amount(how.max_rate or 0.0, "B/s")})

    def item(
        self,
        outcome: Outcome,
        found: Phrase,
        why: Phrase | None,
        value: float | None = None,
        interval: tuple[float, float] | None = None,
        n: int = 0,
    ) -> Item:
        """The item."""
        speed = self._speed
        return Item(
            id=speed.id,
            group="performance",
            target=self._target,
            outcome=outcome,
            wanted=self.wanted(),
            found=found,
            why=why,
            source=speed.source,
            conditions=speed.conditions,
            value=value,
            interval=interval,
            limit=speed.limit,
            unit=self._unit,
            better="lower" if speed.at_most is not None else "higher",
            repeats=n,
        )


def judge_integrity(target: str, figures: Measured, how: Circumstances) -> Item:
    """Return whether all that was written could be read back. Evidence that it came from memory decides nothing."""
    common: dict[str, Any] = {
        "id": "integrity",
        "group": "integrity",
        "target": target,
        "wanted": Phrase("handover.wants.integrity"),
        "unit": "1",
        "limit": 0.0,
    }
    count, reasons, passes = figures.integrity.get(target, (0.0, frozenset(), 0))
    if not passes or "integrity" in how.left_out:
        found, why = Phrase("handover.not-measured"), _no_pass(target, figures, how)
        return Item(**common, outcome=Outcome.UNDECIDED, found=found, why=why)
    found = Phrase("handover.corrupt", {"n": f"{count:.0f}"})
    common |= {"found": found, "value": count, "better": "lower", "repeats": passes}
    if count:
        return Item(**common, outcome=Outcome.FAIL)
    bad = tuple(sorted(reasons - _HARMLESS))
    if bad:
        why = Phrase("handover.why.evidence", {"n": 0, "least": 1, "reasons": bad})
        return Item(**common, outcome=Outcome.UNDECIDED, why=why)
    return Item(**common, outcome=Outcome.PASS)


def _no_pass(target: str, figures: Measured, how: Circumstances) -> Phrase:
    """Why there was no integrity pass."""
    mine = [error for (of, workload, _), error in figures.errors.items() if (of, workload) == (target, "verify")]
    if mine:
        return Phrase("handover.why.error", {"error": mine[0]})
    if "integrity" in how.left_out or (target, "verify") in {place[:2] for place in figures.left_out}:
        return Phrase("handover.why.time")
    return Phrase("handover.why.few", {"n": 0, "least": 1})
