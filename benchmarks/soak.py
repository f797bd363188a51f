"""A long campaign of short steps: iobench's own memory, open files and processor time, gaps between steps, steps lost.

The campaign would go on for hours, and is ended by Ctrl-C. The claim: over 30 minutes none of them grows. A third
of the time is warm-up for the allocator's own growth: the last third is held against the middle one. Gaps follow
what else the machine does; the processor time of a step is our own.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import common
import pyarrow.parquet as pq

STEP_S = 0.3
MEMORY_GROWTH = 1.05  # last third over the middle one
GAP_GROWTH = 1.25
OWN_GROWTH = 1.1


@dataclass(frozen=True)
class Seen:
    """What iobench held at a moment (Unix time): resident bytes, open files, processor seconds that it had used."""

    at: float
    resident: int
    files: int
    cpu_s: float


def main() -> None:
    options = common.arguments(__doc__ or "", minutes=30)
    seconds = 20 if options.short else options.minutes * 60
    common.head("A long campaign")
    with common.own_drive(1 << 30) as folder, common.scratch() as results:
        seen, took = _watched(folder, results, seconds)
        campaign = next(results.glob("2*"))
        steps, told = _steps(campaign), _told(campaign)
        left = [entry.name for entry in folder.iterdir()]
    memory = _thirds([s.resident / 1e6 for s in seen])
    files = _thirds([float(s.files) for s in seen])
    between = _thirds([after[0] - before[1] for before, after in pairwise(steps)])
    own = _own(seen, [begin for begin, _ in steps])
    common.table(
        ["over a run of", "first third", "middle third", "last third", "last over middle"],
        [
            (f"{took:.0f} s: memory, MB", *(f"{value:.1f}" for value in memory), f"{memory[2] / memory[1]:.3f}"),
            ("open files", *(f"{value:.0f}" for value in files), f"{files[2] / files[1]:.3f}"),
            ("gap between steps, s", *(f"{value:.4f}" for value in between), f"{between[2] / between[1]:.3f}"),
            ("our processor time a step, s", *(f"{value:.4f}" for value in own), f"{own[2] / own[1]:.3f}"),
        ],
    )
    print(f"{len(steps)} of {told} finished steps kept; left on the drive: {', '.join(left) or 'nothing'}")
    missed = [
        memory[2] > MEMORY_GROWTH * memory[1],
        files[2] > files[1],
        between[2] > GAP_GROWTH * between[1],
        own[2] > OWN_GROWTH * own[1],
        len(steps) != told,
        bool(left),
    ]
    common.conclude(sum(missed), options.short)


def _watched(folder: Path, results: Path, seconds: float) -> tuple[list[Seen], float]:
    """Run a campaign for so long, and look at it twice a second."""
    args = ["run", "rand", "--ops", "read,write", "--loads", "1,8", "--size", "64Mi", "--duration", f"{STEP_S}s"]
    args += ["--ramp", "0", "--repeats", "1000", "-t", f"d={folder}", "--results", str(results), "-q"]
    begin = time.monotonic()
    process = subprocess.Popen([*common.IOBENCH, *args], stdout=subprocess.DEVNULL)
    seen = []
    while process.poll() is None and time.monotonic() - begin < seconds:
        now = _seen(process.pid)
        if now is not None:
            seen.append(now)
        time.sleep(0.5)
    took = time.monotonic() - begin
    process.send_signal(signal.SIGINT)
    if process.wait() not in (0, 130):
        raise SystemExit(f"iobench ended with {process.returncode}")
    return seen, took


def _seen(pid: int) -> Seen | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except (OSError, IndexError):
        return None
    return Seen(time.time(), pages * os.sysconf("SC_PAGESIZE"), files, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"))


def _steps(campaign: Path) -> list[tuple[float, float]]:
    """When each step began and ended, Unix time."""
    times = []
    for path in sorted(campaign.glob("samples/*.parquet")):
        start = pq.read_table(path, columns=["started_at"])["started_at"][0].as_py().timestamp()
        wall = json.loads((campaign / "raw" / path.stem / "command.json").read_text())["wall_s"]
        times.append((start, start + wall))
    return times


def _own(seen: Sequence[Seen], begins: Sequence[float]) -> tuple[float, float, float]:
    """Our processor seconds a step, in each third of the time."""
    n = len(seen) // 3
    ends = (0, n, 2 * n, len(seen) - 1)
    shares = []
    for first, last in ((seen[a], seen[b]) for a, b in pairwise(ends)):
        steps = sum(first.at <= begin < last.at for begin in begins)
        shares.append((last.cpu_s - first.cpu_s) / max(1, steps))
    return shares[0], shares[1], shares[2]


def _told(campaign: Path) -> int:
    """How many steps were told finished."""
    events = [json.loads(line)["event"] for line in (campaign / "journal.jsonl").read_text().splitlines()]
    return events.count("finished")


def _thirds(values: list[float]) -> tuple[float, float, float]:
    """The medians of the first, the middle and the last third."""
    n = max(1, len(values) // 3)
    return statistics.median(values[:n]), statistics.median(values[n : 2 * n]), statistics.median(values[-n:])


if __name__ == "__main__":
    main()
