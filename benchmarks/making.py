"""Campaigns for benchmarks: planned and kept by the code that keeps measured ones; only the figures are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from iobench.model import Campaign, Device, Passport, Step, StepResult, Target, Work
from iobench.results import CampaignFolder, Store

# The campaign, a step of it and its number -> what it gave.
Draw = Callable[[Campaign, Step, int], StepResult]


def campaign(
    results: Path, at: datetime, works: Sequence[Work], drives: Sequence[str], steps: int, draw: Draw
) -> CampaignFolder:
    """Keep a campaign of so many steps, each work on each drive once a round, and its packed copy, as a run does."""
    rounds = -(-steps // (len(works) * len(drives)))
    planned = (
        Step(f"{round_:02d}-{number:04d}-{drive}", drive, round_, work)
        for round_ in range(1, rounds + 1)
        for number, work in enumerate(works)
        for drive in drives
    )
    made = Campaign(
        id=at.strftime("%Y%m%d-%H%M%S"),
        created_at=at,
        profile="deck",
        title="Kept by a benchmark",
        rounds=rounds,
        steps=tuple(islice(planned, steps)),
        passports={
            name: Passport(
                Target(name, f"/mnt/{name}"), Device(f"sd{i}", 8, 16 * i, 10**12, "SATA SSD", serial=f"S{i}")
            )
            for i, name in enumerate(drives)
        },
        host={"name": "bench", "kernel": "Linux", "cores": 2, "memory_bytes": 8 * 10**9},
        tools={"fio": "fio-3.33"},
    )
    folder = Store(results).create(made)
    for number, step in enumerate(made.steps):
        (folder.raw(step.id) / "command.json").write_text('{"argv": ["fio", "--name=iobench", "--rw=randread"]}')
        folder.save(made, draw(made, step, number))
    folder.pack()
    return folder
