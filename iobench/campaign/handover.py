"""The acceptance test: a handover profile becomes works, a director measures until each criterion is decided.

First the preparation (in a full look), then the least rounds of all works, then more of what is not decided, and
the integrity pass last, since it writes over what the others measured.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iobench.analysis import handover
from iobench.analysis.handover import LEAST_REPEATS, MOST_REPEATS, Outcome
from iobench.analysis.order import Order, Speed
from iobench.campaign import assemble, host, needs, plan
from iobench.campaign.director import Ask, Director, Progress
from iobench.campaign.parts import (
    USABLE,
    Parts,
    certain,
    check_criteria,
    cost_s,
    cut,
    parts_of,
    suite_of,
    tools_of,
    works_for,
)
from iobench.campaign.steadying import SteadyDirector, states_of
from iobench.campaign.validation import asked_of, circumstances, order_of
from iobench.model import Campaign, ParamValue, Target, Work
from iobench.texts import Told, kept
from iobench.units import parse_size

QUICK_S = 300.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked of a validation beside its profile. Seconds, bytes, B/s; None is the profile's own."""

    look: str = "quick"
    within_s: float | None = None
    most: int = MOST_REPEATS
    size: str | None = None
    duration: str | None = None
    max_rate: int | None = None


def begin(
    found: Order, text: str, targets: Sequence[Target], wish: Wish, taken: Sequence[str]
) -> tuple[assemble.Assembled, Mapping[str, Told]]:
    """Return the campaign of a validation, and what was left out for want of time, each with a sentence.

    Nothing is written. Raises UsageError or CannotRunError.
    """
    first = assemble.assemble(suite_of(found, wish.look), targets, _overrides(wish), 1, taken)
    campaign = first.campaign
    pinned = _pinned(found, wish, campaign)
    parts = parts_of(found, campaign.passports, pinned)
    check_criteria(found, parts, wish.look)
    needs.check_room((*parts.speeds, *parts.preparation, *parts.integrity), campaign.passports)
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
        tools={**campaign.tools, **host.tools(tools_of(parts))},
    )
    # What is certain to be written, not only by what is begun with: a limit on it is to refuse before the first byte.
    sure = plan.interleave(certain(parts), list(campaign.passports), 1)
    written = needs.estimate(sure, campaign.passports, rates).written
    estimate = dataclasses.replace(needs.estimate(steps, campaign.passports, rates), written=written)
    needed = needs.file_bytes([step.work for step in sure])
    return assemble.Assembled(campaign, estimate, first.warnings, needed), left_out


def _overrides(wish: Wish) -> dict[str, object]:
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


# --- directing -----------------------------------------------------------------------------------------


class HandoverDirector:
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
        works = [work for speed in needed for work in works_for(speed, parts.speeds)]
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
        return SteadyDirector().more(progress)

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
        states = states_of(progress.campaign, progress.folder)
        figures = handover.measured(progress.folder, progress.failed, states=states)
        asks: list[Ask] = []
        for target in progress.campaign.passports:
            for speed in self._order.asked(self._how.look):
                item = handover.judge_speed(speed, target, figures, self._how)
                hopeless = item.why is not None and item.why.key == handover.NO_SUCH_FIGURE
                if item.outcome is Outcome.UNDECIDED and not hopeless:
                    asks += [a for a in self._again(speed, target, progress) if a not in asks]
        reserve = self._seconds(self._parts.integrity) * len(self._passports) if self._pass(progress) else 0.0
        if progress.left_s is not None and progress.left_s < reserve + self._seconds([a.work for a in asks]) / USABLE:
            return ()
        return asks

    def _again(self, speed: Speed, target: str, progress: Progress) -> list[Ask]:
        asks = []
        for work in works_for(speed, self._parts.speeds):
            steps = [s for s in progress.campaign.steps if s.target == target and s.work == work]
            gone = any(s.id in progress.failed for s in steps) or _left_out(progress, work, target)
            if gone and speed.of_best is not None:
                return []  # without that load the best of all stays unknown, however often the others are measured
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
        slowest = {name: self._rates.get(name, needs.ASSUMED_RATE) for name in self._passports}
        return cost_s(works, self._passports, slowest, 1) / max(1, len(self._passports))


def _left_out(progress: Progress, work: Work, target: str) -> bool:
    """Whether a work did not fit in the time: its step is no longer in the plan, but its id is known."""
    tail = plan.step_id(1, 1, work, target).partition("-r1-")[2]
    return any(step.partition("-r")[2].partition("-")[2] == tail for step in progress.left_out)


def director(campaign: Campaign) -> Director:
    """Return the director of a campaign."""
    return HandoverDirector(campaign)
