"""Statistics of repeats: intervals of medians and of ratios, percentiles of merged latencies.

One rule makes every interval: the wider, at each end, of a bootstrap over rounds and of a t-interval of
the logarithms. The bootstrap alone claims too much of three rounds, the t-interval alone leans on a
normal spread; docs/method.md has the rates that were simulated.

All is computed along the last axis of arrays, the rounds or the resamples: so the thousands of figures of a
large campaign, where they are of the same rounds, are made in one go, and one figure by the same code.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from iobench import bins as latencies

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

Interval = tuple[float, float]

RESAMPLES = 10_000
# A merged histogram has a thousand bins and more: past EXACT_ROUNDS fewer resamples keep it under 0.1 s.
HISTOGRAM_RESAMPLES = 2_000
# Up to here all resamples are counted (1,716 at seven rounds): exact, and faster than drawing them.
EXACT_ROUNDS = 7
SEED = 20110617
ENDS = (0.025, 0.975)
# Quantiles of Student's t at 97.5 %, for 1 to 30 degrees of freedom.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A quantity over its repeats, or many such of the same rounds.

    `values` has one a round along its last axis, `resampled` one a resample, `point` is over all rounds; all in
    the metric's base unit. The resamples are those of `resamples(n)`, so that two figures of the same rounds
    are resampled alike.
    """

    values: Floats
    rounds: tuple[int, ...]
    point: Floats
    resampled: Floats

    def __getitem__(self, which: Sequence[int]) -> Figure:
        """Return some of many figures, by their places."""
        places = list(which)
        return Figure(self.values[places], self.rounds, self.point[places], self.resampled[places])


@cache
def resamples(n: int) -> tuple[Floats, Floats]:
    """Return how often each of n rounds is drawn in each resample (R x n), and each resample's weight (R).

    Every possible resample with its probability up to EXACT_ROUNDS, else RESAMPLES seeded draws.
    """
    import numpy as np

    if n > EXACT_ROUNDS:
        drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        return drawn.astype(np.float64), np.full(RESAMPLES, 1 / RESAMPLES)
    picks = itertools.combinations_with_replacement(range(n), n)
    times = [[pick.count(round_) for round_ in range(n)] for pick in picks]
    ways = [math.factorial(n) / math.prod(map(math.factorial, row)) for row in times]
    return np.array(times, dtype=np.float64), np.array(ways) / n**n


# --- figures -------------------------------------------------------------------------------------------


def median_figure(values: ArrayLike, rounds: Sequence[int]) -> Figure:
    """Return the median of one value a round."""
    import numpy as np

    values = np.asarray(values, dtype=np.float64)
    n = values.shape[-1]
    order = np.argsort(values, axis=-1, kind="stable")
    rising = np.take_along_axis(values, order, axis=-1)
    # Of each resample: how many of the rising values it has passed before it comes to the two in its middle.
    times = resamples(n)[0].T.astype(np.int16)
    seen = np.zeros((*values.shape[:-1], times.shape[1]), dtype=np.int16)
    low, high = np.zeros_like(seen), np.zeros_like(seen)
    for place in range(n - 1):
        seen += times[order[..., place]]
        low += seen <= (n - 1) // 2
        high += seen <= n // 2
    resampled = (np.take_along_axis(rising, low, axis=-1) + np.take_along_axis(rising, high, axis=-1)) / 2
    point = (rising[..., (n - 1) // 2] + rising[..., n // 2]) / 2
    return Figure(values, tuple(rounds), np.asarray(point), resampled)


def mean_figure(means: ArrayLike, counts: ArrayLike, rounds: Sequence[int]) -> Figure:
    """Return the mean of all operations of all rounds: the sum of what they took, over their number."""
    import numpy as np

    means, counts = np.asarray(means, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    total, times = means * counts, resamples(means.shape[-1])[0].T
    point = total.sum(axis=-1) / counts.sum(axis=-1)
    return Figure(means, tuple(rounds), np.asarray(point), (total @ times) / (counts @ times))


def greatest_figure(values: ArrayLike, rounds: Sequence[int]) -> Figure:
    """Return the greatest value of all rounds."""
    import numpy as np

    values = np.asarray(values, dtype=np.float64)
    drawn = resamples(values.shape[-1])[0].T > 0
    resampled = np.full((*values.shape[:-1], drawn.shape[1]), -np.inf)
    for place, where in enumerate(drawn):
        resampled = np.maximum(resampled, np.where(where, values[..., place, None], -np.inf))
    return Figure(values, tuple(rounds), np.asarray(values.max(axis=-1)), resampled)


def percentile_figures(
    histograms: Sequence[Sequence[latencies.Histogram]], said: Mapping[float, ArrayLike], rounds: Sequence[int]
) -> dict[float, Figure]:
    """Return percentiles (0 to 100) of merged latencies, in seconds, of many figures: a histogram a round each.

    `said` has the percentiles that are wanted, with what each round says of itself (NaN: nothing, then it is
    read from its histogram). That feeds the t-interval, and is never averaged into the figure. Resampled
    rounds are merged before a percentile is read. Every histogram has to hold an operation.
    """
    import numpy as np

    merged, n = _merged(histograms), len(rounds)
    times = resamples(n)[0] if n <= EXACT_ROUNDS else resamples(n)[0][:HISTOGRAM_RESAMPLES]
    alone, together = np.eye(n), np.ones((1, n))
    figures = {}
    for q, own in said.items():
        firsts = merged.reached(alone, q, merged.begin[:, None], merged.end[:, None])
        # Rounds together reach q percent no sooner than the first of them alone, and no later than the last.
        bounds = firsts.min(axis=1, keepdims=True), firsts.max(axis=1, keepdims=True)
        point, resampled = (merged.edges[merged.reached(of, q, *bounds)] * 1e-9 for of in (together, times))
        values = np.where(np.isnan(own), merged.edges[firsts] * 1e-9, own)
        figures[q] = Figure(values, tuple(rounds), point[:, 0], resampled)
    return figures


@dataclass(frozen=True, slots=True, eq=False)
class _Merged:
    """The bins of many figures, each merged over its rounds, one figure after the other.

    `below` has a row a round: how many operations of it, in this figure, lie in a bin or in those before it.
    `begin` and `end` are each figure's first and last bin.
    """

    edges: Floats
    below: Floats
    begin: Places
    end: Places

    def reached(self, times: Floats, q: float, low: Places, high: Places) -> Places:
        """Return of each figure, for each resample (how often it has each round), the first bin with q percent.

        It lies from `low` to `high`, and is found in strides, each half of the one before: a table of all resamples
        by all bins would be a thousand times as much to compute. A hair less than q, for rounding.
        """
        import numpy as np

        wanted = (self.below[:, self.end].T @ times.T) * (q / 100 * (1 - latencies.HAIR))
        at, high = np.broadcast_to(low, wanted.shape), np.broadcast_to(high, wanted.shape)
        seen, of_one = np.empty(wanted.shape), np.empty(wanted.shape)
        stride = 1 << int((high - at).max(initial=0)).bit_length()
        while stride := stride >> 1:
            last = np.minimum(at + (stride - 1), high)
            seen.fill(0)
            for below, drawn in zip(self.below, times.T, strict=True):
                # "clip" only spares take its own check and copy: no place is out of bounds.
                np.take(below, last, out=of_one, mode="clip")
                of_one *= drawn
                seen += of_one
            at = np.where(seen < wanted, np.minimum(at + stride, high), at)
        return at


def _merged(histograms: Sequence[Sequence[latencies.Histogram]]) -> _Merged:
    import numpy as np

    each, n = [part for parts in histograms for part in parts], len(histograms[0])
    edges, counts = (np.concatenate([getattr(part, name) for part in each]) for name in ("edges", "counts"))
    owner = np.repeat(np.arange(len(each)), [len(part.edges) for part in each])
    # One number for the figure and the edge in it: sorting that is five times as fast as sorting by both.
    bits = int(edges.max()).bit_length()
    key = ((owner // n) << bits) | edges
    order = np.argsort(key, kind="stable")
    key, owner = key[order], owner[order]
    new = np.concatenate(([True], key[1:] != key[:-1]))
    bins = key[new]
    table = np.zeros((n, len(bins)))
    table[owner % n, new.cumsum() - 1] = counts[order]
    begin = np.searchsorted(bins, np.arange(len(histograms)) << bits)
    end = np.append(begin[1:], len(bins)) - 1
    below = table.cumsum(axis=1)
    before = below[:, begin] - table[:, begin]
    below -= np.repeat(before, end - begin + 1, axis=1)
    return _Merged((bins & ((1 << bits) - 1)).astype(np.float64), below, begin, end)


# --- intervals -----------------------------------------------------------------------------------------


def interval(figure: Figure) -> Interval | None:
    """Return one figure's 95 % interval, in its unit; None with fewer than two repeats."""
    return as_interval(intervals(figure).tolist())


def ratio_ci(a: Figure, b: Figure) -> Interval | None:
    """Return the 95 % interval of a.point / b.point; None without two repeats of each, all above 0."""
    return as_interval(ratio_intervals(a, b).tolist())


def as_interval(ends: Sequence[float]) -> Interval | None:
    """Return two ends as an interval; None where they are NaN."""
    low, high = ends
    return None if math.isnan(low) else (low, high)


def intervals(figure: Figure) -> Floats:
    """Return 95 % intervals, in the figures' unit, low and high along the last axis; NaN of less than two repeats."""
    import numpy as np

    n = figure.values.shape[-1]
    if n < 2:
        return np.full((*figure.point.shape, 2), np.nan)
    least = figure.values.min(axis=-1)[..., None]
    by_logs = _exp(_t_interval(np.log(np.where(least > 0, figure.values, 1))))
    # Counts may be nought and have no logarithm; none of ours can be negative.
    plain = _t_interval(figure.values)
    plain = np.where(least >= 0, np.maximum(0, plain), plain)
    return _hull(figure.point, quantiles(figure.resampled, resamples(n)[1]), np.where(least > 0, by_logs, plain))


def ratio_intervals(a: Figure, b: Figure) -> Floats:
    """Return the 95 % intervals of a.point / b.point; NaN without two repeats of each, all above 0.

    Figures of the same rounds are paired: rounds are resampled, and drift that falls on both cancels.
    Otherwise (another campaign, a round that is missing) each is resampled by itself and Welch's
    t-interval is taken, which is wider.
    """
    import numpy as np

    sound = (a.values.min(axis=-1) > 0) & (b.values.min(axis=-1) > 0)
    if min(a.values.shape[-1], b.values.shape[-1]) < 2 or not sound.any():
        return np.full((*sound.shape, 2), np.nan)
    with np.errstate(all="ignore"):  # of those that are not sound
        if a.rounds == b.rounds and a.resampled.shape == b.resampled.shape:
            ends = quantiles(a.resampled / b.resampled, resamples(len(a.rounds))[1])
            logs = _t_interval(np.log(a.values / b.values))
        else:
            ends = quantiles(drawn(a, 1) / drawn(b, 2), None)
            logs = _welch(np.log(a.values), np.log(b.values))
        return np.where(sound[..., None], _hull(a.point / b.point, ends, _exp(logs)), np.nan)


def student_t(degrees: ArrayLike) -> Floats:
    """Return Student's t at 97.5 %; part degrees of freedom are rounded down, which is the wider way."""
    import numpy as np

    whole = np.maximum(1, np.floor(degrees))
    known = np.array(_T)[np.minimum(whole, len(_T)).astype(np.intp) - 1]
    return np.where(whole <= len(_T), known, 1.96 + 2.4 / whole)


def drawn(figure: Figure, stream: int) -> Floats:
    """Return seeded draws of a figure's resamples, independent between streams."""
    import numpy as np

    size = figure.resampled.shape[-1]
    weights = resamples(figure.values.shape[-1])[1][:size]
    rng = np.random.default_rng((SEED, stream))
    return figure.resampled[..., rng.choice(size, size=RESAMPLES, p=weights / weights.sum())]


def quantiles(values: Floats, weights: Floats | None) -> Floats:
    """Return the 2.5 % and 97.5 % quantiles of values along the last axis, each with its weight or all alike."""
    import numpy as np

    size, shares = values.shape[-1], [share - 1e-12 for share in ENDS]
    if weights is None or np.ptp(weights) == 0:
        places = [math.ceil(share * size) - 1 for share in shares]
        return np.partition(values, places, axis=-1)[..., places]
    order = np.argsort(values, axis=-1)
    reached = weights[order].cumsum(axis=-1)
    reached /= reached[..., -1:]
    at = np.stack([(reached < share).sum(axis=-1) for share in shares], axis=-1)
    return np.take_along_axis(values, np.take_along_axis(order, at, axis=-1), axis=-1)


def _t_interval(values: Floats) -> Floats:
    """Return the t-interval of a mean."""
    import numpy as np

    n = values.shape[-1]
    half = student_t(n - 1) * np.sqrt(values.var(axis=-1, ddof=1) / n)
    return _around(values.mean(axis=-1), half)


def _welch(a: Floats, b: Floats) -> Floats:
    """Return Welch's t-interval of the difference of two means."""
    import numpy as np

    parts = [(v.var(axis=-1, ddof=1) / v.shape[-1], v.shape[-1] - 1) for v in (a, b)]
    whole = sum(part for part, _ in parts)
    below = sum(part**2 / degrees for part, degrees in parts)
    degrees = np.where(below > 0, whole**2 / np.where(below > 0, below, 1), 1.0)
    return _around(a.mean(axis=-1) - b.mean(axis=-1), student_t(degrees) * np.sqrt(whole))


def _around(centre: Floats, half: Floats) -> Floats:
    import numpy as np

    return np.stack((centre - half, centre + half), axis=-1)


def _exp(power: Floats) -> Floats:
    """Return e to a power, kept finite: two repeats that differ tenfold give an interval without an end."""
    import numpy as np

    return np.exp(np.clip(power, -700, 700))


def _hull(point: Floats, one: Floats, other: Floats) -> Floats:
    """Return the intervals that hold both, and the point itself."""
    import numpy as np

    low = np.minimum(point, np.minimum(one[..., 0], other[..., 0]))
    high = np.maximum(point, np.maximum(one[..., 1], other[..., 1]))
    return np.stack((low, high), axis=-1)
