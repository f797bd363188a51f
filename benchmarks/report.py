"""Time and memory of the report: a campaign of 1,000 steps over 6 drives as HTML, PNG, PPTX and CSV; the deck's page.

The deck's page is that of every chart's workload on three drives in five rounds, which has to stay under 1 MB.

The campaign is made by the same code that keeps a measured one; its figures are drawn from a seeded generator, since
what is measured here is the report. Each format is a command of its own: its time is that of the whole process, start
included, and its memory the greatest that the process had.
"""

from __future__ import annotations

import math
import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import common
import stored

from iobench.model import (
    Campaign,
    Evidence,
    LatencyBins,
    LimitedBy,
    Params,
    Reading,
    Sample,
    SeriesPoint,
    Step,
    StepResult,
    Verdict,
    Work,
)
from iobench.results import CampaignFolder, Store

DRIVES = 6
LOADS = (1, 2, 4, 8, 16, 32, 64)
# What it must reach, in seconds and MB.
LIMITS = {"html": 5.0, "pptx": 3.0, "png, each": 0.25}
MEMORY_MB = 400
PAGE_MB = 1.0
# Further workloads of the deck, with their loads and metrics.
FURTHER = {
    "dbench": ((1, 4, 16, 64), ("throughput", "latency_max")),
    "oltp": ((1, 4, 16, 64), ("transactions", "queries", "latency_p95")),
    "kvs": ((1, 4, 16, 64), ("hits", "ops", "latency_p99")),
}


def works() -> list[Work]:
    """What the suite `deck` plans: sequential work, files, and small random I/O over the loads."""
    common_: Params = {"jobs": 1, "engine": "io_uring", "direct": True, "size": 1 << 30}
    found = [
        Work("seq", workload, {**common_, "block_size": 1 << 20, "depth": 8}, 8, duration_s=10)
        for workload in ("seq-read", "seq-write")
    ]
    found += [
        Work("dd", workload, {"block_size": 1 << 20, "size": 1 << 28, "flush": "fdatasync"}, 1)
        for workload in ("dd-write", "dd-read")
    ]
    for workload in ("rand-read", "rand-write", "rand-mixed"):
        found += [
            Work("rand", workload, {**common_, "block_size": 4096, "depth": load}, load, duration_s=10)
            for load in LOADS
        ]
    return found


def further() -> list[Work]:
    """The deck's other charts."""
    return [
        Work(name, name, {"load": load}, load, duration_s=10) for name, (loads, _) in FURTHER.items() for load in loads
    ]


def campaign(results: Path, planned: list[Work], drives: int, steps: int, seed: int) -> CampaignFolder:
    """Keep a campaign of about so many steps, and its packed copy, as a run does."""
    chance = random.Random(seed)
    names = [f"drive{i}" for i in range(1, drives)] + ["sas"]
    return stored.make_large(
        results,
        datetime(2026, 11, 1, tzinfo=UTC),
        planned,
        names,
        steps,
        lambda made, step, number: drawn(made, step, number, 1 + names.index(step.target), chance),
    )


def apart(results: Path, planned: list[Work], drives: int, steps: int, seed: int) -> CampaignFolder:
    """Make the campaign in a process of its own: the memory that this one has would count as its children's."""
    child = os.fork()
    if child == 0:
        campaign(results, planned, drives, steps, seed)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the campaign could not be made")
    return Store(results).open("latest")


def drawn(made: Campaign, step: Step, number: int, speed: int, chance: random.Random) -> StepResult:
    """Draw one step's result: figures, latencies, ten seconds of series at 2 Hz, evidence."""
    rate = 1e9 / speed * step.work.load / (step.work.load + 3) * chance.gauss(1, 0.01)
    op = step.work.workload.partition("-")[2] or "all"
    samples = [Sample("all" if op == "mixed" else op, "throughput", rate)]
    if step.work.runner in FURTHER:
        figures = [(m, 64e3 / rate if m.startswith("latency") else rate / 1e4) for m in FURTHER[step.work.runner][1]]
        samples = [Sample("all", metric, value) for metric, value in figures]
    bins: dict[int, int] = {}
    if step.work.runner == "dd":
        samples.append(Sample(op, "elapsed", 3e8 / rate))
    elif step.work.runner == "rand":
        samples.append(Sample(samples[0].op, "iops", rate / 4096))
        points = ("mean", "p50", "p90", "p95", "p99", "p999", "max")
        samples += [Sample(samples[0].op, f"latency_{p}", (i + 2) * 1e3 / rate) for i, p in enumerate(points)]
        middle = 4e9 * step.work.load / rate
        for _ in range(300):
            # fio's own bins: 64 to each doubling.
            edge = int(2 ** (round(math.log2(middle * chance.lognormvariate(0, 0.5)) * 64) / 64))
            bins[edge] = bins.get(edge, 0) + 40
    series = tuple(SeriesPoint(t / 2, f"{op}_throughput", rate * chance.gauss(1, 0.02)) for t in range(20))
    reading = Reading(
        tuple(samples), 10.0, int(rate * 10), 0, latencies=(LatencyBins(samples[0].op, bins),) if bins else (),
        series=series,
    )  # fmt: skip
    evidence = Evidence(
        int(rate * 10), 0, "sda", int(rate * 10), 4096, 0.9, 0.2, 0.3, step.work.load, step.work.load, 0.01, 0.001,
        0, 0, LimitedBy.DEVICE,
    )  # fmt: skip
    when = made.created_at + timedelta(seconds=12 * number)
    return StepResult(step, reading, evidence, Verdict.VALID, (), when, "fio-3.33")


def measured(
    folder: CampaignFolder, out: Path, form: str, lang: str, prefix: str = ""
) -> tuple[float, float, float, int]:
    """Return seconds of the whole command, its processor seconds, its greatest memory in MB, and the files written."""
    target = out / f"{prefix}{form}-{lang}"
    argv = [*common.IOBENCH, "report", folder.id, "--results", str(folder.path.parent), "--format", form]
    argv += ["--lang", lang, "-o", str(target)]
    start = time.perf_counter()
    child = os.posix_spawn(
        argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(argv)} ended with {status}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3, len(list(target.iterdir()))


def main() -> None:
    """Measure each format, best of three; exit with 1 where a limit is passed."""
    asked = common.arguments(__doc__ or "", steps=1000)
    steps = 120 if asked.short else asked.steps
    with common.scratch() as folder:
        made = apart(folder / "results", works(), DRIVES, steps, asked.seed)
        deck = works() + further()
        shown = apart(folder / "deck", deck, 3, len(deck) * 3 * (1 if asked.short else 5), asked.seed)
        common.head(f"The report of {steps:,} steps over {DRIVES} drives")
        rows: list[tuple[object, ...]] = []
        late: list[str] = []
        for form in ("csv", "html", "pptx", "png"):
            for lang in ("en", "ja"):
                runs = [measured(made, folder, form, lang) for _ in range(1 if asked.short else 3)]
                seconds, cpu, memory, files = min(runs)
                size = sum(p.stat().st_size for p in (folder / f"{form}-{lang}").iterdir())
                limit = LIMITS.get(form)
                note = f"≤ {limit:g} s, ≤ {MEMORY_MB} MB" if limit else ""
                if form == "png":
                    bare = next(row for row in rows if row[0] == "csv" and row[1] == lang)
                    each = (seconds - float(str(bare[2]))) / files
                    note = f"{each:.3f} s each; ≤ {LIMITS['png, each']:g} s"
                    late += [f"png {lang}"] * (each > LIMITS["png, each"])
                elif limit:
                    late += [f"{form} {lang}"] * (seconds > limit or memory > MEMORY_MB)
                rows.append(
                    (form, lang, f"{seconds:.2f}", f"{cpu:.2f}", f"{memory:.0f}", files, f"{size / 1e6:.2f}", note)
                )
        common.table(("format", "language", "s", "CPU s", "MB of memory", "files", "MB written", "to reach"), rows)
        for lang in ("en", "ja"):
            seconds, _, memory, _ = measured(shown, folder, "html", lang, "deck-")
            mb = (folder / f"deck-html-{lang}" / "report.html").stat().st_size / 1e6
            late += [f"the deck's page {lang}"] * (mb > PAGE_MB)
            print(f"the deck's page, {lang}: {mb:.2f} MB (≤ {PAGE_MB:g}), {seconds:.2f} s, {memory:.0f} MB of memory")
        if late:
            print(f"over the limit: {', '.join(late)}")
    common.conclude(len(late), asked.short)


if __name__ == "__main__":
    main()
