"""Statistics of repeats: intervals of medians and of ratios, percentiles of merged latencies.

One rule makes every interval: the wider, at each end, of a bootstrap over rounds and of a t-interval of
the logarithms. The bootstrap alone claims too much of three rounds, the t-interval alone leans on a
normal spread; docs/method.md has the rates that were simulated.
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
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Interval = tuple[float, float]

RESAMPLES = 10_000
# A merged histogram has a thousand bins and more: past EXACT_ROUNDS fewer resamples keep it under 0.1 s.
HISTOGRAM_RESAMPLES = 2_000
# Up to here all resamples are counted (1,716 at seven rounds): exact, and faster than drawing them.
EXACT_ROUNDS = 7
SEED = 20110617
# Quantiles of Student's t at 97.5 %, for 1 to 30 degrees of freedom.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A quantity over its repeats: `values` one a round, `point` over all, `resampled` one a resample.

    All in the metric's base unit. The resamples are those of `resamples(n)`, so that two figures of the
    same rounds are resampled alike.
    """

    values: tuple[float, ...]
    rounds: tuple[int, ...]
    point: float
    resampled: Floats


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


def median_figure(values: Sequence[float], rounds: Sequence[int]) -> Figure:
    """Return the median of one value a round."""
    import numpy as np

    ordered = np.argsort(values, kind="stable")
    sorted_values = np.asarray(values, dtype=np.float64)[ordered]
    seen = resamples(len(values))[0][:, ordered].cumsum(axis=1)
    low = (seen > (len(values) - 1) // 2).argmax(axis=1)
    high = (seen > len(values) // 2).argmax(axis=1)
    resampled = (sorted_values[low] + sorted_values[high]) / 2
    return Figure(tuple(values), tuple(rounds), float(np.median(sorted_values)), resampled)


def mean_figure(means: Sequence[float], counts: Sequence[int], rounds: Sequence[int]) -> Figure:
    """Return the mean of all operations of all rounds: the sum of what they took, over their number."""
    import numpy as np

    total = np.asarray(means, dtype=np.float64) * counts
    times = resamples(len(means))[0]
    resampled = (times @ total) / (times @ np.asarray(counts, dtype=np.float64))
    return Figure(tuple(means), tuple(rounds), float(total.sum() / sum(counts)), resampled)


def greatest_figure(values: Sequence[float], rounds: Sequence[int]) -> Figure:
    """Return the greatest value of all rounds."""
    import numpy as np

    drawn = np.where(resamples(len(values))[0] > 0, np.asarray(values, dtype=np.float64), -np.inf)
    return Figure(tuple(values), tuple(rounds), max(values), drawn.max(axis=1))


def percentile_figures(
    bins: Sequence[latencies.Bins], values: Mapping[float, Sequence[float]], rounds: Sequence[int]
) -> dict[float, Figure]:
    """Return percentiles (0 to 100) of the rounds' merged latency bins, in seconds.

    `bins` are nanoseconds -> count, one a round; `values` has the percentiles that are wanted, with each
    round's own (they feed the t-interval, and are never averaged into the figure). Resampled rounds are
    merged before a percentile is read. Raises ResultsError where no round has an operation.
    """
    import numpy as np

    merged = latencies.merged(bins)
    edges = list(merged)
    place = {edge: index for index, edge in enumerate(edges)}
    table = np.zeros((len(bins), len(edges)))
    for row, part in enumerate(bins):
        table[row, [place[edge] for edge in part]] = list(part.values())
    times = resamples(len(bins))[0]
    times = times if len(bins) <= EXACT_ROUNDS else times[:HISTOGRAM_RESAMPLES]
    below = table.cumsum(axis=1)
    seconds = np.asarray(edges, dtype=np.float64) * 1e-9
    figures = {}
    for q, own in values.items():
        resampled = seconds[_reached(times, below, q)]
        figures[q] = Figure(tuple(own), tuple(rounds), latencies.percentile(merged, q), resampled)
    return figures


def _reached(times: Floats, below: Floats, q: float) -> NDArray[np.intp]:
    """Return for each resample (how often it has each round) the first bin by which q percent are reached.

    `below` are each round's counts, cumulated over the bins. Found by halving: a table of all resamples by all
    bins would be a thousand times as much to compute. A hair less than q, for rounding.
    """
    import numpy as np

    wanted = times @ below[:, -1] * (q / 100 * (1 - latencies.HAIR))
    low, high = np.zeros(len(times), dtype=np.intp), np.full(len(times), below.shape[1] - 1)
    by_bin = np.ascontiguousarray(below.T)
    for _ in range(below.shape[1].bit_length()):
        middle = (low + high) // 2
        enough = np.einsum("ij,ij->i", times, by_bin[middle]) >= wanted
        high = np.where(enough, middle, high)
        low = np.where(enough | (low >= high), low, middle + 1)
    return high


# --- intervals -----------------------------------------------------------------------------------------


def interval(figure: Figure) -> Interval | None:
    """Return a figure's 95 % interval, in its unit; None with fewer than two repeats."""
    n = len(figure.values)
    if n < 2:
        return None
    ends = quantiles(figure.resampled, resamples(n)[1])
    if min(figure.values) > 0:
        centre, half = _mean_and_half([math.log(value) for value in figure.values])
        return _hull(figure.point, ends, (_exp(centre - half), _exp(centre + half)))
    # Counts may be nought and have no logarithm; none of ours can be negative.
    centre, half = _mean_and_half(figure.values)
    low, high = _hull(figure.point, ends, (centre - half, centre + half))
    return (max(0.0, low), high) if min(figure.values) >= 0 else (low, high)


def ratio_ci(a: Figure, b: Figure) -> Interval | None:
    """Return the 95 % interval of a.point / b.point; None without two repeats of each, all above 0.

    Figures of the same rounds are paired: rounds are resampled, and drift that falls on both cancels.
    Otherwise (another campaign, a round that is missing) each is resampled by itself and Welch's
    t-interval is taken, which is wider.
    """
    if min(len(a.values), len(b.values)) < 2 or min(*a.values, *b.values) <= 0:
        return None
    if a.rounds == b.rounds and a.resampled.size == b.resampled.size:
        ends = quantiles(a.resampled / b.resampled, resamples(len(a.rounds))[1])
        logs = [math.log(x / y) for x, y in zip(a.values, b.values, strict=True)]
        centre, half = _mean_and_half(logs)
    else:
        ends = quantiles(drawn(a, 1) / drawn(b, 2), None)
        centre, half = _welch([math.log(x) for x in a.values], [math.log(y) for y in b.values])
    return _hull(a.point / b.point, ends, (_exp(centre - half), _exp(centre + half)))


def student_t(degrees: float) -> float:
    """Return Student's t at 97.5 %; part degrees of freedom are rounded down, which is the wider way."""
    whole = max(1, math.floor(degrees))
    return _T[whole - 1] if whole <= len(_T) else 1.96 + 2.4 / whole


def drawn(figure: Figure, stream: int) -> Floats:
    """Return seeded draws of a figure's resamples, independent between streams."""
    import numpy as np

    weights = resamples(len(figure.values))[1][: figure.resampled.size]
    rng = np.random.default_rng((SEED, stream))
    picks = rng.choice(figure.resampled.size, size=RESAMPLES, p=weights / weights.sum())
    return figure.resampled[picks]


def quantiles(values: Floats, weights: Floats | None) -> Interval:
    """Return the 2.5 % and 97.5 % quantiles of values, each with its weight or all alike."""
    import numpy as np

    order = np.argsort(values)
    if weights is None:
        reached = np.arange(1, values.size + 1) / values.size
    else:
        reached = weights[: values.size][order].cumsum()
        reached /= reached[-1]
    low, high = np.searchsorted(reached, (0.025 - 1e-12, 0.975 - 1e-12))
    return float(values[order[low]]), float(values[order[high]])


def _mean_and_half(values: Sequence[float]) -> Interval:
    """Return the mean and the half width of its t-interval."""
    n = len(values)
    return math.fsum(values) / n, student_t(n - 1) * math.sqrt(_variance(values) / n)


def _welch(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Return the difference of two means and the half width of Welch's t-interval."""
    parts = [(_variance(v) / len(v), len(v) - 1) for v in (a, b)]
    whole = sum(part for part, _ in parts)
    below = sum(part**2 / degrees for part, degrees in parts)
    degrees = whole**2 / below if below > 0 else 1.0
    return math.fsum(a) / len(a) - math.fsum(b) / len(b), student_t(degrees) * math.sqrt(whole)


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _exp(power: float) -> float:
    """Return e to a power, kept finite: two repeats that differ tenfold give an interval without an end."""
    return math.exp(min(700.0, max(-700.0, power)))


def _hull(point: float, one: Interval, other: Interval) -> Interval:
    """Return the interval that holds both, and the point itself."""
    return min(point, one[0], other[0]), max(point, one[1], other[1])
