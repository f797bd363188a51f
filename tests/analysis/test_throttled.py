"""Which latencies are made by the limit that an emulated drive is set to."""

from __future__ import annotations

import pytest
from stored import Measured

from iobench.analysis.compare import compare
from iobench.analysis.throttled import throttled
from iobench.model import Emulation

MIXED = Emulation("a", read_iops=1000.0, write_iops=400.0)


def found(make_campaign, emulation, rates):
    """Return, by operation, whether the limit made the latency of a mixed work at these rates."""
    works = [
        Measured("a", {metric: [value] * 2, "latency_p99": [1e-3] * 2}, workload="rand-mixed", op=op)
        for op, metric, value in rates
    ]
    comparison = compare([make_campaign(*works, emulated={"a": emulation} if emulation else None)])
    rows = [row for row in comparison.rows if row.metric == "latency_p99"]
    return {row.op for row in rows if throttled(comparison, row, "a")}


@pytest.mark.parametrize(
    ("reads", "writes", "held"),
    [
        (980, 300, {"read", "all"}),
        (900, 390, {"write", "all"}),
        # Together they pass the limit of writes, and reads alone do too: neither is at a limit of its own.
        (600, 260, set()),
        (960, 380, set()),
        (971, 389, {"read", "write", "all"}),
    ],
)
def test_each_direction_has_its_own_limit(make_campaign, reads, writes, held):
    rates = [("read", "iops", reads), ("write", "iops", writes), ("all", "iops", reads + writes)]
    assert found(make_campaign, MIXED, rates) == held


def test_reads_are_not_held_by_a_limit_of_writes(make_campaign):
    rates = [("read", "iops", 900), ("write", "iops", 100), ("all", "iops", 1000)]
    assert found(make_campaign, Emulation("a", write_iops=400.0), rates) == set()


def test_a_limit_of_bytes_holds_too(make_campaign):
    rates = [("read", "throughput", 99e6)]
    assert found(make_campaign, Emulation("a", read_bps=100e6), rates) == {"read"}


def test_a_real_drive_has_no_limit(make_campaign):
    assert found(make_campaign, None, [("read", "iops", 1000)]) == set()
