"""The valid figures of a campaign, as a judgement reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from iobench.analysis import steady
from iobench.analysis.repeats import Repeat, WorkKey, read
from iobench.analysis.rows import RESOLUTION, rows_of
from iobench.analysis.types import Estimate
from iobench.model import EDGE_S, Campaign, Verdict, Work
from iobench.results import CampaignFolder
from iobench.texts import Phrase

# Of a repeat's bytes that its device has to have seen: with more from memory a drive would pass that is too slow.
SEEN_LEAST = 1 - RESOLUTION
NO_STATES: Mapping[str, steady.Steady] = {}


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of a campaign that are valid. `estimates` by target, workload, op, metric and load.

    `left_out` has target, workload and load of what did not fit in the time; `loads` are all that were planned, by
    target and workload.
    """

    estimates: Mapping[tuple[str, str, str, str, int], Estimate]
    dropped: Mapping[tuple[str, str, str, str, int], Counter[str]]
    steady: Mapping[str, steady.Steady]
    errors: Mapping[tuple[str, str, int], Phrase]
    integrity: Mapping[str, tuple[float, frozenset[str], int]]
    left_out: frozenset[tuple[str, str, int]] = frozenset()
    loads: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)


def measured(
    folder: CampaignFolder,
    errors: Mapping[str, Phrase],
    left_out: frozenset[tuple[str, str, int]] = frozenset(),
    states: Mapping[str, steady.Steady] = NO_STATES,
) -> Measured:
    """Return the valid figures of a campaign. `errors` are the failed steps' sentences by id, `states` the rounds."""
    campaign = folder.campaign()
    failed = {
        (step.target, step.work.workload, step.work.load): errors[step.id]
        for step in campaign.steps
        if step.id in errors
    }
    estimates: dict[tuple[str, str, str, str, int], Estimate] = {}
    dropped: dict[tuple[str, str, str, str, int], Counter[str]] = {}
    integrity: dict[str, tuple[float, frozenset[str], int]] = {}
    planned = {(step.target, step.work.workload, step.work.load) for step in campaign.steps} | left_out
    loads = {place[:2]: frozenset(load for *of, load in planned if tuple(of) == place[:2]) for place in planned}
    found = Measured(estimates, dropped, states, failed, integrity, left_out, loads)
    if not folder.finished():
        return found
    names = {(campaign.id, target): target for target in campaign.passports}
    stored = read([folder], [campaign], names, {})
    unseen = _unseen(folder, campaign)
    works: dict[WorkKey, dict[str, dict[str, list[Repeat]]]] = {}
    for key, by_metric in stored.works.items():
        sound = works.setdefault(key, {})
        for metric, of in by_metric.items():
            for target, repeats in of.items():
                place = (target, key.workload, key.op, metric, key.load)
                valid = [each for each in repeats if each.verdict == Verdict.VALID]
                good = [each for each in valid if (target, key.workload, key.load, each.round) not in unseen]
                dropped[place] = Counter(r for each in repeats for r in each.reasons if each.verdict != Verdict.VALID)
                dropped[place].update(["page-cache"] * (len(valid) - len(good)))
                if good:
                    sound.setdefault(metric, {})[target] = good
                if metric in ("corrupt", "lost"):
                    _add_integrity(integrity, target, metric, repeats)
    for row in rows_of(works, None, RESOLUTION):
        for target, estimate in row.targets.items():
            estimates[target, row.workload, row.op, row.metric, row.load] = estimate
    return found


def _unseen(folder: CampaignFolder, campaign: Campaign) -> frozenset[tuple[str, str, int, int]]:
    """Target, workload, load and repeat of the steps whose device saw less of their bytes than counts here.

    A store's values are not looked at: it answers some gets from memory by its nature, which its own rule allows for.
    """
    place = {step.id: (step.target, step.work.workload, step.work.load, step.repeat) for step in campaign.steps}
    ways = ("read", "written")
    columns = folder.columns("evidence", "step", *(f"{of}_bytes_{way}" for way in ways for of in ("tool", "device")))
    least = {step.id: _seen_least(step.work) for step in campaign.steps if step.work.workload != "kvs"}
    short = set()
    for way in ways:
        pairs = zip(columns["step"], columns[f"tool_bytes_{way}"], columns[f"device_bytes_{way}"], strict=True)
        short |= {id_ for id_, tool, seen in pairs if tool and seen is not None and seen < least.get(id_, 0.0) * tool}
    return frozenset(place[step] for step in short)


def _seen_least(work: Work) -> float:
    """What the device has to have seen: after a ramp the window's ends may lie a little aside."""
    return SEEN_LEAST * (1 - EDGE_S / work.duration_s) if work.ramp_s and work.duration_s else SEEN_LEAST


def _add_integrity(
    found: dict[str, tuple[float, frozenset[str], int]], target: str, metric: str, repeats: Sequence[Repeat]
) -> None:
    count, reasons, passes = found.get(target, (0.0, frozenset(), 0))
    count += sum(each.value for each in repeats)
    reasons |= {reason for each in repeats for reason in each.reasons}
    found[target] = count, reasons, passes + (len(repeats) if metric == "corrupt" else 0)
