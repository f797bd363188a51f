"""What a page begins with: what it is of, the figures at a glance, the findings, how the claims fared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from iobench.analysis.claims import CLAIM_ROUNDS
from iobench.analysis.types import ClaimResult, Comparison, DriveSummary
from iobench.model import Campaign
from iobench.report import curves, findings, labels
from iobench.report.charts import Chart
from iobench.report.content import Content
from iobench.report.findings import Finding, Kind
from iobench.report.spec import Across
from iobench.texts import Words


def head(content: Content) -> Mapping[str, object]:
    """Return a page's title, what it is of, and what has to be known before any figure is read."""
    comparison, campaigns, words = content.comparison, content.campaigns, content.words
    first = campaigns[0]
    facts = [words("page.made", when=f"{c.created_at:%Y-%m-%d %H:%M} UTC") for c in campaigns[:1]]
    facts += [words("page.profile", name=labels.clean(first.profile, 60))] if first.profile else []
    facts += [_campaign_name(comparison, c, words) for c in campaigns]
    facts += [words("page.redacted")] if content.redacted else []
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


def glance(content: Content) -> Mapping[str, object]:
    """Return the table at the top: a line a chart, a column a drive; each cell a figure and its ratio."""
    comparison, words = content.comparison, content.words
    names = labels.drive_labels(comparison)
    heads = [{"name": names[d.name], "tags": _tags(comparison, d, words)} for d in comparison.drives]
    rows = []
    for chart in (chart for chart in content.charts if chart.spec.across is not Across.TIME):
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


def summary(content: Content) -> list[str]:
    """Return what a hurried reader takes along: what searches found, and of each chart the greatest difference.

    What limits a difference stands beside it; every other sentence stands with its workload.
    """
    comparison, words, made = content.comparison, content.words, content.charts
    names = labels.said_labels(comparison, words)
    searched = [text for results in content.searches for text in curves.foremost(results, comparison, words)]
    kept = [[found for found in chart.findings if found in _foremost(chart.findings)] for chart in made]
    said = [text for own in kept for text in _shortly(own, words, names)]
    # What an outage did is told by its curve's title.
    return searched + said + [chart.spec.title for chart in made if chart.spec.across is Across.TIME]


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


def claims(content: Content) -> Mapping[str, object]:
    """Return claims that the data say something of, and those that nothing was measured for."""
    comparison, words = content.comparison, content.words
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
