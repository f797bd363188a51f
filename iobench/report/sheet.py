"""The acceptance sheet: one HTML page to read, to print and to sign, and the same as PDF."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from iobench.analysis.handover import Sheet
from iobench.analysis.steady import Steady
from iobench.errors import CannotRunError
from iobench.model import Campaign
from iobench.report import fonts, verdicts
from iobench.texts import Words
from iobench.units import format_bytes, format_count

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 220, 64, 36, 14


def html(sheet: Sheet, campaign: Campaign, facts: dict[str, dict[str, Any]], lang: str) -> str:
    """Return the sheet as one HTML file that needs nothing else. `facts` are those of each target's drive."""
    import jinja2

    words = Words(lang)
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("sheet.html").render(
        lang=lang,
        t=words,
        sheet=sheet,
        campaign=campaign,
        host=campaign.host,
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
        pictures=[(name, picture(state, words)) for name, state in sheet.steady.items() if len(state.rounds) > 1],
        tools=", ".join(campaign.tools.values()),
    )
    return page.replace("/* fonts */", _fonts(page), 1)


def _fonts(page: str) -> str:
    """The fonts that ship, cut to the page's signs: it looks alike wherever it is opened or printed."""
    rules = []
    for bold in (False, True):
        data = base64.b64encode(fonts.woff(page, bold)).decode("ascii")
        rules.append(
            f'@font-face {{ font-family: "{fonts.FAMILY}"; font-weight: {700 if bold else 400}; '
            f'src: url("data:font/woff;base64,{data}") format("woff"); }}'
        )
    return "\n".join(rules)


def _drive(name: str, campaign: Campaign, facts: dict[str, Any], words: Words) -> tuple[str, str]:
    passport = campaign.passports[name]
    told = [str(facts[key]) for key in ("vendor", "model", "serial", "firmware") if facts.get(key)]
    size = facts.get("size")
    kind = str(facts.get("kind") or passport.kind)
    parts = [words.or_name(f"drive.kind.{kind}", kind), *told, *([format_bytes(float(size))] if size else [])]
    return name, f"{passport.target.path} ({words.commas(parts)})"


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


def picture(state: Steady, words: Words) -> str:
    """Return the rounds as an SVG drawing, with the window and its fitted line."""
    top = max(state.rounds) * 1.15 or 1.0
    count = len(state.rounds)

    def x(number: float) -> float:
        return _LEFT + (number - 0.5) * (_WIDTH - _LEFT - 12) / count

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _BOTTOM - _TOP)

    label = f"{words('metric.iops')}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{words("handover.steady")}" class="rounds">'
    ]
    for value in (0.0, top / 2 / 1.15, top / 1.15):
        said = format_count(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" font-size="11">{said}</text>')
    if state.window is not None:
        w = state.window
        colour = "#2b7a4b" if state.reached else "#9a9a9a"
        parts.append(
            f'<rect x="{x(w.first) - 8:.1f}" y="{_TOP}" width="{x(w.last) - x(w.first) + 16:.1f}" '
            f'height="{_HEIGHT - _BOTTOM - _TOP}" fill="{colour}" fill-opacity="0.13" stroke="{colour}"/>'
        )
        parts.append(
            f'<line x1="{x(w.first):.1f}" x2="{x(w.last):.1f}" y1="{y(w.fit[0]):.1f}" y2="{y(w.fit[1]):.1f}" '
            f'stroke="{colour}" stroke-width="2" stroke-dasharray="5 3"/>'
        )
    points = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(state.rounds, 1))
    parts.append(f'<polyline points="{points}" fill="none" stroke="#1f4e8c" stroke-width="2"/>')
    for i, value in enumerate(state.rounds, 1):
        parts.append(f'<circle cx="{x(i):.1f}" cy="{y(value):.1f}" r="3.2" fill="#1f4e8c"/>')
        parts.append(
            f'<text x="{x(i):.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle" font-size="11">{i}</text>'
        )
    parts.append(
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}" text-anchor="middle" font-size="11">'
        f"{words('handover.steady.axis')} / {label}</text></svg>"
    )
    return "".join(parts)


def pdf(page: str) -> bytes:
    """Return an HTML sheet as PDF. Raises CannotRunError where WeasyPrint cannot work here."""
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise CannotRunError(
            f"the PDF cannot be made: WeasyPrint does not start here ({error}); `iobench doctor` shows what installs "
            "it, or print the HTML sheet"
        ) from error
    made: bytes = weasyprint.HTML(string=page).write_pdf()
    return made
