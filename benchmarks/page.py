"""The deck's page in both languages: how long it takes, how much memory, and whether it stays under 1 MB.

The numbers are made up, in the shape of what is measured; only the time to read and to draw them counts here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import common

from iobench.model import (
    Campaign,
    Device,
    Evidence,
    LatencyBins,
    LimitedBy,
    Passport,
    Reading,
    Sample,
    SeriesPoint,
    Step,
    StepResult,
    Target,
    Verdict,
    Work,
)
from iobench.results import CampaignFolder, Store

# In a process of its own, from its start to its end: what a person waits for, imports and all.
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
begin = time.monotonic()
from iobench import report
from iobench.results import Store
store = Store(Path(sys.argv[1]))
files = report.build([store.open("latest")], Path(sys.argv[2]), sys.argv[3].split(","), sys.argv[4])
print(json.dumps({
    "seconds": time.monotonic() - begin,
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "bytes": {path.name: path.stat().st_size for path in files},
}))
"""
DRIVES = ("iodrive", "ssd", "sas")
# Of a suite like `deck`: workload, operation, metrics, and its loads.
DECK = (
    ("seq-read", "read", ("throughput",), (8,)),
    ("seq-write", "write", ("throughput",), (8,)),
    ("dd-write", "write", ("elapsed", "throughput"), (1,)),
    ("dd-read", "read", ("elapsed", "throughput"), (1,)),
    *((f"rand-{op}", op, ("iops", "throughput", "latency_p99"), (1, 2, 4, 8, 16, 32, 64)) for op in ("read", "write")),
    ("rand-mixed", "all", ("iops", "throughput", "latency_p99"), (1, 2, 4, 8, 16, 32, 64)),
    ("dbench", "all", ("throughput", "latency_max"), (1, 4, 16, 64)),
    ("oltp", "all", ("transactions", "queries", "latency_p95"), (1, 4, 16, 64)),
    ("kvs", "get", ("hits", "ops", "latency_p99"), (1, 8, 64)),
)


def campaign(root: Path, rounds: int) -> CampaignFolder:
    """Store a campaign: each workload of DECK at each load, on each drive, once a round."""
    works = [
        Work(
            "rand", workload, {"block_size": 4096, "depth": load, "engine": "io_uring", "direct": True}, load, 2.0, 10.0
        )
        for workload, _, _, loads in DECK
        for load in loads
    ]
    shapes = {workload: (op, metrics) for workload, op, metrics, _ in DECK}
    steps = [
        Step(f"{r:02d}-{w:03d}-{work.workload}-{work.load}-{drive}", drive, r, work)
        for r in range(1, rounds + 1)
        for w, work in enumerate(works)
        for drive in DRIVES
    ]
    passports = {
        name: Passport(
            Target(name, f"/mnt/{name}"),
            Device(f"sd{chr(97 + i)}", 8, i * 16, 10**12, "SATA SSD", f"Model {name}", f"SN{i:08d}"),
            None,
            "ext4",
            f"/mnt/{name}",
            "rw,noatime",
            10**12,
            9 * 10**11,
        )
        for i, name in enumerate(DRIVES)
    }
    made = Campaign(
        "20260101-000000",
        datetime(2026, 1, 1, tzinfo=UTC),
        "deck",
        "Made up, for the report's speed",
        rounds,
        tuple(steps),
        passports,
        {"name": "host", "kernel": "Linux 6.1", "cores": 2, "memory_bytes": 8 * 10**9},
        {"fio": "fio-3.33", "iobench": "iobench 0.1.0"},
    )
    folder = Store(root).create(made)
    for number, step in enumerate(steps):
        folder.save(made, _result(made, step, number, *shapes[step.work.workload]))
        argv = ["fio", "--name=x", f"--filename=/mnt/{step.target}/.iobench-x/f", "--rw=randread", "--bs=4k"]
        argv += ["--ioengine=io_uring", f"--iodepth={step.work.load}", "--time_based", "--runtime=10", "--ramp_time=2"]
        raw = folder.raw(step.id)
        (raw / "command.json").write_text(json.dumps({"argv": argv, "exit_code": 0}))
        (raw / "stdout").write_text("what a program says\n" * 100)
    folder.pack()
    return folder


def _result(made: Campaign, step: Step, number: int, op: str, metrics: tuple[str, ...]) -> StepResult:
    speed = 40_000 / (DRIVES.index(step.target) + 1) ** 2 * step.work.load / (step.work.load + 4)
    speed *= 1 + ((number * 7919) % 101 - 50) / 5000
    values = {
        "throughput": speed * 4096,
        "elapsed": 1e5 / speed,
        "latency_p99": step.work.load / speed,
        "latency_p95": step.work.load / speed,
        "latency_max": 2 / speed,
    }
    reading = Reading(
        tuple(Sample(op, metric, values.get(metric, speed)) for metric in metrics),
        10.0,
        bytes_read=int(speed * 40960),
        latencies=(LatencyBins(op, {int(1e9 * step.work.load / speed) + i: 100 for i in range(0, 4000, 40)}),),
        series=tuple(SeriesPoint(float(t), "read_throughput", speed * (4096 + t % 3)) for t in range(10)),
    )
    evidence = Evidence(
        tool_bytes_read=int(speed * 40960),
        device_name="sda",
        device_bytes_read=int(speed * 40970),
        queue_depth_asked=step.work.load,
        queue_depth_achieved=step.work.load * 0.99,
        client_cpu=0.21,
        system_cpu=0.3,
        rate_cv=0.012,
        rate_drift=-0.004,
        limited_by=LimitedBy.DEVICE,
    )
    when = made.created_at + timedelta(seconds=13 * number)
    return StepResult(step, reading, evidence, Verdict.VALID, (), when, "fio-3.33")


def drawn(root: Path, formats: str, lang: str) -> dict:
    """Draw the report in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(root), out, formats, lang], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    """Draw the page a few times in each language and print the median, and the greatest memory."""
    args = common.arguments(__doc__ or "", repeats=3)
    common.head("The deck's page")
    repeats = 1 if args.short else args.repeats
    rows, failed = [], []
    with tempfile.TemporaryDirectory(prefix="iobench-page-") as room:
        folder = campaign(Path(room), 1 if args.short else 5)
        for lang in ("en", "ja"):
            runs = [drawn(folder.path.parent, "html", lang) for _ in range(repeats)]
            seconds = sorted(run["seconds"] for run in runs)[len(runs) // 2]
            memory = max(run["memory"] for run in runs)
            size = runs[0]["bytes"]["report.html"]
            steps = len(folder.finished())
            rows.append((lang, steps, f"{seconds:.2f} s", f"{memory / 1e6:.0f} MB", f"{size / 1e3:.0f} kB"))
            if size > 1e6:
                failed.append(lang)
    common.table(("language", "steps", "to HTML", "memory", "page"), rows)
    if failed:
        raise SystemExit(f"the page is over 1 MB: {', '.join(failed)}")


if __name__ == "__main__":
    main()
