"""Whether a drive is, and says of itself, what was ordered. What is not known is not decided."""

from __future__ import annotations

import re
from typing import Any

from iobench.analysis.handover.outcome import Item, Known, Outcome, shown
from iobench.analysis.order import Fact
from iobench.texts import TEXTS, Amount, Phrase


def judge_fact(fact: Fact, target: str, before: Known | None, after: Known | None) -> Item:
    """Return whether a drive is, and says of itself, what was ordered. What is not known is not decided."""
    if fact.grows_at_most is not None:
        return _judge_growth(fact, fact.grows_at_most, target, before, after)
    known = after if fact.group == "health" and after is not None else before
    value = known.facts.get(fact.what) if known else None
    if value is None:
        return _unknown(fact, target, known)
    holds = _holds(fact, value)
    if holds is None:
        found, why = Phrase("handover.found", {"value": _shown(fact, value)}), Phrase("handover.why.no-version")
        return Item(**_common(fact, target), outcome=Outcome.UNDECIDED, found=found, why=why)
    limit = fact.at_least if fact.at_least is not None else fact.at_most
    return Item(
        **_common(fact, target),
        outcome=Outcome.PASS if holds else Outcome.FAIL,
        found=Phrase("handover.found", {"value": _shown(fact, value)}),
        value=float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None,
        limit=limit if isinstance(limit, float) else None,
        better=None if limit is None else "higher" if fact.at_least is not None else "lower",
    )


def _common(fact: Fact, target: str) -> dict[str, Any]:
    return {
        "id": fact.id,
        "group": fact.group,
        "target": target,
        "wanted": _wanted(fact),
        "source": fact.source,
        "conditions": fact.conditions,
        "unit": fact.unit,
    }


def _unknown(fact: Fact, target: str, known: Known | None) -> Item:
    said = known.why(fact.what) if known else Phrase("handover.no-source")
    found, why = Phrase("handover.unknown", {"why": said}), Phrase("handover.why.unknown")
    return Item(**_common(fact, target), outcome=Outcome.UNDECIDED, found=found, why=why)


def _judge_growth(fact: Fact, most: float, target: str, before: Known | None, after: Known | None) -> Item:
    pair = [known.facts.get(fact.what) if known else None for known in (before, after)]
    numbers = [float(v) for v in pair if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < 2:
        return _unknown(fact, target, after)
    growth = numbers[1] - numbers[0]
    figures = {"value": shown(growth, fact.unit), "a": shown(numbers[0], fact.unit), "b": shown(numbers[1], fact.unit)}
    return Item(
        **_common(fact, target),
        outcome=Outcome.PASS if growth <= most else Outcome.FAIL,
        found=Phrase("handover.grew", figures),
        value=growth,
        limit=most,
        better="lower",
    )


def _holds(fact: Fact, value: float | str | bool) -> bool | None:
    """Whether a test holds; None where a version is asked for and what is there is none."""
    if fact.matches is not None:
        return re.search(fact.matches, str(value)) is not None
    if fact.equals is not None:
        return value == fact.equals
    least, most = fact.at_least, fact.at_most
    if isinstance(value, str):
        # Firmware: 5.0.10 is later than 5.0.9.
        if not version(value):
            return None
        return version(value) >= version(str(least)) if least is not None else version(value) <= version(str(most))
    return value >= float(least) if least is not None else value <= float(most or 0)


def version(text: str) -> tuple[int, ...]:
    """Return the numbers in a version, to compare by."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _shown(fact: Fact, value: float | str | bool) -> str | Amount | Phrase:
    key = f"drive.kind.{value}"  # kinds that are no names are told in the reader's language
    return Phrase(key) if fact.what == "kind" and key in TEXTS["en"] else shown(value, fact.unit)


def _wanted(fact: Fact) -> Phrase:
    what = Phrase(f"handover.what.{fact.what}")
    for test in ("matches", "equals", "at_least", "at_most", "grows_at_most"):
        value = getattr(fact, test)
        if value is not None:
            figures = {"what": what, "value": _shown(fact, value)}
            return Phrase(f"handover.wants.{test.replace('_', '-')}", figures)
    raise ValueError(f"{fact.id} has no test")
