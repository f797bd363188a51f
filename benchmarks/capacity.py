"""Capacity: the search finds what a drive is known to hold.

Emulated drives of N IOPS, N drawn at random or given by --iops: `iobench capacity` finds N within 3 % in under 3
minutes. On a drive with latency, whose answer nobody set, it agrees with a fine sweep of bare fio: the two
alternate, since a machine that gets busier moves both (--centre RATE sweeps first, about that rate). The p99 that
it has to hold is --limit, in milliseconds: 10 on an idle machine; a busy one holds up what makes the latency.
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
SWEEP_REACH = 3  # steps on each side of what was found
SIZE = 256 << 20
ENGINE = "libaio"  # of both, on the drive with latency


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__ or "", drives=3, latency=1, centre=0, limit=10)
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
        missed += sum(not _with_latency(float(options.centre), options.limit / 1000) for _ in range(options.latency))
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


def _search(mount: Path, results: Path, slo: str, *more: str) -> dict[str, Any]:
    args = ("capacity", "-t", f"d={mount}", "--slo", slo, "--size", str(SIZE), "--no-curve", *more)
    (found,) = common.iobench(*args, results=results)["searches"]
    if found["even"] is None:
        raise SystemExit(f"the search found nothing: {json.dumps(found)}")
    return dict(found)


def _with_latency(about: float, limit: float) -> bool:
    """Search on a drive with latency and sweep about what was found, or the other way round; whether they agree."""
    profile = lab.custom("latency", latency=0.002, parallel=4)
    with common.emulated(profile, size=3 * SIZE) as drives, common.scratch() as results:
        mount = next(iter(drives.values()))
        common.lay_out(mount, SIZE)
        swept = _sweep(mount, about, limit) if about else []
        begin = time.monotonic()
        more = ("--no-confirm", "--set", f"rand.engine={ENGINE}")
        found = _search(mount, results, f"rand-read p99<{limit * 1000:g}ms", *more)
        took = time.monotonic() - begin
        centre = found["even"]["offered"]
        swept = swept or _sweep(mount, centre, limit)
    rows = [
        (rate, f"{rate / centre:.3f}", f"{p99 * 1000:.2f} ms", f"{share:.3f}", _said(_held(p99, share, limit)))
        for rate, p99, share in swept
    ]
    order = "the sweep first" if about else "the search first"
    print(
        f"Drive with 2 ms and 4 requests at once, p99 below {limit * 1000:g} ms, {order}: found {centre:.0f}/s "
        f"({found['end']}) in {took:.0f} s, {len(found['points'])} points\n"
    )
    common.table(["bare fio offered", "over what was found", "p99", "achieved", "held"], rows)
    highest = max((row[0] for row in rows if row[-1] == "yes"), default=0)
    # A single point of a sweep may fail by a hiccup: the edge lies between the last that held and the first after it.
    failed = [row[0] for row in rows if row[-1] == "no" and row[0] > highest]
    if not highest or not failed:
        print("the sweep has no edge: all of it held, or nothing did")
        return False
    edge = statistics.fmean([highest, min(failed)])
    agrees = "agrees" if abs(edge / centre - 1) <= SWEEP_BOUND else "differs"
    print(f"the sweep's edge is {edge:.0f}/s, {edge / centre:.3f} of what was found: {agrees}")
    return agrees == "agrees"


def _said(yes: bool) -> str:
    return "yes" if yes else "no"


def _sweep(mount: Path, centre: float, limit: float) -> list[tuple[int, float, float]]:
    steps = [1 + SWEEP_STEP * n for n in range(-SWEEP_REACH, SWEEP_REACH + 1)]
    return [(round(centre * step), *_bare(mount, round(centre * step), limit)) for step in steps]


def _held(p99: float, share: float, limit: float) -> bool:
    return p99 < limit and share >= 0.98


def _bare(mount: Path, rate: int, limit: float) -> tuple[float, float]:
    """Return the p99 in seconds and the achieved share of bare fio at an offered rate: a second try where it fails."""
    tries: list[tuple[float, float]] = []
    while len(tries) < 2:
        job = common.fio(
            mount, "--filename=data", "--rw=randread", "--bs=4k", f"--size={SIZE}", f"--ioengine={ENGINE}",
            "--iodepth=64", "--direct=1", "--norandommap", "--randrepeat=0", "--thread", "--time_based",
            f"--runtime={max(6, min(10, -(-10_000 // rate)))}", "--ramp_time=1", f"--rate_iops={rate}",
            "--rate_process=linear", "--lat_percentiles=1", "--clat_percentiles=0",
        )["jobs"][0]["read"]  # fmt: skip
        tries.append((job["lat_ns"]["percentile"]["99.000000"] / 1e9, job["iops"] / rate))
        if _held(*tries[-1], limit):
            return tries[-1]
    return min(tries)


if __name__ == "__main__":
    main()
