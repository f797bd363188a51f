"""What a validation is made of: the works of its figures, the preparation, the integrity pass; what fits in a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from iobench import runners
from iobench.analysis import steady
from iobench.analysis.handover import LEAST_REPEATS
from iobench.analysis.order import Order, Speed
from iobench.campaign import needs, plan
from iobench.campaign.plan import Request, Suite
from iobench.errors import UsageError, near_miss
from iobench.model import ParamValue, Passport, Work
from iobench.texts import Amount, Phrase, Told

# Of the time that is given: starts of programs and the judging itself want a part.
USABLE = 0.93


@dataclass(frozen=True, slots=True)
class Parts:
    """What a look is made of: the works of the figures, the preparation's, the integrity pass."""

    speeds: tuple[Work, ...]
    preparation: tuple[Work, ...]
    integrity: tuple[Work, ...]


def suite_of(found: Order, look: str) -> Suite:
    """Return the works that a look's figures come from, as a suite. Raises UsageError."""
    requests = []
    for of, entry in found.workloads:
        if of == "full" and look == "quick":
            continue
        name = entry.get("run")
        if not isinstance(name, str) or name not in runners.registry():
            raise UsageError(
                f"profile {found.name}: unknown workload {name!r}; {near_miss(str(name), runners.registry())}"
            )
        values = {key: value for key, value in entry.items() if key != "run"}
        requests.append(Request(name, values, f"profile {found.name}, {name}"))
    return Suite(found.name, found.title, 1, tuple(requests))


def parts_of(found: Order, passports: Mapping[str, Passport], asked: Mapping[str, ParamValue]) -> Parts:
    """Return the works of a look, the same each time for what is pinned in `asked`."""
    look, engine = str(asked["look"]), str(asked["engine"])

    def works(requests: Sequence[Request], size: ParamValue, **more: ParamValue) -> tuple[Work, ...]:
        if not requests:
            return ()
        given = {**more, "max_rate": asked.get("max_rate")}
        overrides = {"size": str(size), **{k: v for k, v in given.items() if v is not None}}
        return plan.works(Suite(found.name, found.title, 1, tuple(requests)), passports, engine, overrides)

    wanted = {speed.workload for speed in found.asked(look)}
    suite = [r for r in suite_of(found, look).requests if r.runner != "steady"]
    speeds = works(suite, asked["size"], duration=asked.get("duration"))
    prepared: tuple[Work, ...] = ()
    if look == "full" and found.preparation is not None:
        p = found.preparation
        values = {"passes": p.passes, "duration": p.round_s, "depth": p.depth}
        prepared = works([Request("steady", values, f"profile {found.name}, preparation")], asked["size"])
    checked = [Request("verify", {}, f"profile {found.name}, integrity")] if asked["integrity_size"] else []
    return Parts(
        tuple(work for work in speeds if work.workload in wanted), prepared, works(checked, asked["integrity_size"])
    )


def check_criteria(found: Order, parts: Parts, look: str) -> None:
    """Raise UsageError for a criterion that no work, or more than one, would give a figure for."""
    for speed in found.asked(look):
        if speed.workload == "steady-write":
            if found.preparation is None:
                raise UsageError(f"profile {found.name}: {speed.id} wants steady state and there is no [preparation]")
            continue
        works = _works_at(speed, parts.speeds)
        if len(works) != 1:
            loads = sorted({work.load for work in parts.speeds if work.workload == speed.workload})
            have = f"loads of {speed.workload}: {', '.join(map(str, loads))}" if loads else f"no {speed.workload}"
            raise UsageError(
                f"profile {found.name}: {speed.id} is of {speed.workload} at load {speed.load}, which {len(works)} "
                f"[[workload]] measure; it has {have}"
            )


def _works_at(speed: Speed, works: Sequence[Work]) -> list[Work]:
    return [work for work in works if (work.workload, work.load) == (speed.workload, speed.load)]


def works_for(speed: Speed, works: Sequence[Work]) -> list[Work]:
    """Return the works that a criterion needs: of one that compares with the best, all loads."""
    if speed.of_best is not None:
        return [work for work in works if work.workload == speed.workload]
    return _works_at(speed, works)


def cut(
    found: Order,
    parts: Parts,
    passports: Mapping[str, Passport],
    rates: Mapping[str, float],
    within_s: float | None,
    look: str,
) -> tuple[Parts, dict[str, Told]]:
    """Return what fits in a time: figures in the profile's order first, then integrity, then the preparation.

    What is left out is returned by its id, each with a sentence.
    """
    left_out: dict[str, Told] = {}
    if within_s is None:
        return parts, left_out
    budget = USABLE * within_s
    every = [*parts.speeds, *parts.preparation, *parts.integrity]
    spent = cost_s(every, passports, rates, 1, only_setup=True)
    kept: list[Work] = []

    def fits(what: str, works: Sequence[Work], times: int) -> bool:
        nonlocal spent
        new = [work for work in works if work not in kept]
        cost = cost_s(new, passports, rates, times)
        if spent + cost > budget:
            seconds = {"time": Amount(cost, "s"), "left": Amount(max(0.0, budget - spent), "s")}
            left_out[what] = Phrase("handover.left-out.time", seconds)
            return False
        spent += cost
        kept.extend(new)
        return True

    for speed in found.asked(look):
        if speed.workload != "steady-write":
            fits(speed.id, works_for(speed, parts.speeds), LEAST_REPEATS)
    speeds = tuple(work for work in parts.speeds if work in kept)
    integrity = parts.integrity if parts.integrity and fits("integrity", parts.integrity, 1) else ()
    preparation = parts.preparation
    if preparation:
        fill, rounds = preparation[:-1], preparation[-1:]
        cost = [*fill, *rounds * steady.WINDOW]
        if not fits("preparation", cost, 1):
            preparation = ()
            for speed in found.asked(look):
                if speed.workload == "steady-write":
                    left_out[speed.id] = Phrase("handover.left-out.preparation")
    return Parts(speeds, preparation, integrity), left_out


def cost_s(
    works: Sequence[Work],
    passports: Mapping[str, Passport],
    rates: Mapping[str, float],
    times: int,
    only_setup: bool = False,
) -> float:
    """Return the seconds that works take on all targets, or what making their files takes."""
    steps = plan.interleave([dataclasses.replace(work, once=False) for work in works], list(passports), 1)
    estimate = needs.estimate(steps, passports, rates)
    return sum(estimate.setup_s.values()) if only_setup else times * sum(estimate.step_s.values())


def certain(parts: Parts) -> tuple[Work, ...]:
    """Return all works as often as they are done at least: the preparation, its first window, the least repeats."""
    fill, rounds = parts.preparation[:-1], parts.preparation[-1:]
    return (*fill, *rounds * steady.WINDOW, *parts.speeds * LEAST_REPEATS, *parts.integrity)


def tools_of(parts: Parts) -> Iterable[str]:
    """Return the programs that its works need."""
    works = (*parts.speeds, *parts.preparation, *parts.integrity)
    return dict.fromkeys(tool for work in works for tool in runners.find(work.runner).TOOLS)
