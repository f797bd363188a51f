"""Where an emulated drive's own limit set the rate, a latency is how long the limit held requests back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iobench.analysis.types import Comparison, DriveSummary, Limited, Row
from iobench.model import THROTTLE_NEAR, Emulation, canonical

LIMITED = frozenset({"iops", "throughput"})  # what an emulated drive is limited in


def limited(rows: Iterable[Row], drives: Iterable[DriveSummary]) -> frozenset[Limited]:
    """Return where emulated drives reached a limit of their own.

    Reads are held against the limits of reads and writes against those of writes; a row of both is at a limit
    where either is.
    """
    emulated = {drive.name: drive.emulation for drive in drives if drive.emulation is not None}
    return frozenset(place for row in rows if row.metric in LIMITED and emulated for place in _places(row, emulated))


def throttled(comparison: Comparison, row: Row, drive: str) -> bool:
    """Return whether an emulated drive reached a limit of its own in the work of a row."""
    return bool(comparison.limited) and _limited(row, row.op, drive) in comparison.limited


def _places(row: Row, emulated: dict[str, Emulation]) -> Iterator[Limited]:
    for drive, estimate in row.targets.items():
        if drive in emulated and _reached(emulated[drive], row, estimate.median):
            yield from (_limited(row, op, drive) for op in (row.op, "all"))


def _limited(row: Row, op: str, drive: str) -> Limited:
    return row.workload, row.load, row.rate, canonical(row.params), op, drive


def _reached(emulation: Emulation, row: Row, rate: float) -> bool:
    limits = {
        ("read", "iops"): emulation.read_iops,
        ("write", "iops"): emulation.write_iops,
        ("read", "throughput"): emulation.read_bps,
        ("write", "throughput"): emulation.write_bps,
    }
    limit = limits.get((row.op, row.metric))
    return limit is not None and rate >= (1 - THROTTLE_NEAR) * limit
