"""kill -9 at random moments: what was reported finished is kept and not run again, and nothing is left.

The claim: 200 of 200, over campaigns of every workload. After each kill: every step that was told to be finished is
whole and readable, `resume` runs the rest and no step twice, and afterwards no program or work folder of ours is left.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import common
import pyarrow.parquet as pq

from iobench import runners
from iobench.drives.workdir import find_leftovers

_SHORT = ("--duration", "300ms", "--ramp", "0", "--repeats", "2")
# A campaign of each workload, short, and the most seconds after which it is killed.
WORKLOADS = {
    "rand": ((*_SHORT, "--ops", "read,write", "--loads", "1,8", "--size", "32Mi"), 6.0),
    "seq": ((*_SHORT, "--size", "32Mi"), 5.0),
    "dd": (("--size", "32Mi", "--repeats", "3"), 4.0),
    "dbench": (("--clients", "1,4", "--duration", "1s", "--ramp", "1s", "--repeats", "2"), 10.0),
    "oltp": (
        ("--threads", "1,4", "--tables", "1", "--size", "16Mi", "--duration", "1s", "--ramp", "1s", "--repeats", "2"),
        15.0,
    ),
    "kvs": (("--loads", "1,4", "--size", "16Mi", "--duration", "1s", "--ramp", "0", "--repeats", "2"), 12.0),
}


def main() -> None:
    options = common.arguments(__doc__ or "", kills=200)
    drawn = random.Random(options.seed)
    known = [name for name in WORKLOADS if name in runners.registry()]
    common.head("kill -9")
    rows = []
    for number in range(10 if options.short else options.kills):
        workload = known[number % len(known)]
        with common.scratch() as folder, common.scratch() as results:
            moment = drawn.uniform(0.3, WORKLOADS[workload][1])
            rows.append((number + 1, workload, *_trial(workload, moment, folder, results)))
    common.table(["kill", "workload", "after", "told finished", "lost", "run twice", "left over"], rows)
    sound = sum(row[4:] == (0, 0, "nothing") for row in rows)
    print(f"{sound} of {len(rows)} kills: nothing lost, nothing run twice, nothing left")
    common.conclude(len(rows) - sound, short=False)  # not a speed: it holds in CI too


def _trial(workload: str, moment: float, folder: Path, results: Path) -> tuple[object, ...]:
    args = ["run", workload, *WORKLOADS[workload][0], "-t", f"d={folder}", "--results", str(results)]
    process = subprocess.Popen([*common.IOBENCH, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    process.send_signal(signal.SIGKILL)
    assert process.stderr is not None
    told = len(re.findall(r"^\d+/\d+ .*round", process.stderr.read(), re.MULTILINE))
    process.wait()
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
    return f"{moment:.1f} s", told, lost, twice, _left(folder)


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
