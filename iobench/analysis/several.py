"""Several campaigns side by side: what their drives are called, and whether their numbers can be compared at all."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from iobench.errors import UsageError
from iobench.model import Campaign, ParamValue, Passport
from iobench.texts import Phrase, Words

# What makes up a load: another one is another row, and hides no difference.
CONCURRENCY = frozenset({"depth", "iodepth", "jobs", "numjobs", "clients", "threads", "connections", "rate"})
_MOST = 6  # differences that are named


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that two campaigns did not do alike, so that their numbers are of different work.

    `what` is a workload with a parameter's `name`; None where it is a program of that name. `here` and `there`
    are how each of the two, `first` and `other`, had it.
    """

    what: str | None
    name: str
    first: str
    other: str
    here: str
    there: str

    @property
    def phrase(self) -> Phrase:
        """The gap in words."""
        told = {"name": self.name, "first": self.first, "other": self.other, "here": self.here, "there": self.there}
        if self.what is None:
            return Phrase("gap.tool", told)
        return Phrase("gap.param", {"workload": self.what, **told})


def labels(campaigns: Sequence[Campaign], given: Sequence[str | None] = ()) -> dict[str, str]:
    """Return what each campaign is called: by the name given, else by its host where each has another, else its id."""
    hosts = [str(campaign.host.get("name") or "") for campaign in campaigns]
    known = all(hosts) and len(set(hosts)) == len(hosts) > 1 and not any(c.imported for c in campaigns)
    named = [*given, *([None] * (len(campaigns) - len(given)))]
    return {
        campaign.id: name or (host if known else campaign.id)
        for campaign, name, host in zip(campaigns, named, hosts, strict=True)
    }


def names(campaigns: Sequence[Campaign], called: Mapping[str, str], pool: bool) -> dict[tuple[str, str], str]:
    """Return what each campaign's targets are called: by name, with the campaign's where a name is in several.

    With `pool`, one device of one name in several campaigns is one drive, and its repeats are taken together.
    """
    devices: dict[str, dict[str, str]] = {}
    for campaign in campaigns:
        for target, passport in campaign.passports.items():
            devices.setdefault(target, {}).setdefault(_identity(campaign, passport, pool), campaign.id)
    return {
        (campaign.id, target): (
            target
            if len(devices[target]) == 1
            else f"{target} ({called[devices[target][_identity(campaign, passport, pool)]]})"
        )
        for campaign in campaigns
        for target, passport in campaign.passports.items()
    }


def ordered(campaigns: Sequence[Campaign], called: Mapping[tuple[str, str], str]) -> list[str]:
    """Return the drives' names in the order of the targets, a target's campaigns beside each other."""
    targets = dict.fromkeys(target for campaign in campaigns for target in campaign.passports)
    pairs = ((campaign.id, target) for target in targets for campaign in campaigns if target in campaign.passports)
    return list(dict.fromkeys(called[pair] for pair in pairs))


def _identity(campaign: Campaign, passport: Passport, pool: bool) -> str:
    """Return what two campaigns must share for their numbers to be of one drive, where those may be pooled."""
    if not pool:
        return campaign.id  # before and after an update it is the same device, and that is the question
    device, host = passport.device, str(campaign.host.get("name", ""))
    if passport.emulation is not None:
        # Loop devices get new numbers, and notes tell how it was made; an emulated drive is what it was set to.
        return repr(("emulated", host, dataclasses.replace(passport.emulation, notes=())))
    if device is None:
        return repr(("path", host, passport.target.path))
    if device.wwn or device.serial:
        return repr(("id", device.wwn or device.serial, device.size_bytes))
    return repr(("device", host, device.name, device.size_bytes))


def gaps(campaigns: Sequence[Campaign], called: Mapping[str, str]) -> list[Gap]:
    """Return what keeps campaigns from being compared: other parameters, other major versions of their programs."""
    found: list[Gap] = []
    for i, other in enumerate(campaigns[1:], 1):
        for first in campaigns[:i]:
            found += _programs(first, other, called)
            found += _parameters(first, other, called)
    # With three campaigns one gap is found twice; what differs is said once for each pair that differs first.
    return list({(gap.what, gap.name, gap.other): gap for gap in reversed(found)}.values())[::-1]


def _programs(first: Campaign, other: Campaign, called: Mapping[str, str]) -> Iterator[Gap]:
    for name in (name for name in first.tools if name in other.tools):
        a, b = first.tools[name], other.tools[name]
        if _major(a) != _major(b):
            yield Gap(None, name, called[first.id], called[other.id], a, b)


def _major(version: str) -> str | None:
    match = re.search(r"(\d{1,6})(?:\.\d+)+", version)
    return match[1] if match else None


def _parameters(first: Campaign, other: Campaign, called: Mapping[str, str]) -> Iterator[Gap]:
    mine, theirs = fixed(first), fixed(other)
    for workload in (name for name in mine if name in theirs):
        if set(mine[workload]) & set(theirs[workload]):
            continue  # there is work that both did; what only one did stands in a row of its own
        here, there = _nearest(mine[workload], theirs[workload])
        for name in sorted({*here, *there}):
            if here.get(name) != there.get(name):
                told = _said(here.get(name)), _said(there.get(name))
                yield Gap(workload, name, called[first.id], called[other.id], *told)


def fixed(campaign: Campaign) -> dict[str, dict[str, Mapping[str, ParamValue]]]:
    """Return, for each workload, the sets of parameters it was run with, but for those that make up the load."""
    found: dict[str, dict[str, Mapping[str, ParamValue]]] = {}
    for work in {id(step.work): step.work for step in campaign.steps}.values():
        kept = without_load(work.params)
        found.setdefault(work.workload, {})[json.dumps(kept, sort_keys=True)] = kept
    return found


def without_load(params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Return the parameters of a work but for those that make up its load."""
    return {name: value for name, value in params.items() if name not in CONCURRENCY}


def _nearest(
    mine: Mapping[str, Mapping[str, ParamValue]], theirs: Mapping[str, Mapping[str, ParamValue]]
) -> tuple[Mapping[str, ParamValue], Mapping[str, ParamValue]]:
    pairs = [(a, b) for a in mine.values() for b in theirs.values()]
    return min(pairs, key=lambda pair: sum(pair[0].get(k) != pair[1].get(k) for k in {*pair[0], *pair[1]}))


def _said(value: ParamValue) -> str:
    return "–" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def refuse(found: Sequence[Gap]) -> None:
    """Raise UsageError that names what differs, where anything does."""
    if not found:
        return
    words = Words("en")
    said = [words.say(gap.phrase) for gap in found]
    more = f"; and {len(said) - _MOST} more" if len(said) > _MOST else ""
    raise UsageError(
        f"these campaigns did not do the same work: {'; '.join(said[:_MOST])}{more}. Measure them alike, or "
        "give --anyway to set them side by side; the report then says so"
    )


def merged_params(campaigns: Sequence[Campaign], found: Sequence[Gap]) -> dict[str, frozenset[str]]:
    """Return, for each workload, the parameters to look past where campaigns are compared in spite of them.

    A workload that a campaign ran in several ways is left as it is: nothing says which of them belongs to which.
    """
    sets = [fixed(campaign) for campaign in campaigns]
    differing: dict[str, set[str]] = {}
    for gap in found:
        if gap.what is not None and all(len(each.get(gap.what, {})) <= 1 for each in sets):
            differing.setdefault(gap.what, set()).add(gap.name)
    return {workload: frozenset(params) for workload, params in differing.items()}
