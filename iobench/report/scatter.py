"""Charts of latency against throughput: a curve a drive, named where it bends, under the limit's line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from iobench.report import labels
from iobench.report.canvas import GRID, INK, MUTED, WARN, Line, Surface, wrap
from iobench.report.plot import Plot, axis, linear_ticks, log_ticks, tick_room
from iobench.report.spec import Curve, CurvePoint, CurveSpec

Box = tuple[float, float, float, float]  # left, top, right, bottom

_SIGN = 8.5  # a marker's size in points
_PLAIN = labels.Scale(1.0, None)
_MOST_TICKS = 9
_SAME = 0.03  # of a rate: what holds and the knee are one point for the eye
_CLEAR = 5.0  # about a point and along a line, where no text stands


@dataclass(frozen=True, slots=True)
class _Place:
    """How throughputs and latencies become places on the canvas."""

    plot: Plot
    least: float
    most: float
    log: bool

    def of(self, point: CurvePoint) -> tuple[float, float]:
        """Return where a point stands."""
        return self.x(point.x), self.plot.y(point.y)

    def x(self, value: float) -> float:
        """Return where a throughput stands."""
        if self.log:
            share = math.log(value / self.least) / math.log(self.most / self.least)
        else:
            share = (value - self.least) / (self.most - self.least)
        return self.plot.left + share * (self.plot.right - self.plot.left)


@dataclass(frozen=True, slots=True)
class _Label:
    """A text beside a point: its lines, and which drive's marker stands before the first."""

    curve: Curve
    point: CurvePoint
    lines: tuple[Line, ...]
    signed: bool

    @property
    def width(self) -> float:
        return max(line.width for line in self.lines) + (14 if self.signed else 0)

    @property
    def height(self) -> float:
        return sum(line.height for line in self.lines)


def draw(canvas: Surface, spec: CurveSpec, top: float, bottom: float) -> None:
    """Draw the curves between two heights of the canvas; a legend only where a name has no room by its curve."""
    at = _places(canvas, spec, top, bottom)
    placed = _placed(canvas, spec, at, named=True)
    if placed is None:
        top = _legend(canvas, spec, top)
        at = _places(canvas, spec, top, bottom)
        placed = _placed(canvas, spec, at, named=False) or {}
    axis(canvas, at.plot, spec, latencies(spec))
    _throughputs(canvas, spec, at)
    _limit(canvas, spec, at)
    for curve in spec.curves:
        _curve(canvas, curve, at)
    for label, box in placed.items():
        x = box[0]
        if label.signed:
            sign = label.lines[0].height / 2
            canvas.marker(x + 5, box[1] + sign, label.curve.marker, label.curve.color, _SIGN * 0.9, 6)
            x += 14
        canvas.stack(x, box[1], label.lines)


def latencies(spec: CurveSpec) -> list[float]:
    """Return the ticks of the latency's axis, in seconds: none of the points lies on its lower edge."""
    values = [point.y for curve in spec.curves for point in curve.points]
    return log_ticks(min(*values, spec.limit) * 0.8, max(*values, spec.limit), spec.scale.divisor)


def reach(spec: CurveSpec) -> tuple[float, float]:
    """Return the ends of the throughput's axis, in 1/s: from zero where it is not logarithmic."""
    values = [point.x for curve in spec.curves for point in curve.points]
    return (min(values) / 1.4, max(values) * 1.4) if spec.x_log else (0.0, max(values) * 1.1)


def throughputs(spec: CurveSpec) -> list[float]:
    """Return the ticks of the throughput's axis, in 1/s."""
    least, most = reach(spec)
    if not spec.x_log:
        return linear_ticks(most, 1.0)
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    every = [float(f"{factor * 10.0**power:.6g}") for power in powers for factor in (1, 2, 5)]
    inside = [value for value in every if least <= value <= most]
    return inside if len(inside) <= _MOST_TICKS else [v for v in inside if f"{v:e}".startswith("1")]


def _places(canvas: Surface, spec: CurveSpec, top: float, bottom: float) -> _Place:
    frame, ticks = canvas.frame, latencies(spec)
    floor = bottom - frame.tick * 1.32 - frame.axis * 1.32 - 8
    left, right = frame.margin + tick_room(spec, frame, ticks), frame.width - frame.margin - 12
    plot = Plot(left, right, top + frame.tick * 0.8, floor, ticks[0], ticks[-1], log=True)
    return _Place(plot, *reach(spec), spec.x_log)


def _legend(canvas: Surface, spec: CurveSpec, top: float) -> float:
    """The drives, each with what it holds behind or under its name: beside many curves not every figure finds room."""
    frame = canvas.frame
    room = frame.width - 2 * frame.margin
    entries = [_entry(canvas, curve, room - 16) for curve in spec.curves]
    behind = max(sum(line.width + 6 for line in lines) for lines in entries)
    under = max(line.width for lines in entries for line in lines)
    # Whichever is lower: many columns of two lines each, or fewer of one.
    rows = {flat: _rows(len(entries), behind if flat else under, room) for flat in (True, False)}
    flat = rows[True] <= rows[False] * max(map(len, entries)) and behind + 16 <= room
    columns, y = -(-len(entries) // rows[flat]), top + 2
    for first in range(0, len(entries), columns):
        for number in range(first, min(first + columns, len(entries))):
            curve, lines = spec.curves[number], entries[number]
            x = frame.margin + (number - first) * (room + 18) / columns
            canvas.marker(x + 6, y + lines[0].height / 2, curve.marker, curve.color, _SIGN, 6)
            if flat:
                for line in lines:
                    canvas.put(x + 15, y, line)
                    x += line.width + 6
            else:
                canvas.stack(x + 15, y, lines)
        y += entries[first][0].height * (1 if flat else max(map(len, entries))) + 3
    return y + 5


def _rows(count: int, width: float, room: float) -> int:
    """How many rows entries of a width take, with a marker before each and a gap behind."""
    return -(-count // max(1, min(count, int((room + 18) / (width + 34)))))


def _entry(canvas: Surface, curve: Curve, room: float) -> list[Line]:
    size = _size(canvas)
    lines = wrap(Line(curve.label, size, bold=True, color=INK), room, 1)
    # A phone has the room for the names alone, and the figures under the picture.
    return lines + (wrap(Line(curve.best_text, size), room, 1) if curve.best_text and canvas.frame.width > 500 else [])


def _size(canvas: Surface) -> float:
    return canvas.frame.small + 2 if canvas.frame.words else canvas.frame.tick


def _throughputs(canvas: Surface, spec: CurveSpec, at: _Place) -> None:
    frame, plot, right = canvas.frame, at.plot, -math.inf
    for value in throughputs(spec):
        x = at.x(value)
        line = Line(_PLAIN.tick(value), frame.tick, color=MUTED)
        if x > plot.right + 1 or x - line.width / 2 < right:
            continue
        canvas.line((x, x), (plot.top, plot.bottom), GRID, 0.7, 0.5)
        canvas.put(min(x, frame.width - line.width / 2 - 1), plot.bottom + 4, line, "center")
        right = x + line.width / 2 + 6
    below = plot.bottom + 6 + frame.tick * 1.32
    canvas.put((plot.left + plot.right) / 2, below, Line(spec.x_axis, frame.axis, color=MUTED), "center")


def _limit_line(canvas: Surface, spec: CurveSpec) -> Line:
    return Line(spec.limit_text, _size(canvas), bold=True, color=WARN)


def _limit_box(canvas: Surface, spec: CurveSpec, at: _Place) -> Box:
    """Where the limit's name stands: at the left, where the slowest rates are far below it, else where it is clear."""
    text, y, plot = _limit_line(canvas, spec), at.plot.y(spec.limit), at.plot
    last = plot.right - text.width - 6
    places = [plot.left + 6 + (last - plot.left - 6) * part / 10 for part in range(11)]
    boxes = [(x, y - text.height - 1, x + text.width, y - 1) for x in places]
    drawn = list(_drawn(spec, at))
    return next((box for box in boxes if not any(_over(box, other) for other in drawn)), boxes[0])


def _limit(canvas: Surface, spec: CurveSpec, at: _Place) -> None:
    """Draw the limit with its name."""
    y, box = at.plot.y(spec.limit), _limit_box(canvas, spec, at)
    canvas.line((at.plot.left, at.plot.right), (y, y), WARN, 1.6, 3)
    canvas.put(box[0], box[1], _limit_line(canvas, spec))


def _curve(canvas: Surface, curve: Curve, at: _Place) -> None:
    line = [at.of(point) for point in curve.line]
    if len(line) > 1:
        canvas.line([x for x, _ in line], [y for _, y in line], curve.color, 2.2, 4)
    if curve.best is not None:
        x, y = at.of(curve.best)
        canvas.marker(x, y, "o", curve.color, _SIGN * 2.1, 5, hollow=True)
    for point in curve.points:
        x, y = at.of(point)
        size = _SIGN * (0.75 if point.random else 1)
        canvas.tip(canvas.marker(x, y, curve.marker, curve.color, size, 6, not point.held), point.text)


# --- names beside their points -----------------------------------------------------------------------------


def _placed(canvas: Surface, spec: CurveSpec, at: _Place, named: bool) -> dict[_Label, Box] | None:
    """Return where each label stands; None where a name has no room. What held comes first, then the knees."""
    y, limit = at.plot.y(spec.limit), _limit_box(canvas, spec, at)
    taken = [
        (at.plot.left, y - 3, at.plot.right, y + 3),
        (limit[0] - 6, limit[1] - 1, limit[2] + 6, y),
        *_drawn(spec, at),
    ]
    found: dict[_Label, Box] = {}
    for label in _labels(canvas, spec, named):
        place = next((p for p in _near(label, at) if not any(_over(p, other) for other in taken)), None)
        if place is not None:
            found[label] = place
            taken.append(place)
        elif label.signed:
            return None
    return found


def _labels(canvas: Surface, spec: CurveSpec, named: bool) -> Iterator[_Label]:
    size = _size(canvas)
    for curve in spec.curves if named else ():
        point = curve.best or (curve.line or curve.points)[-1]
        lines = [Line(curve.label, canvas.frame.label, bold=True)]
        lines += [Line(curve.best_text, size)] if curve.best_text else []
        yield _Label(curve, point, tuple(lines), True)
    for curve in spec.curves:
        if curve.knee is not None and not bends_where_it_holds(curve):
            yield _Label(curve, curve.knee, (Line(curve.knee_text, size, color=MUTED),), False)


def bends_where_it_holds(curve: Curve) -> bool:
    """Whether the curve bends where it holds: one name for both is enough."""
    return curve.knee is not None and curve.best is not None and abs(curve.knee.x / curve.best.x - 1) < _SAME


def _drawn(spec: CurveSpec, at: _Place) -> Iterator[Box]:
    """Boxes about every point, and along every line."""
    for curve in spec.curves:
        for point in curve.points:
            x, y = at.of(point)
            reach = _SIGN * 1.1 if point is curve.best else _SIGN * 0.6
            yield (x - reach, y - reach, x + reach, y + reach)
        places = [at.of(point) for point in curve.line]
        for (x0, y0), (x1, y1) in itertools.pairwise(places):
            steps = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / _CLEAR))
            for i in range(steps + 1):
                x, y = x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps
                yield (x - 3, y - 3, x + 3, y + 3)


def _near(label: _Label, at: _Place) -> Iterator[Box]:
    """Boxes about a point within the plot, the nearest first: to its right, to its left, then over and under it."""
    x, y = at.of(label.point)
    width, height = label.width, label.height
    places = []
    for up in range(-6, 7):
        top = y - height / 2 + up * height / 2
        places += [(x + 13, top), (x - 13 - width, top)]
    for away in (12.0, 24.0, 40.0):
        for left in (x - width / 2, x - width + 10, x - 10):
            places += [(left, y + away), (left, y - away - height)]
    plot = at.plot
    inside = [
        (left, top, left + width, top + height)
        for left, top in places
        if left >= plot.left + 3 and left + width <= plot.right and top >= plot.top and top + height <= plot.bottom - 2
    ]
    yield from sorted(inside, key=lambda box: _away(box, x, y))


def _away(box: Box, x: float, y: float) -> float:
    return math.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3])) + abs((box[1] + box[3]) / 2 - y)


def _over(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
