"""What each drive is able to, of what was measured: the figures that sizing and pages go by. Valid results only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from iobench.analysis import capacity, loadpoints
from iobench.analysis.capacity import Result
from iobench.analysis.compare import compare
from iobench.analysis.loadpoints import POISSON, WORKLOADS, LoadPoint
from iobench.analysis.pages import Measured
from iobench.analysis.sizing import UNITS, Capability
from iobench.analysis.types import Comparison
from iobench.errors import ResultsError
from iobench.model import Verdict
from iobench.results import CampaignFolder

_OPS = ("get", "all", "read", "write")


@dataclass
class Able:
    """A drive's figures: what it does by a need's kind, its loads with their latencies by workload, and what lacks."""

    kinds: dict[str, Capability] = field(default_factory=dict)
    loads: dict[str, list[Measured]] = field(default_factory=dict)
    not_valid: list[str] = field(default_factory=list)  # workloads whose figures are there, and not valid


def able(folders: Sequence[CampaignFolder]) -> dict[str, Able]:
    """Return what the drives of campaigns are able to, by name. Within an SLO where one was searched.

    Where none was, it is the highest median over the loads of a closed loop. Raises ResultsError.
    """
    found: dict[str, Able] = {}
    for folder in folders:
        results = capacity.results(folder)
        for result in results:
            _within(found.setdefault(result.target, Able()), result, folder.id)
    for folder in folders:
        for target in folder.campaign().passports:
            found.setdefault(target, Able())
        if not folder.finished():
            continue
        try:
            comparison = compare([folder], metrics={unit.metric for unit in UNITS.values()})
        except ResultsError:
            continue
        _highest(found, comparison, folder.id)
        _loads(found, folder)
    return found


def _within(own: Able, result: Result, campaign: str) -> None:
    """Take the highest valid point that held: of random arrivals where there are such, else of the search."""
    holding = [j.point for j in result.points if j.judgement.holds and j.point.offered is not None]
    if result.by == "load":
        holding = [j.point for j in result.points if j.judgement.holds and j.point.offered is None]
    valid = [p for p in holding if p.verdict is Verdict.VALID]
    chosen = [p for p in valid if p.arrival == POISSON] or valid
    if not chosen:
        own.not_valid += [result.slo.workload] if holding else []
        return
    best = max(chosen, key=lambda p: p.achieved)
    for kind, unit in UNITS.items():
        amount = _value(best, unit.metric)
        if unit.workload == best.workload and amount is not None:
            known = own.kinds.get(kind)
            # Two objectives of one workload both have to hold.
            if known is None or amount < known.amount:
                own.kinds[kind] = Capability(amount, f"{campaign} {best.step}")


def _value(point: LoadPoint, metric: str) -> float | None:
    return next((point.values[op, metric] for op in _OPS if (op, metric) in point.values), None)


def _highest(found: Mapping[str, Able], comparison: Comparison, campaign: str) -> None:
    for kind, unit in UNITS.items():
        rows = [r for r in comparison.rows if (r.workload, r.metric) == (unit.workload, unit.metric) and r.rate is None]
        op = next((op for op in _OPS if any(row.op == op for row in rows)), None)
        for name, own in found.items():
            figures = [row.targets[name] for row in rows if row.op == op and name in row.targets]
            valid = [figure.median for figure in figures if figure.verdict is Verdict.VALID]
            if valid and kind not in own.kinds:
                own.kinds[kind] = Capability(max(valid), campaign)
            elif figures and not valid and kind not in own.kinds:
                own.not_valid.append(unit.workload)


def _loads(found: Mapping[str, Able], folder: CampaignFolder) -> None:
    points = {p.step: p for p in loadpoints.read(folder) if p.verdict is Verdict.VALID and p.workload in WORKLOADS}
    # Beside a paced load a closed loop of as much throughput has other latencies: an application's pages are paced.
    paced = {(p.target, p.workload) for p in points.values() if p.offered is not None}
    kept = [p for p in points.values() if p.offered is not None or (p.target, p.workload) not in paced]
    for op in {p.latency_op for p in kept}:
        steps = [p.step for p in kept if p.latency_op == op]
        for step, bins in loadpoints.latency_bins(folder, steps, op):
            point = points[step]
            found[point.target].loads.setdefault(point.workload, []).append(Measured(point.achieved, bins))
