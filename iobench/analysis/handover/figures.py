"""The valid figures of a campaign, as a judgement reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iobench.analysis import steady
from iobench.analysis.repeats import Repeat, WorkKey, read
from iobench.analysis.rows import RESOLUTION, rows_of
from iobench.analysis.types import Estimate
from iobench.model import Verdict
from iobench.results import CampaignFolder


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of a campaign that are valid. `estimates` by target, workload, op, metric and load.

    `left_out` has target, workload and load of what did not fit in the time.
    """

    estimates: Mapping[tuple[str, str, str, str, int], Estimate]
    dropped: Mapping[tuple[str, str, str, str, int], Counter[str]]
    steady: Mapping[str, steady.Steady]
    errors: Mapping[tuple[str, str, int], str]
    integrity: Mapping[str, tuple[float, frozenset[str], int]]
    left_out: frozenset[tuple[str, str, int]] = frozenset()


def measured(
    folder: CampaignFolder, errors: Mapping[str, str], left_out: frozenset[tuple[str, str, int]] = frozenset()
) -> Measured:
    """Return the valid figures of a campaign. `errors` are the failed steps' sentences by id."""
    campaign = folder.campaign()
    failed = {
        (step.target, step.work.workload, step.work.load): errors[step.id]
        for step in campaign.steps
        if step.id in errors
    }
    estimates: dict[tuple[str, str, str, str, int], Estimate] = {}
    dropped: dict[tuple[str, str, str, str, int], Counter[str]] = {}
    integrity: dict[str, tuple[float, frozenset[str], int]] = {}
    rounds: dict[str, dict[int, float]] = {}
    if not folder.finished():
        return Measured(estimates, dropped, {}, failed, integrity, left_out)
    names = {(campaign.id, target): target for target in campaign.passports}
    stored = read([folder], [campaign], names, {})
    works: dict[WorkKey, dict[str, dict[str, list[Repeat]]]] = {}
    for key, by_metric in stored.works.items():
        valid = works.setdefault(key, {})
        for metric, of in by_metric.items():
            for target, repeats in of.items():
                place = (target, key.workload, key.op, metric, key.load)
                dropped[place] = Counter(r for each in repeats for r in each.reasons if each.verdict != Verdict.VALID)
                good = [each for each in repeats if each.verdict == Verdict.VALID]
                if good:
                    valid.setdefault(metric, {})[target] = good
                if metric in ("corrupt", "lost"):
                    _add_integrity(integrity, target, metric, repeats)
                if (key.workload, metric) == ("steady-write", "iops"):
                    rounds.setdefault(target, {}).update({each.round: each.value for each in repeats})
    for row in rows_of(works, None, RESOLUTION):
        for target, estimate in row.targets.items():
            estimates[target, row.workload, row.op, row.metric, row.load] = estimate
    states = {name: steady.judge([of[number] for number in sorted(of)]) for name, of in rounds.items()}
    return Measured(estimates, dropped, states, failed, integrity, left_out)


def _add_integrity(
    found: dict[str, tuple[float, frozenset[str], int]], target: str, metric: str, repeats: Sequence[Repeat]
) -> None:
    count, reasons, passes = found.get(target, (0.0, frozenset(), 0))
    count += sum(each.value for each in repeats)
    reasons |= {reason for each in repeats for reason in each.reasons}
    found[target] = count, reasons, passes + (len(repeats) if metric == "corrupt" else 0)
