"""Lines that PowerPoint draws and edits: a drive a line with its intervals, named at its end beside the chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from iobench.model import Verdict
from iobench.report.canvas import INK, MUTED, WARN
from iobench.report.lines import spread
from iobench.report.plot import ends, linear_ticks
from iobench.report.slides import workbook
from iobench.report.slides.parts import SIGNS, TICK, Scale, axes, chart_of, decades, flow, marker, rounded
from iobench.report.slides.sheet import LEADING, Box, Paragraph, Run, Sheet, broken, fitted, height_of, rgb, width_of
from iobench.report.spec import Across, ChartSpec, Series


def place(sheet: Sheet, box: Box, spec: ChartSpec, alt: str) -> None:
    """Place a line chart."""
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Pt

    divisor, loads = spec.scale.divisor, spec.loads
    column = max(96.0, min(box.width * 0.29, 210.0))
    frame = Box(box.x, box.y, box.width - column - 14, box.height)
    scale = _line_scale(spec, frame)
    rows = [[next((p for p in s.points if p.load == load), None) for load in loads] for s in spec.series]
    data: Any = CategoryChartData(number_format="General")
    data.categories = [spec.x_text(load) for load in loads]
    for series, points in zip(spec.series, rows, strict=True):
        data.add_series(series.label, [rounded(p.value, divisor) if p else None for p in points])
    chart = chart_of(sheet, frame, XL_CHART_TYPE.LINE_MARKERS, data, alt)
    pairs = [(s.label, points) for s, points in zip(spec.series, rows, strict=True)]
    workbook.fill(chart, [spec.x_text(load) for load in loads], pairs, divisor, None)
    axes(chart, frame, scale, x_title=spec.x_axis)
    for i, (series, points) in enumerate(zip(spec.series, rows, strict=True)):
        line = chart.plots[0].series[i]
        line.smooth = False
        line.format.line.color.rgb, line.format.line.width = rgb(series.color), Pt(2.25)
        marker(line, series.marker, series.color, Verdict.VALID)
        for j, point in enumerate(points):
            if point and point.verdict is not Verdict.VALID:
                marker(line.points[j], series.marker, series.color, point.verdict)
        workbook.error_bars(line, points, divisor, 1 + len(rows) + 2 * i, series.color)
    name_ends(sheet, Box(box.x + box.width - column, box.y, column, box.height), spec, scale)


def _line_scale(spec: ChartSpec, frame: Box) -> Scale:
    divisor = spec.scale.divisor
    values = [v for s in spec.series for p in s.points for v in ends(p)]
    if spec.log:
        low, high = min(v for v in values if v > 0) / divisor, max(values) / divisor
        (least, most), step = decades(low, high), 10.0
        ticks: Sequence[float] = [least * divisor, most * divisor]
    else:
        top = max(values, default=0.0) * 1.06 or divisor
        ticks = linear_ticks(top, divisor)
        least, step = 0.0, (ticks[1] - ticks[0]) / divisor if len(ticks) > 1 else 1.0
        most = math.ceil(top / divisor / step - 1e-9) * step
    left = 8 + max(width_of(spec.scale.tick(v), TICK) for v in [*ticks, most * divisor])
    return Scale(least, most, step, spec.log, Box(left, 8, frame.width - left - 8, frame.height - 56))


def name_ends(sheet: Sheet, box: Box, spec: ChartSpec, scale: Scale) -> None:
    """The drives' names, each at its line's end, in the order of the ends and with no overlap."""
    drawn = [s for s in spec.series if s.points]
    for part in (1.0, 0.85, 0.75, 0.65, 0.55):
        blocks = [_name(s, spec, box.width, part) for s in drawn]
        heights = [height_of(block, box.width) + 1 for block in blocks]
        if sum(heights) + 5 * len(heights) <= box.height:
            break
    order = sorted(range(len(drawn)), key=lambda i: scale.y(drawn[i].points[-1].value / spec.scale.divisor))
    first = [blocks[i][0][0].size * LEADING for i in order]
    wanted = [
        scale.y(drawn[i].points[-1].value / spec.scale.divisor) + heights[i] / 2 - line / 2
        for i, line in zip(order, first, strict=True)
    ]
    for i, middle in zip(order, spread(wanted, [heights[i] for i in order], 0, box.height), strict=True):
        at = Box(box.x, box.y + middle - heights[i] / 2, box.width, heights[i])
        sheet.text(at, blocks[i])


def _name(series: Series, spec: ChartSpec, width: float, part: float) -> list[Paragraph]:
    """A drive's name and figure; where room is short (`part` of the usual size), in fewer lines."""
    last = series.points[-1]
    sign = Run(f"{SIGNS[series.marker]} ", 13 * part, True, series.color)
    head = fitted(series.label, (15 * part, 13 * part, 11 * part), True, width - 20, 1)
    lines: list[Paragraph] = [(sign, head)]
    figures = [last.text] if last.load == spec.loads[-1] and spec.across is not Across.TIME else []
    figures += [last.ratio_text] if figures and last.ratio_text else []
    small = 12 * part
    if part == 1.0 and figures:
        lines.append((Run(" · ".join(figures), small, False, INK),))
        figures = []
    lines += [(Run(text, small, False, MUTED),) for text in flow((*figures, *series.tags), small, width)]
    if series.marks:
        marks = fitted("; ".join(series.marks), (small, 9 * part), True, width, 2 if part == 1.0 else 1)
        # Broken here: a reader's program would break `not-steady` at its hyphen.
        lines += [(replace(marks, text=line, color=WARN),) for line in broken(marks.text, marks.size, True, width)]
    return lines
