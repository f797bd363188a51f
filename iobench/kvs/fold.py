"""Raw nanoseconds folded into HDR histograms: outside of the load loop, in the process that started it."""

from __future__ import annotations

from typing import Any

from iobench.results import encode_bins

_DROPPED = 12  # bits of a float32's 23-bit mantissa: bins 2^-11 wide, finer than the histogram's three digits
_SLOTS = (0x7F800000 >> _DROPPED) + 1


class Histograms:
    """Counts by name, in bins as wide as a float's last digits: nanoseconds, 0.05 %."""

    def __init__(self) -> None:
        self._counts: dict[str, Any] = {}

    def add(self, name: str, raw: bytes, weight: int = 1) -> None:
        """Add a piece of unsigned 64-bit nanoseconds, each `weight` times."""
        import numpy as np

        if not weight:
            return
        slots = np.frombuffer(raw, dtype=np.uint64).astype(np.float32).view(np.uint32) >> _DROPPED
        where, counts = np.unique(slots, return_counts=True)
        total = self._counts.setdefault(name, np.zeros(_SLOTS, dtype=np.int64))
        total[where] += counts * weight

    def bins(self, name: str) -> dict[int, int]:
        """Return nanoseconds -> how often."""
        import numpy as np

        total = self._counts.get(name)
        if total is None:
            return {}
        filled = np.flatnonzero(total)
        # The middle of a bin stands for it.
        edges = ((filled.astype(np.uint32) << _DROPPED) | (1 << (_DROPPED - 1))).astype(np.uint32).view(np.float32)
        bins: dict[int, int] = {}
        for edge, count in zip(edges.tolist(), total[filled].tolist(), strict=True):
            bins[round(edge)] = bins.get(round(edge), 0) + count
        return bins

    def encoded(self) -> dict[str, str]:
        """Return all as encoded HDR histograms."""
        return {name: encode_bins(self.bins(name)) for name in sorted(self._counts)}
