"""The 5-second rule: which share of pages is done in time when each needs so many requests, from measured latencies.

A page's requests follow each other, each latency drawn from what was measured at the load that as many pages
a second put on the drive. Draws are seeded: the same results give the same shares.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iobench.bins import Bins
from iobench.errors import UsageError, near_miss

PAGES = 100_000
MOST_REQUESTS = 1000
APART = 0.02  # loads nearer to each other, relatively, are one line
_SEED = 20110617
_CHUNK = 2_000_000  # draws at once


def parse(text: str, workloads: Sequence[str]) -> dict[str, int]:
    """Return how many requests of each workload a page needs, from `oltp=3 kvs=20`. Raises UsageError."""
    found: dict[str, int] = {}
    for part in text.replace(",", " ").split():
        match = re.fullmatch(r"([\w-]+)=([0-9]{1,6})", part, re.ASCII)
        if match is None:
            raise UsageError(f"--page: {part!r} is not WORKLOAD=REQUESTS, as in 'oltp=3 kvs=20'")
        if match[1] not in workloads:
            raise UsageError(f"--page: no latency is measured of {match[1]!r}; {near_miss(match[1], workloads)}")
        if match[1] in found or not 1 <= int(match[2]) <= MOST_REQUESTS:
            raise UsageError(f"--page: {part!r}: each workload once, with 1 to {MOST_REQUESTS} requests")
        found[match[1]] = int(match[2])
    if not found:
        raise UsageError("--page names no request; write it as 'oltp=3 kvs=20'")
    return found


@dataclass(frozen=True, slots=True)
class Measured:
    """A load at which a workload was measured: what it did (1/s), and its latencies (nanoseconds -> count)."""

    rate: float
    bins: Bins


@dataclass(frozen=True, slots=True)
class PageLoad:
    """Pages at a rate (1/s): the share that is done in time, and the 99th percentile of a page's time (seconds).

    `rates` are the loads whose latencies were taken, by workload.
    """

    pages: float
    share: float
    p99: float
    rates: Mapping[str, float]


def shares(page: Mapping[str, int], measured: Mapping[str, Sequence[Measured]], seconds: float) -> list[PageLoad]:
    """Return the pages at each load that every workload of the page was measured at, rising.

    A page rate takes of each workload the lowest load that was measured at or above what it needs: the
    latencies are those of more load, never of less. Empty where a workload was not measured.
    """
    if not all(measured.get(workload) for workload in page):
        return []
    reach = min(max(m.rate for m in measured[w]) / count for w, count in page.items())
    rates = _apart(
        sorted({m.rate / count for w, count in page.items() for m in measured[w] if m.rate / count <= reach})
    )
    found: list[PageLoad] = []
    for pages in rates:
        chosen = {w: _at(measured[w], pages * count) for w, count in page.items()}
        share, p99 = _time([(chosen[w].bins, count) for w, count in page.items()], seconds)
        found.append(PageLoad(pages, share, p99, {w: one.rate for w, one in chosen.items()}))
    return found


def _apart(rates: Sequence[float]) -> list[float]:
    """Leave out what lies nearer than APART to the next one up: a search has many points about its end."""
    return [rate for rate, after in zip(rates, [*rates[1:], math.inf], strict=True) if after >= rate * (1 + APART)]


def _at(measured: Sequence[Measured], rate: float) -> Measured:
    return min((m for m in measured if m.rate >= rate * (1 - 1e-9)), key=lambda m: m.rate)


def _time(parts: Sequence[tuple[Bins, int]], seconds: float) -> tuple[float, float]:
    """Return the share of drawn pages within a time, and their 99th percentile."""
    import numpy as np

    rng = np.random.default_rng(_SEED)
    total = np.zeros(PAGES)
    for bins, count in parts:
        edges = np.asarray(sorted(bins), dtype=np.float64) * 1e-9
        weights = np.asarray([bins[edge] for edge in sorted(bins)], dtype=np.float64)
        shares_ = weights / weights.sum()
        step = max(1, _CHUNK // PAGES)
        for begin in range(0, count, step):
            n = min(step, count - begin)
            total += rng.choice(edges, size=(PAGES, n), p=shares_).sum(axis=1)
    within = float((total <= seconds).mean())
    return within, float(np.quantile(total, 0.99, method="higher")) if math.isfinite(total.max()) else math.inf
