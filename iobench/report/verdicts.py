"""A judged handover for machines and terminals: JSON, JUnit XML, a Nagios line, and plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

from iobench import SCHEMA_VERSION
from iobench.analysis import steady
from iobench.analysis.handover import Change, Item, Outcome, Sheet, shown
from iobench.model import Campaign
from iobench.texts import Amount, Words

NAGIOS_STATES: Mapping[Outcome, tuple[str, int]] = {
    Outcome.PASS: ("OK", 0),
    Outcome.UNDECIDED: ("WARNING", 1),
    Outcome.FAIL: ("CRITICAL", 2),
}
NAGIOS_UNKNOWN = 3
_GROUPS = ("identity", "health", "performance", "integrity")
# Perfdata knows few units; rates have none there.
_UOM = {"s": "s", "B": "B"}


def sum_of(sheet: Sheet, words: Words) -> str:
    """Return how many criteria were met, failed, not decided and not asked, in a sentence."""
    count = {outcome: sum(item.outcome is outcome for item in sheet.items) for outcome in Outcome}
    return words(
        "handover.sum",
        passed=count[Outcome.PASS],
        failed=count[Outcome.FAIL],
        undecided=count[Outcome.UNDECIDED],
        skipped=count[Outcome.SKIPPED],
    )


# --- JSON ----------------------------------------------------------------------------------------------


def to_json(sheet: Sheet, campaign: Campaign) -> dict[str, Any]:
    """Return the document of `validate --json`. Figures in base units, shares of 1."""
    words = Words("en")
    return {
        "schema_version": SCHEMA_VERSION,
        "campaign": sheet.campaign,
        "profile": sheet.profile,
        "title": sheet.title,
        "look": sheet.look,
        "outcome": sheet.outcome.value,
        "measured_at": campaign.created_at.isoformat(),
        "host": dict(campaign.host),
        "targets": {name: {"path": p.target.path, "emulated": p.emulated} for name, p in campaign.passports.items()},
        "items": [_item(item, words) for item in sheet.items],
        "health": [_change(change) for change in sheet.changes],
        "health_unknown": {name: str(why) for name, why in sheet.silent.items()},
        "steady": {
            name: {
                "rounds": list(state.rounds),
                "reached": state.reached,
                "window": None
                if state.window is None
                else {
                    "first": state.window.first,
                    "last": state.window.last,
                    "average": state.window.average,
                    "excursion": state.window.excursion,
                    "slope": state.window.slope,
                },
            }
            for name, state in sheet.steady.items()
        },
        "prepared": dict(sheet.prepared),
        "left_out": {what: str(why) for what, why in sheet.left_out.items()},
        "digest": sheet.digest,
    }


def _item(item: Item, words: Words) -> dict[str, Any]:
    return {
        "id": item.id,
        "group": item.group,
        "target": item.target,
        "outcome": item.outcome.value,
        "wanted": words.say(item.wanted),
        "found": words.say(item.found),
        "why": words.say(item.why) if item.why else None,
        "value": item.value,
        "ci95": list(item.interval) if item.interval else None,
        "limit": item.limit,
        "unit": item.unit,
        "better": item.better,
        "n": item.repeats,
        "source": item.source or None,
        "conditions": item.conditions,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "target": change.target,
        "what": change.what,
        "unit": change.unit,
        "before": change.before,
        "after": change.after,
    }


# --- JUnit ---------------------------------------------------------------------------------------------


def to_junit(sheet: Sheet, campaign: Campaign, seconds: float) -> str:
    """Return JUnit XML: a suite a target, a case a criterion. Not decided is an error, never a pass.

    The form is that of Ant's JUnit task, which is the stricter of the common ones; Jenkins takes it too.
    """
    words = Words("en")
    root = ElementTree.Element("testsuites")
    for number, target in enumerate(campaign.passports):
        items = [item for item in sheet.items if item.target == target]
        count = {outcome: sum(item.outcome is outcome for item in items) for outcome in Outcome}
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"{sheet.profile}.{_plain(target)}",
            tests=str(len(items)),
            failures=str(count[Outcome.FAIL]),
            errors=str(count[Outcome.UNDECIDED]),
            skipped=str(count[Outcome.SKIPPED]),
            time=f"{seconds:.3f}",
            timestamp=campaign.created_at.strftime("%Y-%m-%dT%H:%M:%S"),
            hostname=_plain(str(campaign.host.get("name") or "localhost")),
            package="iobench.validate",
            id=str(number),
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in (("campaign", sheet.campaign), ("digest", sheet.digest), ("look", sheet.look)):
            ElementTree.SubElement(properties, "property", name=name, value=value)
        for item in items:
            _case(suite, item, sheet, words)
        ElementTree.SubElement(suite, "system-out").text = _plain(sum_of(sheet, words))
        ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, item: Item, sheet: Sheet, words: Words) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=item.id, classname=f"{sheet.profile}.{item.group}", time="0.000"
    )
    said = _plain(sentence(item, words))
    kind = {Outcome.FAIL: "failure", Outcome.UNDECIDED: "error", Outcome.SKIPPED: "skipped"}.get(item.outcome)
    if kind == "skipped":
        ElementTree.SubElement(case, kind, message=said)
    elif kind is not None:
        ElementTree.SubElement(case, kind, message=said, type=item.outcome.value).text = said


def sentence(item: Item, words: Words) -> str:
    """Return what was ordered, what was found, and why it is not decided."""
    found = words.noted(words.say(item.found), words.say(item.why) if item.why else "")
    return words("handover.sentence", wanted=words.say(item.wanted), found=found)


def _plain(text: str) -> str:
    """Text without the control characters that XML has no way to hold."""
    return "".join(char if char.isprintable() else " " for char in text)


# --- Nagios --------------------------------------------------------------------------------------------


def to_nagios(sheet: Sheet) -> str:
    """Return the one line of a monitoring plugin, with performance data."""
    words = Words("en")
    state = NAGIOS_STATES[sheet.outcome][0]
    bad = [item for item in sheet.items if item.outcome in (Outcome.FAIL, Outcome.UNDECIDED)]
    bad.sort(key=lambda item: item.outcome is not Outcome.FAIL)
    first = f": {item_line(bad[0], words)}" if bad else ""
    text = f"IOBENCH {state} - {sheet.title}: {sum_of(sheet, words)}{first}"
    data = " ".join(_perfdata(sheet))
    return _one_line(text).replace("|", "/") + (f" | {data}" if data else "")


def nagios_unknown(said: str) -> str:
    """Return the line for what could not be judged at all."""
    return f"IOBENCH UNKNOWN - {_one_line(said).replace('|', '/')}"


def item_line(item: Item, words: Words) -> str:
    """Return a criterion that is not met in a line."""
    return f"{item.target}: {sentence(item, words)}"


def _one_line(text: str) -> str:
    return " ".join(_plain(text).split())


def _perfdata(sheet: Sheet) -> Iterator[str]:
    several = len({item.target for item in sheet.items}) > 1
    for item in sheet.items:
        if item.value is None:
            continue
        name = f"{item.target} {item.id}" if several else item.id
        # A label's quotes, and what a parser takes for its end.
        label = "'" + "".join(char for char in _plain(name) if char not in "'=|") + "'"
        scale, uom = (100.0, "%") if item.unit == "%" else (1.0, _UOM.get(item.unit or "", ""))
        limit = "" if item.limit is None else _decimal(scale * item.limit)
        critical = limit + ":" if limit and item.better == "higher" else limit
        yield f"{label}={_decimal(scale * item.value)}{uom};;{critical};;"


def _decimal(value: float) -> str:
    """A number of ten digits without an exponent: performance data may hold none."""
    return f"{Decimal(f'{value:.10g}'):f}"


# --- text ----------------------------------------------------------------------------------------------


def rows(sheet: Sheet, words: Words) -> Iterator[tuple[str, ...]]:
    """Yield group, target, outcome, ordered and found of each criterion, in the order of a sheet."""
    for group in _GROUPS:
        for item in (item for item in sheet.items if item.group == group):
            yield (
                words(f"handover.group.{group}"),
                item.target,
                words(f"handover.{item.outcome.value}"),
                words.say(item.wanted),
                words.noted(words.say(item.found), words.say(item.why) if item.why else ""),
            )


def notes(sheet: Sheet, campaign: Campaign, words: Words) -> list[str]:
    """Return what has to be known beside the table: steady state, preparation, emulation, a cap, what was left out."""
    found = []
    for target, passport in campaign.passports.items():
        if passport.emulated:
            found.append(words("handover.emulated", target=target))
        if sheet.look == "full":
            found.append(words(f"handover.prepared.{sheet.prepared.get(target, 'none')}", target=target))
        if target in sheet.steady:
            found.append(steady_sentence(target, sheet.steady[target], words))
    cap = (campaign.director or {}).get("max_rate")
    if isinstance(cap, int | float):
        found.append(words("handover.cap", cap=Amount(cap, "B/s")))
    found += [words("handover.left-out", what=what, why=words.tell(why)) for what, why in sheet.left_out.items()]
    return found


def steady_sentence(target: str, state: steady.Steady, words: Words) -> str:
    """Return whether steady state was reached, with the window's figures."""
    if not state.reached or state.window is None:
        return words("handover.steady.not-reached", target=target, n=len(state.rounds))
    return words(
        "handover.steady.reached",
        target=target,
        first=state.window.first,
        last=state.window.last,
        average=Amount(state.window.average, "1/s"),
        excursion=Amount(state.window.excursion, "%"),
        excursion_most=Amount(steady.EXCURSION_MOST, "%"),
        slope=Amount(state.window.slope, "%"),
        slope_most=Amount(steady.SLOPE_MOST, "%"),
    )


def change_rows(changes: Sequence[Change], words: Words) -> list[tuple[str, ...]]:
    """Return target, figure, before, after and difference of each health figure."""

    def said(value: float | str | bool | None, unit: str | None) -> str:
        return "-" if value is None else words.figure(shown(value, unit))

    found: list[tuple[str, ...]] = []
    for c in changes:
        numbers = [v for v in (c.before, c.after) if isinstance(v, int | float) and not isinstance(v, bool)]
        grown = said(numbers[1] - numbers[0], c.unit) if len(numbers) == 2 else "-"
        found.append((c.target, words(f"handover.what.{c.what}"), said(c.before, c.unit), said(c.after, c.unit), grown))
    return found


def unchanged(sheet: Sheet, words: Words) -> list[str]:
    """Return why there is no health before and after, of each target that has none."""
    return [words("handover.no-changes", target=name, why=words.tell(why)) for name, why in sheet.silent.items()]


def dump(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text."""
    return json.dumps(document, ensure_ascii=False, indent=1)
