"""Are equal drives told apart? Resamples rounds into pairs of equal drives and compares them as `compare` does.

With --results, rounds come from stored campaigns: each comparison draws two sets of rounds of one drive and
one work, so that both sides are the same drive. Without, from a seeded model of the spreads that were met.
A second pass makes one side 1.1 times as fast. Exit code 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iobench.analysis.repeats import Repeat, WorkKey, read
from iobench.analysis.rows import RESOLUTION, rows_of
from iobench.analysis.types import Difference, Row
from iobench.bins import Histogram
from iobench.errors import IobenchError
from iobench.model import METRICS, Better, Verdict
from iobench.results import Store

Round = Mapping[str, Repeat]  # the numbers of one step, by metric
Draw = Callable[[np.random.Generator, int], tuple[list[Round], list[Round]]]

MOST_CLAIMED = 0.05
LEAST_FOUND = 0.95
FASTER = 1.1
RATES = ("throughput", "iops", "elapsed")
# Spreads (CV) of single repeats: a throttled drive, a quiet real one, a busy one, a virtual machine.
MODEL_CVS = (0.001, 0.01, 0.02, 0.063)
MODEL_DRIFT = 0.03
# Five rounds cannot show a tenth where single repeats differ by more than this: docs/method.md.
FINDABLE_CV = 0.02


@dataclass(frozen=True)
class Source:
    """Where equal pairs come from. `findable`: its spread is small enough for a tenth to be found."""

    name: str
    key: WorkKey
    draw: Draw
    findable: bool


def main() -> int:
    """Run both passes, print the rates, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="a results folder with campaigns of 5 rounds or more")
    parser.add_argument("--n", type=int, default=200, help="comparisons in each pass")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="80 comparisons, for CI")
    options = parser.parse_args()
    options.n = min(options.n, 80) if options.short else options.n
    try:
        sources = list(_stored(options.results) if options.results else _model())
    except IobenchError as error:
        sys.exit(f"equals: {error}")
    if not sources:
        sys.exit(f"equals: no drive in {options.results} has 5 valid rounds of one work; run with --repeats 5 or more")
    equal = _pass(sources, options.n, options.rounds, options.seed, 1.0)
    faster = _pass(sources, options.n, options.rounds, options.seed, FASTER)
    return _report(sources, equal, faster, options.rounds)


# --- where rounds come from ----------------------------------------------------------------------------


def _stored(results: Path) -> Iterator[Source]:
    store = Store(results)
    folders = [store.open(name) for name in store.ids()]
    campaigns = [folder.campaign() for folder in folders]
    names = {
        (campaign.id, target): f"{target} ({campaign.id})" for campaign in campaigns for target in campaign.passports
    }
    data = read(folders, campaigns, names, {})
    for key, by_metric in data.works.items():
        for drive in data.drives:
            rounds = _valid_rounds({metric: of.get(drive, []) for metric, of in by_metric.items()})
            if len(rounds) >= 5:
                cv = max((_spread([r[m].value for r in rounds]) for m in RATES if m in rounds[0]), default=1.0)
                name = f"{key.workload} load {key.load} {key.op} {drive} ({len(rounds)} rounds, CV {cv:.2%})"
                yield Source(name, key, _resampled(rounds), cv <= FINDABLE_CV)


def _valid_rounds(by_metric: Mapping[str, Sequence[Repeat]]) -> list[Round]:
    found: dict[int, dict[str, Repeat]] = defaultdict(dict)
    for metric, repeats in by_metric.items():
        for repeat in repeats:
            if repeat.verdict is Verdict.VALID and repeat.value > 0:
                found[repeat.round][metric] = repeat
    most = max(map(len, found.values()), default=0)
    return [round_ for round_ in found.values() if len(round_) == most]


def _spread(values: Sequence[float]) -> float:
    return float(np.std(np.log(values), ddof=1))


def _resampled(rounds: Sequence[Round]) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[list[Round], list[Round]]:
        a, b = rng.integers(0, len(rounds), (2, n))
        return [rounds[i] for i in a], [rounds[i] for i in b]

    return draw


def _model() -> Iterator[Source]:
    key = WorkKey("seq-read", 8, None, "{}", "read")
    for cv in MODEL_CVS:
        yield Source(f"model: CV {cv:.1%}, drift {MODEL_DRIFT:.0%}", key, _modelled(cv), cv <= FINDABLE_CV)


def _modelled(cv: float) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[list[Round], list[Round]]:
        drift = rng.normal(0, MODEL_DRIFT, n)
        a, b = np.exp(drift + rng.normal(0, cv, (2, n))) * 1e8
        return _rates(a.tolist()), _rates(b.tolist())

    return draw


def _rates(values: Sequence[float]) -> list[Round]:
    return [{"throughput": Repeat(0, value, Verdict.VALID, (), None)} for value in values]


# --- comparing -----------------------------------------------------------------------------------------


def _pass(
    sources: Sequence[Source], comparisons: int, rounds: int, seed: int, times: float
) -> dict[tuple[int, str], list[bool]]:
    """Return, by source and metric, whether each comparison showed a difference."""
    rng = np.random.default_rng(seed)
    shown: dict[tuple[int, str], list[bool]] = defaultdict(list)
    for i in range(comparisons):
        source = sources[i % len(sources)]
        a, b = source.draw(rng, rounds)
        for row in _compared(source.key, [_sped(one, times) for one in a], b):
            if ratio := row.ratios.get("a"):  # a percentile may stand on enough operations on one side only
                shown[i % len(sources), row.metric].append(ratio.difference is not Difference.NONE_SHOWN)
    return shown


def _compared(key: WorkKey, a: Sequence[Round], b: Sequence[Round]) -> Iterator[Row]:
    by_metric = {
        metric: {name: [r[metric]._replace(round=n) for n, r in enumerate(of)] for name, of in (("a", a), ("b", b))}
        for metric in a[0]
    }
    return rows_of({key: by_metric}, "b", RESOLUTION)


def _sped(one: Round, times: float) -> Round:
    """Return the round of a drive so many times as fast: rates rise, times fall, latency bins move down."""
    return {
        metric: repeat._replace(
            value=repeat.value * (times if METRICS[metric].better is Better.HIGHER else 1 / times),
            bins=_moved(repeat.bins, times) if repeat.bins else None,
        )
        for metric, repeat in one.items()
    }


def _moved(bins: Histogram, times: float) -> Histogram:
    moved: Counter[int] = Counter()
    for edge, count in zip(bins.edges.tolist(), bins.counts.tolist(), strict=True):
        moved[round(edge / times)] += count
    return Histogram.of(moved)


def _report(
    sources: Sequence[Source],
    equal: Mapping[tuple[int, str], list[bool]],
    faster: Mapping[tuple[int, str], list[bool]],
    rounds: int,
) -> int:
    print(f"{rounds} rounds a side, resolution {RESOLUTION:.0%}\n")
    print("| rounds of | metric | comparisons | equals told apart | 1.1 times as fast found |\n|---|---|---|---|---|")
    for (i, metric), shown in sorted(equal.items()):
        found = faster[i, metric]
        print(f"| {sources[i].name} | {metric} | {len(shown)} | {_rate(shown)} | {_rate(found)} |")
    told = [one for shown in equal.values() for one in shown]
    found = [one for (i, metric), shown in faster.items() if sources[i].findable and metric in RATES for one in shown]
    print(f"\nequals told apart: {_rate(told)} of rows (limit {MOST_CLAIMED:.0%})")
    print(f"1.1 times as fast found: {_rate(found)} of rates whose CV is at most {FINDABLE_CV:.0%} (limit 95%)")
    good = np.mean(told) <= MOST_CLAIMED and (not found or np.mean(found) >= LEAST_FOUND)
    return 0 if good else 1


def _rate(shown: Sequence[bool]) -> str:
    return f"{sum(shown)}/{len(shown)} ({np.mean(shown):.1%})" if shown else f"0/0 ({math.nan})"


if __name__ == "__main__":
    sys.exit(main())
