"""What campaigns measured, as repeats: numbers by work, metric and drive, one a round, with their latencies."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from iobench.analysis.types import DriveSummary
from iobench.bins import Histogram
from iobench.errors import ResultsError
from iobench.model import METRICS, Campaign, Verdict, canonical
from iobench.results import CampaignFolder
from iobench.texts import Phrase, Told

_COLUMNS = ("target", "workload", "op", "params", "load", "rate", "metric", "step")
_NUMBERS = ("repeat", "value", "verdict", "reasons")


@dataclass(frozen=True, slots=True)
class WorkKey:
    """What makes numbers comparable: the same work was asked of every drive."""

    workload: str
    load: int
    rate: float | None
    params: str
    op: str


class Repeat(NamedTuple):
    """One number of one round; `bins` are the latencies of its step and operation, where any were kept.

    A tuple: a large campaign has a hundred thousand, and a frozen dataclass takes four times as long to make.
    """

    round: int
    value: float
    verdict: Verdict
    reasons: tuple[str, ...]
    bins: Histogram | None


# The repeats of a work by metric and drive.
Repeats = Mapping[str, Mapping[str, list[Repeat]]]


@dataclass(slots=True)
class Stored:
    """What was read: repeats by work, metric and drive, and the drives in the order of the campaigns."""

    works: dict[WorkKey, dict[str, dict[str, list[Repeat]]]] = field(default_factory=dict)
    drives: dict[str, DriveSummary] = field(default_factory=dict)
    notes: list[Told] = field(default_factory=list)


def read(
    folders: Sequence[CampaignFolder],
    campaigns: Sequence[Campaign],
    names: Mapping[tuple[str, str], str],
    passed_over: Mapping[str, frozenset[str]],
) -> Stored:
    """Return all repeats, by the drives' `names`, the parameters `passed_over` left out of what tells work apart.

    The works are in order: by workload as planned, then by load, rate, parameters and operation.
    Raises ResultsError where there is none.
    """
    data = Stored()
    first_round = 0
    for folder, campaign in zip(folders, campaigns, strict=True):
        own = {t: names[campaign.id, t] for t in campaign.passports}
        measured = _read_one(folder, data, own, passed_over, first_round)
        for target, p in campaign.passports.items():
            if target in measured:
                name = names[campaign.id, target]
                data.drives.setdefault(name, DriveSummary(name, p.kind, p.emulation, p))
        data.notes += _notes(folder, campaign, measured)
        # Rounds of different campaigns never pair: drift of one day says nothing of another.
        first_round += max([campaign.rounds, *(step.repeat for step in campaign.steps)]) + 1
    if not data.works:
        raise ResultsError(
            f"nothing was measured yet in {', '.join(folder.id for folder in folders)}: "
            "no step is finished; `iobench resume` goes on with a campaign"
        )
    data.works = {key: data.works[key] for key in _ordered(data.works)}
    data.notes += _pooled(names)
    return data


def params_of(text: str) -> dict[str, Any]:
    """Return a work's parameters. Raises ResultsError for what is no JSON."""
    try:
        loaded: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"the parameters {text[:60]!r} in the results are not JSON: {error}") from error
    return loaded


def _read_one(
    folder: CampaignFolder,
    data: Stored,
    names: Mapping[str, str],
    passed_over: Mapping[str, frozenset[str]],
    first_round: int,
) -> set[str]:
    """Add a campaign's repeats; return the targets that have any."""
    columns = folder.columns("samples", *_COLUMNS, *_NUMBERS)
    measured = set(columns["target"])
    bins, verdicts = folder.latencies(), {verdict.value: verdict for verdict in Verdict}
    for target, metric, verdict in set(zip(*(columns[name] for name in ("target", "metric", "verdict")), strict=True)):
        if target not in names or metric not in METRICS or verdict not in verdicts:
            raise ResultsError(
                f"{folder.path} has numbers of the target {target!r}, metric {metric!r} and verdict {verdict!r}, which "
                "its campaign.json, or this iobench, does not know; restore the folder from its archive"
            )
    lists: dict[tuple[Any, ...], list[Repeat]] = {}
    rows = zip(*(columns[name] for name in (*_COLUMNS, *_NUMBERS)), strict=True)
    for target, workload, op, params, load, rate, metric, step, round_, value, verdict, reasons in rows:
        place = (target, workload, op, params, load, rate, metric)
        repeats = lists.get(place)
        if repeats is None:
            told = _without(params, passed_over.get(workload, frozenset()))
            by_metric = data.works.setdefault(WorkKey(workload, load, rate, told, op), {})
            repeats = lists[place] = by_metric.setdefault(metric, {}).setdefault(names[target], [])
        repeats.append(Repeat(first_round + round_, value, verdicts[verdict], tuple(reasons), bins.get((step, op))))
    return measured


def _without(text: str, names: frozenset[str]) -> str:
    return canonical({name: v for name, v in params_of(text).items() if name not in names}) if names else text


def _ordered(works: Collection[WorkKey]) -> list[WorkKey]:
    workloads = {name: i for i, name in enumerate(dict.fromkeys(key.workload for key in works))}
    ops = {name: i for i, name in enumerate(("read", "write", "get", "set", "all"))}
    return sorted(
        works,
        key=lambda k: (workloads[k.workload], k.load, k.rate or 0.0, k.params, ops.get(k.op, len(ops)), k.op),
    )


def _notes(folder: CampaignFolder, campaign: Campaign, measured: Collection[str]) -> Iterator[Told]:
    yield from campaign.notes
    done, planned = len(folder.finished()), len(campaign.steps)
    if done < planned:
        yield Phrase("note.unfinished", {"campaign": campaign.id, "done": done, "planned": planned})
    if campaign.imported:
        yield Phrase("note.without-evidence", {"campaign": campaign.id})
    for target in campaign.passports:
        if target not in measured:
            yield Phrase("note.not-yet", {"campaign": campaign.id, "drive": target})


def _pooled(names: Mapping[tuple[str, str], str]) -> Iterator[Told]:
    for name in dict.fromkeys(names.values()):
        sources = [campaign for (campaign, _), called in names.items() if called == name]
        if len(sources) > 1:
            yield Phrase("note.pooled", {"drive": name, "campaigns": tuple(sources)})
