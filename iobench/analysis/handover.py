"""Is this server what was ordered? Criteria judged by what was found and measured. Pure: figures in, outcomes out.

A criterion is met only when the whole interval is on its right side; between, it is not decided. A number whose
evidence fails decides nothing, and so does what is not known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from iobench.analysis import compare, stats, steady
from iobench.analysis.order import Fact, Order, Speed
from iobench.analysis.types import Estimate
from iobench.model import METRICS, Verdict
from iobench.results import CampaignFolder
from iobench.texts import Amount, Phrase, Told

LEAST_REPEATS = 3
MOST_REPEATS = 10
# A rate that a cap of ours set says nothing of a limit above it.
CAP_NEAR = 0.97
# What an integrity pass may be marked with: these speak of its speed, and what it read back came from the drive.
_HARMLESS = frozenset(
    {"too-short", "not-steady", "background-io", "client-bound", "depth-not-reached", "thermal", "lost-data"}
)


class Outcome(StrEnum):
    """What became of a criterion, and of the whole; the later, the worse, but for what was not asked for."""

    SKIPPED = "not-asked"
    PASS = "pass"
    UNDECIDED = "undecided"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Item:
    """A criterion with what came of it. `value`, `interval` and `limit` are in `unit`; None where there is none."""

    id: str
    group: str
    target: str
    outcome: Outcome
    wanted: Phrase
    found: Phrase
    why: Phrase | None = None
    source: str = ""
    conditions: str | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    limit: float | None = None
    unit: str | None = None
    better: str | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What the test did to a drive's health: a figure before and after."""

    target: str
    what: str
    unit: str | None
    before: float | str | bool | None
    after: float | str | bool | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a target's drive: `facts` by name (missing is not known), and notes on what is not, by group."""

    facts: Mapping[str, float | str | bool]
    notes: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of a campaign that are valid. `estimates` by target, workload, op, metric and load."""

    estimates: Mapping[tuple[str, str, str, str, int], Estimate]
    dropped: Mapping[tuple[str, str, str, str, int], Counter[str]]
    steady: Mapping[str, steady.Steady]
    errors: Mapping[tuple[str, str, int], str]
    integrity: Mapping[str, tuple[float, frozenset[str], int]]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the campaign was run, where it matters to a judgement."""

    look: str
    left_out: frozenset[str] = frozenset()
    max_rate: float | None = None
    most: int = MOST_REPEATS
    integrity: bool = True


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of the whole. Nothing that was judged is nothing that passed."""
    order = list(Outcome)
    found = max(outcomes, key=order.index, default=Outcome.UNDECIDED)
    return Outcome.UNDECIDED if found is Outcome.SKIPPED else found


# --- facts ---------------------------------------------------------------------------------------------


def judge_fact(fact: Fact, target: str, before: Known | None, after: Known | None) -> Item:
    """Return whether a drive is, and says of itself, what was ordered. What is not known is not decided."""
    known = after if fact.group == "health" and after is not None else before
    value = known.facts.get(fact.what) if known else None
    common: dict[str, Any] = {"id": fact.id, "group": fact.group, "target": target, "source": fact.source}
    wanted = _wanted_fact(fact)
    if fact.grows_at_most is not None:
        return _judge_growth(fact, target, before, after)
    if value is None:
        notes = known.notes.get(fact.group, "") if known else ""
        found = Phrase("handover.unknown", {"why": notes or Phrase("handover.no-source")})
        why = Phrase("handover.why.unknown")
        return Item(**common, outcome=Outcome.UNDECIDED, wanted=wanted, found=found, why=why)
    outcome = Outcome.PASS if _holds(fact, value) else Outcome.FAIL
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    limit = fact.at_least if fact.at_least is not None else fact.at_most
    return Item(
        **common,
        outcome=outcome,
        wanted=wanted,
        found=Phrase("handover.found", {"value": shown(value, fact.unit)}),
        conditions=fact.conditions,
        value=number,
        limit=limit if isinstance(limit, float) else None,
        unit=fact.unit,
        better=None if limit is None else "higher" if fact.at_least is not None else "lower",
    )


def _judge_growth(fact: Fact, target: str, before: Known | None, after: Known | None) -> Item:
    pair = [known.facts.get(fact.what) if known else None for known in (before, after)]
    common: dict[str, Any] = {
        "id": fact.id,
        "group": fact.group,
        "target": target,
        "source": fact.source,
        "unit": fact.unit,
    }
    wanted = _wanted_fact(fact)
    numbers = [float(v) for v in pair if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < 2:
        notes = after.notes.get(fact.group, "") if after else ""
        found = Phrase("handover.unknown", {"why": notes or Phrase("handover.no-source")})
        why = Phrase("handover.why.unknown")
        return Item(**common, outcome=Outcome.UNDECIDED, wanted=wanted, found=found, why=why)
    growth = numbers[1] - numbers[0]
    limit = fact.grows_at_most or 0.0
    figures = {"value": shown(growth, fact.unit), "a": shown(numbers[0], fact.unit), "b": shown(numbers[1], fact.unit)}
    return Item(
        **common,
        outcome=Outcome.PASS if growth <= limit else Outcome.FAIL,
        wanted=wanted,
        found=Phrase("handover.grew", figures),
        conditions=fact.conditions,
        value=growth,
        limit=limit,
        better="lower",
    )


def _holds(fact: Fact, value: float | str | bool) -> bool:
    if fact.matches is not None:
        return re.search(fact.matches, str(value)) is not None
    if fact.equals is not None:
        return value == fact.equals
    least, most = fact.at_least, fact.at_most
    if isinstance(value, str):
        # Firmware: 5.0.10 is later than 5.0.9.
        return version(value) >= version(str(least)) if least is not None else version(value) <= version(str(most))
    return value >= float(least) if least is not None else value <= float(most or 0)


def version(text: str) -> tuple[int, ...]:
    """Return the numbers in a version, to compare by."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def shown(value: float | str | bool, unit: str | None) -> str | Amount | Phrase:
    """Return a value as a figure of a phrase."""
    if isinstance(value, bool):
        return Phrase("handover.yes" if value else "handover.no")
    if isinstance(value, str):
        return value
    if unit in ("B", "B/s", "s", "1/s", "%"):
        return Amount(float(value), unit)
    return f"{value:g} {unit}" if unit and unit not in ("1", "flag") else f"{value:g}"


def _wanted_fact(fact: Fact) -> Phrase:
    what = Phrase(f"handover.what.{fact.what}")
    for test in ("matches", "equals", "at_least", "at_most", "grows_at_most"):
        value = getattr(fact, test)
        if value is not None:
            figures = {"what": what, "value": shown(value, fact.unit)}
            return Phrase(f"handover.wants.{test.replace('_', '-')}", figures)
    raise ValueError(f"{fact.id} has no test")


# --- figures -------------------------------------------------------------------------------------------


def measured(folder: CampaignFolder, errors: Mapping[str, str]) -> Measured:
    """Return the valid figures of a campaign. `errors` are the failed steps' sentences by id."""
    campaign = folder.campaign()
    failed = {
        (step.target, step.work.workload, step.work.load): errors[step.id]
        for step in campaign.steps
        if step.id in errors
    }
    estimates: dict[tuple[str, str, str, str, int], Estimate] = {}
    dropped: dict[tuple[str, str, str, str, int], Counter[str]] = {}
    integrity: dict[str, tuple[float, frozenset[str], int]] = {}
    rounds: dict[str, dict[int, float]] = {}
    if not folder.finished():
        return Measured(estimates, dropped, {}, failed, integrity)
    names = {(campaign.id, target): target for target in campaign.passports}
    stored = compare.read([folder], [campaign], names, {})
    for key, by_metric in stored.cells.items():
        valid: dict[str, dict[str, list[compare.Repeat]]] = {}
        for metric, of in by_metric.items():
            for target, repeats in of.items():
                place = (target, key.workload, key.op, metric, key.load)
                dropped[place] = Counter(r for each in repeats for r in each.reasons if each.verdict != Verdict.VALID)
                good = [each for each in repeats if each.verdict == Verdict.VALID]
                if good:
                    valid.setdefault(metric, {})[target] = good
                if metric in ("corrupt", "lost"):
                    _add_integrity(integrity, target, metric, repeats)
                if (key.workload, metric) == ("steady-write", "iops"):
                    rounds.setdefault(target, {}).update({each.round: each.value for each in repeats})
        for row in compare.rows_of(key, valid, None, compare.RESOLUTION):
            for target, estimate in row.targets.items():
                estimates[target, key.workload, key.op, row.metric, key.load] = estimate
    states = {name: steady.judge([of[number] for number in sorted(of)]) for name, of in rounds.items()}
    return Measured(estimates, dropped, states, failed, integrity)


def _add_integrity(
    found: dict[str, tuple[float, frozenset[str], int]], target: str, metric: str, repeats: Sequence[compare.Repeat]
) -> None:
    count, reasons, passes = found.get(target, (0.0, frozenset(), 0))
    count += sum(each.value for each in repeats)
    reasons |= {reason for each in repeats for reason in each.reasons}
    found[target] = count, reasons, passes + (len(repeats) if metric == "corrupt" else 0)


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
    value, interval = estimate.median, estimate.ci95
    if speed.of_best is not None:
        value, interval = share_of_best(speed, target, figures)
    outcome = decide(interval, speed.at_least if speed.at_most is None else None, speed.at_most, speed.of_best)
    if _capped(speed, how):
        return base.item(Outcome.UNDECIDED, base.found(value, interval, estimate.n), base.capped(how))
    why = None
    if outcome is Outcome.UNDECIDED:
        why = Phrase("handover.why.between", {"n": estimate.n})
    return base.item(outcome, base.found(value, interval, estimate.n), why, value, interval, estimate.n)


def _in_window(estimate: Estimate, state: steady.Steady) -> Estimate | None:
    """The figure of the rounds of the window: those before it are not of the steady state."""
    window = state.window
    if window is None:
        return None
    pairs = zip(estimate.values, estimate.rounds, strict=True)
    kept = [(value, round_) for value, round_ in pairs if window.first <= round_ <= window.last]
    if not kept:
        return None
    values, rounds = tuple(value for value, _ in kept), tuple(round_ for _, round_ in kept)
    figure = stats.median_figure(values, rounds)
    return Estimate(len(values), figure.point, stats.interval(figure), estimate.verdict, (), values, rounds)


def decide(
    interval: tuple[float, float], at_least: float | None, at_most: float | None, of_best: float | None = None
) -> Outcome:
    """Return pass where the whole interval is on the right side, fail where it is wholly on the wrong one."""
    low, high = interval
    least = at_least if at_least is not None else of_best
    if least is not None:
        return Outcome.PASS if low >= least else Outcome.FAIL if high < least else Outcome.UNDECIDED
    most = at_most if at_most is not None else 0.0
    return Outcome.PASS if high <= most else Outcome.FAIL if low > most else Outcome.UNDECIDED


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
    point = medians[speed.load].point / max(figure.point for figure in medians.values())
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


def _too_few(
    key: tuple[str, str, str, str, int], estimate: Estimate | None, dropped: Counter[str], figures: Measured
) -> tuple[Phrase, Phrase]:
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
    wanted = Phrase("handover.wants.integrity")
    common: dict[str, Any] = {
        "id": "integrity",
        "group": "integrity",
        "target": target,
        "wanted": wanted,
        "unit": "1",
        "limit": 0.0,
    }
    if "integrity" in how.left_out:
        why = Phrase("handover.why.time")
        return Item(**common, outcome=Outcome.UNDECIDED, found=Phrase("handover.not-measured"), why=why)
    count, reasons, passes = figures.integrity.get(target, (0.0, frozenset(), 0))
    if not passes:
        error = next(
            (e for (of, workload, _), e in figures.errors.items() if (of, workload) == (target, "verify")), None
        )
        why = (
            Phrase("handover.why.error", {"error": error})
            if error
            else Phrase("handover.why.few", {"n": 0, "least": 1})
        )
        return Item(**common, outcome=Outcome.UNDECIDED, found=Phrase("handover.not-measured"), why=why)
    found = Phrase("handover.corrupt", {"n": f"{count:.0f}"})
    common |= {"value": count, "better": "lower", "repeats": passes}
    if count:
        return Item(**common, outcome=Outcome.FAIL, found=found)
    bad = tuple(sorted(reasons - _HARMLESS))
    if bad:
        why = Phrase("handover.why.evidence", {"n": 0, "least": 1, "reasons": bad})
        return Item(**common, outcome=Outcome.UNDECIDED, found=found, why=why)
    return Item(**common, outcome=Outcome.PASS, found=found)


# --- the whole -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sheet:
    """A judged handover. `digest` is the hash of the results that it was judged by."""

    campaign: str
    profile: str
    title: str
    look: str
    outcome: Outcome
    items: tuple[Item, ...]
    changes: tuple[Change, ...]
    steady: Mapping[str, steady.Steady]
    digest: str
    left_out: Mapping[str, Told]
    prepared: Mapping[str, str]


def judge(
    order: Order,
    targets: Sequence[str],
    figures: Measured,
    drives: Mapping[str, tuple[Known | None, Known | None]],
    how: Circumstances,
) -> tuple[Item, ...]:
    """Return every criterion of an order on every target, with what came of it."""
    return tuple(_items(order, targets, figures, drives, how))


def _items(
    order: Order,
    targets: Sequence[str],
    figures: Measured,
    drives: Mapping[str, tuple[Known | None, Known | None]],
    how: Circumstances,
) -> Iterator[Item]:
    for target in targets:
        before, after = drives.get(target, (None, None))
        for fact in order.facts:
            yield judge_fact(fact, target, before, after)
        for speed in order.speeds:
            yield judge_speed(speed, target, figures, how)
        if how.integrity:
            yield judge_integrity(target, figures, how)


def changes(
    drives: Mapping[str, tuple[Known | None, Known | None]], units: Mapping[str, str | None]
) -> tuple[Change, ...]:
    """Return each health figure of each target before and after, where either is known."""
    found = []
    for target, (before, after) in drives.items():
        for what, unit in units.items():
            pair = [known.facts.get(what) if known else None for known in (before, after)]
            if any(value is not None for value in pair):
                found.append(Change(target, what, unit, pair[0], pair[1]))
    return tuple(found)
