"""From what was asked to a campaign on disk: passports, works, steps, estimate. Nothing is written to a target."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from iobench import runners, servers
from iobench.campaign import host, needs, plan, programs
from iobench.campaign.ground import FolderGround
from iobench.campaign.needs import Estimate
from iobench.campaign.plan import Suite
from iobench.campaign.site import open_folder
from iobench.drives.passport import passport, refuse_other_drive, same_device_warnings
from iobench.drives.turns import Turns
from iobench.model import Campaign, ParamValue, Passport, Target, Work, of_drive
from iobench.results import new_id
from iobench.texts import Phrase, Told

NOTHING_LEFT: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Assembled:
    """A campaign that is ready to run, with its estimate and what the user should know before.

    `needed` is the bytes that its files take on each target, where its first steps do not tell: a plan may grow.
    """

    campaign: Campaign
    estimate: Estimate
    warnings: tuple[str, ...]
    needed: int | None = None


def assemble(
    suite: Suite,
    targets: Sequence[Target],
    overrides: Mapping[str, object],
    rounds: int | None,
    taken: Sequence[str],
) -> Assembled:
    """Return the campaign of a suite on targets; nothing is written. `taken` are the ids that exist.

    Raises UsageError or CannotRunError.
    """
    passports = {target.name: passport(target) for target in targets}
    suite, absent = _installed(suite)
    tools = host.tools(programs.of_all((request.runner, request.values) for request in suite.requests))
    works = plan.works(suite, passports, host.engine() if "fio" in tools else "none", overrides, tools)
    works, unserved = _served(works, passports)
    left = [*absent, *unserved, *_left_out(works, passports)]
    tools = {**tools, **_server_tools(works, passports)}
    needs.check_room(works, passports)
    ordered = plan.interleave(works, list(passports), rounds or suite.rounds)
    steps = tuple(step for step in ordered if plan.fits(step.work, passports[step.target]))
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
        notes=(*_notes(passports), *left),
        director=_director(list(dict.fromkeys(request.runner for request in suite.requests))),
    )
    warnings = (*same_device_warnings(list(passports.values())), *map(str, left))
    return Assembled(campaign, needs.estimate(steps, passports, rates(passports, None)), warnings)


def _installed(suite: Suite) -> tuple[Suite, list[Told]]:
    """Leave out of a suite what needs a program that is not here, and say so; not without fio, which most needs."""
    missing = {i: programs.lacking(request.runner, request.values) for i, request in enumerate(suite.requests)}
    kept = [request for i, request in enumerate(suite.requests) if not missing[i] or "fio" in missing[i]]
    if not kept or len(kept) == len(suite.requests):
        return suite, []
    gone = {suite.requests[i].runner: tools for i, tools in missing.items() if tools and "fio" not in tools}
    notes = [programs.left_out(runner, tools) for runner, tools in gone.items()]
    return dataclasses.replace(suite, requests=tuple(kept)), notes


def _served(works: tuple[Work, ...], passports: Mapping[str, Passport]) -> tuple[tuple[Work, ...], list[Told]]:
    """The same for works whose private server is not installed; none is needed where the targets are servers."""
    if all(p.target.kind == "server" for p in passports.values()):
        return works, []
    absent = programs.without_servers(works)
    kept = tuple(work for work in works if work.workload not in absent)
    if not kept or not absent:
        return works, []
    return kept, [programs.left_out(workload, tools) for workload, tools in absent.items()]


def _director(families: Sequence[str]) -> dict[str, ParamValue] | None:
    """Who makes the plan grow, where a workload of it needs that."""
    named = [name for family in families if (name := getattr(runners.find(family), "DIRECTOR", None))]
    return {"name": named[0]} if named else None


def probed(assembled: Assembled, finished: Collection[str] = (), untouched: Collection[str] = ()) -> Assembled:
    """Return the same with an estimate that holds: a target of unknown speed is written for half a second at most.

    Not those `untouched`, whose preparation that would spoil.
    """
    campaign = assembled.campaign
    left = [step for step in campaign.steps if step.id not in finished]
    known = rates({name: p for name, p in campaign.passports.items() if name not in untouched}, campaign.id)
    return dataclasses.replace(assembled, estimate=needs.estimate(left, campaign.passports, known))


def again(campaign: Campaign, finished: Collection[str], left_bytes: Mapping[str, int] = NOTHING_LEFT) -> Assembled:
    """Return a stored campaign ready to go on with; `left_bytes` of files are on its targets since it was aborted.

    Raises CannotRunError when a target is another drive than it was.
    """
    fresh = {name: passport(old.target) for name, old in campaign.passports.items()}
    for name, old in campaign.passports.items():
        refuse_other_drive(old, fresh[name])
    left = [step for step in campaign.steps if step.id not in finished]
    needs.check_room([step.work for step in left], {name: with_room(p, left_bytes) for name, p in fresh.items()})
    tools = host.tools(programs.of_all((step.work.runner, step.work.params) for step in left))
    tools = {**tools, **_server_tools([step.work for step in left], fresh)}
    # The same drive may have another device number by now, and a tool another version.
    campaign = dataclasses.replace(campaign, passports=fresh, tools={**campaign.tools, **tools})
    return probed(Assembled(campaign, needs.estimate(left, fresh, {}), ()), finished, left_bytes)


def with_room(passport: Passport, left_bytes: Mapping[str, int]) -> Passport:
    """A passport with the room that files of ours take which are still there."""
    free = passport.free_bytes
    more = left_bytes.get(passport.target.name, 0)
    return dataclasses.replace(passport, free_bytes=free + more) if free is not None else passport


def _server_tools(works: Sequence[Work], passports: Mapping[str, Passport]) -> Mapping[str, str]:
    """The versions of the programs that private servers need; none where every target is a server that exists."""
    if all(p.target.kind == "server" for p in passports.values()):
        return {}
    wanted = dict.fromkeys(tool for service in needs.services(works) for tool in servers.module(service.kind).TOOLS)
    return host.tools(wanted) if wanted else {}


def _notes(passports: Mapping[str, Passport]) -> list[Told]:
    notes: list[Told] = []
    for name, p in passports.items():
        if p.emulation:
            notes += [of_drive(name, note) for note in p.emulation.notes]
        if p.no_device_reason:
            notes.append(of_drive(name, p.no_device_reason))
    return notes


def _left_out(works: Sequence[Work], passports: Mapping[str, Passport]) -> list[Told]:
    """What is not done on which target, since it needs a file system there."""
    notes: list[Told] = []
    for name, p in passports.items():
        names = dict.fromkeys(work.workload for work in works if not plan.fits(work, p))
        if names:
            notes.append(Phrase("note.bare", {"drive": name, "workloads": tuple(names)}))
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
    with Turns() as turns, open_folder(p, f"{campaign}-probe") as folder:
        turns.take(p.target.name, p.mount_point or p.target.path)
        return FolderGround(folder).write_rate(time.monotonic)
