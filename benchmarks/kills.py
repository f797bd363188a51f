"""kill -9 at random moments: what was reported finished is kept and not run again, and nothing is left.

The claim: 20 of 20. After each kill: every step that was told to be finished is whole and readable,
`resume` runs the rest and no step twice, and afterwards no program, work folder or mount of ours is left.
"""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from pathlib import Path

import common
import pyarrow.parquet as pq

STEPS = 12


def main() -> None:
    options = common.arguments(__doc__ or "", kills=20)
    drawn = random.Random(options.seed)
    common.head("kill -9")
    rows = []
    for number in range(3 if options.short else options.kills):
        with common.scratch() as folder, common.scratch() as results:
            rows.append((number + 1, *_trial(drawn.uniform(0.3, 8.0), folder, results)))
    common.table(["kill", "after", "told finished", "lost", "run twice", "left over"], rows)
    sound = sum(row[3:] == (0, 0, "nothing") for row in rows)
    print(f"{sound} of {len(rows)} kills: nothing lost, nothing run twice, nothing left")
    common.conclude(len(rows) - sound, short=False)  # not a speed: it holds in CI too


def _trial(moment: float, folder: Path, results: Path) -> tuple[object, ...]:
    args = ["run", "rand", "--ops", "read,write", "--loads", "1,8", "--size", "32Mi", "--duration", "300ms"]
    args += ["--ramp", "0", "--repeats", "3", "-t", f"d={folder}", "--results", str(results)]
    process = subprocess.Popen([*common.IOBENCH, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    assert process.stderr is not None
    told = len(re.findall(r"^\d+/\d+ .*round", process.stderr.read(), re.MULTILINE))
    process.wait()
    campaigns = list(results.glob("2*/campaign.json"))
    before = _whole(campaigns[0].parent) if campaigns else {}
    if campaigns:
        subprocess.run([*common.IOBENCH, "resume", "latest", "--quiet", "--results", str(results)], check=True)
    else:
        subprocess.run(
            [*common.IOBENCH, "clean", str(folder), "--results", str(results)], check=True, capture_output=True
        )
    after = _whole(campaigns[0].parent) if campaigns else {}
    lost = max(0, told - len(before)) + (STEPS - len(after) if campaigns else 0)
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
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"IOBENCH_OWNER=" in environment and b"fio" in command:
                left.append(f"process {process.name}")
    return ", ".join(left) or "nothing"


if __name__ == "__main__":
    main()
