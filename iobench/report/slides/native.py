"""Charts that PowerPoint itself draws and edits: bars and lines from a spec, with error bars from the intervals."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from iobench.model import Verdict
from iobench.report.canvas import AXIS, GRID, INK, MUTED, PAPER, WARN
from iobench.report.lines import spread
from iobench.report.plot import ends, linear_ticks, readable_on
from iobench.report.slides.sheet import LEADING, Box, Paragraph, Run, Sheet, broken, fitted, height_of, rgb, width_of
from iobench.report.spec import Across, ChartKind, ChartSpec, Point, Series
from iobench.texts import Words

_CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
SIGNS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▬", "P": "✚", "X": "✖", "h": "*"}
TICK = 12.0
_WIDEST = 150.0  # of a bar, in points


@dataclass(frozen=True, slots=True)
class Scale:
    """The value axis, in the chart's unit, and where the plot lies in the chart's frame, in points."""

    least: float
    most: float
    step: float
    log: bool
    plot: Box

    def y(self, value: float) -> float:
        """Return where a value in the chart's unit stands, from the frame's top."""
        if self.log:
            share = math.log(value / self.least) / math.log(self.most / self.least)
        else:
            share = (value - self.least) / (self.most - self.least)
        return self.plot.bottom - share * self.plot.height


def place(sheet: Sheet, box: Box, spec: ChartSpec, alt: str, words: Words) -> None:
    """Place a chart with its axis' title above it and, of lines, the drives' names beside it."""
    inner = under_title(sheet, box, spec.axis)
    if spec.kind is ChartKind.BAR:
        _bars(sheet, inner, spec, alt, words)
    else:
        _lines(sheet, inner, spec, alt)


def under_title(sheet: Sheet, box: Box, title: str) -> Box:
    """Place the title of the value axis; return the room under it."""
    axis = fitted(title, (13, 12, 11), False, box.width, 1)
    sheet.text(Box(box.x, box.y, box.width, 18), [(replace(axis, color=MUTED),)])
    return Box(box.x, box.y + 22, box.width, box.height - 22)


# --- bars --------------------------------------------------------------------------------------------------


def _bars(sheet: Sheet, box: Box, spec: ChartSpec, alt: str, words: Words) -> None:
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
    _workbook(chart, names, [(spec.axis, points)], divisor, upper)
    plot = chart.plots[0]
    # A drive alone has no bar as wide as the slide.
    plot.gap_width, plot.overlap = round(min(500.0, max(61.0, (slot / _WIDEST - 1) * 100))), 100
    axes(chart, box, scale)
    bars, tops = plot.series
    _error_bars(bars, points, divisor, 3)
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
    lines += _flow(series.tags, TICK + 1, width)
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


# --- lines -------------------------------------------------------------------------------------------------


def _lines(sheet: Sheet, box: Box, spec: ChartSpec, alt: str) -> None:
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
    _workbook(chart, [spec.x_text(load) for load in loads], pairs, divisor, None)
    axes(chart, frame, scale, x_title=spec.x_axis)
    for i, (series, points) in enumerate(zip(spec.series, rows, strict=True)):
        line = chart.plots[0].series[i]
        line.smooth = False
        line.format.line.color.rgb, line.format.line.width = rgb(series.color), Pt(2.25)
        marker(line, series.marker, series.color, Verdict.VALID)
        for j, point in enumerate(points):
            if point and point.verdict is not Verdict.VALID:
                marker(line.points[j], series.marker, series.color, point.verdict)
        _error_bars(line, points, divisor, 1 + len(rows) + 2 * i, series.color)
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


def decades(low: float, high: float) -> tuple[float, float]:
    """Return round values about two, a power of ten apart or more: where a logarithmic axis of PowerPoint lies."""
    power = 10.0 ** math.floor(math.log10(low) + 1e-9)
    least = float(f"{max(k for k in (1, 2, 5) if k * power <= low * (1 + 1e-9)) * power:.6g}")
    upper = 10.0 ** math.floor(math.log10(high) + 1e-9)
    most = min(k for k in (1, 2, 5, 10) if k * upper >= high * (1 - 1e-9)) * upper
    return least, float(f"{max(most, least * 10):.6g}")


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
    lines += [(Run(text, small, False, MUTED),) for text in _flow((*figures, *series.tags), small, width)]
    if series.marks:
        marks = fitted("; ".join(series.marks), (small, 9 * part), True, width, 2 if part == 1.0 else 1)
        # Broken here: a reader's program would break `not-steady` at its hyphen.
        lines += [(replace(marks, text=line, color=WARN),) for line in broken(marks.text, marks.size, True, width)]
    return lines


def _flow(items: Sequence[str], size: float, width: float) -> list[str]:
    """Items one after the other with `·` between, broken between items only."""
    lines: list[str] = []
    for item in items:
        joined = f"{lines[-1]} · {item}" if lines else ""
        if joined and width_of(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(item)
    return lines


# --- what both have ----------------------------------------------------------------------------------------


def chart_of(sheet: Sheet, box: Box, kind: Any, data: Any, alt: str) -> Any:
    """Place a chart of a kind with its data, with neither a legend nor a title of its own."""
    from pptx.util import Pt

    frame = sheet.slide.shapes.add_chart(kind, Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height), data)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", alt)
    chart = frame.chart
    chart.has_legend, chart.has_title = False, False
    chart.font.size, chart.font.color.rgb = Pt(TICK), rgb(INK)
    space = chart._chartSpace
    if space.find(f"{{{_CHART}}}roundedCorners") is None:
        corners = new("roundedCorners", val="0")
        after = space.find(f"{{{_CHART}}}date1904")
        space.insert(0, corners) if after is None else after.addnext(corners)
    for axis in (*space.iter(f"{{{_CHART}}}axId"), *space.iter(f"{{{_CHART}}}crossAx")):
        # python-pptx has them below zero, which the schema has not, and LibreOffice knows no more than 31 bits.
        axis.set("val", str(int(axis.get("val")) % 2**31))
    return chart


def axes(chart: Any, frame: Box, scale: Scale, x_title: str = "") -> None:
    """Give both axes their look, and that of the values its scale."""
    from pptx.enum.chart import XL_TICK_MARK
    from pptx.util import Pt

    values, names = chart.value_axis, chart.category_axis
    values.minimum_scale, values.maximum_scale = scale.least, scale.most
    values.has_major_gridlines, values.has_minor_gridlines = True, False
    values.major_gridlines.format.line.color.rgb, values.major_gridlines.format.line.width = rgb(GRID), Pt(0.75)
    values.format.line.fill.background()
    values.major_tick_mark = values.minor_tick_mark = XL_TICK_MARK.NONE
    values.tick_labels.font.size, values.tick_labels.font.color.rgb = Pt(TICK), rgb(MUTED)
    values.tick_labels.number_format = "[>=1000]#,##0;General"
    values.tick_labels.number_format_is_linked = False
    if scale.log:
        scaling = values._element.find(f"{{{_CHART}}}scaling")
        scaling.insert(0, new("logBase", val="10"))
    else:
        values.major_unit = scale.step
    names.format.line.color.rgb = rgb(AXIS)
    names.major_tick_mark = names.minor_tick_mark = XL_TICK_MARK.NONE
    names.has_major_gridlines = False
    names.tick_labels.font.size = Pt(TICK if x_title else TICK + 1)
    names.tick_labels.font.color.rgb = rgb(MUTED if x_title else INK)
    if x_title:
        names.has_title = True
        title = names.axis_title.text_frame
        title.text = x_title
        font = title.paragraphs[0].runs[0].font
        font.size, font.bold, font.color.rgb = Pt(12), False, rgb(MUTED)
    # On a logarithmic axis the loads' axis crosses at the least value, not at one.
    crosses = names._element.find(f"{{{_CHART}}}crosses")
    if scale.log and crosses is not None:
        crosses.set("val", "min")
        value_crosses = values._element.find(f"{{{_CHART}}}crosses")
        if value_crosses is not None:
            value_crosses.set("val", "autoZero")
    _plot_at(chart, frame, scale.plot)


def _plot_at(chart: Any, frame: Box, plot: Box) -> None:
    """Fix where the plot lies in its frame, so that what stands beside it is beside it."""
    area = chart._chartSpace.chart.plotArea
    for old in area.findall(f"{{{_CHART}}}layout"):
        area.remove(old)
    layout, manual = new("layout"), new("manualLayout")
    layout.append(manual)
    for tag, value in (("layoutTarget", "inner"), ("xMode", "edge"), ("yMode", "edge")):
        manual.append(new(tag, val=value))
    for tag, part in (
        ("x", plot.x / frame.width),
        ("y", plot.y / frame.height),
        ("w", plot.width / frame.width),
        ("h", plot.height / frame.height),
    ):
        manual.append(new(tag, val=f"{part:.5f}"))
    area.insert(0, layout)


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


def pale(color: str) -> str:
    """Return a colour as what is not valid has it: LibreOffice draws no edge, so white would be nothing there."""
    parts = (round(255 - (255 - int(color[i : i + 2], 16)) * 0.25) for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


def marker(target: Any, sign: str, color: str, verdict: Verdict, size: int = 8) -> None:
    """Give a line, or one of its points, a drive's marker: filled where the result is valid, else pale with an edge."""
    from pptx.enum.chart import XL_MARKER_STYLE
    from pptx.util import Pt

    styles = {
        "o": XL_MARKER_STYLE.CIRCLE,
        "s": XL_MARKER_STYLE.SQUARE,
        "^": XL_MARKER_STYLE.TRIANGLE,
        "D": XL_MARKER_STYLE.DIAMOND,
        "v": XL_MARKER_STYLE.DASH,
        "P": XL_MARKER_STYLE.PLUS,
        "X": XL_MARKER_STYLE.X,
        "h": XL_MARKER_STYLE.STAR,
    }
    target.marker.style, target.marker.size = styles[sign], size
    target.marker.format.fill.solid()
    target.marker.format.fill.fore_color.rgb = rgb(color if verdict is Verdict.VALID else pale(color))
    target.marker.format.line.color.rgb = rgb(color)
    target.marker.format.line.width = Pt(0.75 if verdict is Verdict.VALID else 1.75)


def put_label(point: Any, lines: Sequence[Paragraph], where: Any, ground: str = "") -> None:
    """Write lines beside a point; `where` is a position of PowerPoint's, `ground` covers the grid."""
    from pptx.util import Pt

    label = point.data_label
    label.position = where
    frame = label.text_frame
    for i, line in enumerate(lines):
        paragraph = frame.paragraphs[0] if i == 0 else frame.add_paragraph()
        for piece in line:
            run = paragraph.add_run()
            run.text = piece.text
            run.font.size, run.font.bold, run.font.color.rgb = Pt(piece.size), piece.bold, rgb(piece.color)
    if ground:
        from lxml import etree

        look = new("spPr")
        fill = etree.SubElement(look, f"{{{_MAIN}}}solidFill")
        etree.SubElement(fill, f"{{{_MAIN}}}srgbClr", val=ground.lstrip("#").upper())
        label._dLbl.find(f"{{{_CHART}}}dLblPos").addprevious(look)


def _error_bars(series: Any, points: Sequence[Point | None], divisor: float, column: int, color: str = INK) -> None:
    """Put c:errBars before c:cat; its ends stand in two columns of the chart's workbook, from `column` (0 is A)."""
    if not any(p and p.low is not None for p in points):
        return
    element = series._element
    bars = new("errBars")
    bars.append(new("errBarType", val="both"))
    bars.append(new("errValType", val="cust"))
    bars.append(new("noEndCap", val="0"))
    for tag, offset, ways in (("plus", 1, _plus(points, divisor)), ("minus", 0, _minus(points, divisor))):
        letter = _letter(column + offset)
        bars.append(reference(tag, f"Sheet1!${letter}$2:${letter}${len(points) + 1}", ways))
    bars.append(line_look(color, 1.25))
    element.find(f"{{{_CHART}}}cat").addprevious(bars)


def reference(tag: str, formula: str, values: Sequence[float]) -> Any:
    """Return figures that stand in the chart's workbook, with the formula that finds them there."""
    holder, found, cache = new(tag), new("numRef"), new("numCache")
    where, form = new("f"), new("formatCode")
    where.text, form.text = formula, "General"
    cache.append(form)
    cache.append(new("ptCount", val=str(len(values))))
    for i, value in enumerate(values):
        point, number = new("pt", idx=str(i)), new("v")
        number.text = repr(value)
        point.append(number)
        cache.append(point)
    found.append(where)
    found.append(cache)
    holder.append(found)
    return holder


def line_look(color: str, width: float, alpha: float = 1.0) -> Any:
    """Return how a line is drawn: its colour, its width in points, how much of what lies under it it covers."""
    from lxml import etree

    look = new("spPr")
    line = etree.SubElement(look, f"{{{_MAIN}}}ln", w=str(round(width * 12700)))
    fill = etree.SubElement(line, f"{{{_MAIN}}}solidFill")
    paint = etree.SubElement(fill, f"{{{_MAIN}}}srgbClr", val=color.lstrip("#").upper())
    if alpha < 1:
        etree.SubElement(paint, f"{{{_MAIN}}}alpha", val=str(round(alpha * 100_000)))
    return look


def _minus(points: Sequence[Point | None], divisor: float) -> list[float]:
    return [rounded(p.value - ends(p)[0], divisor) if p else 0.0 for p in points]


def _plus(points: Sequence[Point | None], divisor: float) -> list[float]:
    return [rounded(ends(p)[1] - p.value, divisor) if p else 0.0 for p in points]


def _workbook(
    chart: Any,
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[Point | None]]],
    divisor: float,
    upper: str | None,
) -> None:
    """Write the sheet that PowerPoint opens to edit the chart: figures, and the intervals about them."""
    import xlsxwriter

    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(1980, 1, 1)})  # the same figures give the same bytes
    sheet = book.add_worksheet("Sheet1")
    columns: list[tuple[str, Sequence[object]]] = [("", list(names))]
    columns += [(name, [rounded(p.value, divisor) if p else None for p in points]) for name, points in series]
    if upper is not None:
        columns.append((upper, [rounded(ends(p)[1], divisor) if p else None for p in series[0][1]]))
    for name, points in series:
        columns += [(f"{name} −", _minus(points, divisor)), (f"{name} +", _plus(points, divisor))]
    for c, (head, values) in enumerate(columns):
        sheet.write(0, c, head)
        for r, value in enumerate(values, 1):
            if value is not None:
                sheet.write(r, c, value)
    book.close()
    chart.part.chart_workbook.update_from_xlsx_blob(target.getvalue())


def _letter(column: int) -> str:
    """A column's name in a sheet: 0 is A."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def rounded(value: float, divisor: float) -> float:
    """A value in the chart's unit, with no more digits than a person would check."""
    return float(f"{value / divisor:.6g}")


def new(tag: str, **attributes: str) -> Any:
    """Return an element of a chart's XML."""
    from pptx.oxml import parse_xml

    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return parse_xml(f'<c:{tag} xmlns:c="{_CHART}"{told}/>')
