"""Comparisons made by hand: invented figures, to see how the report draws and says them."""

from collections.abc import Mapping, Sequence

from iobench.analysis.types import Comparison, Difference, DriveSummary, Estimate, Ratio, Row
from iobench.model import METRICS, Device, Emulation, Passport, Target, Verdict

SEQ = {"block_size": 1 << 20, "depth": 8, "jobs": 1, "engine": "io_uring", "direct": True, "size": 1 << 30}
RAND = {**SEQ, "block_size": 4096}
DD = {"block_size": 1 << 20, "size": 268_435_456, "flush": "fdatasync", "source": "random", "direct": False}


def drive(name: str, emulated: bool = True, throttle_only: bool = False, label: str | None = None) -> DriveSummary:
    emulation = Emulation(name, read_bps=5e8, latency_s=0.005, parallel=8, throttle_only=throttle_only)
    passport = Passport(
        Target(name, f"/mnt/{name}"),
        Device("loop1", 7, 1, size_bytes=2**30, kind="emulated", model="Model of " + name, scheduler="none"),
        filesystem="ext4",
        mount_options="rw,noatime",
        total_bytes=10**9,
        free_bytes=5 * 10**8,
        emulation=emulation if emulated else None,
    )
    return DriveSummary(name, label or name, "emulated", emulation if emulated else None, passport)


def estimate(
    median: float,
    n: int = 5,
    spread: float = 0.03,
    verdict: Verdict = Verdict.VALID,
    reasons: Sequence[str] = (),
) -> Estimate:
    values = tuple(median * (1 + spread * (i / max(n - 1, 1) - 0.5)) for i in range(n))
    interval = (median * (1 - spread), median * (1 + spread)) if n > 1 else None
    return Estimate(n, median, interval, verdict, tuple(reasons), values, tuple(range(1, n + 1)))


def row(
    workload: str,
    metric: str,
    figures: Mapping[str, Estimate | float],
    *,
    baseline: str | None = "sas",
    load: int = 8,
    op: str | None = None,
    params: Mapping[str, object] | None = None,
    n: int = 5,
) -> Row:
    targets = {k: v if isinstance(v, Estimate) else estimate(v, n) for k, v in figures.items()}
    base = targets.get(baseline or "")
    ratios = {}
    for name, own in targets.items():
        if base is None or name == baseline:
            continue
        value = own.median / base.median if base.median else 0.0
        near = abs(value - 1) <= 0.05
        difference = Difference.NONE_SHOWN if near else Difference.HIGHER if value > 1 else Difference.LOWER
        ratios[name] = Ratio(value, (value * 0.95, value * 1.05) if own.n > 1 else None, difference)
    known = METRICS[metric]
    default = DD if workload.startswith("dd") else RAND if workload.startswith("rand") else SEQ
    asked = dict(params or default)
    if workload.startswith("rand"):
        asked["depth"] = load
    operation = op or workload.split("-")[-1]
    return Row(workload, operation, metric, known.unit, known.better, load, None, asked, targets, ratios)


def curve(names: Sequence[str], tops: Sequence[float], loads: Sequence[int], n: int = 5) -> list[Row]:
    """Random reads that rise and flatten, and their p99, for each load."""
    rows = []
    for load in loads:
        iops = {a: top * load / (load + top**0.35 / 8) for a, top in zip(names, tops, strict=True)}
        late = {a: 1.8 * load / v for a, v in iops.items()}
        base = "sas" if "sas" in names else None
        rows.append(row("rand-read", "iops", iops, load=load, n=n, baseline=base))
        rows.append(row("rand-read", "latency_p99", late, load=load, n=n, baseline=base))
    return rows


def comparison(drives: Sequence[DriveSummary], rows: Sequence[Row], baseline: str | None = "sas") -> Comparison:
    known = {d.name for d in drives}
    return Comparison(("20261123-060000",), baseline if baseline in known else None, 0.02, tuple(drives), tuple(rows))


def usual(n: int = 5, emulated: bool = True) -> Comparison:
    """What the suite `deck` gives for three drives."""
    names = ("iodrive", "ssd", "sas")
    rows = [
        row("seq-read", "throughput", dict(zip(names, (5e8, 2.5e8, 1.48e8), strict=True)), n=n),
        row("seq-write", "throughput", dict(zip(names, (1.5e8, 1.7e8, 1.48e8), strict=True)), n=n),
        row("dd-write", "elapsed", dict(zip(names, (1.79, 1.58, 1.92), strict=True)), load=1, n=n),
        row("dd-write", "throughput", dict(zip(names, (1.5e8, 1.7e8, 1.4e8), strict=True)), load=1, n=n),
        *curve(names, (42_000, 6_300, 990), (1, 2, 4, 8, 16, 32, 64), n=n),
    ]
    return comparison([drive(name, emulated) for name in names], rows)
