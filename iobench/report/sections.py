"""A page's workloads and searches: each chart with its pictures and its table, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iobench.report import curves, findings, labels, tables
from iobench.report.canvas import PAGE, PHONE
from iobench.report.captions import alt_text
from iobench.report.charts import Chart
from iobench.report.content import Content
from iobench.report.spec import ChartKind, ChartSpec, CurveSpec
from iobench.report.svg import svg
from iobench.report.tables import Table
from iobench.texts import Words

if TYPE_CHECKING:
    from markupsafe import Markup


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


def every(content: Content, drawn: Callable[[], None]) -> list[Section]:
    """Return a section for each objective that was searched, then one for each workload; `drawn` as `html.page` has it.

    Raises ResultsError.
    """
    workloads = dict.fromkeys(row.workload for row in content.comparison.rows)
    return [
        *(_searched(content, number, drawn) for number in range(len(content.curves))),
        *(_workload(content, number, workload, drawn) for number, workload in enumerate(workloads, 1)),
    ]


def _workload(content: Content, number: int, workload: str, drawn: Callable[[], None]) -> Section:
    comparison, words = content.comparison, content.words
    own = [chart for chart in content.charts if chart.spec.workload == workload]
    names = labels.said_labels(comparison, words)
    return Section(
        id=f"workload-{number}",
        name=labels.workload_name(workload, words),
        about=words.or_name(f"about.{workload}", ""),
        figures=tuple(_figure(content, chart, drawn) for chart in own),
        sentences=tuple(text for chart in own for text in findings.sentences(chart.findings, words, names)),
        table=tables.other_figures(comparison, workload, own, words),
    )


def _searched(content: Content, number: int, drawn: Callable[[], None]) -> Section:
    comparison, words = content.comparison, content.words
    results, spec = content.curves[number]
    wide, narrow = _pictures(spec, curves.alt_text(spec, words), drawn)
    table = curves.table(results, comparison, words)
    name = words("capacity.section")
    return Section(
        id=f"capacity-{number + 1}",
        name=f"{name} {number + 1}" if number else name,
        about=words("capacity.about"),
        figures=(Figure(spec.id, spec.title, spec.subtitle, wide, narrow, spec.footnotes, (), table),),
        sentences=tuple(curves.sentences(results, comparison, words)),
        table=Table("", (), (), ()),  # the chart's own has every point
    )


def _figure(content: Content, chart: Chart, drawn: Callable[[], None]) -> Figure:
    spec, words = chart.spec, content.words
    wide, narrow = _pictures(spec, alt_text(spec, words), drawn)
    table = tables.chart_table(content.comparison, chart, words)
    return Figure(spec.id, spec.title, spec.subtitle, wide, narrow, spec.footnotes, _marks(spec, words), table)


def _pictures(spec: ChartSpec | CurveSpec, alt: str, drawn: Callable[[], None]) -> tuple[Markup, Markup]:
    """A chart for a wide and for a narrow window. Every text in an SVG was escaped when it was written."""
    from markupsafe import Markup

    wide, narrow = (Markup(svg(spec, frame, alt)) for frame in (PAGE, PHONE))
    drawn()
    return wide, narrow


def _marks(spec: ChartSpec, words: Words) -> tuple[str, ...]:
    """What is not valid, drive by drive; of bars, which have one load, without it."""
    if spec.kind is ChartKind.BAR:
        return tuple(words.pair(s.label, p.mark) for s in spec.series for p in s.points if p.mark)
    return tuple(words.pair(s.label, mark) for s in spec.series for mark in s.marks)
