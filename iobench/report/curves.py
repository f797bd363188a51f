"""Curves of latency against throughput: what a capacity campaign found, with the SLO's line, the knee and what held."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from iobench.analysis import capacity as analysis
from iobench.analysis.capacity import Judged, Result
from iobench.analysis.loadpoints import ACHIEVED_LEAST, CLOSED, POISSON
from iobench.analysis.types import Comparison
from iobench.report import capacity as said
from iobench.report import labels
from iobench.report.canvas import GRID, INK, MUTED, WARN, Line, Surface, flow, text_width
from iobench.report.draw import Plot, axis, linear_ticks, log_ticks, tick_room
from iobench.report.spec import COLORS, MARKERS, Curve, CurvePoint, CurveSpec
from iobench.report.tables import Cell, Table
from iobench.results import CampaignFolder
from iobench.texts import Words
from iobench.units import format_seconds

Box = tuple[float, float, float, float]  # left, top, right, bottom

_SIGN = 8.0  # a marker's size in points
_CSV = (
    *("slo", "drive", "arrival", "load", "offered", "achieved", "metric", "latency", "backlog", "backlog_growth"),
    *("verdict", "reasons", "holds", "why", "step"),
)


def found(folders: Sequence[CampaignFolder]) -> list[tuple[Result, ...]]:
    """Return the searches of campaigns, those of one objective together. Raises ResultsError."""
    groups: dict[str, list[Result]] = {}
    for folder in folders:
        for result in analysis.results(folder):
            if result.by == "rate" and result.points:
                groups.setdefault(result.slo.text, []).append(result)
    return [tuple(group) for group in groups.values()]


def spec(results: Sequence[Result], comparison: Comparison, words: Words) -> CurveSpec | None:
    """Return the chart of one objective's searches; None where nothing was measured at a rate."""
    objective = results[0].slo
    drives = {drive.name: number for number, drive in enumerate(comparison.drives)}
    names = labels.drive_labels(comparison)
    latencies = [j.point.latencies[objective.metric] for r in results for j in r.points if _drawn(j, r)]
    if not latencies:
        return None
    curves = [
        _curve(result, drives.get(result.target, 0), names.get(result.target, result.target), comparison, words)
        for result in results
    ]
    metric = labels.metric_name(objective.metric, words)
    scale = labels.scale("s", [*latencies, objective.limits[0].seconds])
    slo = said.slo_text(objective, words)
    title = words("axis.plain", metric=f"{metric[:1].upper()}{metric[1:]}", unit=scale.unit)
    foot = words("capacity.chart.foot", least=f"{ACHIEVED_LEAST * 100:g} %")
    emulated = [words("foot.emulated")] if any(d.emulated for d in comparison.drives) else []
    return CurveSpec(
        id=labels.slug(f"capacity-{objective.text}"),
        title=words("capacity.chart", slo=slo),
        subtitle=words("capacity.chart.sub", workload=labels.workload_name(objective.workload, words)),
        axis=words("axis.log", title=title),
        x_axis=words("capacity.chart.x"),
        scale=scale,
        curves=tuple(curve for curve in curves if curve.points),
        limit=objective.limits[0].seconds,
        limit_text=words("capacity.chart.limit", time=format_seconds(objective.limits[0].seconds)),
        footnotes=(foot, *emulated),
    )


def _drawn(judged: Judged, result: Result) -> bool:
    point = judged.point
    return point.arrival != CLOSED and point.latencies.get(result.slo.metric, 0) > 0


def _curve(result: Result, number: int, label: str, comparison: Comparison, words: Words) -> Curve:
    metric, workload = result.slo.metric, result.slo.workload
    made = {
        j.point.step: CurvePoint(
            x=j.point.achieved,
            y=j.point.latencies[metric],
            held=j.judgement.holds,
            random=j.point.arrival == POISSON,
            text=f"{label}: {said.rate_text(j.point.achieved, workload)}, "
            f"{said.latency_text(j.point, result.slo, words)}, "
            f"{words('capacity.col.holds')}: {said.row(j, result, words)[-1]}",
        )
        for j in result.points
        if _drawn(j, result)
    }
    line = tuple(made[p.step] for p in result.curve if p.step in made)
    best = made.get(result.best.step) if result.best else None
    knee = made.get(result.curve[result.knee].step) if result.knee is not None else None
    own = next((d for d in comparison.drives if d.name == result.target), None)
    tag = f" ({words('chart.emulated')})" if own is not None and own.emulated else ""
    return Curve(
        drive=result.target,
        label=f"{label}{tag}",
        color=COLORS[number % len(COLORS)],
        marker=MARKERS[number % len(MARKERS)],
        points=tuple(made.values()),
        line=line,
        best=best,
        knee=knee,
        best_text=words("capacity.chart.best", rate=said.rate_text(best.x, workload)) if best else "",
        knee_text=words("capacity.chart.knee", rate=said.rate_text(knee.x, workload)) if knee else "",
    )


# --- drawing -------------------------------------------------------------------------------------------


def draw(canvas: Surface, spec: CurveSpec, top: float, bottom: float) -> None:
    """Draw the curves between two heights of the canvas."""
    frame = canvas.frame
    top = _legend(canvas, spec, top)
    values = [point.y for curve in spec.curves for point in curve.points]
    ticks = log_ticks(min(*values, spec.limit), max(*values, spec.limit), spec.scale.divisor)
    most = max(point.x for curve in spec.curves for point in curve.points) * 1.04
    floor = bottom - frame.tick * 1.32 - frame.axis * 1.32 - 8
    left = frame.margin + tick_room(spec, frame, ticks)
    right = frame.width - frame.margin - 10
    plot = Plot(left, right, top + frame.tick * 0.8, floor, ticks[0], ticks[-1], log=True)
    axis(canvas, plot, spec, ticks)
    _throughputs(canvas, spec, plot, most)
    taken = _limit(canvas, spec, plot)
    for curve in spec.curves:
        _points(canvas, curve, plot, most)
    for curve in spec.curves:
        _named(canvas, curve, plot, most, taken)


def _legend(canvas: Surface, spec: CurveSpec, top: float) -> float:
    frame, x, y = canvas.frame, canvas.frame.margin, top + 2
    size = frame.small if frame.words else frame.tick
    for curve in spec.curves:
        width = text_width(curve.label, size, bold=True) + 26
        if x > frame.margin and x + width > frame.width - frame.margin:
            x, y = frame.margin, y + size * 1.5
        canvas.marker(x + 6, y + size * 0.65, curve.marker, curve.color, _SIGN, 6)
        room = frame.width - 2 * frame.margin - 16
        canvas.stack(x + 15, y, flow([curve.label], Line(curve.label, size, bold=True, color=INK), room))
        x += width
    return y + size * 1.6


def _x(plot: Plot, value: float, most: float) -> float:
    return plot.left + value / most * (plot.right - plot.left)


def _throughputs(canvas: Surface, spec: CurveSpec, plot: Plot, most: float) -> None:
    frame = canvas.frame
    plain = labels.Scale(1.0, None)
    for value in linear_ticks(most, 1.0, most=4 if frame.width < 500 else 6):
        x = _x(plot, value, most)
        canvas.line((x, x), (plot.top, plot.bottom), GRID, 0.7, 0.5)
        canvas.put(x, plot.bottom + 4, Line(plain.tick(value), frame.tick, color=MUTED), "center")
    below = plot.bottom + 6 + frame.tick * 1.32
    canvas.put((plot.left + plot.right) / 2, below, Line(spec.x_axis, frame.axis, color=MUTED), "center")


def _limit(canvas: Surface, spec: CurveSpec, plot: Plot) -> list[Box]:
    """Draw the limit with its name; return where no other text may stand."""
    y = plot.y(spec.limit)
    canvas.line((plot.left, plot.right), (y, y), WARN, 1.6, 3)
    text = Line(spec.limit_text, canvas.frame.small if canvas.frame.words else canvas.frame.tick, color=WARN)
    canvas.put(plot.left + 6, y - text.height - 1, text)
    named = (plot.left, y - text.height - 2, plot.left + text.width + 12, y)
    return [(plot.left, y - 3, plot.right, y + 3), named]


def _points(canvas: Surface, curve: Curve, plot: Plot, most: float) -> None:
    line = sorted(curve.line, key=lambda point: point.x)
    if len(line) > 1:
        xs, ys = [_x(plot, p.x, most) for p in line], [plot.y(p.y) for p in line]
        canvas.line(xs, ys, curve.color, 1.8, 4)
    for point in curve.points:
        x, y = _x(plot, point.x, most), plot.y(point.y)
        dot = canvas.marker(x, y, curve.marker, curve.color, _SIGN * (0.75 if point.random else 1), 6, not point.held)
        canvas.tip(dot, point.text)


def _named(
    canvas: Surface, curve: Curve, plot: Plot, most: float, taken: list[Box]
) -> None:  # fmt: skip
    """Name the knee and what held beside their points, where nothing else stands."""
    size = canvas.frame.small if canvas.frame.words else canvas.frame.tick
    for point, text in ((curve.best, curve.best_text), (curve.knee, curve.knee_text)):
        if point is None or (point is curve.knee and curve.best is not None and point.x == curve.best.x):
            continue
        line = Line(text, size, bold=point is curve.best, color=INK)
        x, y = _x(plot, point.x, most), plot.y(point.y)
        canvas.marker(x, y, "o", curve.color, _SIGN * 1.9, 5, hollow=True)
        place = next((p for p in _places(x, y, line, plot) if not any(_over(p, other) for other in taken)), None)
        if place is not None:
            canvas.put(place[0], place[1], line)
            taken.append(place)


def _places(x: float, y: float, line: Line, plot: Plot) -> list[Box]:
    """Boxes beside a point, the nearest first, within the plot."""
    left = min(max(plot.left + 4, x - line.width - 12), plot.right - line.width)
    found = []
    for away in (0.0, 1.3, 2.6, 3.9):
        for side in (1, -1):
            top = y + side * (10 + away * line.height) - (line.height if side < 0 else 0)
            if plot.top <= top and top + line.height <= plot.bottom:
                found.append((left, top, left + line.width, top + line.height))
    return found


def _over(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


# --- words and tables ----------------------------------------------------------------------------------


def alt_text(spec: CurveSpec, words: Words) -> str:
    """Return a chart in words, for who does not see it."""
    drives = [f"{curve.label}: {words.commas([p.text for p in curve.points])}." for curve in spec.curves]
    return words("capacity.chart.alt", slo=spec.title, drives=" ".join(drives))


def table(results: Sequence[Result], comparison: Comparison, words: Words) -> Table:
    """Return every point of the searches of one objective."""
    names = labels.drive_labels(comparison)
    heads = (words("capacity.col.drive"), *said.columns(results[0], words))
    rows = [
        tuple(Cell(text) for text in (names.get(result.target, result.target), *said.row(judged, result, words)))
        for result in results
        for judged in said.in_order(result.points)
    ]
    right = tuple(1 < number < len(heads) - 2 for number in range(len(heads)))
    return Table(said.slo_text(results[0].slo, words), heads, right, tuple(rows))


def sentences(results: Sequence[Result], comparison: Comparison, words: Words) -> list[str]:
    """Return what the searches of one objective found, drive by drive."""
    names = labels.drive_labels(comparison)
    return [" ".join(said.sentences(r, words, names.get(r.target, labels.clean(r.target, 60)))) for r in results]


def points_csv(results: Sequence[Result]) -> str:
    """Return the points as CSV: base units, an empty field for what is not known."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(_CSV)
    for result in results:
        for judged in result.points:
            p = judged.point
            known = (
                *(result.slo.text, labels.clean(p.target, 80), p.arrival, p.load, p.offered, p.achieved),
                *(result.slo.metric, p.latencies.get(result.slo.metric), p.backlog, p.growth, p.verdict.value),
                *(" ".join(p.reasons), judged.judgement.holds, " ".join(judged.judgement.why), p.step),
            )
            writer.writerow(["" if value is None else value for value in known])
    return target.getvalue()
