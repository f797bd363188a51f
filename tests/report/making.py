"""Comparisons made by hand: invented figures, to see how the report draws and says them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from stored import keep, rounds_of

from iobench.analysis.throttled import limited
from iobench.analysis.types import Comparison, Difference, DriveSummary, Estimate, Ratio, Row
from iobench.model import (
    METRICS,
    Campaign,
    Device,
    Emulation,
    Evidence,
    Finding,
    LatencyBins,
    LimitedBy,
    Params,
    Passport,
    Reading,
    Sample,
    SeriesPoint,
    Step,
    StepResult,
    Target,
    Verdict,
    Work,
)
from iobench.results import CampaignFolder

SEQ: Params = {"block_size": 1 << 20, "depth": 8, "jobs": 1, "engine": "io_uring", "direct": True, "size": 1 << 30}
RAND: Params = {**SEQ, "block_size": 4096}
DD: Params = {"block_size": 1 << 20, "size": 268_435_456, "flush": "fdatasync", "source": "random", "direct": False}


def drive(name: str, emulated: bool = True, throttle_only: bool = False, latency: float | None = 0.005) -> DriveSummary:
    latency = None if throttle_only else latency
    parallel = None if latency is None else 8
    emulation = Emulation(name, read_bps=5e8, latency_s=latency, parallel=parallel, throttle_only=throttle_only)
    passport = Passport(
        Target(name, f"/mnt/{name}"),
        Device("loop1", 7, 1, size_bytes=2**30, kind="emulated", model="Model of " + name, scheduler="none"),
        filesystem="ext4",
        mount_options="rw,noatime",
        total_bytes=10**9,
        free_bytes=5 * 10**8,
        emulation=emulation if emulated else None,
    )
    return DriveSummary(name, "emulated", emulation if emulated else None, passport)


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
    params: Params | None = None,
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
        base = next((name for name in reversed(names) if name.lower().startswith("sas")), None)
        rows.append(row("rand-read", "iops", iops, load=load, n=n, baseline=base))
        rows.append(row("rand-read", "latency_p99", late, load=load, n=n, baseline=base))
    return rows


def comparison(drives: Sequence[DriveSummary], rows: Sequence[Row], baseline: str | None = "sas") -> Comparison:
    known = {d.name for d in drives}
    base = baseline if baseline in known else None
    at_limit = limited(rows, drives)
    return Comparison(("20261123-060000",), base, 0.02, tuple(drives), tuple(rows), limited=at_limit)


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


# --- whole campaigns on disk, for the page -----------------------------------------------------------------

TOPS = {"iodrive": (5e8, 40_000), "ssd": (2.5e8, 6_000), "sas": (1.5e8, 970)}


def stored(
    root: Path,
    names: Sequence[str] = ("iodrive", "ssd", "sas"),
    *,
    rounds: int = 3,
    loads: Sequence[int] = (1, 8, 64),
    title: str = "Three drives",
    command: Sequence[str] = ("fio", "--name=x"),
    found: Sequence[Finding] = (),
    verdict: Verdict = Verdict.VALID,
    seconds: int = 6,
) -> CampaignFolder:
    """A finished campaign in a results folder, with raw files, series and evidence."""
    works = [Work("seq", "seq-read", SEQ, 8, duration_s=6)]
    works += [Work("rand", "rand-read", {**RAND, "depth": load}, load, duration_s=6) for load in loads]
    passports = {name: replace(drive(name).passport, target=Target(name, "/mnt/x")) for name in names}
    steps = rounds_of(works, names, rounds)
    start = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    campaign = Campaign(
        "20261123-060000",
        start,
        "quick",
        title,
        rounds,
        steps,
        passports,
        {"name": "host <b>", "kernel": "Linux 6.1", "cores": 2, "memory_bytes": 8 * 10**9},
        {"fio": "fio-3.33"},
        notes=("a note & more",),
    )
    return keep(root, campaign, partial(_drawn, found, verdict, seconds), command)


def _drawn(
    found: Sequence[Finding], verdict: Verdict, seconds: int, campaign: Campaign, step: Step, number: int
) -> StepResult:
    position = list(campaign.passports).index(step.target)
    rate, iops = list(TOPS.values())[position % 3]
    wobble = 1 + 0.01 * ((number * 7) % 5 - 2)
    if step.work.workload == "seq-read":
        samples: tuple[Sample, ...] = (Sample("read", "throughput", rate * wobble),)
    else:
        speed = iops * step.work.load / (step.work.load + 4) * wobble
        samples = (
            Sample("read", "iops", speed),
            Sample("read", "throughput", speed * 4096),
            Sample("read", "latency_p99", step.work.load / iops),
        )
    reading = Reading(
        samples,
        6.0,
        bytes_read=int(rate * 6),
        latencies=(LatencyBins("read", {int(1e9 * step.work.load / iops): 1000, int(3e9 / iops): 20}),),
        series=tuple(SeriesPoint(float(t), "read_throughput", rate * (1 + t % 3 / 50)) for t in range(seconds)),
    )
    evidence = Evidence(
        tool_bytes_read=int(rate * 6),
        tool_bytes_written=0,
        device_name="loop1",
        device_bytes_read=int(rate * 6.01),
        device_bytes_written=8192,
        queue_depth_asked=8,
        queue_depth_achieved=7.9,
        client_cpu=0.21,
        system_cpu=0.3,
        rate_cv=0.012,
        rate_drift=-0.004,
        limited_by=LimitedBy.THROTTLE,
    )
    when = campaign.created_at + timedelta(seconds=7 * number)
    return StepResult(step, reading, evidence, verdict, tuple(found), when, "fio-3.33")
