"""Stability: whether a rate holds as the load rises. Claims and the report decide it here, and alike."""

from __future__ import annotations

from collections.abc import Sequence

from iobench.analysis import stats
from iobench.analysis.types import Estimate

# As the talk's claims have it: from so many outstanding up, the least rate over the greatest.
FROM_LOAD = 8
LEAST_OVER_MOST = 0.9


def least_over_most(estimates: Sequence[Estimate]) -> tuple[float, stats.Interval]:
    """Return the least of medians over the greatest, a share, and its 95 % bootstrap interval over rounds."""
    import numpy as np

    figures = [stats.median_figure(estimate.values, estimate.rounds) for estimate in estimates]
    points = [float(figure.point) for figure in figures]
    if max(points) <= 0:
        return 0.0, (0.0, 0.0)
    alike = all(figure.rounds == figures[0].rounds for figure in figures)
    drawn = [figure.resampled if alike else stats.drawn(figure, i) for i, figure in enumerate(figures)]
    table = np.stack(drawn)
    most = np.where(table.max(axis=0) > 0, table.max(axis=0), np.inf)
    weights = stats.resamples(len(figures[0].values))[1] if alike else None
    share = min(points) / max(points)
    low, high = stats.quantiles(table.min(axis=0) / most, weights)
    return share, (min(share, low), max(share, high))
