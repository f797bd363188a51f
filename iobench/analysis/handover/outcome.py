"""What a judgement is made of: a criterion with what came of it, and the whole sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from iobench.analysis import steady
from iobench.texts import Amount, Phrase, Told

MOST_REPEATS = 10


class Outcome(StrEnum):
    """What became of a criterion, and of the whole; the later, the worse, but for what was not asked for."""

    SKIPPED = "not-asked"
    PASS = "pass"
    UNDECIDED = "undecided"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Item:
    """A criterion with what came of it. `value`, `interval` and `limit` are in `unit`; None where there is none."""

    id: str
    group: str
    target: str
    outcome: Outcome
    wanted: Phrase
    found: Phrase
    why: Phrase | None = None
    source: str = ""
    conditions: str | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    limit: float | None = None
    unit: str | None = None
    better: str | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What the test did to a drive's health: a figure before and after."""

    target: str
    what: str
    unit: str | None
    before: float | str | bool | None
    after: float | str | bool | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a target's drive: `facts` by name, and why one would not be: by name, of all by the name ""."""

    facts: Mapping[str, float | str | bool]
    unknown: Mapping[str, Told] = field(default_factory=dict)

    def why(self, what: str) -> Told:
        """Return why a fact is not known."""
        return self.unknown.get(what) or self.unknown.get("") or Phrase("handover.no-source")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the campaign was run, where it matters to a judgement."""

    look: str
    left_out: frozenset[str] = frozenset()
    max_rate: float | None = None
    most: int = MOST_REPEATS
    integrity: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """A judged handover. `digest` is the hash of the results that it was judged by.

    `silent` are the targets whose drives say nothing of their health, and why.
    """

    campaign: str
    profile: str
    title: str
    look: str
    outcome: Outcome
    items: tuple[Item, ...]
    changes: tuple[Change, ...]
    steady: Mapping[str, steady.Steady]
    digest: str
    left_out: Mapping[str, Told]
    prepared: Mapping[str, str]
    silent: Mapping[str, Told] = field(default_factory=dict)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of the whole. Nothing that was judged is nothing that passed."""
    order = list(Outcome)
    found = max(outcomes, key=order.index, default=Outcome.UNDECIDED)
    return Outcome.UNDECIDED if found is Outcome.SKIPPED else found


def shown(value: float | str | bool, unit: str | None) -> str | Amount | Phrase:
    """Return a value as a figure of a phrase."""
    if isinstance(value, bool):
        return Phrase("handover.yes" if value else "handover.no")
    if isinstance(value, str):
        return value
    if unit in ("B", "B/s", "s", "1/s", "%"):
        return Amount(float(value), unit)
    return f"{value:g} {unit}" if unit and unit not in ("1", "flag") else f"{value:g}"
