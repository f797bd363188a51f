"""A chart's slide: the finding as its title, one or two charts, the method below, the commands in the notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from iobench.analysis.capacity import Result
from iobench.report import curves, findings, labels
from iobench.report.canvas import MUTED, WARN
from iobench.report.captions import alt_text
from iobench.report.charts import Chart
from iobench.report.content import Content
from iobench.report.content import Run as Step
from iobench.report.slides import barchart, linechart, parts, scatter, theme
from iobench.report.slides.sheet import LEADING, Box, Paragraph, Run, Sheet, broken, fitted
from iobench.report.spec import Across, ChartKind, ChartSpec, CurveSpec
from iobench.texts import Words

_MOST_COMMANDS = 30
_SMALL = 11.0
_GAP = 28.0  # between two charts


def add(presentation: Any, content: Content, group: Sequence[Chart], further: bool = False) -> None:
    """Add the slide of one or two charts of a workload."""
    words, first = content.words, group[0]
    sheet = Sheet(presentation, first.spec.title, words.lang)
    width = theme.WIDTH - 2 * theme.MARGIN
    lead = words("deck.further", what=first.spec.subtitle) if further else first.spec.subtitle
    foot, top = _about(sheet, lead, _footnotes(group, words))
    share = (width - _GAP * (len(group) - 1)) / len(group)
    for i, chart in enumerate(group):
        box = Box(theme.MARGIN + i * (share + _GAP), top, share, foot - 8 - top)
        alt = alt_text(chart.spec, words)
        if chart.spec.across is Across.TIME:
            scatter.recovery(sheet, box, chart.spec, alt)
        else:
            _place(sheet, box, chart.spec, alt, words)
    sheet.foot(source(content))
    sheet.notes(_notes(content, group))


def _place(sheet: Sheet, box: Box, spec: ChartSpec, alt: str, words: Words) -> None:
    """A chart under the title of its value axis."""
    inner = parts.under_title(sheet, box, spec.axis)
    if spec.kind is ChartKind.BAR:
        barchart.place(sheet, inner, spec, alt, words)
    else:
        linechart.place(sheet, inner, spec, alt)


def _about(sheet: Sheet, lead: str, notes: Sequence[tuple[str, bool]]) -> tuple[float, float]:
    """Place what was measured under the title, and the method at the foot; return where that begins, and the chart."""
    width = theme.WIDTH - 2 * theme.MARGIN
    under = replace(fitted(lead, (14, 13, 12), False, width, 1), color=MUTED)
    sheet.text(Box(theme.MARGIN, theme.TITLE_TOP + theme.TITLE_HEIGHT + 4, width, 18), [(under,)])
    lines = [(line, warn) for text, warn in notes for line in broken(text, _SMALL, False, width, 2)][:6]
    height = len(lines) * _SMALL * LEADING
    foot = theme.HEIGHT - 34 - height
    paragraphs: list[Paragraph] = [(Run(line, _SMALL, warn, WARN if warn else MUTED),) for line, warn in lines]
    if paragraphs:
        sheet.text(Box(theme.MARGIN, foot, width, height), paragraphs)
    return foot, theme.TITLE_TOP + theme.TITLE_HEIGHT + 34


def add_curve(presentation: Any, content: Content, results: Sequence[Result], spec: CurveSpec) -> None:
    """Add the slide of what was searched: latency against throughput."""
    words = content.words
    sheet = Sheet(presentation, spec.title, words.lang)
    width = theme.WIDTH - 2 * theme.MARGIN
    foot, top = _about(sheet, spec.subtitle, [(note, False) for note in spec.footnotes])
    box = Box(theme.MARGIN, top, width, foot - 8 - top)
    scatter.curves(sheet, box, spec, curves.alt_text(spec, words))
    sheet.foot(source(content))
    said = curves.sentences(results, content.comparison, words)
    runs = [run for run in content.runs if run.workload == results[0].slo.workload]
    told = _commands(runs, content)
    sheet.notes("\n".join([*said, "", *spec.footnotes, "", words("deck.commands"), *told]))


def source(content: Content) -> str:
    """Return where the figures come from: campaigns, their hash, what made the slide."""
    campaigns = [
        content.words("deck.source", id=labels.clean(c.id, 60), hash=digest[:12])
        for c, digest in zip(content.campaigns, content.digests, strict=True)
    ]
    return "iobench · " + content.words.commas(campaigns)


def _footnotes(group: Sequence[Chart], words: Words) -> list[tuple[str, bool]]:
    """The charts' footnotes, each once; what is not valid on bars is named again, in the warning's colour."""
    band, bars = words("foot.band"), words("foot.bars")  # slides draw the interval of lines as bars too
    notes = [(note.replace(band, bars), False) for chart in group for note in chart.spec.footnotes]
    for chart in group:
        if chart.spec.kind is ChartKind.BAR:
            notes += [(words.pair(s.label, p.mark), True) for s in chart.spec.series for p in s.points if p.mark]
    return list(dict.fromkeys(notes))


def _notes(content: Content, group: Sequence[Chart]) -> str:
    """What the speaker reads: the findings with their intervals, the method, and the commands of the first round."""
    words, names = content.words, labels.said_labels(content.comparison, content.words)
    lines = [text for chart in group for text in findings.sentences(chart.findings, words, names)]
    lines += ["", *(note for chart in group for note in chart.spec.footnotes), "", words("deck.commands")]
    workload = group[0].spec.workload
    runs = [run for run in content.runs if run.workload == workload]
    first = min((run.round for run in runs), default=1)
    lines += _commands([run for run in runs if run.round == first], content)
    return "\n".join(line for line in lines)


def _commands(runs: Sequence[Step], content: Content) -> list[str]:
    words = content.words
    told = [f"{run.drive}, {run.load}: {run.command() or words('step.no-command')}" for run in runs[:_MOST_COMMANDS]]
    left = len(runs) - len(told)
    return told + ([words("deck.more-commands", n=left)] if left > 0 else [])
