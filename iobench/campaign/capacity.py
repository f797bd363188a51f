"""The director of a capacity campaign: asks for the next point of each search until each SLO's highest load is known.

First two closed loops a workload and target, one operation at a time and all that may be outstanding: what
the drive answers in at the least, and what it can do at the most. Then the search (analysis/search.py), then
random arrivals to confirm, then a few points for the curve. Targets are interleaved: each is asked for one
step a turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from iobench import params, runners
from iobench.analysis import loadpoints
from iobench.analysis.capacity import MOST_LOAD, Asked, State, Wanted, asked_of
from iobench.analysis.loadpoints import EVEN, POINT_LEAST_S, POINT_SECONDS, LoadPoint
from iobench.analysis.slo import Slo
from iobench.campaign import needs, plan
from iobench.campaign.director import Ask, Progress
from iobench.campaign.plan import Request, Suite
from iobench.errors import UsageError, near_miss
from iobench.model import Campaign, Passport, Work

# So many steps of a target without a sound number, and it is given up: it is gone, or full.
MOST_FAILURES = 2
_POINT_GUESS_S = 10.0
_STEPS_GUESS = 12
# sysbench begins and ends its window with whole seconds: so many may lack.
_MORE_S: Mapping[str, float] = {"oltp": 2.0}
_LOADS = ("loads", "threads", "connections", "clients")
# What a search sets itself, or what would make it one of other work.
_OWN = (*_LOADS, "rate", "rates", "arrival", "ops", "duration")


# --- works ---------------------------------------------------------------------------------------------


def runner_of(workload: str) -> str:
    """Return the runner of a workload: `rand` of `rand-read`. Raises UsageError where it takes no rate."""
    name = workload.partition("-")[0]
    if name not in runners.registry():
        raise UsageError(f"this iobench cannot measure {workload}; {near_miss(name, runners.registry())}")
    return name


def _known(workload: str) -> dict[str, params.Param]:
    return {p.name: p for p in params.describe(runners.find(runner_of(workload)).Params)}


def _load_name(workload: str) -> str:
    known = _known(workload)
    return next(name for name in _LOADS if name in known)


def _evenly(workload: str) -> str | None:
    """The word by which a workload is asked to space its operations evenly; None where it cannot."""
    arrival = _known(workload).get("arrival")
    return next((word for word in (EVEN, "uniform") if arrival and word in arrival.choices), None)


def _request(asked: Asked, workload: str, **more: object) -> Request:
    known = _known(workload)
    values: dict[str, object] = {"ops": workload.partition("-")[2]} if workload.startswith("rand-") else {}
    for name, value in asked.settings.items():
        family, _, key = name.rpartition(".")
        if family in ("", workload, runner_of(workload)) and (family or key.replace("-", "_") in known):
            flag = key.replace("-", "_") in known and known[key.replace("-", "_")].kind is params.Kind.FLAG
            values[key] = value != "false" if flag else value
    return Request(runner_of(workload), {**values, **more}, f"capacity, {workload}")


def _list(loads: Collection[int]) -> str:
    return ",".join(map(str, sorted(loads)))


def _check_settings(asked: Asked) -> None:
    """Raise UsageError for a setting that no search could get, or that the search sets itself."""
    families = tuple(dict.fromkeys(name for own in loadpoints.WORKLOADS for name in (own, runner_of(own))))
    for name in asked.settings:
        family, _, key = name.rpartition(".")
        if family and family not in families:
            raise UsageError(f"--set {name}: no load can be searched for {family!r}; {near_miss(family, families)}")
        if key.replace("-", "_") in _OWN:
            raise UsageError(f"--set {name}: the search sets {key} itself; leave it out")


def first_suite(asked: Asked) -> Suite:
    """Return the closed loops that a campaign begins with. Raises UsageError."""
    _check_settings(asked)
    requests = []
    for workload in dict.fromkeys(objective.workload for objective in asked.slos):
        # Where loads are searched these are points of the search; else they only say where it begins.
        seconds, loads = POINT_LEAST_S, {1, asked.load}
        if asked.by == "load":
            seconds, loads = POINT_SECONDS, {1, round(asked.most or MOST_LOAD)}
        duration = asked.duration_s or seconds + _MORE_S.get(workload, 0.0)
        more = {_load_name(workload): _list(loads), "duration": f"{duration}s"}
        requests.append(_request(asked, workload, **more))
    return Suite(None, "capacity", 1, tuple(requests))


def pinned(asked: Asked, works: Sequence[Work]) -> Asked:
    """Return the same with the engine and the size that the first works got: a resumed campaign keeps them."""
    settings = dict(asked.settings)
    for work in works:
        known = _known(work.workload)
        for name in ("engine", "size"):
            value = work.params.get(name)
            if name in known and isinstance(value, str | int):
                settings[f"{work.workload}.{name}"] = str(value)
    return dataclasses.replace(asked, settings=settings)


# --- the director --------------------------------------------------------------------------------------


def director(campaign: Campaign) -> CapacityDirector:
    """Return the director that a campaign was begun with. Raises UsageError where its notes cannot be read."""
    try:
        return CapacityDirector(asked_of(campaign.director or {}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"campaign {campaign.id} does not say what capacity was asked for: {error}") from error


@dataclass(frozen=True, slots=True)
class CapacityDirector:
    """Asks for points until every SLO on every target is decided."""

    asked: Asked

    def more(self, progress: Progress) -> Sequence[Ask]:
        """Return one more step a target, none when all is decided or the target is given up."""
        points = loadpoints.read(progress.folder)
        found: dict[str, Ask] = {}
        for objective in self.asked.slos:
            for target in progress.campaign.passports:
                if target not in found and not given_up(progress, target, self.asked.slos, points):
                    state = State.of(self.asked, objective, target, points, _evenly(objective.workload))
                    if (wanted := state.wanted()) is not None:
                        found[target] = Ask(self._work(objective, wanted, progress.campaign.passports), target)
        return list(found.values())

    def remaining_s(self, progress: Progress) -> float:
        """Return a guess: a dozen points a search, less those that are there."""
        whole = guess_s(self.asked, len(progress.campaign.passports))
        return max(0.0, whole - _point_s(self.asked) * len(progress.finished))

    def _work(self, objective: Slo, wanted: Wanted, passports: Mapping[str, Passport]) -> Work:
        workload = objective.workload
        seconds = self.asked.duration_s or wanted.seconds + _MORE_S.get(workload, 0.0)
        # Loads that are searched stand beside the highest: a server is set up for it, and so need not be made anew.
        loads = {wanted.load, round(self.asked.most or MOST_LOAD)} if self.asked.by == "load" else {wanted.load}
        more: dict[str, object] = {_load_name(workload): _list(loads), "duration": f"{seconds}s"}
        if wanted.rate is not None:
            more["rate"] = wanted.rate
            if wanted.arrival is not None:
                more["arrival"] = wanted.arrival
        suite = Suite(None, "capacity", 1, (_request(self.asked, workload, **more),))
        return next(work for work in plan.works(suite, passports, "auto", {}) if work.load == wanted.load)


def guess_s(asked: Asked, targets: int) -> float:
    """Return a guess of the seconds that all searches take: a dozen points each."""
    return _STEPS_GUESS * _point_s(asked) * len(asked.slos) * targets


def _point_s(asked: Asked) -> float:
    return (asked.duration_s or _POINT_GUESS_S) + needs.STEP_OVERHEAD_S + 1.0


def given_up(progress: Progress, target: str, slos: Sequence[Slo], points: Sequence[LoadPoint]) -> bool:
    """Whether too many steps of a target gave no number, or one that tells nothing of any SLO."""
    failed = [step for step in progress.campaign.steps if step.target == target and step.id in progress.failed]
    own = [p for p in points if p.target == target]
    mute = [p for p in own if not any(loadpoints.tells(p, slo) for slo in slos if slo.workload == p.workload)]
    return len(failed) + len(mute) >= MOST_FAILURES
