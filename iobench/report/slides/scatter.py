"""Charts with a true axis below that PowerPoint draws: latency against throughput, and answers over time."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from iobench.model import Verdict
from iobench.report import scatter
from iobench.report.canvas import INK, MUTED, WARN
from iobench.report.plot import ends, linear_ticks
from iobench.report.slides import linechart, parts
from iobench.report.slides.sheet import Box, Paragraph, Run, Sheet, fitted, height_of, rgb, width_of
from iobench.report.spec import ChartSpec, Curve, CurvePoint, CurveSpec, Series

_MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
_ROOM = 0.17  # of a chart's width, for a name
_GAP = 14.0  # between a chart and the names beside it
# `General` would show what a program reckons of a tick, as 499.999999999999. Of whole ticks, and of others.
_WHOLE = '[>=1000000]0.0,,"M";[>=1000]#,##0;0'
_PARTS = "[>=1000]#,##0;[>=1]0.0;0.0##"


@dataclass(frozen=True, slots=True)
class Trace:
    """What is drawn of a drive, or a line that says something: points in the axes' units.

    `spans` are the distances down and up to the ends of each point's interval. `sign` is the marker (none: ""),
    `hollow` whether it is pale, `ring` whether it is its edge alone. `note` stands at the point `noted`: to its
    right or left, or above it. `dash` is how the line is broken, by PowerPoint's name of it: a moment's by `dash`,
    that of figures which are not valid by `sysDash`.
    """

    name: str
    color: str
    points: tuple[tuple[float, float], ...]
    spans: tuple[tuple[float, float], ...] = ()
    width: float = 0.0
    dash: str = ""
    sign: str = ""
    size: int = 8
    hollow: bool = False
    ring: bool = False
    note: str = ""
    noted: int = -1
    side: str = "right"


@dataclass(frozen=True, slots=True)
class Along:
    """The axis below: its ends, its step (none on a logarithmic one), how its figures are written."""

    title: str
    least: float
    most: float
    step: float
    log: bool
    form: str


def curves(sheet: Sheet, box: Box, spec: CurveSpec, alt: str) -> None:
    """Place the curves of latency against throughput, the limit as a line, what held and the knee named beside them."""
    inner = parts.under_title(sheet, box, spec.axis)
    column = max(120.0, min(inner.width * 0.29, 230.0))
    frame = Box(inner.x, inner.y, inner.width - column - _GAP, inner.height)
    divisor = spec.scale.divisor
    ticks = scatter.latencies(spec)
    low, high = parts.decades(ticks[0] / divisor, ticks[-1] / divisor)
    left = 8 + max(width_of(f"{v:,.10g}", parts.TICK) for v in (low, high))
    scale = parts.Scale(low, high, 10.0, True, Box(left, 8, frame.width - left - 8, frame.height - 56))
    least, most = scatter.reach(spec)
    if spec.x_log:
        low_x, high_x = parts.decades(least, most)
        along = Along(spec.x_axis, low_x, high_x, 0.0, True, ticks_as(low_x, low_x))
    else:
        steps = linear_ticks(most, 1.0)
        along = Along(spec.x_axis, 0.0, steps[-1] + steps[1], steps[1], False, ticks_as(0.0, steps[1]))
    apart = _far_apart(spec, along)
    drawn = [
        trace for curve in spec.curves for trace in _of_curve(curve, divisor, {"note": curve.label} if apart else {})
    ]
    traces = [_limit(spec, along, max(len(trace.points) for trace in drawn)), *drawn]
    _place(sheet, frame, traces, along, scale, alt)
    _beside(sheet, Box(inner.x + inner.width - column, inner.y, column, inner.height), spec.curves)


def ticks_as(first: float, step: float) -> str:
    """Return the number format of the ticks of a throughput, 1/s: whole numbers, or with their parts."""
    return _WHOLE if first % 1 == 0 and step % 1 == 0 else _PARTS


def _far_apart(spec: CurveSpec, along: Along) -> bool:
    """Whether each drive's name has room to the right of what it holds."""

    def share(value: float) -> float:
        if along.log:
            return math.log(value / along.least) / math.log(along.most / along.least)
        return (value - along.least) / (along.most - along.least)

    if any(curve.best is None for curve in spec.curves):
        return False
    places = sorted(share(curve.best.x) for curve in spec.curves if curve.best)
    begins = sorted(share(min(point.x for point in curve.points)) for curve in spec.curves)[1:]
    gaps = [after - before for before, after in zip(places, [*begins, 1.0], strict=True)]
    return min(gaps) >= _ROOM


def _limit(spec: CurveSpec, along: Along, count: int) -> Trace:
    """The limit's line, its name above it near its beginning.

    It comes first and has as many points as any: LibreOffice loses what stands before a longer one.
    """
    y, count = spec.limit / spec.scale.divisor, max(count, 11)
    shares = [i / (count - 1) for i in range(count)]
    if along.log:
        xs = [along.least * (along.most / along.least) ** share for share in shares]
    else:
        xs = [along.least + (along.most - along.least) * share for share in shares]
    points = tuple((parts.rounded(x, 1.0), y) for x in xs)
    return Trace(spec.limit_text, WARN, points, width=1.75, note=spec.limit_text, noted=(count - 1) // 10, side="above")


def _of_curve(curve: Curve, divisor: float, named: Mapping[str, str]) -> list[Trace]:
    """A drive's line, a ring about what held, and its points: those that held filled, the others hollow."""
    made = [_trace(curve.line, curve, divisor, width=2.25)] if len(curve.line) > 1 else []
    if curve.best is not None:
        made.append(_trace((curve.best,), curve, divisor, name=curve.best_text, sign="o", size=15, ring=True, **named))
    for held in (True, False):
        points = [point for point in curve.points if point.held is held]
        made += [_trace(points, curve, divisor, sign=curve.marker, hollow=not held)] if points else []
    return made


def _trace(points: Sequence[CurvePoint], curve: Curve, divisor: float, name: str = "", **look: Any) -> Trace:
    places = tuple((parts.rounded(point.x, 1.0), parts.rounded(point.y, divisor)) for point in points)
    return Trace(name or curve.label, curve.color, places, **look)


def _beside(sheet: Sheet, box: Box, drawn: Sequence[Curve]) -> None:
    """The drives beside the chart, the fastest first: name, what held, the knee."""
    y, order = box.y, sorted(drawn, key=lambda curve: -max(point.x for point in curve.points))
    for part in (1.0, 0.85, 0.7, 0.55):
        blocks = [_name(curve, box.width, part) for curve in order]
        if sum(height_of(block, box.width) + 14 * part for block in blocks) <= box.height:
            break
    for block in blocks:
        height = height_of(block, box.width)
        sheet.text(Box(box.x, y, box.width, height + 1), block)
        y += height + 14 * part


def _name(curve: Curve, width: float, part: float) -> list[Paragraph]:
    sign = Run(f"{parts.SIGNS[curve.marker]} ", 13 * part, True, curve.color)
    head = fitted(curve.label, (15 * part, 13 * part, 11 * part), True, width - 20, 1)
    lines: list[Paragraph] = [(sign, head)]
    texts = [(curve.best_text, INK), ("" if scatter.bends_where_it_holds(curve) else curve.knee_text, MUTED)]
    fits = [(fitted(text, (13 * part, 11 * part), False, width, 2), color) for text, color in texts if text]
    return lines + [(replace(run, color=color),) for run, color in fits]


# --- answers over time -------------------------------------------------------------------------------------


def recovery(sheet: Sheet, box: Box, spec: ChartSpec, alt: str) -> None:
    """Place what was answered over time, with a line at each moment at which something happened."""
    box = parts.under_title(sheet, box, spec.axis)
    column = max(96.0, min(box.width * 0.24, 210.0))
    frame = Box(box.x, box.y, box.width - column - _GAP, box.height)
    divisor = spec.scale.divisor
    top = max(v for s in spec.series for p in s.points for v in ends(p)) / divisor * 1.2 or 1.0
    ticks = linear_ticks(top, 1.0)
    left = 8 + max(width_of(spec.scale.tick(v * divisor), parts.TICK) for v in ticks)
    plot = Box(left, 8, frame.width - left - 8, frame.height - 56)
    scale = parts.Scale(0.0, top, ticks[1], False, plot)
    step = 1.0 if spec.loads[-1] - spec.loads[0] <= 15_000 else 5.0
    first, last = (
        end(at / 1000 / step) * step for end, at in ((math.floor, spec.loads[0]), (math.ceil, spec.loads[-1]))
    )
    along = Along(spec.x_axis, first, last, step, False, "General")
    # The longest first: LibreOffice loses what stands before a longer one.
    traces = sorted((_over_time(series, divisor) for series in spec.series), key=lambda trace: -len(trace.points))
    for number, (at, text) in enumerate(spec.moments):
        side = "left" if number == 0 and len(spec.moments) > 1 else "right"
        ends_ = ((at / 1000, 0.0), (at / 1000, top * 0.97))
        traces.append(Trace(text, WARN, ends_, width=1.5, dash="dash", note=text, side=side))
    _place(sheet, frame, traces, along, scale, alt)
    linechart.name_ends(sheet, Box(box.x + box.width - column, box.y, column, box.height), spec, scale)


def _over_time(series: Series, divisor: float) -> Trace:
    spans = tuple(
        ((p.value - ends(p)[0]) / divisor, (ends(p)[1] - p.value) / divisor) for p in series.points if p.low is not None
    )
    points = tuple((p.load / 1000, parts.rounded(p.value, divisor)) for p in series.points)
    # Pictures hatch what lies under such a line; a chart of PowerPoint's has no ground under a line to hatch.
    sound = all(p.verdict is Verdict.VALID for p in series.points)
    return Trace(
        series.label,
        series.color,
        points,
        spans if len(spans) == len(points) else (),
        width=2.25,
        dash="" if sound else "sysDash",
    )


# --- what both have ----------------------------------------------------------------------------------------


def _place(
    sheet: Sheet, frame: Box, traces: Sequence[Trace], along: Along, scale: parts.Scale, alt: str
) -> None:  # fmt: skip
    from pptx.chart.data import XyChartData
    from pptx.enum.chart import XL_CHART_TYPE, XL_TICK_LABEL_POSITION

    data: Any = XyChartData(number_format="General")
    for trace in traces:
        own = data.add_series(trace.name)
        for x, y in trace.points:
            own.add_data_point(x, y)
    chart = parts.chart_of(sheet, frame, XL_CHART_TYPE.XY_SCATTER_LINES, data, alt)
    chart.part.chart_workbook.update_from_xlsx_blob(_workbook(traces))
    parts.axes(chart, frame, scale, x_title=along.title)
    below = chart.category_axis
    below.minimum_scale, below.maximum_scale = along.least, along.most
    below.tick_labels.number_format, below.tick_labels.number_format_is_linked = along.form, False
    below.tick_label_position = chart.value_axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    if along.log:
        below._element.find(f"{{{parts.CHART}}}scaling").insert(0, parts.new("logBase", val="10"))
    else:
        below.major_unit = along.step
    # Where the axes meet: at the lowest of each, also where that is below zero or not zero.
    for axis in (below, chart.value_axis):
        axis._element.find(f"{{{parts.CHART}}}crosses").set("val", "min")
    first = 2
    for trace, series in zip(traces, chart.plots[0].series, strict=True):
        _look(series, trace)
        if trace.spans:
            _spans(series, trace, first)
        first += len(trace.points) + 2


def _look(series: Any, trace: Trace) -> None:
    from pptx.enum.chart import XL_LABEL_POSITION, XL_MARKER_STYLE
    from pptx.enum.dml import MSO_LINE
    from pptx.util import Pt

    if trace.width:
        series.format.line.color.rgb, series.format.line.width = rgb(trace.color), Pt(trace.width)
        if trace.dash:
            series.format.line.dash_style = MSO_LINE.from_xml(trace.dash)
    else:
        series.format.line.fill.background()
    if trace.sign:
        parts.marker(series, trace.sign, trace.color, Verdict.SUSPECT if trace.hollow else Verdict.VALID, trace.size)
        if trace.ring:
            series.marker.format.fill.background()
            series.marker.format.line.width = Pt(1.75)
    else:
        series.marker.style = XL_MARKER_STYLE.NONE
    if trace.note:
        where = {"right": XL_LABEL_POSITION.RIGHT, "left": XL_LABEL_POSITION.LEFT, "above": XL_LABEL_POSITION.ABOVE}
        at = series.points[range(len(trace.points))[trace.noted]]
        parts.put_label(at, [(Run(trace.note, 12, True, trace.color),)], where[trace.side])


def _spans(series: Any, trace: Trace, first: int) -> None:
    """The intervals as pale bars so close that they make a band; their ends stand in the workbook beside the points."""
    last = first + len(trace.points) - 1
    bars = parts.new("errBars")
    for tag, value in (("errDir", "y"), ("errBarType", "both"), ("errValType", "cust"), ("noEndCap", "1")):
        bars.append(parts.new(tag, val=value))
    downs, ups = zip(*trace.spans, strict=True)
    for tag, letter, values in (("plus", "D", ups), ("minus", "C", downs)):
        bars.append(parts.reference(tag, f"Sheet1!${letter}${first}:${letter}${last}", values))
    bars.append(parts.line_look(trace.color, 3.0, alpha=0.3))
    series._element.find(f"{{{parts.CHART}}}xVal").addprevious(bars)


def _workbook(traces: Sequence[Trace]) -> bytes:
    """The sheet that PowerPoint opens to edit the chart: the drives one under the other, where their formulas look."""
    import xlsxwriter

    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(1980, 1, 1)})  # the same figures give the same bytes
    sheet = book.add_worksheet("Sheet1")
    row = 0
    for trace in traces:
        sheet.write(row, 1, trace.name)
        for i, (x, y) in enumerate(trace.points, row + 1):
            sheet.write_row(i, 0, (x, y))
        for i, (down, up) in enumerate(trace.spans, row + 1):
            sheet.write_row(i, 2, (down, up))
        row += len(trace.points) + 2
    book.close()
    return target.getvalue()
