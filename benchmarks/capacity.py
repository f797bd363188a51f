"""Capacity: the search finds what a drive is known to hold.

Emulated drives of N IOPS, N drawn at random or given by --iops: `iobench capacity` finds N within 3 % in under 3
minutes. On a drive with latency, whose answer nobody set, it agrees with a fine sweep of bare fio, made
before it and after it, since a machine that gets busier moves both. The p99 that it has to hold is --limit, in
milliseconds: 10 on an idle machine; a busy one holds up what makes the latency. A store and a database on the
shipped drives: what their searches find, and that they end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from pathlib import Path
from typing import Any

import common

from iobench import lab

BOUND = 0.03
SECONDS = 180.0
SWEEP_BOUND = 0.05
SWEEP_STEP = 0.02
SWEEP_MOST = 15
START = 0.9  # of the most that bare fio does, from where a sweep begins
SIZE = 256 << 20
ENGINE = "libaio"  # of both, on the drive with latency
# Of a store and a database: the SLO, the size of the data, and the shipped drive that it lies on.
APPLICATIONS = (("kvs p99<5ms", 64 << 20, "ssd"), ("oltp p95<100ms", 256 << 20, "iodrive"))


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__ or "", drives=3, latency=1, limit=10, applications=1)
    parser.add_argument("--iops", help="the drives' IOPS, comma-separated, instead of drawn ones")
    return parser.parse_args()


def main() -> None:
    options = _arguments()
    drawn = random.Random(options.seed)
    common.head("Capacity")
    chosen = [round(10 ** drawn.uniform(2.5, 3.5)) for _ in range(1 if options.short else options.drives)]
    if options.iops:
        chosen = [int(text) for text in options.iops.split(",")]
    rows = [_limited(number, iops, options.short) for number, iops in enumerate(chosen)]
    missed = sum(row[-1] == "no" for row in rows)
    if rows:
        columns = [
            "drive",
            "evenly spaced",
            "over N",
            "random arrivals",
            "over N",
            "points",
            "seconds",
            "busy",
            "within",
        ]
        common.table(columns, rows)
        print(f"{len(rows) - missed} of {len(rows)} within {BOUND:.0%} and {SECONDS:.0f} s", flush=True)
    if not options.short:
        missed += sum(not _with_latency(options.limit / 1000) for _ in range(options.latency))
        missed += sum(not _application(*application) for application in APPLICATIONS * options.applications)
    common.conclude(missed, options.short)


def _limited(number: int, iops: int, short: bool) -> tuple[object, ...]:
    profile = lab.custom(f"capacity{number}", read_iops=iops, write_iops=iops)
    with common.emulated(profile, size=2 * SIZE) as drives, common.scratch() as results:
        fast = ("--duration", "3s", "--precision", "5%") if short else ()
        begin = time.monotonic()
        found = _search(next(iter(drives.values())), results, "rand-read p99<50ms", *fast)
        took = time.monotonic() - begin
    even, best = found["even"]["offered"], found["best"]["offered"]
    within = abs(even / iops - 1) <= BOUND and took <= SECONDS
    said = [f"{rate:.0f} | {rate / iops:.4f}" for rate in (even, best)]
    if not found["confirmed"]:
        said[1] = "none held | -"
    row = (f"{iops} IOPS", *said, len(found["points"]), f"{took:.0f}", f"{os.getloadavg()[0]:.0f}")
    done = (*row, _said(within))
    print("| " + " | ".join(map(str, done)) + " |", flush=True)
    return done


def _search(mount: Path, results: Path, slo: str, *more: str, size: int = SIZE) -> dict[str, Any]:
    args = ("capacity", "-t", f"d={mount}", "--slo", slo, "--size", str(size), "--no-curve", *more)
    (found,) = common.iobench(*args, results=results)["searches"]
    if found["even"] is None:
        raise SystemExit(f"the search found nothing: {json.dumps(found)}")
    return dict(found)


def _with_latency(limit: float) -> bool:
    """Sweep, search and sweep again on a drive with latency; whether the search agrees with the sweeps."""
    profile = lab.custom("latency", latency=0.002, parallel=4)
    with common.emulated(profile, size=3 * SIZE) as drives, common.scratch() as results:
        mount = next(iter(drives.values()))
        common.lay_out(mount, SIZE)
        most = _bare(mount, 0, limit)[2]
        before, rows = _sweep(mount, START * most, limit)
        begin = time.monotonic()
        more = ("--no-confirm", "--set", f"rand.engine={ENGINE}")
        found = _search(mount, results, f"rand-read p99<{limit * 1000:g}ms", *more)
        took = time.monotonic() - begin
        after, again = _sweep(mount, before, limit)
    centre = found["even"]["offered"]
    print(
        f"Drive with 2 ms and 4 at once, p99 below {limit * 1000:g} ms, load average {os.getloadavg()[0]:.0f}: "
        f"bare fio does {most:.0f}/s at the most; found {centre:.0f}/s ({found['end']}) in {took:.0f} s, "
        f"{len(found['points'])} points\n"
    )
    common.table(["sweep", "bare fio offered", "p99", "achieved", "held"], [*rows, *again])
    edge = statistics.fmean([before, after])
    agrees = "agrees" if abs(centre / edge - 1) <= SWEEP_BOUND else "differs"
    print(
        f"the sweeps' edges are {before:.0f}/s before and {after:.0f}/s after ({after / before:.3f}); the search found "
        f"{centre / edge:.3f} of their mean: {agrees}"
    )
    return agrees == "agrees"


def _application(slo: str, size: int, drive: str) -> bool:
    """Search the rate of a store or a database; whether the search ended with an answer."""
    with common.emulated(lab.read_profile(drive), size=8 * size) as drives, common.scratch() as results:
        begin = time.monotonic()
        found = _search(next(iter(drives.values())), results, slo, size=size)
        took = time.monotonic() - begin
    failed = found["first_failed"]
    print(
        f"{slo}, {size >> 20} MiB on the drive {drive}, load average {os.getloadavg()[0]:.0f}: {found['end']}, evenly "
        f"spaced {found['even']['offered']:.0f}/s, at random {found['best']['offered']:.0f}/s, {len(found['points'])} "
        f"points in {took:.0f} s; the first failure {_failure(failed) if failed else 'none'}\n",
        flush=True,
    )
    return found["end"] in ("found", "holds-at-most")


def _failure(point: dict[str, Any]) -> str:
    whole = f"{point['offered']:.0f}/s offered, {point['achieved']:.0f}/s achieved, for {', '.join(point['why'])}"
    return f"{whole} ({point['verdict']}: {', '.join(point['reasons'])})" if point["reasons"] else whole


def _said(yes: bool) -> str:
    return "yes" if yes else "no"


def _sweep(mount: Path, start: float, limit: float) -> tuple[float, list[tuple[object, ...]]]:
    """Go up from a rate in fine steps until one fails, or down until one holds; the edge between, and the rows."""
    rate, rows = start, list[tuple[object, ...]]()
    edges: dict[bool, float] = {}
    while len(edges) < 2 and len(rows) < SWEEP_MOST:
        p99, share, _ = _bare(mount, round(rate), limit)
        held = p99 < limit and share >= 0.98
        rows.append((f"from {start:.0f}", round(rate), f"{p99 * 1000:.2f} ms", f"{share:.3f}", _said(held)))
        edges[held] = rate
        rate *= 1 + SWEEP_STEP if held else 1 - SWEEP_STEP
    return statistics.fmean(edges.values()), rows


def _bare(mount: Path, rate: int, limit: float) -> tuple[float, float, float]:
    """Return bare fio's p99 in seconds, achieved share and rate where it is offered one (0: all it can).

    What fails is tried once more.
    """
    tries: list[tuple[float, float, float]] = []
    seconds = max(6, min(10, -(-10_000 // rate))) if rate else 6
    while len(tries) < 2:
        job = common.fio(
            mount, "--filename=data", "--rw=randread", "--bs=4k", f"--size={SIZE}", f"--ioengine={ENGINE}",
            "--iodepth=64", "--direct=1", "--norandommap", "--randrepeat=0", "--thread", "--time_based",
            f"--runtime={seconds}", "--ramp_time=1", *((f"--rate_iops={rate}",) if rate else ()),
            "--rate_process=linear", "--lat_percentiles=1", "--clat_percentiles=0",
        )["jobs"][0]["read"]  # fmt: skip
        tries.append((job["lat_ns"]["percentile"]["99.000000"] / 1e9, job["iops"] / (rate or job["iops"]), job["iops"]))
        if not rate or (tries[-1][0] < limit and tries[-1][1] >= 0.98):
            return tries[-1]
    return min(tries)


if __name__ == "__main__":
    main()
