"""kill -9 at random moments: what was reported finished is kept and not run again, and nothing is left.

The claim: 200 of 200, over campaigns of every workload. After each kill: every step that was told to be finished is
whole and readable, `resume` runs the rest and no step twice, and afterwards no program or work folder of ours is left.

When a kill falls is drawn over the whole campaign, by how far it has come and not by the clock: on a busy machine all
would fall into the set-up. A line of the journal (a step begins, a step is finished) is drawn, or none of them yet,
and a time after it.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import pyarrow.parquet as pq

from iobench import runners
from iobench.drives.leftovers import find_leftovers

_SHORT = ("--duration", "300ms", "--ramp", "0", "--repeats", "2")
_SERVED = ("--size", "16Mi", "--duration", "1s", "--repeats", "2")
# A campaign of each workload, short; how many steps it has; the most seconds that it sets up, and that a step takes.
WORKLOADS = {
    "rand": ((*_SHORT, "--ops", "read,write", "--loads", "1,8", "--size", "32Mi"), 8, 4.0, 0.8),
    "seq": ((*_SHORT, "--size", "32Mi"), 4, 4.0, 0.8),
    "dd": (("--size", "32Mi", "--repeats", "3"), 6, 3.0, 0.5),
    "verify": (("--size", "32Mi", "--repeats", "3"), 3, 3.0, 0.8),
    # Its plan grows: rounds are asked for until they are steady.
    "steady": (("--size", "16Mi", "--duration", "300ms"), 7, 3.0, 0.8),
    "dbench": (("--clients", "1,4", "--duration", "1s", "--repeats", "2"), 4, 3.0, 3.0),
    "oltp": (("--threads", "1,4", "--tables", "1", "--ramp", "1s", *_SERVED), 4, 12.0, 3.0),
    "kvs": (("--loads", "1,4", "--ramp", "0", *_SERVED), 4, 8.0, 2.0),
}
_PATIENCE_S = 240.0


def main() -> None:
    options = common.arguments(__doc__ or "", kills=200)
    drawn = random.Random(options.seed)
    known = [name for name in WORKLOADS if name in runners.registry()]
    common.head("kill -9")
    rows = []
    for number in range(10 if options.short else options.kills):
        workload = known[number % len(known)]
        with common.own_drive(1 << 30) as folder, common.scratch() as results:
            _, steps, set_up_s, step_s = WORKLOADS[workload]
            lines = drawn.randrange(2 * steps)
            later = drawn.uniform(0, step_s if lines else set_up_s)
            rows.append((number + 1, workload, *_trial(workload, lines, later, folder, results)))
            print("| " + " | ".join(map(str, rows[-1])) + " |", file=sys.stderr, flush=True)
    common.table(
        ["kill", "workload", "journal", "and s later", "told finished", "lost", "run twice", "left over"], rows
    )
    sound = sum(row[5:] == (0, 0, "nothing") for row in rows)
    print(f"{sound} of {len(rows)} kills: nothing lost, nothing run twice, nothing left")
    told = [int(str(row[4])) for row in rows]
    print(f"{sum(told)} steps had been told to be finished, in {sum(map(bool, told))} of the campaigns")
    common.conclude(len(rows) - sound, short=False)  # not a speed: it holds in CI too


def _trial(workload: str, lines: int, later: float, folder: Path, results: Path) -> tuple[object, ...]:
    """Kill a campaign `later` seconds after its journal has so many lines (none: after it was started)."""
    args = ["run", workload, *WORKLOADS[workload][0], "-t", f"d={folder}", "--results", str(results)]
    process = subprocess.Popen([*common.IOBENCH, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and _lines(results) < lines:
        assert time.monotonic() < deadline, f"{workload}: the journal has {_lines(results)} lines"
        time.sleep(0.005)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(later)
    process.send_signal(signal.SIGKILL)
    assert process.stderr is not None
    said = process.stderr.read()
    told = len(re.findall(r"^\d+/\d+ .*round", said, re.MULTILINE))
    # One that was refused was not killed, and would say nothing.
    assert process.wait() in (-signal.SIGKILL, 0, 1), said
    campaigns = [path.parent for path in results.glob("2*/campaign.json")]
    before = _whole(campaigns[0]) if campaigns else {}
    if campaigns:
        done = subprocess.run([*common.IOBENCH, "resume", "latest", "--quiet", "--results", str(results)], check=False)
        assert done.returncode in (0, 1), f"resume ended with {done.returncode}"
    else:
        subprocess.run(
            [*common.IOBENCH, "clean", str(folder), "--results", str(results)], check=True, capture_output=True
        )
    after = _whole(campaigns[0]) if campaigns else {}
    planned = len(json.loads((campaigns[0] / "campaign.json").read_text())["steps"]) if campaigns else 0
    lost = max(0, told - len(before)) + planned - len(after)
    twice = sum(after.get(step) != stamp for step, stamp in before.items())
    return lines, f"{later:.2f}", told, lost, twice, _left(folder)


def _lines(results: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in results.glob("2*/journal.jsonl"))


def _whole(campaign: Path) -> dict[str, object]:
    """The steps that can be read in all four tables, with the time each was started."""
    found: dict[str, object] = {}
    for path in (campaign / "samples").glob("*.parquet"):
        for table in ("evidence", "series", "latency"):
            pq.read_table(campaign / table / path.name)
        found[path.stem] = pq.read_table(path)["started_at"][0].as_py()
    return found


def _left(folder: Path) -> str:
    left = [path.name for path in folder.iterdir()]
    left += [path.name for path in Path(tempfile.gettempdir()).glob(".iobench-*-servers") if _ours(path)]
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"IOBENCH_OWNER=" in environment and str(folder).encode() in command + environment:
                left.append(f"process {process.name}")
    return ", ".join(left) or "nothing"


def _ours(scratch: Path) -> bool:
    """Whether a campaign's scratch folder is that of an iobench which has ended: other runs have theirs."""
    return any(leftover.path == str(scratch) for leftover in find_leftovers(str(scratch.parent)))


if __name__ == "__main__":
    main()
