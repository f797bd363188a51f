"""A comparison's figures against a slow reference: every resample drawn and merged one after the other, from the rules.

docs/method.md has the rules. Nothing here is taken from the code that is tested but the seeds, and the sum of bins
that `bins` tests by itself.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from iobench import bins
from iobench.analysis import stats
from iobench.analysis.repeats import Repeat, WorkKey
from iobench.analysis.rows import rows_of
from iobench.analysis.types import Row
from iobench.bins import Histogram
from iobench.model import PERCENTILES, Verdict

Of = Callable[[Sequence[int]], float]  # the figure of the rounds at these places, a round as often as it is there


def _resampled(n: int, most: int) -> list[tuple[float, tuple[int, ...]]]:
    """Which rounds are drawn in each resample, with its weight: all there are up to seven rounds, else seeded ones."""
    if n <= 7:
        drawn = list(itertools.combinations_with_replacement(range(n), n))
        return [(math.factorial(n) / math.prod(math.factorial(d.count(i)) for i in set(d)), d) for d in drawn]
    times = np.random.default_rng(stats.SEED).multinomial(n, np.full(n, 1 / n), size=10_000)[:most]
    return [(1.0, tuple(np.repeat(range(n), row).tolist())) for row in times]


def _quantiles(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    found, reached, whole = [], 0.0, math.fsum(weights)
    shares = [0.025 - 1e-12, 0.975 - 1e-12]
    for value, weight in sorted(zip(values, weights, strict=True)):
        reached += weight / whole
        while shares and reached >= shares[0]:
            found.append(value)
            shares.pop(0)
    return found[0], found[1]


def _t_interval(values: Sequence[float]) -> tuple[float, float]:
    half = float(stats.student_t(len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - half, statistics.fmean(values) + half


class Reference:
    """One figure: its rounds, their own values, and how it is made of some of them."""

    def __init__(self, rounds: Sequence[int], values: Sequence[float], of: Of, most: int = 10_000) -> None:
        self.rounds, self.values, self.of = tuple(rounds), list(values), of
        self.point = of(range(len(values)))
        drawn = _resampled(len(values), most)
        self.weights = [weight for weight, _ in drawn]
        self.resampled = [of(places) for _, places in drawn]

    def interval(self) -> tuple[float, float] | None:
        if len(self.values) < 2:
            return None
        ends = _quantiles(self.resampled, self.weights)
        if min(self.values) > 0:
            by_t = tuple(map(math.exp, _t_interval([math.log(value) for value in self.values])))
        else:
            by_t = tuple(max(0.0, end) for end in _t_interval(self.values))
        return min(self.point, ends[0], by_t[0]), max(self.point, ends[1], by_t[1])

    def ratio(self, to: Reference) -> tuple[float, float] | None:
        if min(len(self.values), len(to.values)) < 2 or min(*self.values, *to.values) <= 0:
            return None
        if self.rounds == to.rounds and len(self.resampled) == len(to.resampled):
            ends = _quantiles([a / b for a, b in zip(self.resampled, to.resampled, strict=True)], self.weights)
            by_t = _t_interval([math.log(a / b) for a, b in zip(self.values, to.values, strict=True)])
        else:
            mine, other = self._drawn(1), to._drawn(2)
            ends = _quantiles([a / b for a, b in zip(mine, other, strict=True)], [1.0] * len(mine))
            by_t = _welch([math.log(v) for v in self.values], [math.log(v) for v in to.values])
        point = self.point / to.point
        return min(point, ends[0], math.exp(by_t[0])), max(point, ends[1], math.exp(by_t[1]))

    def _drawn(self, stream: int) -> list[float]:
        weights = np.array(self.weights) / sum(self.weights)
        picks = np.random.default_rng((stats.SEED, stream)).choice(len(weights), size=10_000, p=weights)
        return [self.resampled[pick] for pick in picks]


def _welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    one, other = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    degrees = (one + other) ** 2 / (one**2 / (len(a) - 1) + other**2 / (len(b) - 1))
    half = float(stats.student_t(degrees)) * math.sqrt(one + other)
    return statistics.fmean(a) - statistics.fmean(b) - half, statistics.fmean(a) - statistics.fmean(b) + half


def _references(by_metric: dict[str, list[Repeat]], kept: dict[int, dict[int, int]]) -> dict[str, Reference]:
    """The figures of a drive in a work; `kept` are its latencies by round."""
    found = {}
    for metric, repeats in by_metric.items():
        values = [r.value for r in repeats]
        of: Of = lambda places, v=values: statistics.median([v[i] for i in places])  # type: ignore[misc] # noqa: E731
        if metric == "latency_max":
            of = lambda places, v=values: max(v[i] for i in places)  # type: ignore[misc] # noqa: E731
        if metric == "latency_mean" and kept:
            counts = [sum(kept[r.round].values()) for r in repeats]
            of = lambda places, v=values, c=counts: (  # type: ignore[misc] # noqa: E731
                math.fsum(v[i] * c[i] for i in places) / sum(c[i] for i in places)
            )
        if not (kept and metric in PERCENTILES):
            found[metric] = Reference([r.round for r in repeats], values, of)
    parts = [kept[round_] for round_ in sorted(kept)]
    together = functools.cache(lambda places: bins.merged(parts[i] for i in places))
    for metric, q in PERCENTILES.items():
        if not bins.carries(sum(sum(part.values()) for part in parts), q):
            continue
        said = {r.round: r.value for r in by_metric.get(metric, ())}
        own = [said.get(round_) or bins.percentile(kept[round_], q) for round_ in sorted(kept)]
        merged: Of = lambda places, q=q: bins.percentile(together(tuple(places)), q)  # type: ignore[misc] # noqa: E731
        found[metric] = Reference(sorted(kept), own, merged, most=2_000)
    return found


def _made(
    chance: random.Random, n: int
) -> tuple[dict[str, dict[str, list[Repeat]]], dict[str, dict[int, dict[int, int]]]]:
    """A work on three drives: one without latencies, one that may lack its last round."""
    repeats: dict[str, dict[str, list[Repeat]]] = {}
    kept: dict[str, dict[int, dict[int, int]]] = {}
    for drive, speed in (("a", 3.0), ("b", 1.0), ("c", 1.2)):
        rounds = range(1, n + (chance.random() < 0.7 or drive != "b"))
        kept[drive] = {}
        for round_ in rounds:
            rate = 1e4 * speed * chance.lognormvariate(0, 0.05)
            parts = {int(chance.lognormvariate(13, 0.4)): chance.randint(1, 900) for _ in range(15)}
            if drive != "c":
                kept[drive][round_] = parts
            values = {
                "iops": rate,
                "latency_mean": 64 / rate,
                "latency_max": 640 / rate * chance.random(),
                "errors": chance.choice((0.0, 0.0, 2.0)),
                "latency_p99": bins.percentile(parts, 99) * 1.003,
            }
            if chance.random() < 0.3 and round_ > 1:
                del values["latency_p99"]
            histogram = Histogram.of(parts) if drive != "c" else None
            for metric, value in values.items():
                repeat = Repeat(round_, value, Verdict.VALID, (), histogram)
                repeats.setdefault(metric, {}).setdefault(drive, []).append(repeat)
    return repeats, kept


def _check(row: Row, references: dict[str, dict[str, Reference]]) -> None:
    same = lambda ends: None if ends is None else pytest.approx(ends, rel=1e-12, abs=1e-12)  # noqa: E731
    for drive, estimate in row.targets.items():
        reference = references[drive][row.metric]
        assert (estimate.rounds, estimate.values) == (reference.rounds, pytest.approx(reference.values, rel=1e-12))
        assert estimate.median == pytest.approx(reference.point, rel=1e-12)
        assert estimate.ci95 == same(reference.interval())
    base = references["b"].get(row.metric)
    assert set(row.ratios) == (set(row.targets) - {"b"} if base and base.point > 0 else set())
    for drive, ratio in row.ratios.items():
        assert base is not None
        assert ratio.ratio == pytest.approx(references[drive][row.metric].point / base.point, rel=1e-12)
        assert ratio.ci95 == same(references[drive][row.metric].ratio(base))


@pytest.mark.parametrize("rounds", [(1, 2, 2, 3, 3, 3, 4, 5), (9,)])
def test_figures_made_together_are_those_made_one_by_one(rounds: tuple[int, ...]) -> None:
    chance = random.Random(len(rounds))
    works, references = {}, {}
    for load, n in enumerate(rounds):
        key = WorkKey("rand-read", load, None, "{}", "read")
        works[key], kept = _made(chance, n)
        by_drive = {d: {m: of[d] for m, of in works[key].items() if d in of} for d in kept}
        references[load] = {drive: _references(own, kept[drive]) for drive, own in by_drive.items()}
    rows = list(rows_of(works, "b", 0.02))
    shown = {(row.load, row.metric, drive) for row in rows for drive in row.targets}
    assert shown == {(load, m, d) for load, of in references.items() for d, own in of.items() for m in own}
    for row in rows:
        _check(row, references[row.load])


def test_works_are_the_same_however_many_are_computed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(4)
    works = {WorkKey("rand-read", load, None, "{}", "read"): _made(chance, 3)[0] for load in range(6)}
    whole = list(rows_of(works, "b", 0.02))
    monkeypatch.setattr("iobench.analysis.rows._AT_ONCE", 1)
    assert list(rows_of(works, "b", 0.02)) == whole
