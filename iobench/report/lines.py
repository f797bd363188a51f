"""Line charts against the load: a line a drive with its band, named at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from iobench.model import Verdict
from iobench.report.canvas import MUTED, WARN, Frame, Line, Surface, flow, text_width, wrap
from iobench.report.plot import HATCH, Plot, axis, ends, linear_ticks, log_ticks, names_of, tick_room
from iobench.report.spec import Across, ChartSpec, Point, Series

_LONG_LEADER = 60  # points
_SIGN = 8.5  # a marker's size in points
_GAP = 5.0  # between labels


@dataclass(frozen=True, slots=True)
class Label:
    """What stands at a line's end: its lines, and the height it would like to stand at."""

    series: Series
    lines: tuple[Line, ...]
    wanted: float

    @property
    def height(self) -> float:
        """Its height in points."""
        return sum(line.height for line in self.lines)


def draw(canvas: Surface, spec: ChartSpec, top: float, bottom: float) -> None:
    """Draw the lines between two heights of the canvas."""
    frame = canvas.frame
    ends_ = [v for s in spec.series for p in s.points for v in ends(p)]
    if spec.log:
        ticks = log_ticks(min(v for v in ends_ if v > 0), max(ends_), spec.scale.divisor)
        least, most = ticks[0], ticks[-1]
    else:
        least, most = 0.0, max(ends_) * 1.06 or spec.scale.divisor
        ticks = linear_ticks(most, spec.scale.divisor)
    floor = bottom - frame.tick * 1.32 - frame.axis * 1.32 - 8
    widest = frame.width * (0.27 if frame.words else 0.24 if frame.width > 500 else 0.31)
    column = min(widest, _column(spec, frame)) + 26
    left = frame.margin + tick_room(spec, frame, ticks)
    plot = Plot(left, frame.width - frame.margin - column, top + frame.tick * 0.8, floor, least, most, spec.log)
    axis(canvas, plot, spec, ticks)
    _loads(canvas, spec, plot)
    for series in spec.series:
        _line(canvas, spec, series, plot)
    _moments(canvas, spec, plot)
    _labels(canvas, spec, plot, column - 26, bottom)


def x_of(plot: Plot, spec: ChartSpec, load: int) -> float:
    """Return where a load stands: loads and rates double, so their scale is logarithmic; time goes on evenly."""
    loads = spec.loads
    if spec.across is Across.TIME:
        low, high, at = float(loads[0]), float(loads[-1]), float(load)
    else:
        low, high, at = (math.log2(max(each, 1)) for each in (loads[0], loads[-1], load))
    inset = 8.0
    share = (at - low) / (high - low) if high > low else 0.5
    return plot.left + inset + share * (plot.right - plot.left - 2 * inset)


def _moments(canvas: Surface, spec: ChartSpec, plot: Plot) -> None:
    """A line at each moment, with what happened at its top."""
    places = [x_of(plot, spec, load) for load, _ in spec.moments]
    for number, (x, (_, text)) in enumerate(zip(places, spec.moments, strict=True), 1):
        canvas.line((x, x), (plot.top, plot.bottom), WARN, 1.1, 3)
        line = Line(text, canvas.frame.small + 1, color=WARN)
        top = plot.top - line.height * 0.4
        if x + line.width + 8 < (places[number] if number < len(places) else plot.right):
            canvas.put(x + 4, top, line, "left")
        else:
            canvas.put(x - 4, top, line, "right")


def _loads(canvas: Surface, spec: ChartSpec, plot: Plot) -> None:
    frame, loads = canvas.frame, spec.loads
    edge = -math.inf
    # From the highest load down: that is the one the title speaks of, so its figure is never left out.
    kept: list[tuple[float, Line]] = []
    right = math.inf
    for load in reversed(_seconds(loads) if spec.across is Across.TIME else loads):
        line = Line(spec.x_text(load), frame.tick, color=MUTED)
        x = x_of(plot, spec, load)
        if x + line.width / 2 + 6 <= right and x - line.width / 2 > edge:
            kept.append((x, line))
            right = x - line.width / 2
    for x, line in kept:
        canvas.line((x, x), (plot.bottom, plot.bottom + 4), MUTED, 0.9, 1)
        canvas.put(x, plot.bottom + 6, line, "center")
    title = wrap(Line(spec.x_axis, frame.axis, color=MUTED), plot.right - frame.margin, 1)
    canvas.stack((plot.left + plot.right) / 2, plot.bottom + 8 + frame.tick * 1.32, title, "center")


def _seconds(moments: Sequence[int]) -> list[int]:
    """The whole seconds among moments (ms)."""
    first, last = math.ceil(moments[0] / 1000), math.floor(moments[-1] / 1000)
    return [second * 1000 for second in range(first, last + 1)]


def _line(canvas: Surface, spec: ChartSpec, series: Series, plot: Plot) -> None:
    loads = spec.loads
    for run in _runs(series.points, loads):
        xs = [x_of(plot, spec, p.load) for p in run]
        spread = [ends(p) for p in run]
        highs = [plot.y(high) for _, high in spread]
        lows = [plot.y(max(low, plot.least)) for low, _ in spread]
        if len(run) == 1:
            canvas.line((xs[0], xs[0]), (lows[0], highs[0]), series.color, 2, 4)
        else:
            canvas.area(xs, highs, lows, fc=series.color, alpha=0.2, lw=0, zorder=2)
            canvas.line(xs, [plot.y(p.value) for p in run], series.color, 2.4, 5)
            if spec.across is Across.TIME:
                _hatch_under(canvas, series, run, xs, plot)
            else:
                _hatch(canvas, series, run, xs, highs, lows)
    for point in series.points if spec.across is not Across.TIME else ():
        _point(canvas, spec, series, point, plot)


def _runs(points: Sequence[Point], loads: Sequence[int]) -> list[list[Point]]:
    """Points with no load missing between them: a line does not run over what was not measured."""
    runs: list[list[Point]] = []
    last = -2
    for point in points:
        at = loads.index(point.load)
        if at != last + 1 or not runs:
            runs.append([])
        runs[-1].append(point)
        last = at
    return runs


def _hatch(
    canvas: Surface,
    series: Series,
    run: Sequence[Point],
    xs: Sequence[float],
    highs: Sequence[float],
    lows: Sequence[float],
) -> None:
    """Hatch the band about each point that is not valid, half-way to its neighbours."""
    for i, point in enumerate(run):
        if point.verdict is Verdict.VALID:
            continue
        strength = 0.75 if point.mark else 0.3
        before, after = max(i - 1, 0), min(i + 1, len(run) - 1)
        part = sorted({before, i, after})
        middle = (
            [(v[before] + v[i]) / 2 for v in (xs, highs, lows)],
            [v[i] for v in (xs, highs, lows)],
            [(v[after] + v[i]) / 2 for v in (xs, highs, lows)],
        )
        columns = list(zip(*middle, strict=True)) if len(part) > 1 else []
        if columns:
            canvas.area(
                *columns, fc="none", ec=series.color, alpha=strength, lw=0, hatch=HATCH[point.verdict], zorder=3
            )


def _hatch_under(canvas: Surface, series: Series, run: Sequence[Point], xs: Sequence[float], plot: Plot) -> None:
    """Hatch what lies under a line over time whose step is not valid: its band is too narrow to show it."""
    verdict = run[0].verdict
    if verdict is not Verdict.VALID:
        tops = [plot.y(point.value) for point in run]
        look = {"fc": "none", "ec": series.color, "alpha": 0.3, "lw": 0, "hatch": HATCH[verdict], "zorder": 3}
        canvas.area(xs, tops, [plot.bottom] * len(xs), **look)


def _point(canvas: Surface, spec: ChartSpec, series: Series, point: Point, plot: Plot) -> None:
    x, y = x_of(plot, spec, point.load), plot.y(point.value)
    sound = point.verdict is Verdict.VALID
    if point.mark:
        # Where the spread is small the band's hatching is too: a hatched ground is seen at any spread.
        canvas.box(x - 10, y - 10, 20, 20, 4, fc="none", ec=series.color, lw=1.2, hatch=HATCH[point.verdict] * 2)
    dot = canvas.marker(x, y, series.marker, series.color, _SIGN, 6, hollow=not sound)
    parts = [f"{series.label} · {spec.x_text(point.load)} · {point.text}", *series.tags, point.ratio_text, point.mark]
    canvas.tip(dot, " · ".join(part for part in parts if part))


# --- labels at the lines' ends -----------------------------------------------------------------------------


def _text(spec: ChartSpec, series: Series, frame: Frame, width: float, tight: bool) -> tuple[Line, ...]:
    lines = names_of(series.label, frame.label, width, 1 if tight else 2)
    last = series.points[-1]
    figures = [last.text] if last.load == spec.loads[-1] and spec.across is not Across.TIME else []
    figures += [last.ratio_text] if figures and last.ratio_text else []
    lines += flow((*figures, *series.tags), Line("", frame.small + 1, color=MUTED), width)
    if series.marks:
        marks = "; ".join(series.marks)
        lines += wrap(Line(marks, frame.small + 0.5, bold=True, color=WARN), width, 1 if tight else 3)
    return tuple(lines)


def _column(spec: ChartSpec, frame: Frame) -> float:
    """The width that the labels would like to have."""
    texts = [(s.label, frame.label, True) for s in spec.series]
    texts += [
        (" · ".join((s.points[-1].text, s.points[-1].ratio_text, *s.tags)), frame.small + 1, False)
        for s in spec.series
        if s.points
    ]
    return max(text_width(text, size, bold) for text, size, bold in texts) + 2


def _labels(canvas: Surface, spec: ChartSpec, plot: Plot, width: float, bottom: float) -> None:
    frame = canvas.frame
    drawn = [s for s in spec.series if s.points]
    top, x = plot.top - 12, plot.right + 26
    labels = [_label(spec, s, frame, plot, width, tight=False) for s in drawn]
    if _sum(labels) > bottom - top:
        labels = [_label(spec, s, frame, plot, width, tight=True) for s in drawn]
    if (excess := (bottom - top) / _sum(labels)) < 1:
        labels = [replace(la, lines=tuple(replace(li, size=li.size * excess) for li in la.lines)) for la in labels]
    labels.sort(key=lambda label: plot.y(label.series.points[-1].value))  # in the order of the lines' ends
    places = spread([la.wanted for la in labels], [la.height for la in labels], top, bottom)
    for label, middle in zip(labels, places, strict=True):
        last = label.series.points[-1]
        start = middle - label.height / 2
        sign = start + label.lines[0].height / 2
        _leader(canvas, label.series.color, x_of(plot, spec, last.load), plot.y(last.value), x - 9, sign)
        canvas.marker(x - 9, sign, label.series.marker, label.series.color, _SIGN * 0.8, 6)
        canvas.stack(x, start, label.lines)


def _label(spec: ChartSpec, series: Series, frame: Frame, plot: Plot, width: float, tight: bool) -> Label:
    lines = _text(spec, series, frame, width, tight)
    height = sum(line.height for line in lines)
    # The name, not the block's middle, stands beside the line's end.
    wanted = plot.y(series.points[-1].value) + height / 2 - lines[0].height / 2
    return Label(series, lines, wanted)


def _sum(labels: Sequence[Label]) -> float:
    return sum(label.height for label in labels) + _GAP * (len(labels) - 1)


def _leader(canvas: Surface, color: str, x0: float, y0: float, x1: float, y1: float) -> None:
    start, end = x0 + 6, x1 - 6
    if end - start < _LONG_LEADER:
        canvas.line((start, end), (y0, y1), color, 0.9, 4)
    else:
        # A line that ends early: dots, or its leader would be read as more of it.
        count = int((end - start) / 9)
        for i in range(count):
            at, to = i / count, (i + 0.25) / count
            xs = (start + at * (end - start), start + to * (end - start))
            canvas.line(xs, (y0 + at * (y1 - y0), y0 + to * (y1 - y0)), color, 0.9, 4)


def spread(wanted: Sequence[float], heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return middles as near to the wanted ones (rising) as they get without an overlap, within bounds.

    Blocks that would overlap are merged and stand about their common middle.
    """
    blocks: list[tuple[float, float, int]] = []  # middle, height, how many labels
    for middle, height in zip(wanted, heights, strict=True):
        blocks.append((_held(middle, height, top, bottom), height, 1))
        while len(blocks) > 1 and _touch(blocks[-2], blocks[-1]):
            (a, a_height, a_count), (b, b_height, b_count) = blocks[-2:]
            height = a_height + b_height + _GAP
            # Where each would put the whole block, were it alone.
            centre = ((a + (b_height + _GAP) / 2) * a_count + (b - (a_height + _GAP) / 2) * b_count) / (
                a_count + b_count
            )
            blocks[-2:] = [(_held(centre, height, top, bottom), height, a_count + b_count)]
    places, rest = [], list(heights)
    for middle, height, count in blocks:
        y = middle - height / 2
        for own in rest[:count]:
            places.append(y + own / 2)
            y += own + _GAP
        del rest[:count]
    return places


def _touch(a: tuple[float, float, int], b: tuple[float, float, int]) -> bool:
    return b[0] - a[0] < (a[1] + b[1]) / 2 + _GAP - 1e-6


def _held(middle: float, height: float, top: float, bottom: float) -> float:
    return max(top + height / 2, min(middle, bottom - height / 2))
