"""Latency bins (nanoseconds -> how often): merged, and percentiles of them. Percentiles are never averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from iobench.errors import ResultsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Bins = Mapping[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Bins as arrays, for sums over thousands of them: edges in nanoseconds, rising, and how often each (above 0)."""

    edges: NDArray[np.int64]
    counts: NDArray[np.int64]
    operations: int  # all of them

    @classmethod
    def of(cls, bins: Bins) -> Histogram:
        """Return bins as arrays, those that hold nothing left out."""
        import numpy as np

        filled = sorted(edge for edge, count in bins.items() if count > 0)
        counts = [bins[edge] for edge in filled]
        return cls(np.array(filled, dtype=np.int64), np.array(counts, dtype=np.int64), sum(counts))


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
