"""What every chart that PowerPoint draws is made of: its frame, axes, markers, labels, and elements of its XML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from iobench.model import Verdict
from iobench.report.canvas import AXIS, GRID, INK, MUTED
from iobench.report.slides.sheet import Box, Paragraph, Sheet, fitted, rgb, width_of

CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
SIGNS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▬", "P": "✚", "X": "✖", "h": "*"}
TICK = 12.0


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


def under_title(sheet: Sheet, box: Box, title: str) -> Box:
    """Place the title of the value axis; return the room under it."""
    axis = fitted(title, (13, 12, 11), False, box.width, 1)
    sheet.text(Box(box.x, box.y, box.width, 18), [(replace(axis, color=MUTED),)])
    return Box(box.x, box.y + 22, box.width, box.height - 22)


def decades(low: float, high: float) -> tuple[float, float]:
    """Return round values about two, a power of ten apart or more: where a logarithmic axis of PowerPoint lies."""
    power = 10.0 ** math.floor(math.log10(low) + 1e-9)
    least = float(f"{max(k for k in (1, 2, 5) if k * power <= low * (1 + 1e-9)) * power:.6g}")
    upper = 10.0 ** math.floor(math.log10(high) + 1e-9)
    most = min(k for k in (1, 2, 5, 10) if k * upper >= high * (1 - 1e-9)) * upper
    return least, float(f"{max(most, least * 10):.6g}")


def flow(items: Sequence[str], size: float, width: float) -> list[str]:
    """Return items one after the other with `·` between, broken between items only."""
    lines: list[str] = []
    for item in items:
        joined = f"{lines[-1]} · {item}" if lines else ""
        if joined and width_of(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(item)
    return lines


def chart_of(sheet: Sheet, box: Box, kind: Any, data: Any, alt: str) -> Any:
    """Place a chart of a kind with its data, with neither a legend nor a title of its own."""
    from pptx.util import Pt

    frame = sheet.slide.shapes.add_chart(kind, Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height), data)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", alt)
    chart = frame.chart
    chart.has_legend, chart.has_title = False, False
    chart.font.size, chart.font.color.rgb = Pt(TICK), rgb(INK)
    space = chart._chartSpace
    if space.find(f"{{{CHART}}}roundedCorners") is None:
        corners = new("roundedCorners", val="0")
        after = space.find(f"{{{CHART}}}date1904")
        space.insert(0, corners) if after is None else after.addnext(corners)
    for axis in (*space.iter(f"{{{CHART}}}axId"), *space.iter(f"{{{CHART}}}crossAx")):
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
        scaling = values._element.find(f"{{{CHART}}}scaling")
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
    crosses = names._element.find(f"{{{CHART}}}crosses")
    if scale.log and crosses is not None:
        crosses.set("val", "min")
        value_crosses = values._element.find(f"{{{CHART}}}crosses")
        if value_crosses is not None:
            value_crosses.set("val", "autoZero")
    _plot_at(chart, frame, scale.plot)


def _plot_at(chart: Any, frame: Box, plot: Box) -> None:
    """Fix where the plot lies in its frame, so that what stands beside it is beside it."""
    area = chart._chartSpace.chart.plotArea
    for old in area.findall(f"{{{CHART}}}layout"):
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
        label._dLbl.find(f"{{{CHART}}}dLblPos").addprevious(look)


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


def rounded(value: float, divisor: float) -> float:
    """A value in the chart's unit, with no more digits than a person would check."""
    return float(f"{value / divisor:.6g}")


def new(tag: str, **attributes: str) -> Any:
    """Return an element of a chart's XML."""
    from pptx.oxml import parse_xml

    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return parse_xml(f'<c:{tag} xmlns:c="{CHART}"{told}/>')
