"""The store: many campaigns, and one of many steps, are listed, shown and compared in little time and memory.

1,000 campaigns in one results folder, and one campaign of 10,000 steps. The claim: each command under 2 s and
500 MB. The steps are kept by the code that keeps measured ones, only without waiting for the disk.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import common
import stored

from iobench.model import (
    Evidence,
    LatencyBins,
    Reading,
    Sample,
    SeriesPoint,
    Step,
    StepResult,
    Verdict,
    Work,
)
from iobench.results import PACKED, encode_bins, files, rows

SECONDS = 2.0
BYTES = 500e6
TRIES = 3
TARGETS = ("iodrive", "ssd", "sas")
ROUNDS = 5
LOADS = (1, 2, 4, 8, 16, 32, 64)
_SHAPES = random.Random(7)
BINS = [{round(1e6 * _SHAPES.uniform(0.5, 5)): _SHAPES.randint(1, 100) for _ in range(120)} for _ in range(40)]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    options = common.arguments(__doc__ or "", campaigns=1000, steps=10_000)
    campaigns, steps = (30, 300) if options.short else (options.campaigns, options.steps)
    common.head("Store")
    with common.scratch() as folder:
        # In a process of its own: a command's greatest memory begins with that of whoever started it.
        begin = time.monotonic()
        maker = multiprocessing.get_context("spawn").Process(
            target=_make, args=(folder / "results", campaigns, steps, options.seed)
        )
        maker.start()
        maker.join()
        if maker.exitcode != 0:
            raise SystemExit("the campaigns could not be made")
        made = f"{campaigns} campaigns of 9 steps and one of {steps:,}, made in {time.monotonic() - begin:.0f} s"
        ids = sorted(path.name for path in (folder / "results").iterdir())
        large, recent = ids[-1], ids[-21:-1]
        rows = [
            _timed(folder, f"list ({campaigns + 1} campaigns)", "list"),
            _timed(folder, f"list, as the first time ({campaigns + 1})", "list", cold=True),
            _timed(folder, f"show ({steps:,} steps)", "show", large),
            _timed(folder, f"compare ({steps:,} steps)", "compare", large),
            _timed(folder, f"compare, for people ({steps:,} steps)", "compare", large, json=False),
            _timed(folder, "compare (20 campaigns)", "compare", *recent, "--pool"),
            _timed(folder, f"compare, not packed ({steps:,} steps)", "compare", large, packed=False),
        ]
    common.table(["command", "seconds (least of 3)", "of a processor", "memory", "within"], rows)
    print(made)
    common.conclude(sum(row[-1] == "no" for row in rows[:-1]), options.short)


def _make(root: Path, campaigns: int, steps: int, seed: int) -> None:
    files.flush = lambda path: None
    setattr(rows, "encode_bins", _encoded)  # noqa: B010 - of a module, which does not hand it out
    drawn = random.Random(seed)
    for number in range(campaigns):
        _keep(root, BEGIN + timedelta(minutes=number), 9, drawn)
    _keep(root, BEGIN + timedelta(days=30), steps, drawn)


def _keep(root: Path, at: datetime, steps: int, drawn: random.Random) -> None:
    """Keep a campaign of so many steps: three drives, loads in turn, latencies and a series each."""
    # Five rounds, or fewer of few steps: as many works as that takes, at the loads in turn.
    rounds = min(ROUNDS, -(-steps // (len(TARGETS) * len(LOADS))))
    works = [_work(number) for number in range(-(-steps // (len(TARGETS) * rounds)))]
    stored.make_large(root, at, works, TARGETS, steps, lambda made, step, _: _result(step, made.created_at, drawn))


def _work(number: int) -> Work:
    params = {"block_size": 4096, "depth": LOADS[number % len(LOADS)], "variant": number // len(LOADS)}
    return Work("rand", "rand-read", params, LOADS[number % len(LOADS)], duration_s=10.0)


_encode = encode_bins
_KNOWN: dict[int, str] = {}


def _encoded(bins: Mapping[int, int]) -> str:
    """Encode each of the few histograms once: that is the larger part of keeping a step."""
    if id(bins) not in _KNOWN:
        _KNOWN[id(bins)] = _encode(bins)
    return _KNOWN[id(bins)]


def _result(step: Step, at: datetime, drawn: random.Random) -> StepResult:
    rate = 1000.0 * step.work.load**0.5 * drawn.gauss(1, 0.02)
    bins = drawn.choice(BINS)
    figures = {"iops": rate, "throughput": rate * 4096, "latency_mean": 1e-3, "latency_max": 9e-3}
    figures |= {"latency_p50": 1e-3, "latency_p95": 3e-3, "latency_p99": 5e-3}
    return StepResult(
        step=step,
        reading=Reading(
            samples=tuple(Sample("read", metric, value) for metric, value in figures.items()),
            measured_s=10.0,
            latencies=(LatencyBins("read", bins),),
            series=tuple(SeriesPoint(float(t), "read_throughput", rate * 4096) for t in range(1, 11)),
        ),
        evidence=Evidence(device_name="sda", tool_bytes_read=1, device_bytes_read=1),
        verdict=Verdict.VALID,
        findings=(),
        started_at=at,
        tool="fio-3.33",
    )


def _timed(
    folder: Path, what: str, *argv: str, packed: bool = True, cold: bool = False, json: bool = True
) -> tuple[object, ...]:  # fmt: skip
    """Time a command, and read its greatest memory; without the packed copy where that is asked for."""
    if not packed:
        for copy in (folder / "results").glob(f"{argv[1]}/{PACKED}"):
            subprocess.run(["rm", "-r", str(copy)], check=True)
    seconds, most, work = [], 0.0, []
    for _ in range(TRIES if packed and not cold else 1):
        if cold:
            _forget()
        form = ["--json"] if json else []
        took, cpu, memory = _run([*common.IOBENCH, *argv, *form, "--results", str(folder / "results")])
        seconds.append(took)
        work.append(cpu)
        most = max(most, memory)
    within = min(seconds) <= SECONDS and most <= BYTES
    return what, f"{min(seconds):.2f}", f"{min(work):.2f}", f"{most / 1e6:.0f} MB", "yes" if within else "no"


def _forget() -> None:
    """Drop the page cache, where that is allowed."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError as error:
        print(f"the page cache could not be dropped: {error}", file=sys.stderr)


def _run(argv: Sequence[str]) -> tuple[float, float, float]:
    """Return a command's seconds, its processor's seconds and its greatest memory in bytes."""
    begin = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - begin
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(argv)} ended with {os.waitstatus_to_exitcode(status)}: {said.decode()}")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024.0


if __name__ == "__main__":
    main()
