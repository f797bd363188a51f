"""From what was asked to a campaign on disk: passports, works, steps, estimate. Nothing is written to a target."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from iobench import runners
from iobench.campaign import host, plan
from iobench.campaign.plan import Estimate, Suite
from iobench.campaign.site import FolderGround
from iobench.drives.passport import passport, same_device_warnings
from iobench.drives.workdir import WorkFolder
from iobench.errors import CannotRunError
from iobench.model import Campaign, Passport, Step, Target
from iobench.results import new_id


@dataclass(frozen=True, slots=True)
class Prepared:
    """A campaign that is ready to run, with its estimate and what the user should know before."""

    campaign: Campaign
    estimate: Estimate
    warnings: tuple[str, ...]


def prepare(
    suite: Suite,
    targets: Sequence[Target],
    overrides: Mapping[str, object],
    rounds: int | None,
    taken: Sequence[str],
    probe: bool = True,
) -> Prepared:
    """Return the campaign of a suite on targets.

    `taken` are the ids that exist. With `probe`, a target of unknown speed is written for up to half a
    second, so that the estimate holds. Raises UsageError or CannotRunError; nothing is left behind.
    """
    passports = {target.name: passport(target) for target in targets}
    families = list(dict.fromkeys(request.runner for request in suite.requests))
    needs = dict.fromkeys(tool for name in families for tool in runners.find(name).TOOLS)
    tools = host.tools(needs)
    works = plan.works(suite, passports, host.engine() if "fio" in tools else "none", overrides)
    plan.check_room(works, passports)
    steps = plan.interleave(works, list(passports), rounds or suite.rounds)
    now = datetime.now(UTC)
    campaign = Campaign(
        id=new_id(now, taken),
        created_at=now,
        profile=suite.name,
        title=suite.title,
        rounds=rounds or suite.rounds,
        steps=steps,
        passports=passports,
        host=host.describe(),
        tools=tools,
        notes=tuple(_notes(passports)),
    )
    known = rates(passports, campaign.id if probe else None)
    warnings = tuple(same_device_warnings(list(passports.values())))
    return Prepared(campaign, plan.estimate(steps, passports, known), warnings)


def again(campaign: Campaign, finished: set[str]) -> Prepared:
    """Return a stored campaign ready to go on with.

    Raises CannotRunError when a target is another drive than it was.
    """
    fresh = {name: passport(old.target) for name, old in campaign.passports.items()}
    for name, old in campaign.passports.items():
        _refuse_other_drive(name, old, fresh[name])
    left = [step for step in campaign.steps if step.id not in finished]
    plan.check_room([step.work for step in left], fresh)
    return Prepared(campaign, plan.estimate(left, fresh, rates(fresh, campaign.id)), ())


def _refuse_other_drive(name: str, old: Passport, new: Passport) -> None:
    def identity(p: Passport) -> tuple[object, ...]:
        if p.device is None:
            return (p.filesystem,)
        emulation = p.emulation.profile if p.emulation else None
        # A loop device's number changes from boot to boot; what it carries does not.
        return (p.device.serial or p.device.wwn or emulation or p.device.name, p.device.size_bytes)

    if identity(old) != identity(new):
        raise CannotRunError(
            f"target {name} is another drive than when the campaign began: it was {_words(old)} and is "
            f"{_words(new)}. Bring the first one back, or begin a new campaign"
        )


def _words(p: Passport) -> str:
    if p.device is None:
        return f"{p.filesystem or 'a path'} without a device"
    serial = f", serial {p.device.serial}" if p.device.serial else ""
    return f"{p.device.name} ({p.device.model or p.device.kind}, {p.device.size_bytes} bytes{serial})"


def _notes(passports: Mapping[str, Passport]) -> list[str]:
    notes = []
    for name, p in passports.items():
        if p.emulation:
            notes += [f"{name}: {note}" for note in p.emulation.notes]
        if p.no_device_reason:
            notes.append(f"{name}: {p.no_device_reason}")
    return notes


def rates(passports: Mapping[str, Passport], campaign: str | None) -> dict[str, float]:
    """Return the write rates (B/s) that are known, by target; with a campaign's id, unknown ones are probed."""
    known: dict[str, float] = {}
    for name, p in passports.items():
        if p.emulation and p.emulation.write_bps:
            known[name] = 0.9 * p.emulation.write_bps
        elif campaign is not None and p.target.kind == "file":
            rate = _probed(p, campaign)
            if rate:
                known[name] = rate
    return known


def _probed(p: Passport, campaign: str) -> float | None:
    with WorkFolder.make(p.target.path, f"{campaign}-probe") as folder:
        return FolderGround(folder).write_rate(time.monotonic)


def dry_run(campaign: Campaign) -> list[tuple[Step, tuple[str, ...]]]:
    """Return each step with the command that would run, file names as they would be inside the work folder."""
    from iobench.model import Place

    lines = []
    for step in campaign.steps:
        work = step.work
        block = campaign.passports[step.target].target.kind == "block"
        path = campaign.passports[step.target].target.path
        names = [*(f.name for f in work.files), *work.fresh]
        place = Place(
            data={name: path if block else name for name in names},
            size={f.name: f.size for f in work.files},
            out=f"raw/{step.id}",
            source=f"(random data in memory, {work.source.size} bytes)" if work.source else None,
            block_device=block,
        )
        lines.append((step, runners.find(work.runner).command(work, place).argv))
    return lines
