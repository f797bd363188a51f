"""What was measured, and how to repeat it: each campaign with its profile, versions, commands and hash."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iobench import profiles
from iobench.analysis.several import without_load
from iobench.model import Campaign, Step
from iobench.report import labels
from iobench.report.steps import command_text
from iobench.results import CampaignFolder
from iobench.texts import Words

_LOADS = 24  # that are named


@dataclass(frozen=True, slots=True)
class Measured:
    """A workload with one set of parameters: its loads, the drives, and how often."""

    workload: str
    params: str
    loads: str
    drives: str
    rounds: int
    steps: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """A campaign as another person would do it again; `commands` are a program's, one for each work."""

    name: str
    facts: tuple[tuple[str, str], ...]
    measured: tuple[Measured, ...]
    command: str
    commands: tuple[tuple[str, str], ...]


def of(folder: CampaignFolder, campaign: Campaign, name: str, words: Words, digest: str = "") -> Repeat:
    """Return what one campaign measured and how; `digest` where it is known already. Raises ResultsError."""
    finished = folder.finished()
    return Repeat(
        name=labels.clean(name, 120),
        facts=tuple(_facts(digest or folder.digest(), campaign, name, len(finished), words)),
        measured=tuple(_measured(campaign, finished, words)),
        command=_command(campaign),
        commands=tuple(_commands(folder, campaign, finished, words)),
    )


def _facts(digest: str, campaign: Campaign, name: str, finished: int, words: Words) -> list[tuple[str, str]]:
    named = name != campaign.id
    facts = [
        ("repeat.campaign", words.noted(labels.clean(campaign.id, 100), labels.clean(name, 60) if named else "")),
        ("repeat.title", labels.title(campaign, words)),
        ("repeat.profile", labels.clean(campaign.profile or "", 100)),
        ("repeat.when", f"{campaign.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("repeat.steps", words("repeat.steps-of", done=finished, planned=len(campaign.steps))),
        ("repeat.versions", words.commas([labels.clean(tool, 120) for tool in campaign.tools.values()])),
        ("repeat.hash", digest),
    ]
    return [(words(key), text) for key, text in facts if text]


def _groups(campaign: Campaign, finished: set[str]) -> Mapping[tuple[str, str], list[Step]]:
    groups: dict[tuple[str, str], list[Step]] = {}
    for step in campaign.steps:
        if step.id in finished:
            key = (step.work.workload, repr(sorted(without_load(step.work.params).items(), key=lambda item: item[0])))
            groups.setdefault(key, []).append(step)
    return groups


def _measured(campaign: Campaign, finished: set[str], words: Words) -> list[Measured]:
    made = []
    for (workload, _), own in _groups(campaign, finished).items():
        loads = sorted({step.work.load for step in own})
        rates = sorted({step.work.rate for step in own if step.work.rate is not None})
        said = words.commas([str(load) for load in loads[:_LOADS]]) + ("…" if len(loads) > _LOADS else "")
        offered = words.commas([f"{r:g}" for r in rates[:_LOADS]])
        said = words.noted(said, words("param.rate", value=offered) if rates else "")
        made.append(
            Measured(
                workload=labels.workload_name(workload, words),
                params=labels.all_params(without_load(own[0].work.params), words),
                loads=said,
                drives=words.commas([labels.clean(name, 80) for name in dict.fromkeys(step.target for step in own)]),
                rounds=len({step.repeat for step in own}),
                steps=str(len(own)),
            )
        )
    return made


def _command(campaign: Campaign) -> str:
    """What starts the same campaign; nothing where no profile says it (`run`, an import)."""
    if not campaign.profile or campaign.imported or campaign.director:
        return ""
    shipped = campaign.profile in profiles.names("suites")
    profile = campaign.profile if shipped else f"./{campaign.profile}.toml"  # a file of one's own
    targets = [part for p in campaign.passports.values() for part in ("-t", f"{p.target.name}={p.target.path}")]
    words = ["iobench", "suite", profile, *targets, "--repeats", str(campaign.rounds)]
    return labels.clean(shlex.join(words), 4000)


def _commands(folder: CampaignFolder, campaign: Campaign, finished: set[str], words: Words) -> list[tuple[str, str]]:
    """The command of the first step of each work: the others differ in where the files are."""
    found: dict[tuple[str, int, float | None, str], tuple[str, str]] = {}
    for step in campaign.steps:
        work = step.work
        key = (work.workload, work.load, work.rate, repr(sorted(work.params.items(), key=lambda item: item[0])))
        if key in found or step.id not in finished:
            continue
        if text := command_text(folder.command(step.id)):
            name = words("what.load", what=labels.workload_name(work.workload, words), load=work.load)
            offered = words("param.rate", value=f"{work.rate:,.6g}") if work.rate is not None else ""
            found[key] = (words.noted(name, offered), text)
    return list(found.values())


def all_of(
    folders: Sequence[CampaignFolder],
    campaigns: Sequence[Campaign],
    called: Mapping[str, str],
    words: Words,
    digests: Sequence[str] = (),
) -> list[Repeat]:
    """Return every campaign of a report. Raises ResultsError."""
    return [
        of(folder, campaign, called.get(campaign.id, campaign.id), words, digest)
        for folder, campaign, digest in zip(folders, campaigns, digests or [""] * len(folders), strict=True)
    ]
