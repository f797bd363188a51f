"""The recovery curve: what was answered each tenth of a second around a failure that was made on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from iobench.analysis.types import Comparison, DriveSummary, Row
from iobench.report import captions, findings, labels
from iobench.report.charts import Chart
from iobench.report.spec import Across, ChartKind, ChartSpec, Point, Series, look_of
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
    steps = list(_steps(folders, comparison))
    made = []
    for number, row in enumerate(rows, 1):
        curves = [curve for d in comparison.drives if (curve := _curve(steps, row, d.name))]
        if curves:
            made.append(_chart(comparison, row, curves, number, words))
    return made


@dataclass(frozen=True, slots=True)
class _Step:
    drive: str
    load: int
    rate: float | None
    params: Any
    series: tuple[tuple[float, str, float], ...]


def _steps(folders: Sequence[CampaignFolder], comparison: Comparison) -> Iterator[_Step]:
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
                drive = comparison.drive_of(folder.id, target)
                yield _Step(drive, load, rate, json.loads(params), tuple(series[step]))


def _curve(steps: Sequence[_Step], row: Row, drive: str) -> Curve | None:
    rounds = [
        step
        for step in steps
        if (step.drive, step.load, step.rate, step.params) == (drive, row.load, row.rate, dict(row.params))
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
        title=_headline(comparison, row, [curve.drive for curve in curves], words),
        subtitle=captions.subtitle([row], words),
        axis=captions.axis(row, scale, False, words),
        x_axis=words("outage.x"),
        scale=scale,
        log=False,
        series=series,
        footnotes=_footnotes(series, row, words),
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
        points.append(Point(moment, middle, low, high, len(rates), own.verdict, (), text))
    color, marker = look_of(index, drive.color)
    return Series(
        drive=drive.name,
        label=labels.drive_labels(comparison)[drive.name],
        color=color,
        marker=marker,
        tags=(words("chart.emulated"),) if drive.emulated else (),
        points=tuple(points),
        marks=(mark,) if mark else (),
        emulated=drive.emulated,
    )


def _footnotes(series: Sequence[Series], row: Row, words: Words) -> tuple[str, ...]:
    """How it was measured: how often, what the band is, which drives are emulated, how it was made to fail."""
    repeats = max(p.repeats for s in series for p in s.points)
    method = [words("foot.median", n=repeats), words("outage.band")] if repeats > 1 else [words("foot.single")]
    method += [words("foot.emulated")] if all(s.emulated for s in series) else []
    how = words("outage.foot", tick=format_seconds(TICK_S), how=labels.clean(row.params["outage"], 60))
    return (" · ".join(method), how)


def _headline(comparison: Comparison, row: Row, drives: Sequence[str], words: Words) -> str:
    """What an outage did to each drive's store: how long it did not answer, and whether keys were lost."""
    names = labels.said_labels(comparison, words)
    gaps, lost = (_of(comparison, row, metric) for metric in ("outage", "lost"))
    if len(drives) == 1:
        (drive,) = drives
        text = (
            words("outage.gap", drive=names[drive], time=format_seconds(gaps[drive])) if drive in gaps else names[drive]
        )
        if drive not in lost:
            return text
        keys = format_count(lost[drive])
        return words("outage.lost", what=text, n=keys) if lost[drive] else words("outage.kept", what=text)

    def each(figures: Mapping[str, float], write: Callable[[float], str]) -> str:
        own = [drive for drive in drives if drive in figures]
        return words.commas([words("say.figure-of", a=names[drive], value=write(figures[drive])) for drive in own])

    parts = [words("outage.gaps", figures=each(gaps, format_seconds))] if gaps else []
    if any(lost.get(drive) for drive in drives):
        parts.append(words("outage.keys-lost", figures=each(lost, format_count)))
    elif lost:
        parts.append(words("outage.no-key"))
    return words("list.semicolon").join(parts) or labels.workload_name(row.workload, words)


def _of(comparison: Comparison, row: Row, metric: str) -> dict[str, float]:
    """The medians of another metric of the same work, by drive."""
    same = (
        r for r in comparison.rows if (r.metric, r.params, r.load, r.rate) == (metric, row.params, row.load, row.rate)
    )
    return {drive: estimate.median for r in same for drive, estimate in r.targets.items()}
