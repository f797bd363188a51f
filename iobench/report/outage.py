"""The recovery curve: what was answered each tenth of a second around a failure that was made on purpose."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from iobench.analysis.types import Comparison, DriveSummary, Row
from iobench.model import Verdict
from iobench.report import captions, findings, labels
from iobench.report.charts import Chart
from iobench.report.spec import COLORS, MARKERS, Across, ChartKind, ChartSpec, Point, Series
from iobench.results import CampaignFolder
from iobench.texts import Words
from iobench.units import format_count, format_seconds

TICK_S = 0.1
_BEGAN, _RESTORED = "outage_began", "outage_restored"


@dataclass(frozen=True, slots=True)
class Curve:
    """A drive's answers over time. `ticks` are tenths of a second since the failure: each round's rate (1/s)."""

    drive: str
    ticks: Mapping[int, tuple[float, ...]]
    restored_s: tuple[float, ...]


def charts(folders: Sequence[CampaignFolder], comparison: Comparison, words: Words) -> list[Chart]:
    """Return a chart for each outage that was measured. Raises ResultsError."""
    rows = [row for row in comparison.rows if row.params.get("outage") and row.metric == "hits"]
    if not rows:
        return []
    steps = list(_steps(folders))
    made = []
    for number, row in enumerate(rows, 1):
        curves = [curve for d in comparison.drives if (curve := _curve(steps, row, d.name))]
        if curves:
            made.append(_chart(comparison, row, curves, number, words))
    return made


@dataclass(frozen=True, slots=True)
class _Step:
    target: str
    load: int
    rate: float | None
    params: Any
    series: tuple[tuple[float, str, float], ...]


def _steps(folders: Sequence[CampaignFolder]) -> Iterator[_Step]:
    for folder in folders:
        series: dict[str, list[tuple[float, str, float]]] = {}
        columns = folder.read("series").to_pydict()
        for step, t_s, metric, value in zip(*(columns[n] for n in ("step", "t_s", "metric", "value")), strict=True):
            series.setdefault(step, []).append((t_s, metric, value))
        seen = set()
        samples = folder.read("samples").select(["step", "target", "load", "rate", "params"]).to_pydict()
        for step, target, load, rate, params in zip(*samples.values(), strict=True):
            if step not in seen and step in series:
                seen.add(step)
                yield _Step(target, load, rate, json.loads(params), tuple(series[step]))


def _curve(steps: Sequence[_Step], row: Row, drive: str) -> Curve | None:
    rounds = [
        step
        for step in steps
        if (step.target, step.load, step.rate, step.params) == (drive, row.load, row.rate, dict(row.params))
    ]
    ticks: dict[int, list[float]] = {}
    restored: list[float] = []
    for step in rounds:
        began = next((t_s for t_s, metric, _ in step.series if metric == _BEGAN), None)
        if began is None:
            continue
        restored += [t_s - began for t_s, metric, _ in step.series if metric == _RESTORED]
        for t_s, metric, value in step.series:
            if metric == "hits":
                ticks.setdefault(round((t_s - began) / TICK_S), []).append(value)
    # What not every round has, at the two ends, would be of other rounds than the rest.
    most = max(map(len, ticks.values()), default=0)
    whole = {tick: tuple(values) for tick, values in sorted(ticks.items()) if len(values) == most}
    return Curve(drive, whole, tuple(restored)) if len(whole) > 1 else None


def _chart(comparison: Comparison, row: Row, curves: Sequence[Curve], number: int, words: Words) -> Chart:
    names = labels.said_labels(comparison, words)
    values = [value for curve in curves for rates in curve.ticks.values() for value in rates]
    scale = labels.scale(row.unit, values)
    order = {d.name: (i, d) for i, d in enumerate(comparison.drives)}
    series = tuple(_series(comparison, *order[curve.drive], curve, row, scale, words) for curve in curves)
    restored = [moment for curve in curves for moment in curve.restored_s]
    moments = [(0, words("outage.began"))]
    if restored and round(median(restored) * 1000) <= max(p.load for s in series for p in s.points):
        moments.append((round(median(restored) * 1000), words("outage.restored")))
    spec = ChartSpec(
        id=labels.slug(f"{row.workload}-recovery" + (f"-{number}" if number > 1 else "")),
        kind=ChartKind.LINE,
        workload=row.workload,
        op=row.op,
        metric=row.metric,
        unit=row.unit,
        better=row.better,
        title=words.commas([_told(comparison, row, curve.drive, names, words) for curve in curves]),
        subtitle=captions.subtitle([row], words),
        axis=captions.axis(row, scale, False, words),
        x_axis=words("outage.x"),
        scale=scale,
        log=False,
        series=series,
        footnotes=(words("outage.foot", tick=format_seconds(TICK_S), how=labels.clean(row.params["outage"], 60)),),
        across=Across.TIME,
        moments=tuple(moments),
    )
    return Chart(spec, (row,), ())


def _series(
    comparison: Comparison, index: int, drive: DriveSummary, curve: Curve, row: Row, scale: labels.Scale, words: Words
) -> Series:
    own = row.targets[drive.name]
    mark = captions.mark(own.verdict, findings.reasons(own.reasons), words)
    points = []
    for tick, rates in curve.ticks.items():
        middle = median(rates)
        low, high = (min(rates), max(rates)) if len(rates) > 1 else (None, None)
        text = labels.scaled_text(scale, middle, row.metric, row.unit)
        moment = round(tick * TICK_S * 1000)
        points.append(Point(moment, middle, low, high, len(rates), Verdict.VALID, (), text))
    return Series(
        drive=drive.name,
        label=labels.drive_labels(comparison)[drive.name],
        color=COLORS[index % len(COLORS)],
        marker=MARKERS[index % len(MARKERS)],
        tags=(words("chart.emulated"),) if drive.emulated else (),
        points=tuple(points),
        marks=(mark,) if mark else (),
        emulated=drive.emulated,
    )


def _told(comparison: Comparison, row: Row, drive: str, names: Mapping[str, str], words: Words) -> str:
    """What an outage did to a drive's store: how long it did not answer, and whether keys were lost."""

    def of(metric: str) -> float | None:
        same = (r for r in comparison.rows if r.metric == metric and r.params == row.params and r.load == row.load)
        return next((r.targets[drive].median for r in same if r.rate == row.rate and drive in r.targets), None)

    gap, lost = of("outage"), of("lost")
    text = words("outage.gap", drive=names[drive], time=format_seconds(gap)) if gap is not None else names[drive]
    if lost is None:
        return text
    return words("outage.lost", what=text, n=format_count(lost)) if lost else words("outage.kept", what=text)
