"""Capacity: the search finds what a drive is known to hold.

Emulated drives of N IOPS, N drawn at random: `iobench capacity` finds N within 3 % in under 3 minutes. On a
drive with latency, whose answer nobody set, it agrees with a fine sweep of bare fio.
"""

from __future__ import annotations

import json
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
SWEEP_STEP = 0.025
SWEEP_REACH = 4  # steps on each side of what was found
SIZE = 256 << 20


def main() -> None:
    options = common.arguments(__doc__ or "", drives=3, latency=1)
    drawn = random.Random(options.seed)
    common.head("Capacity")
    rows = [
        _limited(number, round(10 ** drawn.uniform(2.5, 3.5)), options.short)
        for number in range(1 if options.short else options.drives)
    ]
    columns = ["drive", "evenly spaced", "over N", "random arrivals", "over N", "points", "seconds", "within"]
    common.table(columns, rows)
    missed = sum(row[-1] == "no" for row in rows)
    print(f"{len(rows) - missed} of {len(rows)} within {BOUND:.0%} and {SECONDS:.0f} s", flush=True)
    if options.latency and not options.short:
        missed += not _with_latency()
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
    return f"{iops} IOPS", *said, len(found["points"]), f"{took:.0f}", "yes" if within else "no"


def _search(mount: Path, results: Path, slo: str, *more: str) -> dict[str, Any]:
    args = ("capacity", "-t", f"d={mount}", "--slo", slo, "--size", str(SIZE), "--no-curve", *more)
    (found,) = common.iobench(*args, results=results)["searches"]
    if found["even"] is None:
        raise SystemExit(f"the search found nothing: {json.dumps(found)}")
    return dict(found)


def _with_latency() -> bool:
    """Search on a drive with latency, then sweep about what was found; whether they agree."""
    profile = lab.custom("latency", latency=0.002, parallel=4)
    limit = 0.010
    with common.emulated(profile, size=2 * SIZE) as drives, common.scratch() as results:
        mount = next(iter(drives.values()))
        begin = time.monotonic()
        found = _search(mount, results, f"rand-read p99<{limit * 1000:g}ms")
        took = time.monotonic() - begin
        centre = found["even"]["offered"]
        common.lay_out(mount, SIZE)
        steps = [1 + SWEEP_STEP * n for n in range(-SWEEP_REACH, SWEEP_REACH + 1)]
        swept = [(round(centre * step), *_bare(mount, round(centre * step), limit)) for step in steps]
    rows = []
    for rate, p99, share in swept:
        held = p99 < limit and share >= 0.98
        rows.append((rate, f"{rate / centre:.3f}", f"{p99 * 1000:.2f} ms", f"{share:.3f}", "yes" if held else "no"))
    print(
        f"Drive with 2 ms and 4 requests at once, p99 below {limit * 1000:g} ms: found {centre:.0f}/s in {took:.0f} s\n"
    )
    common.table(["bare fio offered", "over what was found", "p99", "achieved", "held"], rows)
    failed = [row[0] for row in rows if row[-1] == "no"]
    highest = max((row[0] for row in rows if row[-1] == "yes"), default=0)
    # A single point of a sweep may fail by a hiccup: the edge lies between the last that held and the first after it.
    edge = statistics.fmean([highest, min((rate for rate in failed if rate > highest), default=highest)])
    agrees = abs(edge / centre - 1) <= SWEEP_BOUND
    print(
        f"the sweep's edge is {edge:.0f}/s, {edge / centre:.3f} of what was found: {'agrees' if agrees else 'differs'}"
    )
    return agrees


def _bare(mount: Path, rate: int, limit: float) -> tuple[float, float]:
    """Return the p99 in seconds and the achieved share of bare fio at an offered rate: a second try where it fails."""
    tries = []
    while len(tries) < 2:
        job = common.fio(
            mount, "--filename=data", "--rw=randread", "--bs=4k", f"--size={SIZE}", "--ioengine=libaio",
            "--iodepth=64", "--direct=1", "--norandommap", "--randrepeat=0", "--thread", "--time_based",
            "--runtime=10", "--ramp_time=1", f"--rate_iops={rate}", "--lat_percentiles=1", "--clat_percentiles=0",
        )["jobs"][0]["read"]  # fmt: skip
        tries.append((job["lat_ns"]["percentile"]["99.000000"] / 1e9, job["iops"] / rate))
        if tries[-1][0] < limit and tries[-1][1] >= 0.98:
            break
    return min(tries)


if __name__ == "__main__":
    main()
