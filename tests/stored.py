"""Stored campaigns with known figures, for the tests and benchmarks of whatever reads them.

They are planned by hand, and kept by the code that keeps measured ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from iobench.model import (
    Campaign,
    Device,
    Emulation,
    Evidence,
    Finding,
    LatencyBins,
    Passport,
    Reading,
    Sample,
    Step,
    StepResult,
    Target,
    Verdict,
    Work,
)
from iobench.results import CampaignFolder, Store

# The campaign, a step of it and its number -> what it gave; None where it gave nothing.
Draw = Callable[[Campaign, Step, int], StepResult | None]


def rounds_of(works: Sequence[Work], drives: Sequence[str], rounds: int, most: int | None = None) -> tuple[Step, ...]:
    """Each work on each drive once a round, `most` steps at the most."""
    steps: Iterator[Step] = (
        Step(f"{round_:02d}-{number:04d}-t{place}", drive, round_, work)
        for round_ in range(1, rounds + 1)
        for number, work in enumerate(works)
        for place, drive in enumerate(drives)
    )
    return tuple(islice(steps, most))


def disk(name: str, number: int, serial: str | None = None, emulation: Emulation | None = None) -> Passport:
    """A drive of 1 TB, the `number`th of its machine."""
    device = Device(f"sd{number}", 8, 16 * number, size_bytes=10**12, kind="SSD", serial=serial or f"S-{name}")
    return Passport(Target(name, f"/mnt/{name}"), device, emulation=emulation)


def keep(root: Path, campaign: Campaign, draw: Draw, command: Sequence[str] = ("fio", "--name=x")) -> CampaignFolder:
    """Keep a campaign in a results folder, its steps' figures drawn, as a run does."""
    folder = Store(root).create(campaign)
    for number, step in enumerate(campaign.steps):
        result = draw(campaign, step, number)
        if result is not None:
            argv = json.dumps({"argv": list(command), "exit_code": 0})
            (folder.raw(step.id) / "command.json").write_text(argv, encoding="utf-8")
            folder.save(campaign, result)
    return folder


def make_large(
    root: Path, at: datetime, works: Sequence[Work], drives: Sequence[str], steps: int, draw: Draw
) -> CampaignFolder:
    """Keep a campaign of so many steps, each work on each drive once a round, and its packed copy, as a run does."""
    rounds = -(-steps // (len(works) * len(drives)))
    campaign = Campaign(
        id=at.strftime("%Y%m%d-%H%M%S"),
        created_at=at,
        profile="deck",
        title="made for a benchmark",
        rounds=rounds,
        steps=rounds_of(works, drives, rounds, steps),
        passports={name: disk(name, i) for i, name in enumerate(drives)},
        host={"name": "bench", "kernel": "Linux", "cores": 2, "memory_bytes": 8 * 10**9},
        tools={"fio": "fio-3.33"},
    )
    folder = keep(root, campaign, draw)
    folder.pack()
    return folder


@dataclass(frozen=True)
class Measured:
    """A target's numbers of one work: for each metric a value a round, None where the round is missing."""

    target: str
    metrics: Mapping[str, Sequence[float | None]]
    workload: str = "seq-read"
    op: str = "read"
    load: int = 8
    rate: float | None = None
    ramp_s: float = 0.0
    params: Mapping[str, int] = field(default_factory=dict)
    bins: Sequence[Mapping[int, int]] = ()
    unsound: Mapping[int, tuple[Verdict, str]] = field(default_factory=dict)
    evidence: Mapping[int, Evidence] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        return max(map(len, self.metrics.values()))


def make_campaign(
    root: Path,
    *works: Measured,
    id: str = "20250101-000000",
    emulated: Mapping[str, Emulation] | None = None,
    serials: Mapping[str, str] | None = None,
    unfinished: int = 0,
    title: str = "made for a test",
) -> CampaignFolder:
    """Store a campaign in a results folder, through the same code as the engine."""
    targets = list(dict.fromkeys(work.target for work in works))
    planned = [
        (work, Step(f"s{number}-{round_}", work.target, round_, _asked(work)))
        for number, work in enumerate(works)
        for round_ in range(1, work.rounds + 1)
    ]
    campaign = Campaign(
        id=id,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        profile=None,
        title=title,
        rounds=max(work.rounds for work in works),
        steps=tuple(step for _, step in planned),
        passports={
            name: disk(name, i, (serials or {}).get(name), (emulated or {}).get(name)) for i, name in enumerate(targets)
        },
        host={"name": "host"},
        tools={},
    )

    def draw(campaign: Campaign, step: Step, number: int) -> StepResult | None:
        result = _result(planned[number][0], step)
        return result if number < len(planned) - unfinished and result.reading.samples else None

    return keep(root, campaign, draw)


def _asked(work: Measured) -> Work:
    params = {"block_size": 4096, **work.params}
    return Work("seq", work.workload, params, work.load, duration_s=6.0, ramp_s=work.ramp_s, rate=work.rate)


def _result(work: Measured, step: Step) -> StepResult:
    round_ = step.repeat
    values = {metric: of[round_ - 1] for metric, of in work.metrics.items() if round_ <= len(of)}
    verdict, reason = work.unsound.get(round_, (Verdict.VALID, ""))
    reading = Reading(
        samples=tuple(Sample(work.op, metric, value) for metric, value in values.items() if value is not None),
        measured_s=6.0,
        latencies=(LatencyBins(work.op, work.bins[round_ - 1]),) if work.bins else (),
    )
    return StepResult(
        step,
        reading,
        work.evidence.get(round_, Evidence()),
        verdict,
        (Finding(reason, f"{reason}, with figures"),) if reason else (),
        datetime(2025, 1, 1, tzinfo=UTC),
        "fio-3.33",
    )
