"""What a campaign would run, said beforehand: every command, its set-up's too. Nothing is started or written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iobench import runners, servers
from iobench.campaign import needs
from iobench.campaign.site import NOWHERE
from iobench.model import Campaign, DataFile, Place, Step, Work
from iobench.tools import fio


@dataclass(frozen=True, slots=True)
class Line:
    """A command that would run: for a step, or to make a target ready."""

    what: str
    target: str
    argv: tuple[str, ...]
    step: Step | None = None


def commands(campaign: Campaign) -> list[Line]:
    """Return every command that would run, file names as they would be inside the work folder."""
    lines = [line for name in campaign.passports for line in _setup_lines(campaign, name)]
    for step in campaign.steps:
        argv = runners.find(step.work.runner).command(step.work, _place(campaign, step.target, step.work, step.id)).argv
        lines.append(Line(step.id, step.target, argv, step))
    return lines


def _setup_lines(campaign: Campaign, target: str) -> Iterator[Line]:
    """The commands that lay out a target's files and warm it up."""
    works = {id(step.work): step.work for step in campaign.steps if step.target == target}.values()
    direct = any(work.params.get("direct") for work in works)
    files: dict[str, DataFile] = {}
    for file in (file for work in works for file in work.files if file.layout == "write"):
        files[file.name] = max(file, files.get(file.name, file), key=lambda f: f.size)
    for file in files.values():
        path = _path(campaign, target, file.name)
        command = fio.lay_out(path, file.size, "libaio" if direct else "psync", direct, "raw/layout")
        yield Line("lay out the test file", target, command.argv)
    if campaign.passports[target].target.kind != "server":
        for service in needs.services(list(works)):
            for what, argv in servers.planned(service):
                yield Line(what, target, argv)
    for work in works:
        if work.warm_up:
            place = _place(campaign, target, work, f"warm-up-{work.workload}")
            yield Line(f"warm up {work.workload}", target, runners.find(work.runner).command(work, place).argv)


def _place(campaign: Campaign, target: str, work: Work, raw: str) -> Place:
    names = [*(f.name for f in work.files), *work.fresh, *([work.tree.name] if work.tree else ())]
    return Place(
        data={name: _path(campaign, target, name) for name in names},
        size={f.name: f.size for f in work.files},
        out=f"raw/{raw}",
        source=f"(random data in memory, {work.source.size} bytes)" if work.source else None,
        block_device=campaign.passports[target].target.kind == "block",
        service=servers.module(work.service.kind).EXAMPLE if work.service else NOWHERE,
    )


def _path(campaign: Campaign, target: str, name: str) -> str:
    place = campaign.passports[target].target
    return place.path if place.kind == "block" else name
