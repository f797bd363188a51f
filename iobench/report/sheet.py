"""The acceptance sheet: one HTML page to read, to print and to sign."""

from __future__ import annotations

import re
from typing import Any

from iobench.analysis.handover import Sheet
from iobench.model import Campaign
from iobench.report import rounds, template, verdicts
from iobench.texts import Words
from iobench.units import format_bytes

_MACHINE = ("name", "system", "kernel", "processor")


def html(sheet: Sheet, campaign: Campaign, facts: dict[str, dict[str, Any]], lang: str) -> str:
    """Return the sheet as one HTML file that needs nothing else. `facts` are those of each target's drive."""
    words = Words(lang)
    return template.render(
        "sheet.html",
        lang=lang,
        t=words,
        sheet=sheet,
        campaign=campaign,
        machine=words.commas([str(of) for key in _MACHINE if (of := campaign.host.get(key))]),
        title=words("handover.title", targets=words.commas(list(campaign.passports)), title=sheet.title),
        outcome=words(f"handover.{sheet.outcome.value}"),
        summary=verdicts.sum_of(sheet, words),
        look=words(f"handover.look.{sheet.look}"),
        drives=[_drive(name, campaign, facts.get(name, {}), words) for name in campaign.passports],
        groups=_groups(sheet, words),
        several=len(campaign.passports) > 1,
        changes=verdicts.change_rows(sheet.changes, words),
        unchanged=verdicts.unchanged(sheet, words),
        notes=verdicts.notes(sheet, campaign, words),
        pictures=[
            (name, rounds.picture(state, words)) for name, state in sheet.steady.items() if len(state.rounds) > 1
        ],
        tools=", ".join(campaign.tools.values()),
    )


def _drive(name: str, campaign: Campaign, facts: dict[str, Any], words: Words) -> tuple[str, str]:
    passport = campaign.passports[name]
    told = [str(facts[key]) for key in ("vendor", "model") if facts.get(key)]
    told += [f"{words(f'handover.what.{key}')} {facts[key]}" for key in ("serial", "firmware") if facts.get(key)]
    size = facts.get("size")
    kind = str(facts.get("kind") or passport.kind)
    parts = [words.or_name(f"drive.kind.{kind}", kind), *told, *([format_bytes(float(size))] if size else [])]
    return name, words.noted(passport.target.path, words.commas(parts))


def _groups(sheet: Sheet, words: Words) -> list[tuple[str, list[dict[str, str]]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for item in sheet.items:
        why = words.say(item.why) if item.why else ""
        row = {
            "target": item.target,
            "wanted": _tight(words.say(item.wanted)),
            "found": _tight(words.say(item.found)),
            "why": _tight(why),
            "outcome": words(f"handover.{item.outcome.value}"),
            "kind": item.outcome.value,
            "source": item.source,
            "conditions": item.conditions or "",
        }
        found.setdefault(item.group, []).append(row)
    return [(words(f"handover.group.{group}"), rows) for group, rows in found.items()]


def _tight(text: str) -> str:
    """A text whose figures stay on one line with their units."""
    return re.sub(r"(?<=[0-9]) (?=(?:%|[kMGTP]?i?B\b|[mµ]?s\b|°C|GT/s|h\b))", "\N{NO-BREAK SPACE}", text)
