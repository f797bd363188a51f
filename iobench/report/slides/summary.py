"""The first slide: what was found, on one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from iobench.analysis.types import ClaimResult, Comparison, DriveSummary
from iobench.model import Better
from iobench.report import curves, findings, labels
from iobench.report.canvas import INK, MUTED, WARN
from iobench.report.charts import Chart
from iobench.report.content import Content
from iobench.report.findings import Finding, Kind
from iobench.report.slides import theme
from iobench.report.slides.chart import source
from iobench.report.slides.sheet import LEADING, Box, Paragraph, Run, Sheet, broken, fitted, table_heights
from iobench.report.spec import Across

_MOST_ROWS = 8
_MOST_DRIVES = 6
_BULLET = 15.0
_LEAST_BULLETS = 4


def add(presentation: Any, content: Content, main: Sequence[Sequence[Chart]]) -> None:
    """Add the summary: a table of the main figures, the findings, and how the claims fared."""
    words = content.words
    sheet = Sheet(presentation, _title(content, main), words.lang)
    width, y = theme.WIDTH - 2 * theme.MARGIN, theme.TITLE_TOP + theme.TITLE_HEIGHT + 4
    sheet.text(
        Box(theme.MARGIN, y, width, 18),
        [(replace(fitted(_facts(content), (14, 13, 12, 11), False, width, 1), color=MUTED),)],
    )
    y += 26
    if notice := _notice(content):
        lines = broken(notice, 12, True, width, 2)
        sheet.text(
            Box(theme.MARGIN, y, width, len(lines) * 12 * LEADING), [(Run(line, 12, True, WARN),) for line in lines]
        )
        y += len(lines) * 12 * LEADING + 4
    y += 4
    heads, rows = _table(content, main, _MOST_ROWS)
    parts = [2.3, *(1.4 for _ in heads[1:])]
    bottom = theme.HEIGHT - 40
    said = _bullets(content, main)
    least = sum(len(broken(f"• {text}", _BULLET, False, width)) for text in said[:_LEAST_BULLETS]) * _BULLET * LEADING
    while len(rows) > 3 and sum(table_heights(heads, rows, parts, width)) > bottom - y - 14 - least:
        heads, rows = _table(content, main, len(rows) - 1)
    if rows:
        y = sheet.table(Box(theme.MARGIN, y, width, 0), heads, rows, parts, words("page.glance")) + 14
    paragraphs: list[Paragraph] = []
    used = 0.0
    for text in said:
        lines = broken(f"• {text}", _BULLET, False, width)
        if used + len(lines) * _BULLET * LEADING > bottom - y:
            break
        used += len(lines) * _BULLET * LEADING
        paragraphs.append((Run(f"• {text}", _BULLET),))
    if paragraphs:
        sheet.text(Box(theme.MARGIN, y, width, used), paragraphs)
    sheet.foot(source(content))
    sheet.notes(
        "\n".join(
            [
                *said,
                "",
                words("deck.hashes"),
                *(f"{c.id}  sha256:{d}" for c, d in zip(content.campaigns, content.digests, strict=True)),
            ]
        )
    )


def _title(content: Content, main: Sequence[Sequence[Chart]]) -> str:
    """The strongest thing that may be claimed of a rate; else what the first chart says; else the campaign's title."""
    ratios = [f for group in main for chart in group for f in chart.findings if _claimed(f)]
    names = labels.said_labels(content.comparison, content.words)
    rates = [f for f in ratios if f.row.better is Better.HIGHER and f.value > 1] or ratios
    if rates:
        # The first chart's finding: the talk's order, in which the widest claim stands first.
        return findings.sentence(rates[0], content.words, names, detail=False)
    found = [
        chart.spec.title for group in main for chart in group if chart.findings or chart.spec.across is Across.TIME
    ]
    found += [spec.title for _, spec in content.curves]
    return (
        next(iter(found), "") or labels.title(content.campaigns[0], content.words)[:120] or content.words("page.title")
    )


def _claimed(found: Finding) -> bool:
    return found.kind is Kind.RATIO and found.claim


def _facts(content: Content) -> str:
    words, campaign = content.words, content.campaigns[0]
    title = labels.title(campaign, words)[:60]
    facts = [words("deck.summary"), *([title] if title else [])]
    facts += [words("page.profile", name=labels.clean(campaign.profile, 40))] if campaign.profile else []
    facts.append(words("page.made", when=f"{campaign.created_at:%Y-%m-%d}"))
    more = len(content.comparison.drives) - len(_shown(content.comparison))
    facts += [words("deck.more-drives", n=more)] if more else []
    return " · ".join(dict.fromkeys(facts))


def _notice(content: Content) -> str:
    words, drives = content.words, content.comparison.drives
    emulated = [d for d in drives if d.emulated]
    if not emulated:
        return ""
    if len(emulated) == len(drives):
        return words("page.all-emulated") + " " + words("page.emulated-why")
    names = labels.drive_labels(content.comparison)
    said = words("page.some-emulated", drives=words.every([names[d.name] for d in emulated]))
    return said + " " + words("page.emulated-why")


def _table(content: Content, main: Sequence[Sequence[Chart]], most: int) -> tuple[list[str], list[list[Paragraph]]]:
    """A line a chart, a column a drive: the figure at the highest load, and its ratio; `most` lines."""
    words, comparison = content.words, content.comparison
    names = labels.drive_labels(comparison)
    drives = _shown(comparison)
    heads = [words("col.measure")]
    for drive in drives:
        tag = words("chart.baseline") if drive.name == comparison.baseline else ""
        heads.append(words.noted(names[drive.name], tag))
    rows = []
    drawn = [[chart for chart in group if chart.spec.across is not Across.TIME] for group in main]
    # Where not all have room, each workload's first stands before any second.
    ranked = sorted((place, number) for number, group in enumerate(drawn) for place in range(len(group)))[:most]
    for chart in (drawn[number][place] for number, place in sorted((n, p) for p, n in ranked)):
        cells: list[Paragraph] = [(Run(measure(chart, content), 12.5, True),)]
        for drive in drives:
            cells.append(_cell(content, chart, drive.name))
        rows.append(cells)
    return heads, rows


def _shown(comparison: Comparison) -> list[DriveSummary]:
    """The drives that the table has a column for: the first ones, and the baseline that ratios are of."""
    base = [drive for drive in comparison.drives if drive.name == comparison.baseline]
    first = [drive for drive in comparison.drives if drive not in base][: _MOST_DRIVES - len(base)]
    return [drive for drive in comparison.drives if drive in first or drive in base]


def measure(chart: Chart, content: Content) -> str:
    """Return what a chart shows, and at which load or rate: `Random read, p99 latency at 64`."""
    row, words, spec = chart.rows[-1], content.words, chart.spec
    parts = [labels.workload_name(row.workload, words), labels.op_name(row, words)]
    name = words.commas([*(p for p in parts if p), labels.metric_name(row.metric, words)])
    if len(chart.rows) == 1:
        return name
    at = spec.x_text(spec.loads[-1])
    return (
        words("what.rate", what=name, rate=at) if spec.across is Across.RATE else words("what.load", what=name, load=at)
    )


def _cell(content: Content, chart: Chart, drive: str) -> Paragraph:
    series = next((s for s in chart.spec.series if s.drive == drive), None)
    load = chart.spec.loads[-1]
    point = next((p for p in series.points if p.load == load), None) if series else None
    if point is None:
        return (Run("–", 12.5, color=MUTED),)
    runs = [Run(point.text, 12.5, bool(point.ratio_text), INK)]
    if point.none_shown:
        runs.append(Run(f"  {content.words('chart.none-shown')}", 10.5, color=MUTED))
    elif point.ratio_text:
        runs.append(Run(f"  {point.ratio_text}", 12.5, color=MUTED))
    if point.mark:
        runs.append(Run(f"  {point.mark}", 10.5, True, WARN))
    return tuple(runs)


def _bullets(content: Content, main: Sequence[Sequence[Chart]]) -> list[str]:
    """Findings in the order of the talk, one a chart, then stability, then the claims."""
    words = content.words
    names = labels.said_labels(content.comparison, words)
    said = []
    for group in main:
        for chart in group[:1]:
            said += [chart.spec.title] if chart.spec.across is Across.TIME else []
            found = [f for f in chart.findings if f.kind in (Kind.RATIO, Kind.NONE_SHOWN, Kind.FIGURE)]
            best = [f for f in found if _claimed(f)] or found
            said += [findings.sentence(best[0], words, names)] if best else []
            said += [findings.sentence(f, words, names) for f in chart.findings if f.kind is Kind.SHARE][:1]
    said += [text for results in content.searches for text in curves.foremost(results, content.comparison, words)]
    counts = Counter(claim.result for claim in content.comparison.claims)
    told = [words("deck.claim-count", n=counts[r], result=words(f"claim.{r.value}")) for r in ClaimResult if counts[r]]
    if told and counts[ClaimResult.NOT_MEASURED] < len(content.comparison.claims):
        said.insert(min(3, len(said)), words("deck.claims", results=words.commas(told)))
    return said
