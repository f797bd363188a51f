"""Stored campaigns with known numbers, for the tests of whatever reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
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


@dataclass(frozen=True)
class Measured:
    """A target's numbers of one work: for each metric a value a round, None where the round is missing."""

    target: str
    metrics: Mapping[str, Sequence[float | None]]
    workload: str = "seq-read"
    op: str = "read"
    load: int = 8
    rate: float | None = None
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
) -> CampaignFolder:
    """Store a campaign in a results folder, through the same code as the engine."""
    targets = list(dict.fromkeys(work.target for work in works))
    passports = {
        name: Passport(
            Target(name, f"/mnt/{name}"),
            Device(f"sd{i}", 8, i, size_bytes=10**12, kind="SSD", serial=(serials or {}).get(name, f"S-{name}")),
            emulation=(emulated or {}).get(name),
        )
        for i, name in enumerate(targets)
    }
    planned = [
        (work, round_, Step(f"s{number}-{round_}", work.target, round_, _asked(work)))
        for number, work in enumerate(works)
        for round_ in range(1, work.rounds + 1)
    ]
    campaign = Campaign(
        id=id,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        profile=None,
        title="made for a test",
        rounds=max(work.rounds for work in works),
        steps=tuple(step for _, _, step in planned),
        passports=passports,
        host={"name": "host"},
        tools={},
    )
    folder = Store(root).create(campaign)
    for work, round_, step in planned[: len(planned) - unfinished]:
        result = _result(work, round_, step)
        if result.reading.samples:
            folder.save(campaign, result)
    return folder


def _asked(work: Measured) -> Work:
    params = {"block_size": 4096, **work.params}
    return Work("seq", work.workload, params, work.load, duration_s=6.0, rate=work.rate)


def _result(work: Measured, round_: int, step: Step) -> StepResult:
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
