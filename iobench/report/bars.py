"""Bar charts: a bar a drive from zero, its value above, its ratio on it, its name under it."""

from __future__ import annotations

from typing import Any

from iobench.model import Verdict
from iobench.report.canvas import INK, MUTED, PAPER, WARN, Frame, Line, Surface, flow, wrap
from iobench.report.plot import HATCH, Plot, axis, ends, linear_ticks, names_of, readable_on, tick_room
from iobench.report.spec import ChartSpec, Point, Series

_WIDEST = 150.0  # of a bar, in points
_LEAST_ROOM = 0.35  # of the plot, for the bars


def draw(canvas: Surface, spec: ChartSpec, top: float, bottom: float) -> None:
    """Draw the bars between two heights of the canvas."""
    frame = canvas.frame
    slots = len(spec.series)
    highest = max((ends(p)[1] for s in spec.series for p in s.points), default=0.0)
    # The axis' figures decide the slots' width and that the labels' height; a second pass is not needed, since
    # the figures' width hardly moves with the height.
    left = frame.margin + tick_room(spec, frame, linear_ticks(highest, spec.scale.divisor))
    slot = (frame.width - frame.margin - left) / slots
    under = [_under(series, frame, slot - 8) for series in spec.series]
    floor = bottom - max(sum(line.height for line in lines) for lines in under) - 6
    above = max(
        (_tallest(spec, s.points[0], frame, slot, highest, floor - top) for s in spec.series if s.points), default=0
    )
    room = max(_LEAST_ROOM, 1 - (above + 8) / (floor - top))
    plot = Plot(left, frame.width - frame.margin, top, floor, 0.0, (highest / room) or spec.scale.divisor)
    axis(canvas, plot, spec, linear_ticks(highest * 1.02, spec.scale.divisor))
    for i, (series, lines) in enumerate(zip(spec.series, under, strict=True)):
        x = left + slot * (i + 0.5)
        canvas.stack(x, floor + 6, lines, "center")
        for point in series.points[:1]:
            _bar(canvas, spec, series, point, plot, x, slot)


def _tallest(spec: ChartSpec, point: Point, frame: Frame, slot: float, highest: float, room: float) -> float:
    """The height of what stands above a bar, with its ratio where the bar is too low to have it on it."""
    lines, ratio = _above(spec, point, frame, slot), _ratio(spec, point, frame, INK, _width(slot))
    bar = min(point.value, ends(point)[0]) / (highest or 1.0) * room * _LEAST_ROOM
    on_it = ratio and all(line.width <= _width(slot) - 6 for line in ratio)
    if on_it and _height(ratio) + 10 > bar:
        lines = [*_ratio_above(spec, point, frame, slot), *lines]
    return _height(lines)


def _height(lines: list[Line]) -> float:
    return sum(line.height for line in lines)


def _under(series: Series, frame: Frame, width: float) -> list[Line]:
    """A drive's name, its tags, and what names its result where it is not valid."""
    lines = names_of(series.label, frame.label, width, 2 if frame.words else 3)
    if series.tags:
        lines += flow(series.tags, Line("", frame.small + 1, color=MUTED), width)
    for point in series.points[:1]:
        if point.mark:
            lines += wrap(Line(point.mark, frame.small + 1, bold=True, color=WARN), width, 3)
    return lines


def _above(spec: ChartSpec, point: Point, frame: Frame, slot: float) -> list[Line]:
    """A point's value, with its unit only where all of the chart's fit their slots with it."""
    texts = [p.text for s in spec.series for p in s.points]
    whole = all(Line(text, frame.value, bold=True).width <= slot - 6 for text in texts)
    text = point.text if whole else spec.scale.short(point.value)
    lines = wrap(Line(text, frame.value, bold=True), slot - 2, 1)
    if point.note:
        lines += wrap(Line(point.note, frame.small + 1.5, color=MUTED), slot - 4, 1)
    wide = any(line.width > _width(slot) - 6 for line in _ratio(spec, point, frame, INK, _width(slot)))
    return [*_ratio_above(spec, point, frame, slot), *lines] if wide else lines


def _width(slot: float) -> float:
    return min(slot * 0.62, _WIDEST)


def _bar(canvas: Surface, spec: ChartSpec, series: Series, point: Point, plot: Plot, x: float, slot: float) -> None:
    frame, width = canvas.frame, _width(slot)
    y, low, high = plot.y(point.value), plot.y(ends(point)[0]), plot.y(ends(point)[1])
    # A bar next to nothing is still a bar: a hair of colour stands where one would look for it.
    y = min(y, plot.bottom - 1.5)
    bar = canvas.box(x - width / 2, y, width, plot.bottom - y, 3, **_look(series, point))
    canvas.tip(bar, _tip(series, point))
    if point.low is not None:
        _whisker(canvas, x, low, high, min(7.0, width / 5))
    above = _above(spec, point, frame, slot)
    ratio = _ratio(spec, point, frame, readable_on(series.color), width)
    if ratio and max(line.width for line in ratio) <= width - 6:
        if _height(ratio) + 10 <= plot.bottom - max(low, y):
            _on_bar(canvas, series, point, ratio, x, (max(low, y) + plot.bottom) / 2)
        else:
            above = [*_ratio_above(spec, point, frame, slot), *above]
    height = _height(above)
    start = max(min(y, high) - height - 4, plot.top - height)
    widest = max(line.width for line in above)
    canvas.box(x - widest / 2 - 2, start, widest + 4, height, 2.5, fc=PAPER, lw=0)  # no grid runs through the text
    canvas.stack(x, start, above, "center")


def _on_bar(canvas: Surface, series: Series, point: Point, ratio: list[Line], x: float, middle: float) -> None:
    height = _height(ratio)
    if point.verdict is not Verdict.VALID:  # a text on hatching needs a ground of its own
        room = max(line.width for line in ratio) + 12
        canvas.box(x - room / 2, middle - height / 2 - 1, room, height + 3, 4, fc=series.color, lw=0)
    canvas.stack(x, middle - height / 2, ratio, "center")


def _ratio(spec: ChartSpec, point: Point, frame: Frame, color: str, width: float) -> list[Line]:
    if not point.ratio_text:
        return []
    lines = [Line(point.ratio_text, frame.ratio, bold=True, color=color)]
    return lines + (wrap(Line(spec.none_shown, frame.small, color=color), width - 8, 3) if point.none_shown else [])


def _ratio_above(spec: ChartSpec, point: Point, frame: Frame, slot: float) -> list[Line]:
    lines = wrap(Line(point.ratio_text, frame.value, bold=True, color=MUTED), slot - 2, 1)
    return lines + (wrap(Line(spec.none_shown, frame.small, color=MUTED), slot - 4, 3) if point.none_shown else [])


def _look(series: Series, point: Point) -> dict[str, Any]:
    if point.verdict is Verdict.VALID:
        return {"fc": series.color, "lw": 0}
    if point.verdict is Verdict.INVALID:
        return {"fc": (*_rgb(series.color), 0.12), "ec": series.color, "lw": 1.6, "hatch": HATCH[point.verdict]}
    strength = 0.6 if point.mark else 0.28
    return {"fc": series.color, "ec": (1, 1, 1, strength), "lw": 0, "hatch": HATCH[point.verdict]}


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _whisker(canvas: Surface, x: float, low: float, high: float, half: float) -> None:
    canvas.line((x, x), (low, high), INK, 1.3, 5)
    for y in (low, high):
        canvas.line((x - half, x + half), (y, y), INK, 1.3, 5)


def _tip(series: Series, point: Point) -> str:
    parts = [f"{series.label} · {point.text}", *series.tags, point.note, point.ratio_text, point.mark]
    return " · ".join(part for part in parts if part)
