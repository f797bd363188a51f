"""A plan that grows: a director says what is to be measured next, once the campaign's list of steps is done.

A director keeps nothing: what it asks for follows from what is finished, so a resumed campaign goes on alike.
"""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from iobench.campaign.needs import Estimate
from iobench.campaign.needs import estimate as estimate_of
from iobench.campaign.plan import step_id
from iobench.errors import UsageError, near_miss
from iobench.model import Campaign, Step, Work
from iobench.results import CampaignFolder
from iobench.texts import Phrase

# name in campaign.json -> the module whose `director(campaign)` makes it; imported when it is needed.
DIRECTORS: Mapping[str, str] = {
    "validate": "iobench.campaign.handover",
    "capacity": "iobench.campaign.capacity",
    "steady": "iobench.campaign.steadying",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A work that is wanted on a target; the repeat is the next one of that work there unless it is given."""

    work: Work
    target: str
    repeat: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a director decides by. `failed` and `left_out` are steps' ids with a sentence each.

    `left_s` are the seconds until the deadline, None where there is none.
    """

    campaign: Campaign
    folder: CampaignFolder
    finished: frozenset[str]
    failed: Mapping[str, Phrase]
    left_out: Mapping[str, str]
    left_s: float | None


class Director(Protocol):
    """Decides how a campaign goes on."""

    def more(self, progress: Progress) -> Sequence[Ask]:
        """Return what is to be measured next; nothing when the campaign is over."""

    def remaining_s(self, progress: Progress) -> float:
        """Return a guess of the seconds that will still be asked for beyond the list, for the progress bar."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a campaign has to be over, on the monotonic clock; None is no such moment."""

    at: float | None = None

    @classmethod
    def within(cls, seconds: float | None) -> Deadline:
        """Return the deadline that is so many seconds from now."""
        return cls(None if seconds is None else time.monotonic() + seconds)

    @property
    def left_s(self) -> float | None:
        """Seconds until then, not below 0."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def fits(self, seconds: float) -> bool:
        """Whether something that takes so long would be over in time."""
        return self.at is None or time.monotonic() + seconds <= self.at


def of(campaign: Campaign) -> Director | None:
    """Return the director that a campaign was begun with, else None. Raises UsageError for an unknown one."""
    if campaign.director is None:
        return None
    name = str(campaign.director.get("name"))
    if name not in DIRECTORS:
        raise UsageError(f"campaign {campaign.id} is directed by {name!r}; {near_miss(name, DIRECTORS)}")
    found: Director = importlib.import_module(DIRECTORS[name]).director(campaign)
    return found


def extended(campaign: Campaign, asks: Sequence[Ask]) -> tuple[Campaign, tuple[Step, ...]]:
    """Return a campaign with the steps that were asked for at its end, and those steps."""
    # Steps that were left out are gone from the list, so its length could give a number twice.
    last = max((int(step.id[:4]) for step in campaign.steps if step.id[:4].isdigit()), default=0)
    steps, new = list(campaign.steps), []
    for number, ask in enumerate(asks, last + 1):
        done = [step.repeat for step in steps if step.target == ask.target and step.work == ask.work]
        repeat = ask.repeat if ask.repeat is not None else max(done, default=0) + 1
        new.append(Step(step_id(number, repeat, ask.work, ask.target), ask.target, repeat, ask.work))
        steps.append(new[-1])
    rounds = max([campaign.rounds, *(step.repeat for step in new)])
    return dataclasses.replace(campaign, steps=tuple(steps), rounds=rounds), tuple(new)


def without(campaign: Campaign, left_out: Collection[str]) -> Campaign:
    """Return a campaign without the steps that were left out: what is not going to be run is not its plan."""
    return dataclasses.replace(campaign, steps=tuple(step for step in campaign.steps if step.id not in left_out))


def grown(estimate: Estimate, new: Sequence[Step], campaign: Campaign) -> Estimate:
    """Return an estimate with new steps in it; what they need laid out is in it already, or is short."""
    more = estimate_of(new, campaign.passports, estimate.rates)
    written = {name: estimate.written.get(name, 0) + more.steps_written.get(name, 0) for name in campaign.passports}
    return dataclasses.replace(
        estimate,
        seconds=estimate.seconds + sum(more.step_s.values()),
        written=written,
        step_s={**estimate.step_s, **more.step_s},
    )
