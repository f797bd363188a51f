"""What a capacity campaign was asked, where each of its searches stands, and what they found. Pure.

The director (campaign/capacity.py) asks for what `State.wanted` says; the terminal, JSON and the report show
`results`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iobench.analysis import loadpoints, search, slo
from iobench.analysis.loadpoints import CLOSED, POINT_LEAST_S, POISSON, Judgement, LoadPoint
from iobench.analysis.search import Bounds, CurvePoint, End, Outcome, Trial
from iobench.analysis.slo import Slo
from iobench.errors import UsageError
from iobench.model import Campaign, ParamValue, Verdict
from iobench.results import CampaignFolder

NAME = "capacity"
# The most that may be outstanding where the rate is searched.
LOAD = 64
MOST_LOAD = 256
# From this share of the most on, one operation at a time is said to be all that a drive can do.
SATURATED = 0.8
# Programs that take whole rates: fio for each job, of mixed work for each direction.
_GRAINS: Mapping[str, float] = {"rand-read": 1.0, "rand-write": 1.0, "rand-mixed": 4.0, "oltp": 1.0}
# Where the curve has points beside those of the search, as shares of what held.
CURVE_SHARES = (0.4, 0.75)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a capacity campaign is to find out. Rates in 1/s.

    `by` is `rate` or `load`; `most` the highest that is tried; `settings` are parameters of workloads by
    `WORKLOAD.NAME`; `duration_s` holds for each point where it is given.
    """

    slos: tuple[Slo, ...]
    by: str = "rate"
    load: int = LOAD
    most: float | None = None
    precision: float = search.PRECISION
    confirm: bool = True
    curve: bool = True
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    duration_s: float | None = None

    def as_director(self) -> dict[str, ParamValue]:
        """Return what campaign.json keeps, so that a resumed campaign asks alike."""
        return {
            "name": NAME,
            "slo": [objective.text for objective in self.slos],
            "by": self.by,
            "load": self.load,
            "most": self.most,
            "precision": self.precision,
            "confirm": self.confirm,
            "curve": self.curve,
            "settings": [f"{name}={value}" for name, value in self.settings.items()],
            "duration_s": self.duration_s,
        }


def asked_of(kept: Mapping[str, Any]) -> Asked:
    """Return what `as_director` kept. Raises UsageError for an SLO that cannot be read, KeyError or TypeError else."""
    return Asked(
        slos=tuple(slo.parse(text, loadpoints.WORKLOADS) for text in kept["slo"]),
        by=str(kept["by"]),
        load=int(kept["load"]),
        most=kept["most"],
        precision=float(kept["precision"]),
        confirm=bool(kept["confirm"]),
        curve=bool(kept["curve"]),
        settings=dict(text.partition("=")[::2] for text in kept["settings"]),
        duration_s=kept["duration_s"],
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A point that is wanted: in a closed loop where the rate is None."""

    load: int
    rate: float | None = None
    arrival: str | None = None
    seconds: float = POINT_LEAST_S


@dataclass(frozen=True, slots=True)
class State:
    """Where the search of one SLO on one target stands, from the points that are there.

    An invalid point is not one of the drive: it is shown, and nothing follows from it, except from a failure to
    which memory can only have helped (`loadpoints.tells`).
    `searched` are those that the search goes by, `confirming` those with random arrivals beside them.
    """

    asked: Asked
    slo: Slo
    points: tuple[LoadPoint, ...]
    evenly: str | None

    @classmethod
    def of(cls, asked: Asked, objective: Slo, target: str, points: Sequence[LoadPoint], evenly: str | None) -> State:
        """Return the state on a target; `evenly` is the word by which the workload spaces its operations."""
        own = tuple(p for p in points if p.target == target and p.workload == objective.workload)
        return cls(asked, objective, own, evenly)

    @property
    def sound(self) -> tuple[LoadPoint, ...]:
        """The points from which something follows."""
        return tuple(p for p in self.points if loadpoints.tells(p, self.slo))

    @property
    def closed(self) -> tuple[LoadPoint, ...]:
        """The closed loops, by their load."""
        return tuple(sorted((p for p in self.sound if p.arrival == CLOSED), key=lambda p: p.load))

    @property
    def searched(self) -> tuple[LoadPoint, ...]:
        """The points that the search goes by."""
        if self.asked.by == "load":
            return self.closed
        word = self.evenly
        return tuple(p for p in self.sound if p.offered is not None and (word is None or p.arrival == word))

    @property
    def random(self) -> tuple[LoadPoint, ...]:
        """The points with random arrivals, where those of the search are evenly spaced."""
        return tuple(p for p in self.sound if p.arrival == POISSON) if self.evenly and self.asked.by == "rate" else ()

    def trials(self, points: Sequence[LoadPoint]) -> list[Trial]:
        """Return points as trials of the SLO."""
        # With no point of the drive alone it is not known what it can do, and no failure is surely its own.
        most = max((p.achieved for p in self.sound if p.verdict is not Verdict.INVALID), default=math.inf)
        return [
            Trial(
                p.x,
                loadpoints.judge(p, self.slo).holds,
                loadpoints.at_machine_end(p),
                p.pressed,
                loadpoints.surely_failed(p, self.slo, most),
            )
            for p in points
        ]

    def bounds(self) -> Bounds | None:
        """Return between what is searched; None without the closed loops that say where to begin."""
        most = self.asked.most
        if self.asked.by == "load":
            return Bounds(1, 1, most or MOST_LOAD, self.asked.precision, grain=1, doubling=True)
        if not self.closed:
            return None
        can = max(p.achieved for p in self.closed)
        grain = _GRAINS.get(self.slo.workload, 0.0) * _jobs(self.closed[0])
        lowest = max(grain, search.LOWEST_SHARE * can, loadpoints.lowest_rate(self.slo))
        # What one operation at a time breaks, a rate will hardly hold; but one that is enough for all the drive
        # can do says nothing of fewer.
        alone = self.closed[0]
        idle = alone.load == 1 and alone.achieved < SATURATED * can
        broken = idle and "slo" in loadpoints.judge(alone, self.slo).why
        first = lowest if broken else search.FIRST_SHARE * can
        ends = Bounds(first, lowest, most or float("inf"), self.asked.precision, grain=grain)
        return dataclasses.replace(ends, lowest=ends.fit(lowest))

    def outcome(self) -> Outcome:
        """Return what the search says now."""
        bounds = self.bounds()
        return Outcome(End.OPEN, None, None) if bounds is None else search.outcome(self.trials(self.searched), bounds)

    def wanted(self) -> Wanted | None:
        """Return the next point: of the search, then to confirm, then for the curve; None when all is there."""
        bounds = self.bounds()
        if bounds is None:
            return None
        x = search.following(self.trials(self.searched), bounds)
        if self.asked.by == "load":
            return None if x is None else Wanted(round(x), seconds=self._closed_s(round(x)))
        if x is not None:
            return self._paced(x, self.evenly)
        found = self.outcome()
        if found.highest is None:
            return None
        if self.asked.confirm and self.evenly:
            x = search.confirming(found.highest, self.trials(self.random), bounds.grain)
            if x is not None:
                return self._paced(x, POISSON)
        return next(self._curve(found.highest, bounds), None) if self.asked.curve else None

    def _closed_s(self, load: int) -> float:
        """How long a load is measured: by what the next lower one did, for it will do as much at least."""
        lower = [p for p in self.closed if p.load <= load and p.achieved > 0]
        return loadpoints.duration_s(lower[-1].achieved, self.slo) if lower else loadpoints.POINT_SECONDS

    def _curve(self, highest: float, bounds: Bounds) -> Iterator[Wanted]:
        for share in CURVE_SHARES:
            x = bounds.fit(share * highest)
            if not any(abs(p.x - x) <= max(bounds.grain, 0.1 * x) for p in self.searched):
                yield self._paced(x, self.evenly)

    def _paced(self, rate: float, arrival: str | None) -> Wanted:
        return Wanted(self.asked.load, rate, arrival, loadpoints.duration_s(rate, self.slo))


def _jobs(point: LoadPoint) -> int:
    jobs = point.params.get("jobs")
    return jobs if isinstance(jobs, int) else 1


# --- what was found ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """A point with what it says of the SLO."""

    point: LoadPoint
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Result:
    """What was found for one SLO on one target.

    `best` is the highest point that held (of those with random arrivals where it was confirmed), `even` the
    highest of the search itself, `failed` the first above it that failed. `curve` are the points from which
    the knee was read, by rising rate, and `knee` its place there.
    """

    slo: Slo
    target: str
    by: str
    end: End
    best: LoadPoint | None
    even: LoadPoint | None
    confirmed: bool
    failed: Judged | None
    points: tuple[Judged, ...]
    curve: tuple[LoadPoint, ...]
    knee: int | None


def results(folder: CampaignFolder) -> tuple[Result, ...]:
    """Return what a capacity campaign found; empty for any other campaign. Raises ResultsError."""
    campaign = folder.campaign()
    asked = asked_in(campaign)
    if asked is None:
        return ()
    points = loadpoints.read(folder)
    return tuple(
        _result(State.of(asked, objective, target, points, _evenly(points, objective.workload)), target)
        for objective in asked.slos
        for target in campaign.passports
    )


def asked_in(campaign: Campaign) -> Asked | None:
    """Return what a campaign was asked; None where it is no capacity campaign, or one that cannot be read."""
    if campaign.director is None or campaign.director.get("name") != NAME:
        return None
    try:
        return asked_of(campaign.director)
    except (UsageError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _evenly(points: Sequence[LoadPoint], workload: str) -> str | None:
    words = (p.arrival for p in points if p.workload == workload and p.arrival not in (CLOSED, POISSON))
    return next(words, None)


def _result(state: State, target: str) -> Result:
    found = state.outcome()
    judged = tuple(Judged(p, loadpoints.judge(p, state.slo)) for p in state.points)
    even = _at(state, state.searched, found.highest)
    sure = search.confirmed(found.highest, state.trials(state.random)) if found.highest is not None else None
    confirmed = _at(state, state.random, sure)
    failures = [j for j in judged if j.point in state.searched and not j.judgement.holds and j.point.x == found.failed]
    curve = sorted(_curve_points(state, found.failed), key=lambda p: p.x)
    return Result(
        slo=state.slo,
        target=target,
        by=state.asked.by,
        end=found.end,
        best=confirmed or even,
        even=even,
        confirmed=confirmed is not None,
        failed=failures[-1] if failures else None,
        points=judged,
        curve=tuple(curve),
        knee=search.knee([CurvePoint(p.achieved, p.latencies["latency_mean"]) for p in curve]),
    )


def _at(state: State, points: Sequence[LoadPoint], x: float | None) -> LoadPoint | None:
    """The point of a rate that held; of several tries the last that did."""
    holding = [p for p in points if x is not None and p.x == x and loadpoints.judge(p, state.slo).holds]
    return holding[-1] if holding else None


def _curve_points(state: State, failed: float | None) -> list[LoadPoint]:
    """The points of the search up to the first that failed, each rate once: a try that held, else the last.

    Above it a drive does no more, and what it achieved goes up and down.
    """
    wanted = (state.slo.metric, "latency_mean")
    valued = [p for p in state.searched if p.verdict is not Verdict.INVALID and p.achieved > 0]
    drawn = [p for p in valued if all(p.latencies.get(metric, 0) > 0 for metric in wanted)]
    last = {p.x: p for p in drawn if failed is None or p.x <= failed}
    return list((last | {p.x: p for p in drawn if p.x in last and loadpoints.judge(p, state.slo).holds}).values())
