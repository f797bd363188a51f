"""Where an emulated drive's own limit set the rate, a latency is how long the limit held requests back."""

from __future__ import annotations

from iobench.analysis.types import Comparison, Row
from iobench.model import THROTTLE_NEAR, Emulation


def throttled(comparison: Comparison, row: Row, drive: str) -> bool:
    """Return whether an emulated drive reached a limit of its own in the work of a row.

    Reads are held against the limits of reads and writes against those of writes, also where the row is
    of both.
    """
    emulation = next((d.emulation for d in comparison.drives if d.name == drive), None)
    if emulation is None:
        return False
    ways = ("read", "write") if row.op == "all" else (row.op,)
    twins = [other for other in comparison.rows if _twin(other, row) and other.op in ways and drive in other.targets]
    return any(_reached(emulation, other, other.targets[drive].median) for other in twins)


def _reached(emulation: Emulation, row: Row, rate: float) -> bool:
    limits = {
        ("read", "iops"): emulation.read_iops,
        ("write", "iops"): emulation.write_iops,
        ("read", "throughput"): emulation.read_bps,
        ("write", "throughput"): emulation.write_bps,
    }
    limit = limits.get((row.op, row.metric))
    return limit is not None and rate >= (1 - THROTTLE_NEAR) * limit


def _twin(other: Row, row: Row) -> bool:
    """Whether two rows are of one work, whatever their operation and metric."""
    return (other.workload, other.load, other.rate, other.params) == (row.workload, row.load, row.rate, row.params)
