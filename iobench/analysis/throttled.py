"""Where an emulated drive's own limit set the rate, a latency is how long the limit held requests back."""

from __future__ import annotations

from iobench.analysis.types import Comparison, Row

_NEAR = 0.97


def throttled(comparison: Comparison, row: Row, drive: str) -> bool:
    """Return whether the limit of operations of an emulated drive was reached in the work of a row."""
    emulation = next((d.emulation for d in comparison.drives if d.name == drive), None)
    if emulation is None:
        return False
    limits = {"read": emulation.read_iops, "write": emulation.write_iops}
    limit = limits.get(row.op) or min((v for v in limits.values() if v), default=None)
    rate = next((r.targets[drive].median for r in comparison.rows if _twin(r, row) and drive in r.targets), None)
    return limit is not None and rate is not None and rate >= _NEAR * limit


def _twin(other: Row, row: Row) -> bool:
    same = (other.workload, other.op, other.load, other.params) == (row.workload, row.op, row.load, row.params)
    return same and other.metric == "iops"
