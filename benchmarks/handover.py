"""Is a handover's verdict right? Drives of known speed against one limit; how long the looks take.

A drive 5 % above the limit has to pass, one 5 % below has to fail, one at 90 % has to fail; exactly at it,
pass and not decided are both right. Not decided is no wrong verdict, but it is counted. Drives are emulated.
Of a wrong verdict each repeat is printed, with the limits that stand on the drive, and the campaign is kept (an archive
in the current folder), so that it can be explained.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

from common import IOBENCH, arguments, conclude, emulated, head, scratch, table

from iobench import lab
from iobench.drives.emulated import records
from iobench.drives.throttle import reader
from iobench.results import Store

LIMIT = 80e6
SHARES = (0.95, 1.05)
WITHIN_S, OVERHEAD_MOST = 300.0, 0.10
PROFILE = f"""
title = "benchmark"
[[workload]]
run = "seq"
ops = ["read"]
ramp = "1s"
duration = "6s"
[[performance]]
id = "read"
workload = "seq-read"
load = 8
metric = "throughput"
at_least = "{LIMIT / 1e6:g} MB/s"
source = "the limit of this benchmark"
[integrity]
quick = "8Mi"
"""
RIGHT = {0.9: {"fail"}, 0.95: {"fail"}, 1.0: {"pass", "undecided"}, 1.05: {"pass"}}


def main() -> None:
    args = arguments(__doc__ or "", tries=20, edges=4, quick=1, most=10, full=300, round=20, size=512)
    head("Verdicts of validate on drives of known speed")
    wrong = _tries(2 if args.short else args.tries, 1 if args.short else args.edges, args.seed)
    late = 0 if args.short or not args.quick else _quick(args.most)
    late += 0 if args.short or not args.full else _full(args.full, args.round, args.size)
    conclude(wrong + late, args.short)


def _tries(tries: int, edges: int, seed: int) -> int:
    """Validate so many drives 5 % from the limit, and so many each at 90 % and at the very limit."""
    chosen = [SHARES[i % 2] for i in range(tries)] + [0.9, 1.0] * edges
    if not chosen:
        return 0
    random.Random(seed).shuffle(chosen)
    count: dict[tuple[float, str], int] = {}
    repeats: dict[float, list[int]] = {}
    wrong = 0
    for share in chosen:
        with scratch() as folder, emulated(lab.custom("disk", read=share * LIMIT), size=160 << 20) as drives:
            (folder / "limit.toml").write_text(PROFILE)
            document = _validate(str(folder / "limit.toml"), drives["disk"], folder)
            item = next(item for item in document["items"] if item["id"] == "read")
            outcome = item["outcome"]
            count[share, outcome] = count.get((share, outcome), 0) + 1
            repeats.setdefault(share, []).append(item["n"])
            if outcome not in RIGHT[share] and outcome != "undecided":
                wrong += 1
                print(f"wrong: at {share:.0%} {outcome}, {item['value']} B/s, interval {item['ci95']}", flush=True)
                _explain(folder, document["campaign"])
    rows = [
        (f"{share:.0%}", *(count.get((share, outcome), 0) for outcome in ("pass", "fail", "undecided")), max(of))
        for share, of in sorted(repeats.items())
    ]
    table(("speed, of the limit", "pass", "fail", "not decided", "repeats, most"), rows)
    load = f"load average {os.getloadavg()[1]:.0f}"
    print(f"{wrong} wrong verdicts in {len(chosen)} tries ({load} over the last 5 minutes)\n", flush=True)
    return wrong


def _explain(folder: Path, campaign: str) -> None:
    """Print what a wrong verdict was made of, and keep its campaign."""
    for record in records():
        limits = reader(str(record.number))
        print(f"{record.name}: limits asked for {record.emulation}, that stand now {limits() if limits else None}")
    stored = Store(folder / "results").open(campaign)
    seen = {row["step"]: row for row in stored.read("evidence").to_pylist()}
    rows = []
    for row in stored.read("samples").to_pylist():
        if (row["workload"], row["metric"]) == ("seq-read", "throughput"):
            of = seen[row["step"]]
            told = [of[key] for key in ("tool_bytes_read", "device_bytes_read", "background_bytes", "limited_by")]
            rows.append((row["step"], f"{row['value']:.0f}", row["duration_s"], row["verdict"], *told))
    table(("step", "B/s", "s", "verdict", "bytes, tool", "bytes, device", "others'", "limited by"), rows)
    kept = Path.cwd() / f"wrong-verdict-{campaign}.tar.gz"
    argv = (*IOBENCH, "export", campaign, "-o", str(kept), "--results", str(folder / "results"))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    print(f"kept: {kept}" if done.returncode == 0 else f"not kept: {done.stderr}", flush=True)


def _quick(most: int) -> int:
    """Time the shipped quick look of the ioDrive on the emulated one; the fewer repeats, the more the start weighs."""
    with scratch() as folder, emulated("iodrive", size=1 << 30) as drives:
        begin, cpu = time.monotonic(), _children_cpu_s()
        document = _validate("iodrive-160-slc", drives["iodrive"], folder, "--repeats", str(most))
        took = time.monotonic() - begin
        cpu = _children_cpu_s() - cpu - _sum(folder / "results" / document["campaign"], "cpu_s")
        measuring = _sum(folder / "results" / document["campaign"], "wall_s")
    overhead = took / measuring - 1
    load = f"{os.getloadavg()[0]:.1f}"
    rows = [(f"{took:.1f} s", f"{measuring:.1f} s", f"{overhead:.1%}", f"{cpu:.1f} s", document["outcome"], load)]
    table(("quick look took", "its programs ran", "overhead", "our processor time", "outcome", "load average"), rows)
    return int(took > WITHIN_S) + int(overhead > OVERHEAD_MOST)


def _full(within_s: int, round_s: int, size_mib: int) -> int:
    """Time the full look that is given so many seconds, sheets included: it has to end on time, whatever is left out.

    Rounds of the PTS take a minute; shorter ones let the preparation be a part of a shorter time. A limit at the very
    speed of the drive stays undecided for long, so that there is always something more to measure.
    """
    shipped = (Path(__file__).parents[1] / "profiles" / "handover" / "iodrive-160-slc.toml").read_text()
    with scratch() as folder, emulated("iodrive", size=(size_mib * 5 // 2) << 20) as drives:
        profile = folder / "full.toml"
        profile.write_text(shipped.replace('round = "60s"', f'round = "{round_s}s"').replace("446 MB/s", "500 MB/s"))
        results = ("--results", str(folder / "results"))
        look = ("--look", "full", "--within", f"{within_s}s", "--size", f"{size_mib}Mi", "--repeats", "100")
        sheets = ("--format", "text,html,pdf", "-o", str(folder / "sheet"))
        begin = time.monotonic()
        done = subprocess.run(
            [*IOBENCH, "validate", str(profile), "-t", f"disk={drives['iodrive']}", *look, *sheets, *results],
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - begin
        if done.returncode not in (0, 1, 5):
            raise SystemExit(f"validate ended with {done.returncode}: {done.stderr}")
        judged = subprocess.run(
            [*IOBENCH, "validate", "--of", "latest", "--json", *results], capture_output=True, text=True, check=False
        )
        document = json.loads(judged.stdout)
    state = document["steady"].get("disk", {"rounds": [], "reached": False})
    repeats = ", ".join(f"{item['id']} {item['n']}" for item in document["items"] if item.get("n"))
    rounds = f"{len(state['rounds'])} of {round_s} s, {'steady' if state['reached'] else 'not steady'}"
    left = ", ".join(document["left_out"]) or "nothing"
    load = f"{os.getloadavg()[1]:.1f}"
    rows = [(f"{within_s} s", f"{took:.1f} s", f"{size_mib} MiB", left, rounds, repeats, document["outcome"], load)]
    table(("given", "took", "file", "left out", "rounds", "repeats", "outcome", "load average, 5 min"), rows)
    return int(took > within_s)


def _sum(folder: Path, what: str) -> float:
    """Seconds (wall or processor) of the measuring programs: steps with their ramps, laying out, the integrity pass."""
    return sum(float(json.loads(path.read_text())[what]) for path in folder.glob("raw/*/command.json"))


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _validate(profile: str, mount: Path, folder: Path, *more: str) -> dict[str, Any]:
    argv = [*IOBENCH, "validate", profile, "-t", f"disk={mount}", "--json", "-q", "--results", str(folder / "results")]
    argv += more
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 5):
        raise SystemExit(f"validate ended with {done.returncode}: {done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


if __name__ == "__main__":
    main()
