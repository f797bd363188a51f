"""Latency bins (nanoseconds -> how often): merged, and percentiles of them. Percentiles are never averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate

from iobench.errors import ResultsError

Bins = Mapping[int, int]

# A percentile with fewer operations beyond it is the maximum by another name.
LEAST_BEYOND = 5
# How far, relatively, a count may lack of the share that is asked: 99.9 % of 1000 is a hair over 999.
HAIR = 1e-12


def merged(parts: Iterable[Bins]) -> dict[int, int]:
    """Return the sum of bins, in order of latency."""
    total: dict[int, int] = {}
    for part in parts:
        for edge, count in part.items():
            total[edge] = total.get(edge, 0) + count
    return dict(sorted(total.items()))


def carries(operations: int, q: float) -> bool:
    """Return whether a number of operations is enough for a percentile (0 to 100); the median takes any."""
    return operations > 0 and (q <= 50 or operations * (100 - q) >= 100 * LEAST_BEYOND - 1e-6)


def percentile(bins: Bins, q: float) -> float:
    """Return a percentile (0 to 100), in seconds: the first bin by which q percent of operations were done.

    Raises ResultsError where there is no operation.
    """
    total = sum(bins.values())
    if total <= 0:
        raise ResultsError(
            "a latency histogram holds no operation, so it has no percentile; run the step again for longer"
        )
    wanted, edges = total * (q / 100 * (1 - HAIR)), sorted(bins)
    done = accumulate(bins[edge] for edge in edges)
    return next(edge for edge, seen in zip(edges, done, strict=True) if seen >= wanted) / 1e9
