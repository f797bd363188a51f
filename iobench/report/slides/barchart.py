"""Bars that PowerPoint draws and edits: a drive a bar, its interval on it, its ratio on or above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iobench.model import Verdict
from iobench.report.canvas import INK, MUTED, PAPER
from iobench.report.plot import ends, linear_ticks, readable_on
from iobench.report.slides import workbook
from iobench.report.slides.parts import TICK, Scale, axes, chart_of, flow, put_label, rounded
from iobench.report.slides.sheet import Box, Paragraph, Run, Sheet, broken, rgb, width_of
from iobench.report.spec import ChartSpec, Point, Series
from iobench.texts import Words

_WIDEST = 150.0  # of a bar, in points


def place(sheet: Sheet, box: Box, spec: ChartSpec, alt: str, words: Words) -> None:
    """Place a bar chart."""
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION

    divisor = spec.scale.divisor
    points = [s.points[0] if s.points else None for s in spec.series]
    slot = (box.width - 60) / len(points)
    names = [_under_bar(s, slot - 6) for s in spec.series]
    scale = _bar_scale(spec, box, points, max(name.count("\n") + 1 for name in names))
    data: Any = CategoryChartData(number_format="General")
    data.categories = names
    data.add_series(spec.axis, [rounded(p.value, divisor) if p else None for p in points])
    upper = words("deck.upper")
    data.add_series(upper, [rounded(ends(p)[1], divisor) if p else None for p in points])
    chart = chart_of(sheet, box, XL_CHART_TYPE.COLUMN_CLUSTERED, data, alt)
    workbook.fill(chart, names, [(spec.axis, points)], divisor, upper)
    plot = chart.plots[0]
    # A drive alone has no bar as wide as the slide.
    plot.gap_width, plot.overlap = round(min(500.0, max(61.0, (slot / _WIDEST - 1) * 100))), 100
    axes(chart, box, scale)
    bars, tops = plot.series
    workbook.error_bars(bars, points, divisor, 3)
    tops.format.fill.background()
    tops.format.line.fill.background()
    for i, (series, point) in enumerate(zip(spec.series, points, strict=True)):
        if point is None:
            continue
        _fill(bars.points[i].format, series.color, point.verdict)
        on_bar = _on_bar(spec, series, point, scale, slot)
        if on_bar:
            put_label(bars.points[i], on_bar, XL_LABEL_POSITION.CENTER)
        put_label(tops.points[i], _above(spec, point, not on_bar), XL_LABEL_POSITION.OUTSIDE_END, PAPER)


def _under_bar(series: Series, width: float) -> str:
    """A drive's name, what always stands beside it, and what names its result where it is not valid."""
    lines = broken(series.label, TICK + 1, False, width, 2)
    lines += flow(series.tags, TICK + 1, width)
    marks = [p.mark for p in series.points[:1] if p.mark]
    return "\n".join([*lines, *(line for mark in marks for line in broken(mark, TICK + 1, False, width, 2))])


def _bar_scale(spec: ChartSpec, box: Box, points: Sequence[Point | None], lines: int) -> Scale:
    floor = lines * (TICK + 1) * 1.25 + 10
    left = 8 + max(width_of(spec.scale.tick(v), TICK) for v in _ticks(spec, points))
    plot = Box(left, 4, box.width - left - 4, box.height - floor - 4)
    highest = max((ends(p)[1] for p in points if p), default=1.0) / spec.scale.divisor
    above = max((len(_above(spec, p, True)) for p in points if p), default=1) * 20 + 8
    ticks = _ticks(spec, points)
    step = (ticks[1] - ticks[0]) / spec.scale.divisor if len(ticks) > 1 else 1.0
    most = (highest or 1.0) / max(0.4, 1 - above / plot.height)
    return Scale(0.0, most, step, False, plot)


def _ticks(spec: ChartSpec, points: Sequence[Point | None]) -> list[float]:
    highest = max((ends(p)[1] for p in points if p), default=0.0)
    return linear_ticks(highest * 1.02 or spec.scale.divisor, spec.scale.divisor)


def _on_bar(spec: ChartSpec, series: Series, point: Point, scale: Scale, slot: float) -> list[Paragraph]:
    """The ratio on the bar, where the bar is high and wide enough for it."""
    if not point.ratio_text:
        return []
    color = readable_on(series.color) if point.verdict is Verdict.VALID else INK  # hatching is pale
    runs = [Run(point.ratio_text, 22, True, color)]
    runs += [Run(spec.none_shown, 11, False, color)] if point.none_shown else []
    height = scale.plot.bottom - scale.y(point.value / spec.scale.divisor)
    fits = max(width_of(r.text, r.size, r.bold) for r in runs) < min(slot * 0.6, _WIDEST)
    # It stands in the bar's middle: neither as high as the bar, nor with the interval's line through it.
    own = 18 + 16 * len(runs)
    clear = scale.plot.bottom - scale.y(ends(point)[0] / spec.scale.divisor) > (height + own) / 2
    return [(run,) for run in runs] if fits and clear and height > own + 16 else []


def _above(spec: ChartSpec, point: Point, ratio: bool) -> list[Paragraph]:
    lines: list[Paragraph] = []
    if ratio and point.ratio_text:
        lines.append((Run(point.ratio_text, 14, True, MUTED),))
        lines += [(Run(spec.none_shown, 10, False, MUTED),)] if point.none_shown else []
    lines.append((Run(point.text, 16, True),))
    return lines + ([(Run(point.note, 12, False, MUTED),)] if point.note else [])


def _fill(look: Any, color: str, verdict: Verdict) -> None:
    """A plain colour; hatched where the result is not valid, and pale where it is invalid."""
    from pptx.enum.dml import MSO_PATTERN
    from pptx.util import Pt

    if verdict is Verdict.VALID:
        look.fill.solid()
        look.fill.fore_color.rgb = rgb(color)
        return
    look.fill.patterned()
    look.fill.pattern = MSO_PATTERN.WIDE_UPWARD_DIAGONAL
    look.fill.fore_color.rgb = rgb(color)
    look.fill.back_color.rgb = rgb(PAPER)
    look.line.color.rgb, look.line.width = rgb(color), Pt(1.5 if verdict is Verdict.INVALID else 0.75)
