"""The acceptance test: a handover profile becomes works, a director measures until each criterion is decided.

First the preparation (in a full look), then the least rounds of all works, then more of what is not decided, and
the integrity pass last, since it writes over what the others measured.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iobench import runners
from iobench.analysis import handover, order, steady
from iobench.analysis.handover import LEAST_REPEATS, MOST_REPEATS, Circumstances, Known, Outcome, Sheet
from iobench.analysis.order import Order, Speed
from iobench.campaign import assemble, host, plan
from iobench.campaign.director import Ask, Director, Progress
from iobench.campaign.failed import failures, not_begun
from iobench.campaign.plan import Request, Suite
from iobench.campaign.steadying import Steadying
from iobench.drives import facts
from iobench.errors import ResultsError, UsageError, near_miss
from iobench.model import Campaign, ParamValue, Passport, Target, Work
from iobench.results import CampaignFolder, write_safely
from iobench.texts import Amount, Phrase, Told, kept, told_of
from iobench.units import parse_size

QUICK_S = 300.0
# Of the time that is given: starts of programs and the judging itself want a part.
USABLE = 0.93
# In raw/, so that they go with an archive, and into the hash of the results.
BEFORE, AFTER, SHEET = "raw/drives-before.json", "raw/drives-after.json", "sheet.json"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked of a validation beside its profile. Seconds, bytes, B/s; None is the profile's own."""

    look: str = "quick"
    within_s: float | None = None
    most: int = MOST_REPEATS
    size: str | None = None
    duration: str | None = None
    max_rate: int | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a look is made of: the works of the figures, the preparation's, the integrity pass."""

    speeds: tuple[Work, ...]
    preparation: tuple[Work, ...]
    integrity: tuple[Work, ...]


# --- planning ------------------------------------------------------------------------------------------


def begin(
    found: Order, text: str, targets: Sequence[Target], wish: Wish, taken: Sequence[str]
) -> tuple[assemble.Assembled, Mapping[str, Told]]:
    """Return the campaign of a validation, and what was left out for want of time, each with a sentence.

    Nothing is written. Raises UsageError or CannotRunError.
    """
    first = assemble.assemble(_suite(found, wish.look), targets, _overrides(found, wish), 1, taken)
    campaign = first.campaign
    pinned = _pinned(found, wish, campaign)
    parts = parts_of(found, campaign.passports, pinned)
    _check(found, parts, wish.look)
    plan.check_room((*parts.speeds, *parts.preparation, *parts.integrity), campaign.passports)
    within_s = wish.within_s if wish.within_s is not None else QUICK_S if wish.look == "quick" else None
    rates = assemble.rates(campaign.passports, None)
    parts, left_out = cut(found, parts, campaign.passports, rates, within_s, wish.look)
    asked: dict[str, ParamValue] = {
        "name": "validate",
        "profile": found.name,
        "profile_text": text,
        "within_s": within_s,
        "most": max(LEAST_REPEATS, wish.most),
        "left_out": list(left_out),
        "why_left_out": [str(why) for why in left_out.values()],
        "why_left_out_said": [json.dumps(kept(why), ensure_ascii=False) for why in left_out.values()],
        **pinned,
    }
    opening = parts.preparation or parts.speeds or parts.integrity
    rounds = 1 if parts.preparation or not parts.speeds else LEAST_REPEATS
    steps = plan.interleave(opening, list(campaign.passports), rounds)
    campaign = dataclasses.replace(
        campaign,
        profile=found.name,
        title=f"validate {found.name}",
        rounds=rounds,
        steps=steps,
        director=asked,
        tools={**campaign.tools, **host.tools(_tools(parts))},
    )
    # What is certain to be written, not only by what is begun with: a limit on it is to refuse before the first byte.
    certain = plan.interleave(_certain(parts), list(campaign.passports), 1)
    written = plan.estimate(certain, campaign.passports, rates).written
    estimate = dataclasses.replace(plan.estimate(steps, campaign.passports, rates), written=written)
    needed = plan.needed([step.work for step in certain])
    return assemble.Assembled(campaign, estimate, first.warnings, needed), left_out


def _certain(parts: Parts) -> tuple[Work, ...]:
    """All works as often as they are done at least: the preparation with its first window, three repeats, the pass."""
    fill, rounds = parts.preparation[:-1], parts.preparation[-1:]
    return (*fill, *rounds * steady.WINDOW, *parts.speeds * LEAST_REPEATS, *parts.integrity)


def _tools(parts: Parts) -> Iterable[str]:
    works = (*parts.speeds, *parts.preparation, *parts.integrity)
    return dict.fromkeys(tool for work in works for tool in runners.find(work.runner).TOOLS)


def _suite(found: Order, look: str) -> Suite:
    """The works that a look's figures come from, as a suite."""
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


def _overrides(found: Order, wish: Wish) -> dict[str, object]:
    return {
        name: value
        for name, value in (("duration", wish.duration), ("size", wish.size), ("max_rate", wish.max_rate))
        if value is not None
    }


def _pinned(found: Order, wish: Wish, campaign: Campaign) -> dict[str, ParamValue]:
    """What a resumed campaign must not choose anew: sizes follow from what is free, the engine from the kernel."""
    whole = plan.default_size(campaign.passports)
    blocks = [p for p in campaign.passports.values() if p.target.kind == "block"]
    if wish.look == "full" and blocks and len(blocks) == len(campaign.passports):
        # A device that may be overwritten is prepared and measured whole: twice its capacity, as the PTS has it.
        whole = min(p.device.size_bytes or whole for p in blocks if p.device)
    size = parse_size(wish.size) if wish.size else whole if wish.look == "full" else min(whole, found.quick_size)
    integrity = min(size, found.integrity.get(wish.look, size if wish.look == "full" else 128 << 20))
    return {
        "look": wish.look,
        "engine": host.engine(),
        "size": size,
        "integrity_size": integrity,
        "duration": wish.duration,
        "max_rate": wish.max_rate,
    }


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
    suite = [r for r in _suite(found, look).requests if r.runner != "steady"]
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


def _check(found: Order, parts: Parts, look: str) -> None:
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


def _works_for(speed: Speed, works: Sequence[Work]) -> list[Work]:
    """The works that a criterion needs: of one that compares with the best, all loads."""
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
    spent = _cost(every, passports, rates, 1, only_setup=True)
    kept: list[Work] = []

    def fits(what: str, works: Sequence[Work], times: int) -> bool:
        nonlocal spent
        new = [work for work in works if work not in kept]
        cost = _cost(new, passports, rates, times)
        if spent + cost > budget:
            seconds = {"time": Amount(cost, "s"), "left": Amount(max(0.0, budget - spent), "s")}
            left_out[what] = Phrase("handover.left-out.time", seconds)
            return False
        spent += cost
        kept.extend(new)
        return True

    for speed in found.asked(look):
        if speed.workload != "steady-write":
            fits(speed.id, _works_for(speed, parts.speeds), LEAST_REPEATS)
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


def _cost(
    works: Sequence[Work],
    passports: Mapping[str, Passport],
    rates: Mapping[str, float],
    times: int,
    only_setup: bool = False,
) -> float:
    """Seconds that works take on all targets, or what making their files takes."""
    steps = plan.interleave([dataclasses.replace(work, once=False) for work in works], list(passports), 1)
    estimate = plan.estimate(steps, passports, rates)
    return sum(estimate.setup_s.values()) if only_setup else times * sum(estimate.step_s.values())


# --- directing -----------------------------------------------------------------------------------------


class Validating:
    """Measures until each criterion is decided, a limit of repeats is reached, or the time is over."""

    def __init__(self, campaign: Campaign) -> None:
        self._asked = asked_of(campaign)
        self._order = order_of(campaign)
        self._how = circumstances(campaign)
        self._parts = self._kept(parts_of(self._order, campaign.passports, self._asked))
        self._rates = assemble.rates(campaign.passports, None)
        self._passports = campaign.passports

    def _kept(self, parts: Parts) -> Parts:
        gone = self._how.left_out
        needed = [s for s in self._order.asked(self._how.look) if s.id not in gone and s.workload != "steady-write"]
        works = [work for speed in needed for work in _works_for(speed, parts.speeds)]
        return Parts(
            tuple(work for work in parts.speeds if work in works),
            () if "preparation" in gone else parts.preparation,
            () if "integrity" in gone else parts.integrity,
        )

    def more(self, progress: Progress) -> Sequence[Ask]:
        """Return the rounds, repeats or the pass that is to come next."""
        return self._rounds(progress) or self._least(progress) or self._undecided(progress) or self._pass(progress)

    def remaining_s(self, progress: Progress) -> float:
        """Return the time of what is certain to come: the first window, the least rounds, the integrity pass."""
        speeds = [ask.work for ask in self._least(progress)]
        return self._seconds(speeds) + self._seconds([ask.work for ask in self._pass(progress)])

    def _rounds(self, progress: Progress) -> Sequence[Ask]:
        if not self._parts.preparation:
            return ()
        reserve = self._seconds(list(self._parts.speeds) * LEAST_REPEATS) + self._seconds(self._parts.integrity)
        if progress.left_s is not None and progress.left_s < reserve * len(self._passports):
            return ()
        return Steadying().more(progress)

    def _least(self, progress: Progress) -> list[Ask]:
        asks = []
        for round_ in range(1, LEAST_REPEATS + 1):
            for work in self._parts.speeds:
                for target in progress.campaign.passports:
                    steps = [s for s in progress.campaign.steps if s.target == target and s.work == work]
                    gone = any(s.id in progress.failed for s in steps) or _left_out(progress, work, target)
                    if len(steps) < round_ and not gone:
                        asks.append(Ask(work, target, round_))
        return asks

    def _undecided(self, progress: Progress) -> Sequence[Ask]:
        figures = handover.measured(progress.folder, progress.failed)
        asks: list[Ask] = []
        for target in progress.campaign.passports:
            for speed in self._order.asked(self._how.look):
                item = handover.judge_speed(speed, target, figures, self._how)
                hopeless = item.why is not None and item.why.key == handover.NO_SUCH_FIGURE
                if item.outcome is Outcome.UNDECIDED and not hopeless:
                    asks += [a for a in self._again(speed, target, progress) if a not in asks]
        wanted = [a for a in asks if a is not None]
        reserve = self._seconds(self._parts.integrity) * len(self._passports) if self._pass(progress) else 0.0
        if progress.left_s is not None and progress.left_s < reserve + self._seconds([a.work for a in wanted]) / USABLE:
            return ()
        return wanted

    def _again(self, speed: Speed, target: str, progress: Progress) -> list[Ask]:
        asks = []
        for work in _works_for(speed, self._parts.speeds):
            steps = [s for s in progress.campaign.steps if s.target == target and s.work == work]
            gone = any(s.id in progress.failed for s in steps) or _left_out(progress, work, target)
            if steps and not gone and len(steps) < self._how.most:
                asks.append(Ask(work, target, len(steps) + 1))
        return asks

    def _pass(self, progress: Progress) -> Sequence[Ask]:
        tried = {s.target for s in progress.campaign.steps if s.work.runner == "verify"}
        return [
            Ask(work, target)
            for work in self._parts.integrity
            for target in progress.campaign.passports
            if target not in tried and not _left_out(progress, work, target)
        ]

    def _seconds(self, works: Sequence[Work]) -> float:
        if not works:
            return 0.0
        slowest = {name: self._rates.get(name, plan.ASSUMED_RATE) for name in self._passports}
        return _cost(works, self._passports, slowest, 1) / max(1, len(self._passports))


def _left_out(progress: Progress, work: Work, target: str) -> bool:
    """Whether a work did not fit in the time: its step is no longer in the plan, but its id is known."""
    tail = plan.step_id(1, 1, work, target).partition("-r1-")[2]
    return any(step.partition("-r")[2].partition("-")[2] == tail for step in progress.left_out)


def director(campaign: Campaign) -> Director:
    """Return the director of a campaign."""
    return Validating(campaign)


# --- judging -------------------------------------------------------------------------------------------


def asked_of(campaign: Campaign) -> Mapping[str, ParamValue]:
    """Return what a validation was asked. Raises UsageError for a campaign that is none."""
    if campaign.director is None or campaign.director.get("name") != "validate":
        raise UsageError(f"campaign {campaign.id} is no validation: `iobench validate PROFILE -t NAME=PATH` makes one")
    return campaign.director


def order_of(campaign: Campaign) -> Order:
    """Return the profile that a campaign was begun with, as it stood then."""
    asked = asked_of(campaign)
    return order.parse(str(asked["profile"]), str(asked["profile_text"]))


def circumstances(campaign: Campaign) -> Circumstances:
    """Return how a campaign was run."""
    asked = asked_of(campaign)
    left_out, cap, most = asked.get("left_out"), asked.get("max_rate"), asked.get("most")
    return Circumstances(
        look=str(asked["look"]),
        left_out=frozenset(map(str, left_out)) if isinstance(left_out, list) else frozenset(),
        max_rate=float(cap) if isinstance(cap, int | float) else None,
        most=most if isinstance(most, int) else MOST_REPEATS,
        integrity=bool(asked.get("integrity_size")),
    )


def measured_s(folder: CampaignFolder) -> float:
    """Return the seconds that were measured, all finished steps together."""
    seconds = {row["step"]: row["duration_s"] or 0.0 for row in folder.read("samples").to_pylist()}
    return float(sum(seconds.values()))


def look_at_drives(folder: CampaignFolder, passports: Iterable[Passport], name: str) -> None:
    """Keep what the drives are and say of themselves now. Raises ResultsError."""
    write_safely(folder.path / name, json.dumps(facts.of_targets(passports), ensure_ascii=False, indent=1))


def known(folder: CampaignFolder, name: str) -> dict[str, Known]:
    """Return what was kept by `look_at_drives`; nothing where that never happened. Raises ResultsError."""
    path = folder.path / name
    if not path.is_file():
        return {}
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {
            target: Known(dict(of["facts"]), {name: told_of(why) for name, why in of.get("unknown", {}).items()})
            for target, of in data.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path} cannot be read: {error}") from error


def sheet(folder: CampaignFolder, profile: tuple[Order, str] | None = None) -> Sheet:
    """Return a campaign judged, by its own profile or by another. Raises UsageError, ResultsError."""
    campaign = folder.campaign()
    asked = asked_of(campaign)
    found = profile[0] if profile is not None else order_of(campaign)
    how = circumstances(campaign)
    before, after = known(folder, BEFORE), known(folder, AFTER)
    drives = {name: (before.get(name), after.get(name)) for name in campaign.passports}
    figures = handover.measured(folder, failures(folder), not_begun(folder))
    items = handover.judge(found, list(campaign.passports), figures, drives, how)
    return Sheet(
        campaign=campaign.id,
        profile=found.name,
        title=found.title,
        look=how.look,
        outcome=handover.worst([item.outcome for item in items]),
        items=items,
        changes=handover.changes(drives, order.HEALTH),
        steady=figures.steady,
        digest=folder.digest(),
        left_out=_why_left_out(asked),
        prepared=_prepared(campaign, how),
        silent=handover.silent(drives, order.HEALTH),
    )


def _why_left_out(asked: Mapping[str, ParamValue]) -> dict[str, Told]:
    """What was left out and why; of a validation of earlier, which kept it as text, in English."""
    names, texts, said = (asked.get(key) for key in ("left_out", "why_left_out", "why_left_out_said"))
    if isinstance(said, list):
        why = [told_of(json.loads(str(text))) for text in said]
    else:
        why = [str(text) for text in texts] if isinstance(texts, list) else []
    return dict(zip(map(str, names), why, strict=False)) if isinstance(names, list) else {}


def _prepared(campaign: Campaign, how: Circumstances) -> dict[str, str]:
    """How each target was prepared, as a key of the texts."""
    done = {step.target for step in campaign.steps if step.work.workload == "precondition"}
    found = {}
    for name, passport in campaign.passports.items():
        whole = passport.target.kind == "block"
        found[name] = ("device" if whole else "file") if name in done else "none"
    return found
