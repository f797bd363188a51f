"""Is this server what was ordered? Criteria judged by what was found and measured. Pure: figures in, outcomes out.

A criterion is met only when the whole interval is on its right side; between, it is not decided. A number whose
evidence fails decides nothing, and so does what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from iobench.analysis.handover.facts import judge_fact, version
from iobench.analysis.handover.figures import SEEN_LEAST, Measured, measured
from iobench.analysis.handover.outcome import (
    MOST_REPEATS,
    Change,
    Circumstances,
    Item,
    Known,
    Outcome,
    Sheet,
    shown,
    worst,
)
from iobench.analysis.handover.speeds import (
    CAP_NEAR,
    LEAST_REPEATS,
    NO_SUCH_FIGURE,
    decide,
    judge_integrity,
    judge_speed,
    share_of_best,
)
from iobench.analysis.order import Order
from iobench.texts import Phrase, Told

__all__ = [
    "CAP_NEAR",
    "LEAST_REPEATS",
    "MOST_REPEATS",
    "NO_SUCH_FIGURE",
    "SEEN_LEAST",
    "Change",
    "Circumstances",
    "Item",
    "Known",
    "Measured",
    "Outcome",
    "Sheet",
    "changes",
    "decide",
    "judge",
    "judge_fact",
    "judge_integrity",
    "judge_speed",
    "measured",
    "share_of_best",
    "shown",
    "silent",
    "version",
    "worst",
]


def judge(
    order: Order,
    targets: Sequence[str],
    figures: Measured,
    drives: Mapping[str, tuple[Known | None, Known | None]],
    how: Circumstances,
) -> tuple[Item, ...]:
    """Return every criterion of an order on every target, with what came of it."""
    return tuple(_items(order, targets, figures, drives, how))


def _items(
    order: Order,
    targets: Sequence[str],
    figures: Measured,
    drives: Mapping[str, tuple[Known | None, Known | None]],
    how: Circumstances,
) -> Iterator[Item]:
    for target in targets:
        before, after = drives.get(target, (None, None))
        for fact in order.facts:
            yield judge_fact(fact, target, before, after)
        for speed in order.speeds:
            yield judge_speed(speed, target, figures, how)
        if how.integrity:
            yield judge_integrity(target, figures, how)


def changes(
    drives: Mapping[str, tuple[Known | None, Known | None]], units: Mapping[str, str | None]
) -> tuple[Change, ...]:
    """Return each health figure of each target before and after, where either is known."""
    found = []
    for target, (before, after) in drives.items():
        for what, unit in units.items():
            pair = [known.facts.get(what) if known else None for known in (before, after)]
            if any(value is not None for value in pair):
                found.append(Change(target, what, unit, pair[0], pair[1]))
    return tuple(found)


def silent(drives: Mapping[str, tuple[Known | None, Known | None]], asked: Iterable[str]) -> dict[str, Told]:
    """Return the targets of which no health figure is known, each with why."""
    found: dict[str, Told] = {}
    for target, pair in drives.items():
        knowns = [known for known in pair if known is not None]
        if not any(what in known.facts for known in knowns for what in asked):
            found[target] = knowns[-1].why("passed") if knowns else Phrase("handover.no-source")
    return found
