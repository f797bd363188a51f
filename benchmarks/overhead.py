"""Overhead: throughput through iobench over bare fio with the same job, alternating; our own CPU meanwhile.

The claim: the median of at least 7 pairs is 0.98 to 1.02, and we use under 2 % of a core while a program runs.
On an emulated drive, whose speed holds still; on the disk below it the rows show how much that disk varies.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

import common

from iobench import lab

SIZE = 256 << 20
JOBS = (("seq-read", 8), ("rand-read", 1), ("rand-read", 32))


def main() -> None:
    options = common.arguments(__doc__ or "", pairs=7)
    pairs = 1 if options.short else options.pairs
    seconds = 2 if options.short else 6
    common.head("Overhead over bare fio")
    drive = lab.custom("still", read=400e6, write=400e6, read_iops=10_000, write_iops=10_000)
    with common.emulated(drive, size=1 << 30) as drives, common.scratch() as results:
        rows = _rows("emulated", next(iter(drives.values())), results, pairs, seconds)
    missed = sum(row[-1] == "no" for row in rows)
    with common.scratch() as folder, common.scratch() as results:
        if not options.short:
            rows += _rows("disk", folder, results, pairs, seconds)
        used = _own_cpu(folder, results, 4 if options.short else 12)
    common.table(["drive", "workload", "depth", "pairs", "iobench over bare fio", "within 0.98 to 1.02"], rows)
    print(f"our own CPU while fio runs: {used:.2%} of a core ({'under' if used < 0.02 else 'over'} 2 %)")
    common.conclude(missed + int(used >= 0.02), options.short)


def _rows(drive: str, folder: Path, results: Path, pairs: int, seconds: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for workload, load in JOBS:
        ratios = [_pair(folder, results, workload, load, seconds, number) for number in range(pairs)]
        within = 0.98 <= statistics.median(ratios) <= 1.02
        rows.append((drive, workload, load, pairs, common.spread(ratios), "yes" if within else "no"))
    return rows


def _pair(folder: Path, results: Path, workload: str, load: int, seconds: int, number: int) -> float:
    def ours() -> float:
        kind = workload.partition("-")[0]
        depth = ("--depth", str(load)) if kind == "seq" else ("--loads", str(load))
        args = ("run", kind, "--ops", "read", *depth, "--size", str(SIZE), "--duration", f"{seconds}s")
        document = common.iobench(*args, "-t", f"d={folder}", "--repeats", "1", results=results)
        return next(iter(common.medians(document, "throughput").values()))

    def bare() -> float:
        # Afresh, as iobench does: what was written just now may still be in a cache below the disk.
        common.lay_out(folder, SIZE)
        rw, block = ("read", "1M") if workload == "seq-read" else ("randread", "4k")
        extra = [] if workload == "seq-read" else ["--norandommap", "--randrepeat=0"]
        report = common.fio(
            folder, "--filename=data", f"--rw={rw}", f"--bs={block}", "--ioengine=io_uring", f"--iodepth={load}",
            "--direct=1", f"--size={SIZE}", "--time_based", f"--runtime={seconds}", "--ramp_time=1", "--thread", *extra,
        )  # fmt: skip
        (folder / "data").unlink()
        return float(report["jobs"][0]["read"]["bw_bytes"])

    # Each side goes first in turn, so that drift falls on both.
    if number % 2:
        b, a = bare(), ours()
    else:
        a, b = ours(), bare()
    return a / b


def _own_cpu(folder: Path, results: Path, seconds: int) -> float:
    """Our process's share of a core in the middle of a step; the measured program is a process of its own."""
    args = ["run", "seq", "--ops", "read", "--size", str(SIZE), "--duration", f"{seconds}s", "--repeats", "1"]
    before_us = set(results.glob("2*"))
    with subprocess.Popen(
        [*common.IOBENCH, *args, "-t", f"d={folder}", "--results", str(results)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while not [p for p in set(results.glob("2*")) - before_us if list(p.glob("raw/0001-*/stdout"))]:
            time.sleep(0.05)
        time.sleep(0.5)
        begin, before = time.monotonic(), _cpu(process.pid)
        time.sleep(seconds - 1)
        used = (_cpu(process.pid) - before) / (time.monotonic() - begin)
        process.stderr.read()
    return used


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
