"""What earlier runs of a campaign wrote to its targets: what they said, and what is counted where one was killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iobench.campaign import journal, needs
from iobench.drives.counters import CounterFile, written_since
from iobench.errors import IobenchError
from iobench.model import Campaign, Passport
from iobench.units import format_bytes


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What a run that was killed wrote to a target, in bytes, beyond what it had said: a bound from above.

    `counted` by the device's counter, which counts others' writes too; else by the plan of what it was at.
    """

    bytes: int
    counted: bool

    def sentence(self, target: str) -> str:
        """Say it to whoever resumes."""
        how = "its device's counter, others' writes included" if self.counted else "the plan of the step it was at"
        return f"target {target}: the run before was killed and wrote up to {format_bytes(self.bytes)} more, by {how}"


def unsaid(campaign: Campaign, path: Path) -> dict[str, Unsaid]:
    """Return what the last run of a campaign wrote to each target and could not say, since it was killed."""
    run = journal.killed(path)
    closed = {event.get("target") for event in run if event["event"] == "closed"}
    said = journal.written_in(run)
    found: dict[str, Unsaid] = {}
    for event in run:
        target = str(event.get("target"))
        if event["event"] != journal.OPENED or target in closed or target not in campaign.passports:
            continue
        since = _since(event, campaign.passports[target])
        if since is not None:
            found[target] = Unsaid(max(0, since - said.get(target, 0)), counted=True)
        else:
            found[target] = Unsaid(_planned(campaign, target, run), counted=False)
    return found


def _since(marked: Mapping[str, object], passport: Passport) -> int | None:
    if passport.device is None:
        return None
    try:
        with CounterFile(passport.device.number) as counters:
            return written_since(marked, counters)
    except (IobenchError, LookupError, TypeError):
        return None


def _planned(campaign: Campaign, target: str, run: Sequence[Mapping[str, object]]) -> int:
    """The bytes of the step that a run was at, with the files that it needs."""
    begun = [event.get("step") for event in run if event["event"] == "started"]
    over = {event.get("step") for event in run if event["event"] in ("finished", "failed")}
    at = [step for step in campaign.steps if step.target == target and step.id in begun and step.id not in over]
    # Before its first step it made the target ready for it.
    at = at or ([] if begun else [step for step in campaign.steps if step.target == target][:1])
    rates = {name: p.emulation.write_bps for name, p in campaign.passports.items() if p.emulation}
    known = {name: rate for name, rate in rates.items() if rate}
    return needs.estimate(at, campaign.passports, known).written.get(target, 0)


def spent(campaign: Campaign, path: Path) -> dict[str, int]:
    """Return what earlier runs of a campaign wrote to each target, in bytes."""
    more = unsaid(campaign, path)
    said = journal.written(path)
    return {name: said.get(name, 0) + (more[name].bytes if name in more else 0) for name in {**said, **more}}
