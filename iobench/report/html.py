"""The page: one file that opens from a mail, with charts, tables, drives, evidence and method."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iobench import __version__
from iobench.analysis.claims import CLAIM_ROUNDS
from iobench.analysis.types import ClaimResult, Comparison, DriveSummary
from iobench.model import Campaign, Verdict
from iobench.report import curves, drives, evidence, findings, labels, repeat, steps, tables, template
from iobench.report.canvas import PAGE, PHONE
from iobench.report.captions import alt_text
from iobench.report.charts import Chart
from iobench.report.evidence import Packed
from iobench.report.findings import Finding, Kind
from iobench.report.published import Published
from iobench.report.spec import Across, ChartKind, ChartSpec
from iobench.report.steps import Step
from iobench.report.svg import svg
from iobench.report.tables import Table
from iobench.results import CampaignFolder
from iobench.texts import Words

if TYPE_CHECKING:
    from markupsafe import Markup

_MOST_SENTENCES = 8  # of a reason; each step's own stands with its evidence


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart on the page: its picture for a wide and for a narrow window, and its table."""

    id: str
    title: str
    subtitle: str
    wide: Markup
    narrow: Markup
    footnotes: tuple[str, ...]
    marks: tuple[str, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Section:
    """A workload on the page."""

    id: str
    name: str
    about: str
    figures: tuple[Figure, ...]
    sentences: tuple[str, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class StepGroup:
    """The steps of a workload in a campaign."""

    name: str
    summary: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Unsound:
    """A reason, how often it was found, and sentences with the figures."""

    reason: str
    verdict: str
    count: str
    sentences: tuple[str, ...]


def page(
    comparison: Comparison,
    folders: Sequence[CampaignFolder],
    made: Sequence[Chart],
    words: Words,
    *,
    published: Sequence[Published] = (),
    redacted: bool = False,
    drawn: Callable[[], None] = lambda: None,
) -> str:
    """Return the page as text; `drawn` is called after each chart. Raises ResultsError."""
    from markupsafe import Markup

    campaigns = [folder.campaign() for folder in folders]
    groups = _groups([step for folder in folders for step in steps.read(folder, words)], words)
    taken = [step for group in groups for step in group.steps]
    packed = Packed([evidence.inside(step, words) for step in taken])
    style, script = ((template.FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return template.render(
        "report.html",
        filters={"whole": _whole(comparison, taken)},
        signs=packed.parts,
        t=words,
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
        head=_head(comparison, campaigns, words, redacted),
        glance=_glance(comparison, made, words),
        findings=[*_capacity_sentences(comparison, folders, words), *_summary(comparison, made, words)],
        claims=_claims(comparison, words),
        sections=[
            *_capacity(comparison, folders, words, drawn),
            *(_section(comparison, i, w, made, words, drawn) for i, w in enumerate(_workloads(comparison), 1)),
        ],
        drives=drives.sheets(comparison, words),
        hosts=drives.hosts(campaigns, words),
        notes=_notes(comparison, campaigns, words),
        groups=groups,
        packed=packed,
        repeats=repeat.all_of(folders, campaigns, comparison.labels, words),
        unsound=_unsound(taken, words),
        published=[
            (p.drive, labels.workload_name(p.workload, words), p.conditions, p.figure, p.source) for p in published
        ],
        method=_method(comparison, words),
        any_rows=bool(comparison.rows),
    )


def _whole(comparison: Comparison, taken: Sequence[Step]) -> Callable[[str], Markup]:
    """A filter that keeps the names of reasons in one piece: a browser would break `background-io` at its hyphen."""
    from markupsafe import Markup

    found = {reason for row in comparison.rows for e in row.targets.values() for reason in e.reasons}
    found |= {reason for step in taken for reason in step.reasons}
    ids = "|".join(re.escape(labels.clean(reason, 40)) for reason in sorted(found) if re.fullmatch(r"[a-z-]+", reason))
    known = re.compile(rf"(?<![\w-])({ids})(?![\w-])") if ids else None

    def whole(text: str) -> Markup:
        safe = evidence.coded(text)
        return Markup(known.sub(r'<span class="id">\1</span>', safe) if known else safe)

    return whole


def _policy(script: str) -> str:
    """A content policy under which nothing but our own script runs, and nothing is fetched."""
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; font-src data:"


def _workloads(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(row.workload for row in comparison.rows))


# --- head and summary ----------------------------------------------------------------------------------------


def _head(comparison: Comparison, campaigns: Sequence[Campaign], words: Words, redacted: bool) -> Mapping[str, object]:
    first = campaigns[0]
    facts = [words("page.made", when=f"{c.created_at:%Y-%m-%d %H:%M} UTC") for c in campaigns[:1]]
    facts += [words("page.profile", name=labels.clean(first.profile, 60))] if first.profile else []
    facts += [_campaign_name(comparison, c, words) for c in campaigns]
    facts += [words("page.redacted")] if redacted else []
    facts += [words("page.imported")] if any(c.imported for c in campaigns) else []
    emulated = [d for d in comparison.drives if d.emulated]
    names = labels.drive_labels(comparison)
    notice = ""
    if emulated:
        all_are = len(emulated) == len(comparison.drives)
        which = words.every([names[d.name] for d in emulated])
        notice = words("page.all-emulated") if all_are else words("page.some-emulated", drives=which)
    rounds = [e.n for row in comparison.rows for e in row.targets.values()]
    # Of a whole report that has a figure of enough rounds it is not said: those with fewer are marked each.
    quick = bool(rounds) and max(rounds) < CLAIM_ROUNDS
    return {
        "title": labels.title(first, words) or words("page.title"),
        "facts": facts,
        "emulated": notice,
        "despite": [labels.clean(words.say(phrase)) for phrase in comparison.despite],
        "quick": words("page.quick", claim=CLAIM_ROUNDS) if quick else "",
    }


def _campaign_name(comparison: Comparison, campaign: Campaign, words: Words) -> str:
    id, name = labels.clean(campaign.id, 100), labels.clean(comparison.labels.get(campaign.id, campaign.id), 100)
    return words("page.campaign", id=id) if id == name else words("page.campaign-named", name=name, id=id)


def _glance(comparison: Comparison, made: Sequence[Chart], words: Words) -> Mapping[str, object]:
    """The table at the top: a line a chart, a column a drive; each cell a figure and its ratio."""
    names = labels.drive_labels(comparison)
    heads = [{"name": names[d.name], "tags": _tags(comparison, d, words)} for d in comparison.drives]
    rows = []
    for chart in (chart for chart in made if chart.spec.across is not Across.TIME):
        load = chart.spec.loads[-1]
        cells = []
        for drive in comparison.drives:
            series = next((s for s in chart.spec.series if s.drive == drive.name), None)
            point = next((p for p in series.points if p.load == load), None) if series else None
            ratio = "" if point is None else words("chart.none-shown") if point.none_shown else point.ratio_text
            cells.append(
                {
                    "text": point.text if point else "",
                    "ratio": ratio,
                    "mark": point.mark if point else "",
                    "color": series.color if series else "",
                }
            )
        shared = words.commas(chart.spec.shared)
        rows.append({"name": _measure(chart, words), "id": chart.spec.id, "mark": shared, "cells": cells})
    return {"heads": heads, "rows": rows}


def _tags(comparison: Comparison, drive: DriveSummary, words: Words) -> str:
    tags = [words("chart.emulated")] if drive.emulated else []
    tags += [words("chart.baseline")] if drive.name == comparison.baseline else []
    return " · ".join(tags)


def _measure(chart: Chart, words: Words) -> str:
    row = chart.rows[-1]
    parts = [labels.workload_name(row.workload, words), labels.op_name(row, words)]
    name = words.commas([*(p for p in parts if p), labels.metric_name(row.metric, words)])
    if len(chart.rows) > 1 and chart.spec.across is Across.RATE:
        return words("what.rate", what=name, rate=chart.spec.x_text(chart.spec.loads[-1]))
    return words("what.load", what=name, load=row.load) if len(chart.rows) > 1 else name


def _sentences(comparison: Comparison, made: Sequence[Chart], words: Words) -> list[str]:
    names = labels.said_labels(comparison, words)
    return [text for chart in made for text in findings.sentences(chart.findings, words, names)]


def _summary(comparison: Comparison, made: Sequence[Chart], words: Words) -> list[str]:
    """What a hurried reader takes along: of each chart the greatest difference, and what limits it.

    Every other sentence stands with its workload.
    """
    names = labels.said_labels(comparison, words)
    kept = [[found for found in chart.findings if found in _foremost(chart.findings)] for chart in made]
    said = [text for own in kept for text in _shortly(own, words, names)]
    # What an outage did is told by its curve's title.
    return said + [chart.spec.title for chart in made if chart.spec.across is Across.TIME]


def _shortly(found: Sequence[Finding], words: Words, names: Mapping[str, str]) -> list[str]:
    """A chart's findings as sentences, its equals in one; their intervals stand with the workload."""
    equals = [one for one in found if one.kind is Kind.NONE_SHOWN]
    if len(equals) < 2:
        return findings.sentences(found, words, names)
    rest = [one for one in found if one.kind is not Kind.NONE_SHOWN]
    return [*findings.sentences(rest, words, names), findings.headline(equals, words, names)]


def _foremost(found: Sequence[Finding]) -> list[Finding]:
    """The finding that heads a chart, and those that it must not be read without: equals, the stable, the unsound."""
    ratios = [f for f in found if f.kind is Kind.RATIO and f.value > 0]
    first = sorted(ratios, key=lambda f: (f.claim, abs(math.log(f.value))))[-1:]
    rest = [f for f in found if f.kind in (Kind.NONE_SHOWN, Kind.UNSOUND) or findings.stable(f)]
    return [*first, *rest] if ratios or rest else list(found)


def _claims(comparison: Comparison, words: Words) -> Mapping[str, object]:
    """Claims that the data say something of, and those that nothing was measured for."""
    measured = [c for c in comparison.claims if c.result is not ClaimResult.NOT_MEASURED]
    rest = [labels.claimed(c, words)[0] for c in comparison.claims if c.result is ClaimResult.NOT_MEASURED]
    return {
        "measured": [
            {
                "statement": labels.claimed(claim, words)[0],
                "result": claim.result.value,
                "result_text": words(f"claim.{claim.result.value}"),
                "sentence": labels.claimed(claim, words)[1],
            }
            for claim in measured
        ],
        "rest": words("claim.rest", statements=words("list.semicolon").join(rest)) if rest else "",
    }


# --- workloads -----------------------------------------------------------------------------------------------


def _section(
    comparison: Comparison,
    number: int,
    workload: str,
    made: Sequence[Chart],
    words: Words,
    drawn: Callable[[], None],
) -> Section:
    own = [chart for chart in made if chart.spec.workload == workload]
    about = f"about.{workload}"
    return Section(
        id=f"workload-{number}",
        name=labels.workload_name(workload, words),
        about=words.or_name(about, ""),
        figures=tuple(_figure(comparison, chart, words, drawn) for chart in own),
        sentences=tuple(_sentences(comparison, own, words)),
        table=tables.other_figures(comparison, workload, own, words),
    )


def _capacity_sentences(comparison: Comparison, folders: Sequence[CampaignFolder], words: Words) -> list[str]:
    return [text for results in curves.found(folders) for text in curves.foremost(results, comparison, words)]


def _capacity(
    comparison: Comparison, folders: Sequence[CampaignFolder], words: Words, drawn: Callable[[], None]
) -> list[Section]:
    """A section for each objective that was searched."""
    from markupsafe import Markup

    made = []
    for number, results in enumerate(curves.found(folders), 1):
        if (spec := curves.spec(results, comparison, words)) is None:
            continue
        table, alt = curves.table(results, comparison, words), curves.alt_text(spec, words)
        wide, narrow = (Markup(svg(spec, frame, alt)) for frame in (PAGE, PHONE))
        drawn()
        own = Figure(spec.id, spec.title, spec.subtitle, wide, narrow, spec.footnotes, (), table)
        said = tuple(curves.sentences(results, comparison, words))
        name = f"{words('capacity.section')} {number}" if number > 1 else words("capacity.section")
        rest = Table("", (), (), ())  # the chart's own has every point
        made.append(Section(f"capacity-{number}", name, words("capacity.about"), (own,), said, rest))
    return made


def _marks(spec: ChartSpec, words: Words) -> tuple[str, ...]:
    """What is not valid, drive by drive; of bars, which have one load, without it."""
    if spec.kind is ChartKind.BAR:
        return tuple(words.pair(s.label, p.mark) for s in spec.series for p in s.points if p.mark)
    return tuple(words.pair(s.label, mark) for s in spec.series for mark in s.marks)


def _figure(comparison: Comparison, chart: Chart, words: Words, drawn: Callable[[], None]) -> Figure:
    from markupsafe import Markup

    spec, alt = chart.spec, alt_text(chart.spec, words)
    # Every text in the SVG was escaped when it was written.
    wide, narrow = (Markup(svg(spec, frame, alt)) for frame in (PAGE, PHONE))
    drawn()
    return Figure(
        id=spec.id,
        title=spec.title,
        subtitle=spec.subtitle,
        wide=wide,
        narrow=narrow,
        footnotes=spec.footnotes,
        marks=_marks(spec, words),
        table=tables.chart_table(comparison, chart, words),
    )


# --- evidence ------------------------------------------------------------------------------------------------


def _groups(taken: Sequence[Step], words: Words) -> list[StepGroup]:
    several = len({step.campaign for step in taken}) > 1
    groups: dict[tuple[str, str], list[Step]] = {}
    for step in taken:
        groups.setdefault((step.campaign, step.workload), []).append(step)
    made = []
    for (campaign, workload), own in groups.items():
        marked = sum(step.verdict != Verdict.VALID for step in own)
        parts = [words("page.steps", n=len(own))]
        parts.append(words("page.steps-marked", n=marked) if marked else words("page.steps-valid"))
        name = labels.workload_name(workload, words)
        made.append(StepGroup(words.noted(name, campaign if several else ""), words.commas(parts), tuple(own)))
    return made


def _unsound(taken: Sequence[Step], words: Words) -> list[Unsound]:
    """What was not sound: by reason, the most frequent first; a few sentences each stand for the rest."""
    by_reason: dict[str, list[Step]] = {}
    for step in taken:
        for reason in step.reasons:
            by_reason.setdefault(reason, []).append(step)
    found = []
    for reason, own in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        said: dict[str, list[str]] = {}  # a sentence -> the steps that it was said of
        for step in own:
            for one in step.said:
                if one.reason == reason:
                    said.setdefault(one.sentence, []).append(step.id)
        texts = [words("page.said-of", sentence=text, steps=_few(ids, words)) for text, ids in said.items()]
        verdict, count = steps.verdict_of(reason).value, words("page.steps", n=len(own))
        found.append(Unsound(reason, verdict, count, tuple(texts[:_MOST_SENTENCES])))
    return found


def _few(ids: Sequence[str], words: Words) -> str:
    return ids[0] if len(ids) == 1 else words("page.and-more", first=ids[0], n=len(ids) - 1)


def _notes(comparison: Comparison, campaigns: Sequence[Campaign], words: Words) -> list[str]:
    # What stands on a drive's own card is not said again.
    texts = [*comparison.notes, *(note for c in campaigns for note in c.notes)]
    told = {f"{sheet.name}: {note}" for sheet in drives.sheets(comparison, words) for note in sheet.notes}
    said = dict.fromkeys(labels.clean(words.tell(text), 800) for text in texts)
    return [text for text in said if text not in told]


def _method(comparison: Comparison, words: Words) -> list[str]:
    resolution = f"{comparison.resolution * 100:g} %"
    return [
        words(f"method.{part}", resolution=resolution, claim=CLAIM_ROUNDS)
        for part in ("repeats", "ratio", "claims", "percentiles", "evidence", "units")
    ]
