"""Rows of a comparison: each metric of a work over the drives, with intervals, and ratios to a baseline.

Figures of one kind and of the same rounds are computed together (`stats`), whatever work and drive they are of.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from iobench import bins as latencies
from iobench.analysis import stats
from iobench.analysis.repeats import Repeat, Repeats, WorkKey, params_of
from iobench.analysis.types import Difference, Estimate, Ratio, Row
from iobench.model import METRICS, PERCENTILES, Verdict, worst

RESOLUTION = 0.02
# Resampled values that are computed at a time: some ten arrays of so many, each of which a processor's cache holds.
_AT_ONCE = 300_000


@dataclass(slots=True)
class _Cell:
    """A metric of a drive in one work, its repeats in rounds; then its figure, the `at`-th of those made together.

    `said` is there where it is a percentile of the repeats' merged latencies: what rounds say of themselves.
    """

    metric: str
    drive: str
    repeats: Sequence[Repeat]
    said: Mapping[int, float] | None = None
    figures: stats.Figure = field(init=False)
    at: int = field(init=False)
    estimate: Estimate = field(init=False)
    ratio: Ratio | None = None


def rows_of(
    works: Mapping[WorkKey, Repeats], base: str | None, resolution: float, metrics: Collection[str] = METRICS
) -> Iterator[Row]:
    """Return a row for each of the metrics of each work, with ratios to the drive `base`; `resolution` is a share."""
    for part in _parts(works):
        cells = {key: [c for c in _cells(repeats) if c.metric in metrics] for key, repeats in part.items()}
        together = [cell for of in cells.values() for cell in of]
        _compute(together)
        _estimate(together)
        _compare(cells.values(), base, resolution)
        for key, of in cells.items():
            yield from _rows(key, of)


def _parts(works: Mapping[WorkKey, Repeats]) -> Iterator[dict[WorkKey, Repeats]]:
    """Yield the works, so many at a time that their resamples fit into the memory."""
    part: dict[WorkKey, Repeats] = {}
    size = 0
    for key, repeats in works.items():
        part[key] = repeats
        lists = [each for of in repeats.values() for each in of.values()]
        size += (len(lists) + len(PERCENTILES)) * stats.resamples(max(map(len, lists), default=1))[1].size
        if size >= _AT_ONCE:
            yield part
            part, size = {}, 0
    if part:
        yield part


def _rows(key: WorkKey, cells: Sequence[_Cell]) -> Iterator[Row]:
    by_metric: dict[str, list[_Cell]] = defaultdict(list)
    for cell in cells:
        by_metric[cell.metric].append(cell)
    for metric in (known for known in METRICS if known in by_metric):
        of = by_metric[metric]
        yield Row(
            workload=key.workload,
            op=key.op,
            metric=metric,
            unit=METRICS[metric].unit,
            better=METRICS[metric].better,
            load=key.load,
            rate=key.rate,
            params=params_of(key.params),
            targets={cell.drive: cell.estimate for cell in of},
            ratios={cell.drive: cell.ratio for cell in of if cell.ratio is not None},
        )


# --- figures -------------------------------------------------------------------------------------------


def _cells(repeats: Repeats) -> Iterator[_Cell]:
    """Yield the metrics of each drive in one work.

    Where bins were kept, percentiles come from the bins of every round, also of one that was too short to
    have that percentile by itself; and each only where the sum has enough operations beyond it.
    """
    for drive in dict.fromkeys(drive for of in repeats.values() for drive in of):
        own = {
            metric: sorted(of[drive], key=lambda repeat: repeat.round) for metric, of in repeats.items() if drive in of
        }
        binned = max(([r for r in each if r.bins] for each in own.values()), key=len)
        for metric, each in own.items():
            if not binned or metric not in PERCENTILES:
                yield _Cell(metric, drive, each)
        operations = sum(r.bins.operations for r in binned if r.bins)
        for metric, q in PERCENTILES.items():
            if latencies.carries(operations, q):
                # A round's own value only feeds the interval: one of few operations makes it wider, as it should.
                yield _Cell(metric, drive, binned, {r.round: r.value for r in own.get(metric, ())})


def _compute(cells: Iterable[_Cell]) -> None:
    """Give each cell its figure: those of one kind and of the same rounds in one go."""
    alike: dict[tuple[str, tuple[int, ...]], list[_Cell]] = defaultdict(list)
    for cell in cells:
        alike[_kind(cell), tuple(repeat.round for repeat in cell.repeats)].append(cell)
    for (kind, rounds), group in alike.items():
        if kind == "percentile":
            _compute_percentiles(group, rounds)
            continue
        values = [[repeat.value for repeat in cell.repeats] for cell in group]
        if kind == "greatest":
            figures = stats.greatest_figure(values, rounds)
        elif kind == "mean":
            counts = [[r.bins.operations for r in cell.repeats if r.bins] for cell in group]
            figures = stats.mean_figure(values, counts, rounds)
        else:
            figures = stats.median_figure(values, rounds)
        for at, cell in enumerate(group):
            cell.figures, cell.at = figures, at


def _kind(cell: _Cell) -> str:
    if cell.said is not None:
        return "percentile"
    if cell.metric == "latency_max":
        return "greatest"
    return "mean" if cell.metric == "latency_mean" and all(r.bins for r in cell.repeats) else "median"


def _compute_percentiles(cells: Sequence[_Cell], rounds: tuple[int, ...]) -> None:
    """Give each cell its percentile; the percentiles of a drive in a work are of the same latencies, merged once."""
    latencies_of = {id(cell.repeats): cell.repeats for cell in cells}
    places = {known: at for at, known in enumerate(latencies_of)}
    asked = {PERCENTILES[cell.metric] for cell in cells}
    said = {q: [[math.nan] * len(rounds) for _ in places] for q in PERCENTILES.values() if q in asked}
    for cell in cells:
        cell.at = places[id(cell.repeats)]
        # A percentile of nought is none: the round had too few operations to tell.
        said[PERCENTILES[cell.metric]][cell.at] = [(cell.said or {}).get(round_) or math.nan for round_ in rounds]
    histograms = [[r.bins for r in repeats if r.bins] for repeats in latencies_of.values()]
    figures = stats.percentile_figures(histograms, said, rounds)
    for cell in cells:
        cell.figures = figures[PERCENTILES[cell.metric]]


def _estimate(cells: Iterable[_Cell]) -> None:
    """Give each cell its estimate."""
    made: dict[int, tuple[list[float], list[list[float]], list[list[float]]]] = {}
    for cell in cells:
        f = cell.figures
        if id(f) not in made:
            made[id(f)] = f.point.tolist(), stats.intervals(f).tolist(), f.values.tolist()
        points, ends, values = made[id(f)]
        cell.estimate = Estimate(
            n=len(f.rounds),
            median=points[cell.at],
            ci95=stats.as_interval(ends[cell.at]),
            verdict=worst({repeat.verdict for repeat in cell.repeats}),
            reasons=_reasons(cell.repeats),
            values=tuple(values[cell.at]),
            rounds=f.rounds,
        )


def _reasons(repeats: Iterable[Repeat]) -> tuple[str, ...]:
    reasons = [reason for repeat in repeats for reason in repeat.reasons]
    return tuple(reason for reason, _ in Counter(reasons).most_common()) if reasons else ()


# --- ratios --------------------------------------------------------------------------------------------


def _compare(works: Iterable[Sequence[_Cell]], base: str | None, resolution: float) -> None:
    """Give each cell its ratio to the baseline's; none where the baseline has no figure, or nought."""
    alike: dict[tuple[int, int], list[tuple[_Cell, _Cell]]] = defaultdict(list)
    for cells in works:
        bases = {cell.metric: cell for cell in cells if cell.drive == base and cell.estimate.median > 0}
        for cell in cells:
            if cell.drive != base and cell.metric in bases:
                to = bases[cell.metric]
                alike[id(cell.figures), id(to.figures)].append((cell, to))
    for pairs in alike.values():
        ends = stats.ratio_intervals(
            pairs[0][0].figures[[cell.at for cell, _ in pairs]], pairs[0][1].figures[[cell.at for _, cell in pairs]]
        )
        for (cell, other), found in zip(pairs, ends.tolist(), strict=True):
            ratio, interval = cell.estimate.median / other.estimate.median, stats.as_interval(found)
            sound = Verdict.INVALID not in (cell.estimate.verdict, other.estimate.verdict)
            cell.ratio = Ratio(ratio, interval, difference(ratio, interval if sound else None, resolution))


def difference(ratio: float, ends: stats.Interval | None, resolution: float) -> Difference:
    """Return whether a ratio shows a difference: its interval excludes 1, and it is beyond the resolution."""
    if ends is None or ends[0] <= 1 <= ends[1] or abs(ratio - 1) <= resolution:
        return Difference.NONE_SHOWN
    return Difference.HIGHER if ratio > 1 else Difference.LOWER
