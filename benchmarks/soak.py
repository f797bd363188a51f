"""A long campaign of short steps: memory and open files of iobench itself, gaps between its steps, steps lost.

The claim: over 30 minutes none of them grows. A third of the time is warm-up for the allocator's own growth: the
last third is held against the middle one.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import common
import pyarrow.parquet as pq

STEP_S = 0.3
MEMORY_GROWTH = 1.05  # last third over the middle one
GAP_GROWTH = 1.25


@dataclass(frozen=True)
class Seen:
    """What iobench held at a moment: seconds since the start, resident bytes, open files, processes below it."""

    at: float
    resident: int
    files: int


def main() -> None:
    options = common.arguments(__doc__ or "", minutes=30)
    seconds = 20 if options.short else options.minutes * 60
    common.head("A long campaign")
    with common.scratch() as folder, common.scratch() as results:
        seen, took = _watched(folder, results, seconds)
        campaign = next(results.glob("2*"))
        gaps, kept, planned = _gaps(campaign), len(list(campaign.glob("samples/*.parquet"))), _planned(campaign)
        left = [entry.name for entry in folder.iterdir()]
    memory = _thirds([s.resident / 1e6 for s in seen])
    files = _thirds([float(s.files) for s in seen])
    between = _thirds(gaps)
    common.table(
        ["over a run of", "first third", "middle third", "last third", "last over middle"],
        [
            (f"{took:.0f} s: memory, MB", *(f"{value:.1f}" for value in memory), f"{memory[2] / memory[1]:.3f}"),
            ("open files", *(f"{value:.0f}" for value in files), f"{files[2] / files[1]:.3f}"),
            ("gap between steps, s", *(f"{value:.4f}" for value in between), f"{between[2] / between[1]:.3f}"),
        ],
    )
    print(f"{kept} of {planned} steps kept; left on the drive: {', '.join(left) or 'nothing'}")
    missed = [
        memory[2] > MEMORY_GROWTH * memory[1],
        files[2] > files[1],
        between[2] > GAP_GROWTH * between[1],
        kept != planned,
        bool(left),
    ]
    common.conclude(sum(missed), options.short)


def _watched(folder: Path, results: Path, seconds: float) -> tuple[list[Seen], float]:
    """Run a campaign that takes about so long, and look at it twice a second."""
    rounds = max(3, round(seconds / (4 * (STEP_S + 0.15))))
    args = ["run", "rand", "--ops", "read,write", "--loads", "1,8", "--size", "64Mi", "--duration", f"{STEP_S}s"]
    args += ["--ramp", "0", "--repeats", str(min(rounds, 1000)), "-t", f"d={folder}", "--results", str(results), "-q"]
    begin = time.monotonic()
    process = subprocess.Popen([*common.IOBENCH, *args], stdout=subprocess.DEVNULL)
    seen = []
    while process.poll() is None:
        now = _seen(process.pid, time.monotonic() - begin)
        if now is not None:
            seen.append(now)
        time.sleep(0.5)
    if process.returncode not in (0, 1):
        raise SystemExit(f"iobench ended with {process.returncode}")
    return seen, time.monotonic() - begin


def _seen(pid: int, at: float) -> Seen | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return Seen(at, pages * 4096, len(list(Path(f"/proc/{pid}/fd").iterdir())))
    except (OSError, IndexError):
        return None


def _gaps(campaign: Path) -> list[float]:
    times = []
    for path in sorted(campaign.glob("samples/*.parquet")):
        start = pq.read_table(path, columns=["started_at"])["started_at"][0].as_py().timestamp()
        wall = json.loads((campaign / "raw" / path.stem / "command.json").read_text())["wall_s"]
        times.append((start, start + wall))
    return [after[0] - before[1] for before, after in pairwise(times)]


def _planned(campaign: Path) -> int:
    return len(json.loads((campaign / "campaign.json").read_text())["steps"])


def _thirds(values: list[float]) -> tuple[float, float, float]:
    """The medians of the first, the middle and the last third."""
    n = max(1, len(values) // 3)
    return statistics.median(values[:n]), statistics.median(values[n : 2 * n]), statistics.median(values[-n:])


if __name__ == "__main__":
    main()
