"""Overhead: throughput through iobench over bare fio with the same job, alternating; our own CPU meanwhile.

The claim: the median of at least 7 pairs is 0.98 to 1.02, and we use under 2 % of a core while a program runs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

import common

SIZE = 256 << 20


def main() -> None:
    options = common.arguments(__doc__ or "", pairs=7)
    pairs = 1 if options.short else options.pairs
    seconds = 2 if options.short else 6
    common.head("Overhead over bare fio")
    rows = []
    with common.scratch() as folder, common.scratch() as results:
        common.lay_out(folder, SIZE)
        for workload, load in (("seq-read", 8), ("rand-read", 1), ("rand-read", 32)):
            ratios = [_pair(folder, results, workload, load, seconds, number) for number in range(pairs)]
            within = 0.98 <= statistics.median(ratios) <= 1.02
            rows.append((workload, load, pairs, common.spread(ratios), "yes" if within else "no"))
        common.table(["workload", "depth", "pairs", "iobench over bare fio", "within 0.98 to 1.02"], rows)
        with common.scratch() as fresh:
            used = _own_cpu(folder, fresh, 4 if options.short else 12)
    print(f"our own CPU while fio runs: {used:.2%} of a core ({'under' if used < 0.02 else 'over'} 2 %)")
    common.conclude(sum(row[-1] == "no" for row in rows) + int(used >= 0.02), options.short)


def _pair(folder: Path, results: Path, workload: str, load: int, seconds: int, number: int) -> float:
    def ours() -> float:
        kind = workload.partition("-")[0]
        depth = ("--depth", str(load)) if kind == "seq" else ("--loads", str(load))
        args = ("run", kind, "--ops", "read", *depth, "--size", str(SIZE), "--duration", f"{seconds}s")
        document = common.iobench(*args, "-t", f"d={folder}", "--repeats", "1", results=results)
        return next(iter(common.medians(document, "throughput").values()))

    def bare() -> float:
        rw, block = ("read", "1M") if workload == "seq-read" else ("randread", "4k")
        extra = [] if workload == "seq-read" else ["--norandommap", "--randrepeat=0"]
        report = common.fio(
            folder, "--filename=data", f"--rw={rw}", f"--bs={block}", "--ioengine=io_uring", f"--iodepth={load}",
            "--direct=1", f"--size={SIZE}", "--time_based", f"--runtime={seconds}", "--ramp_time=1", "--thread", *extra,
        )  # fmt: skip
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
    with subprocess.Popen(
        [*common.IOBENCH, *args, "-t", f"d={folder}", "--results", str(results)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while not list(results.glob("*/raw/0001-*/stdout")):
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
