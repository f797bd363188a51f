"""Stored steps as points of load against latency, the same columns for every workload, held against an SLO."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iobench.analysis.slo import LATENCIES as _POINTS
from iobench.analysis.slo import Limit, Slo
from iobench.bins import Bins
from iobench.model import FLATTERING_REASONS, INVALID_REASONS, LimitedBy, Params, Verdict
from iobench.results import CampaignFolder, decode_bins

# What must be achieved of the rate that is offered.
ACHIEVED_LEAST = 0.98
# How much of the rate may be missing in the second half of a point before its backlog is called growing.
BACKLOG_GROWTH = 0.01
# How many standard errors of counting are allowed to arrivals at random, whose number is itself drawn.
POISSON_SIGMAS = 2.0
# But no more than this share, however few they are: a point that fails for it is tried again.
POISSON_MOST = 0.04
# A point that counts has so many operations, or so many seconds; and it is never too short for a limit's burst.
POINT_OPERATIONS = 10_000
POINT_SECONDS = 10.0
POINT_LEAST_S = 6.0
POINT_MOST_S = 30.0  # for a percentile that needs more operations than that, a point is not judged
# Fewer transactions than that are too short for a verdict (campaign/verdict.py), and no figure for sizing.
FEWEST: Mapping[str, int] = {"oltp": 1000}
# From this share of all processors on the machine is pressed: a point may fail for its other work.
PRESSED_CPU = 0.8
# A failure at so much of the most that was ever achieved is the drive's own: it was doing all it can.
SURE_SHARE = 0.99
OPERATIONS_ROOM = 1.25  # more operations than a percentile needs: of a store nine in ten are gets, and some are missing

_OPS = ("all", "get", "read", "write", "set")
# What counts as achieved: what was answered, hit or miss; the first that a workload has.
_DONE = ("iops", "transactions", "ops", "hits")
LATENCIES = frozenset(f"latency_{point}" for point in _POINTS)
CLOSED, EVEN, POISSON = "closed", "even", "poisson"
# These can be searched: they take a rate.
WORKLOADS = ("rand-read", "rand-write", "rand-mixed", "oltp", "kvs")


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """A step as a point. Rates in 1/s, latencies (metric -> seconds) of the operations that are counted.

    `offered` is None in a closed loop. `backlog` is how many operations were behind at the end, `growth` how
    many more a second in the second half, both None where no series tells. `values` has every number of
    the step, by operation and metric. `pressed`: the machine's processors or the drive had other work as well.
    """

    target: str
    workload: str
    step: str
    op: str
    arrival: str
    load: int
    params: Params
    offered: float | None
    achieved: float
    latency_op: str
    latencies: Mapping[str, float]
    operations: float
    duration_s: float
    backlog: float | None
    growth: float | None
    verdict: Verdict
    reasons: tuple[str, ...]
    limited_by: LimitedBy
    values: Mapping[tuple[str, str], float] = field(default_factory=dict)
    pressed: bool = False

    @property
    def flattered(self) -> bool:
        """Whether it is invalid, and only because memory answered in the drive's place."""
        invalid = INVALID_REASONS.intersection(self.reasons)
        return self.verdict is Verdict.INVALID and bool(invalid) and invalid <= FLATTERING_REASONS

    @property
    def share(self) -> float | None:
        """What was achieved of what was offered."""
        return None if self.offered is None else self.achieved / self.offered

    @property
    def lateness_p99(self) -> float | None:
        """How late operations were sent, at the 99th percentile, in seconds; None where the program does not tell."""
        return self.values.get(("all", "lateness_p99"))

    @property
    def noise(self) -> float:
        """The relative standard error that the arrivals themselves have: none, but where they are at random."""
        return 1 / math.sqrt(max(1.0, self.operations)) if self.arrival == POISSON else 0.0

    @property
    def x(self) -> float:
        """Where it stands on the axis of a search: the rate that was offered, in a closed loop the load."""
        return float(self.load) if self.offered is None else self.offered


def duration_s(rate: float, slo: Slo) -> float:
    """Return how long a point of a rate (1/s) is measured: 10,000 operations or 10 s, and enough for the percentiles.

    Never under what a limit's burst spoils, nor over half a minute.
    """
    enough = OPERATIONS_ROOM * max(slo.least_operations, FEWEST.get(slo.workload, 0))
    wanted = max(POINT_LEAST_S, min(POINT_SECONDS, POINT_OPERATIONS / rate), enough / rate)
    return math.ceil(10 * min(POINT_MOST_S, wanted)) / 10


def lowest_rate(objective: Slo) -> float:
    """Return the lowest rate (1/s) at which the longest point still has enough operations for the percentiles."""
    return OPERATIONS_ROOM * objective.least_operations / POINT_MOST_S


# --- judging -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a point holds an SLO, and if not why: `invalid`, `too-few`, `slo`, `rate`, `backlog`."""

    holds: bool
    why: tuple[str, ...] = ()
    limit: Limit | None = None  # the one that was broken


def judge(point: LoadPoint, slo: Slo) -> Judgement:
    """Return whether a point holds: the SLO holds, enough of the rate was achieved, and the backlog does not grow.

    An invalid one never holds. But where it failed although memory answered in the drive's place, the drive
    would have failed the more: that is a failure like any other.
    """
    if point.verdict is Verdict.INVALID and not point.flattered:
        return Judgement(False, ("invalid",))
    if slo.missing(point.latencies):
        return Judgement(False, ("too-few",))
    why, broken = [], slo.broken(point.latencies)
    if broken is not None:
        why.append("slo")
    if point.share is not None and point.share < ACHIEVED_LEAST - min(POISSON_MOST, POISSON_SIGMAS * point.noise):
        why.append("rate")
    if _grows(point):
        why.append("backlog")
    if point.flattered and not why:
        why.append("invalid")
    return Judgement(not why, tuple(why), broken)


def _grows(point: LoadPoint) -> bool:
    if point.growth is None or point.offered is None:
        return False
    # Half of the time has half of the arrivals, and so a relative error that is the root of two larger.
    noise = math.sqrt(2) * min(POISSON_MOST, POISSON_SIGMAS * point.noise)
    return point.growth > (BACKLOG_GROWTH + noise) * point.offered


def tells(point: LoadPoint, slo: Slo) -> bool:
    """Whether anything follows from a point: of invalid ones, only from a failure that was flattered."""
    return point.verdict is not Verdict.INVALID or not {"invalid", "too-few"}.intersection(judge(point, slo).why)


def surely_failed(point: LoadPoint, slo: Slo, most: float) -> bool:
    """Whether a failure is surely the drive's: it did as much as it ever did (`most`, 1/s), and that was too little."""
    why = judge(point, slo).why
    return ("rate" in why or "backlog" in why) and point.achieved >= SURE_SHARE * most and not at_machine_end(point)


def at_machine_end(point: LoadPoint) -> bool:
    """Whether the machine that offers the load was at its own end, so that the point says nothing of the drive."""
    return point.limited_by in (LimitedBy.CLIENT, LimitedBy.CPU)


# --- reading -------------------------------------------------------------------------------------------


def read(folder: CampaignFolder) -> tuple[LoadPoint, ...]:
    """Return a campaign's finished steps of the workloads that take a rate, as they ran. Raises ResultsError."""
    import pyarrow.compute as pc

    samples = folder.read("samples")
    samples = samples.filter(pc.is_in(samples["workload"], value_set=_array(WORKLOADS)))
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in samples.to_pylist():
        rows.setdefault(row["step"], []).append(row)
    if not rows:
        return ()
    series = _series(folder, rows)
    seen = {row["step"]: row for row in folder.read("evidence").to_pylist()}
    order = {step.id: number for number, step in enumerate(folder.campaign().steps)}
    found = [_point(rows[step], series.get(step, {}), seen.get(step, {})) for step in rows]
    return tuple(sorted((p for p in found if p is not None), key=lambda p: order.get(p.step, len(order))))


def _array(names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.array(names)


def _series(folder: CampaignFolder, steps: Mapping[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    import pyarrow.compute as pc

    table = folder.read("series")
    table = table.filter(pc.is_in(table["step"], value_set=_array(list(steps))))
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    columns = (table[name].to_pylist() for name in ("step", "metric", "t_s", "value"))
    for step, metric, t_s, value in zip(*columns, strict=True):
        found.setdefault(step, {}).setdefault(metric, []).append((t_s, value))
    return found


def _point(
    rows: Sequence[Mapping[str, Any]], series: Mapping[str, list[tuple[float, float]]], seen: Mapping[str, Any]
) -> LoadPoint | None:
    first = rows[0]
    values = {(row["op"], row["metric"]): row["value"] for row in rows}
    ops = [op for op in _OPS if any(key[0] == op for key in values)]
    op = next((o for o in ops if any((o, m) in values for m in _DONE)), None)
    if op is None:
        return None
    achieved = next(values[op, m] for m in _DONE if (op, m) in values)
    timed = next((o for o in (op, *ops) if (o, "latency_p50") in values), op)  # of gets alone, say
    latencies = {m: v for (o, m), v in values.items() if o == timed and m in LATENCIES}
    params = json.loads(first["params"])
    offered, seconds = first["rate"], first["duration_s"] or 0.0
    done, limited = _done_a_second(series, params), seen.get("limited_by")
    return LoadPoint(
        target=first["target"],
        workload=first["workload"],
        step=first["step"],
        op=op,
        arrival=CLOSED if offered is None else str(params.get("arrival") or POISSON),
        load=first["load"],
        params=params,
        offered=offered,
        achieved=achieved,
        latency_op=timed,
        latencies=latencies,
        operations=achieved * seconds,
        duration_s=seconds,
        backlog=None if offered is None else max(0.0, (offered - achieved) * seconds),
        growth=None if offered is None else _growth(offered, done),
        verdict=Verdict(first["verdict"]),
        reasons=tuple(first["reasons"]),
        limited_by=LimitedBy(limited) if limited in set(LimitedBy) else LimitedBy.UNKNOWN,
        values=values,
        pressed=(seen.get("system_cpu") or 0.0) >= PRESSED_CPU or "background-io" in first["reasons"],
    )


def _done_a_second(series: Mapping[str, list[tuple[float, float]]], params: Params) -> list[float]:
    """Return the operations a second over time: a series of them, else of bytes over the block's size."""
    block = params.get("block_size")
    if "transactions" in series:
        return [value for _, value in sorted(series["transactions"])]
    if "hits" in series:  # of a key-value store; several keys of one get are one request, and are not told apart
        return _sums(series, ("hits", "misses", "sets"), 1) if params.get("multi_get", 1) == 1 else []
    return _sums(series, ("read_throughput", "write_throughput"), block) if isinstance(block, int) else []


def _sums(series: Mapping[str, list[tuple[float, float]]], metrics: Sequence[str], divisor: int) -> list[float]:
    sums: dict[float, float] = {}
    for metric in metrics:
        for t_s, value in series.get(metric, ()):
            sums[t_s] = sums.get(t_s, 0.0) + value / divisor
    return [sums[t] for t in sorted(sums)]


def _growth(offered: float, done: Sequence[float]) -> float | None:
    """Return by how many operations a second the backlog grew in the second half; None with too few seconds."""
    half = done[len(done) // 2 :]
    return offered - math.fsum(half) / len(half) if len(done) >= 4 else None


def latency_bins(folder: CampaignFolder, steps: Sequence[str], op: str) -> Iterator[tuple[str, Bins]]:
    """Yield each step's latency bins (nanoseconds -> count) of an operation, where kept. Raises ResultsError."""
    table = folder.read("latency")
    columns = (table[name].to_pylist() for name in ("step", "op", "histogram"))
    wanted = set(steps)
    for step, its, text in zip(*columns, strict=True):
        if step in wanted and its == op:
            yield step, decode_bins(text)
