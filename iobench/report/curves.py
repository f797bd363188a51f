"""Curves of latency against throughput: what a capacity campaign found, with the SLO's line, the knee and what held."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

from iobench.analysis import capacity as analysis
from iobench.analysis.capacity import Judged, Result
from iobench.analysis.loadpoints import ACHIEVED_LEAST, CLOSED, POISSON
from iobench.analysis.search import End
from iobench.analysis.types import Comparison
from iobench.report import capacity as said
from iobench.report import captions, labels
from iobench.report.spec import Curve, CurvePoint, CurveSpec, look_of
from iobench.report.tables import Cell, Table, csv_cell
from iobench.results import CampaignFolder
from iobench.texts import Words
from iobench.units import format_seconds

# From drives so far apart on, the throughput's axis is logarithmic: the slower ones would stand on its edge.
_FAR_APART = 5.0
_MOST_NAMED = 3  # drives in a title; of more, the two ends
_CSV = (
    *("slo", "drive", "arrival", "load", "offered", "achieved", "metric", "latency", "backlog", "backlog_growth"),
    *("verdict", "reasons", "holds", "why", "step"),
)


def found(folders: Sequence[CampaignFolder], comparison: Comparison) -> list[tuple[Result, ...]]:
    """Return the searches of campaigns, those of one objective together, each with its drive's name in the comparison.

    Raises ResultsError.
    """
    groups: dict[str, list[Result]] = {}
    for folder in folders:
        for result in analysis.results(folder):
            if result.by == "rate" and result.points:
                named = replace(result, target=comparison.drive_of(folder.id, result.target))
                groups.setdefault(result.slo.text, []).append(named)
    return [tuple(group) for group in groups.values()]


def spec(results: Sequence[Result], comparison: Comparison, words: Words) -> CurveSpec | None:
    """Return the chart of one objective's searches; None where nothing was measured at a rate."""
    objective = results[0].slo
    drives = {drive.name: number for number, drive in enumerate(comparison.drives)}
    names = labels.drive_labels(comparison)
    latencies = [j.point.latencies[objective.metric] for r in results for j in r.points if _drawn(j, r)]
    if not latencies:
        return None
    every = [
        _curve(result, drives.get(result.target, 0), names.get(result.target, result.target), comparison, words)
        for result in sorted(results, key=lambda result: drives.get(result.target, 0))
    ]
    curves = tuple(curve for curve in every if curve.points)
    reached = [max(point.x for point in curve.points) for curve in curves]
    log = max(reached) / min(reached) >= _FAR_APART and min(p.x for curve in curves for p in curve.points) > 0
    metric = labels.metric_name(objective.metric, words)
    scale = labels.scale("s", [*latencies, objective.limits[0].seconds])
    title = words("axis.plain", metric=f"{metric[:1].upper()}{metric[1:]}", unit=scale.unit)
    foot = words("capacity.chart.foot", least=f"{ACHIEVED_LEAST * 100:g} %")
    emulated = captions.emulated(comparison, {curve.drive for curve in curves}, words)
    unit = words("capacity.chart.x")
    return CurveSpec(
        id=labels.slug(f"capacity-{objective.text}"),
        title=_headline(results, comparison, words),
        subtitle=words("capacity.chart.sub", workload=labels.workload_name(objective.workload, words)),
        axis=words("axis.log", title=title),
        x_axis=words("axis.log", title=unit) if log else unit,
        x_log=log,
        scale=scale,
        curves=curves,
        limit=objective.limits[0].seconds,
        limit_text=words("capacity.chart.limit", time=format_seconds(objective.limits[0].seconds)),
        footnotes=(foot, *emulated),
    )


def _headline(results: Sequence[Result], comparison: Comparison, words: Words) -> str:
    """What was found, drive by drive: the highest load that held the objective."""
    objective, names = results[0].slo, labels.said_labels(comparison, words)
    told = {"workload": labels.workload_name(objective.workload, words), "limits": said.limits_text(objective, words)}

    def figure(result: Result) -> str:
        name = names.get(result.target, labels.clean(result.target, 60))
        return words("say.figure-of", a=name, value=_held(result, words))

    held = sorted((point.x, place) for place, r in enumerate(results) if (point := r.best or r.even))
    all_told = len(held) == len(results) and all(result.end is not End.UNDECIDED for result in results)
    if len(results) > _MOST_NAMED and all_told:
        low, high = (figure(results[place]) for _, place in (held[0], held[-1]))
        return words("capacity.chart.many", **told, n=len(results), low=low, high=high)
    return words("capacity.chart", **told, figures=words.commas([figure(result) for result in results]))


def _held(result: Result, words: Words) -> str:
    """The highest load that held, or why there is none."""
    workload, best = result.slo.workload, result.best
    if result.end is End.UNDECIDED:
        return words("capacity.chart.undecided")
    if result.end is End.FAILS_AT_LOWEST:
        return words("capacity.chart.none")
    if result.end is End.FOUND and best is not None:
        return said.rate_text(best.x, workload)
    least = best or result.even
    return (
        words("capacity.chart.least", rate=said.rate_text(least.x, workload))
        if least
        else words("capacity.chart.undecided")
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
            text=words.commas(
                [
                    words.pair(label, said.rate_text(j.point.achieved, workload)),
                    said.latency_text(j.point, result.slo, words),
                    words.pair(words("capacity.col.holds"), said.row(j, result, words)[-1]),
                ]
            ),
        )
        for j in result.points
        if _drawn(j, result)
    }
    line = tuple(made[p.step] for p in result.curve if p.step in made)
    best = made.get(result.best.step) if result.best else None
    knee = made.get(result.curve[result.knee].step) if result.knee is not None else None
    own = next((d for d in comparison.drives if d.name == result.target), None)
    tag = words("chart.emulated") if own is not None and own.emulated else ""
    color, marker = look_of(number, own.color if own else None)
    return Curve(
        drive=result.target,
        label=words.noted(label, tag),
        color=color,
        marker=marker,
        points=tuple(made.values()),
        line=line,
        best=best,
        knee=knee,
        # As the title and the sentences have it: what was offered.
        best_text=words("capacity.chart.best", rate=said.rate_text(result.best.x, workload)) if result.best else "",
        knee_text=words("capacity.chart.knee", rate=said.rate_text(knee.x, workload)) if knee else "",
    )


# --- words and tables ----------------------------------------------------------------------------------


def alt_text(spec: CurveSpec, words: Words) -> str:
    """Return a chart in words, for who does not see it."""
    drives = [
        words("chart.alt.series", drive=curve.label, figures=words.commas([p.text for p in curve.points]))
        for curve in spec.curves
    ]
    return words("capacity.chart.alt", slo=spec.title, drives=" ".join(drives))


def table(results: Sequence[Result], comparison: Comparison, words: Words) -> Table:
    """Return every point of the searches of one objective."""
    names = labels.drive_labels(comparison)
    heads = (words("capacity.col.drive"), *said.columns(results[0], words))
    right = tuple(1 < number < len(heads) - 2 for number in range(len(heads)))
    rows = []
    for result in results:
        for judged in said.in_order(result.points):
            texts = (names.get(result.target, result.target), *said.row(judged, result, words))
            sorts = _sorts(judged, result)
            rows.append(tuple(Cell(t, s, number) for t, s, number in zip(texts, sorts, right, strict=True)))
    return Table(said.slo_text(results[0].slo, words), heads, right, tuple(rows))


def _sorts(judged: Judged, result: Result) -> list[str]:
    """What a row's cells sort by: `11.8k IOPS` stands above `9,475 IOPS`."""
    point = judged.point
    latencies = [point.latencies.get(limit.metric) for limit in result.slo.limits]
    numbers = (point.load, point.offered, point.achieved, point.share, *latencies, point.backlog)
    return ["", "", *("" if number is None else f"{number:.6g}" for number in numbers), "", ""]


def sentences(results: Sequence[Result], comparison: Comparison, words: Words) -> list[str]:
    """Return what the searches of one objective found, drive by drive."""
    names = labels.drive_labels(comparison)
    return [" ".join(said.sentences(r, words, names.get(r.target, labels.clean(r.target, 60)))) for r in results]


def foremost(results: Sequence[Result], comparison: Comparison, words: Words) -> list[str]:
    """Return the first two sentences of each drive's search: what it holds, and with which arrivals."""
    names = labels.drive_labels(comparison)
    every = [said.sentences(r, words, names.get(r.target, labels.clean(r.target, 60))) for r in results]
    return [" ".join(sentences[:2]) for sentences in every]


def points_csv(results: Sequence[Result]) -> str:
    """Return the points as CSV: base units, an empty field for what is not known."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(_CSV)
    for result in results:
        for judged in result.points:
            p = judged.point
            known = (
                *(result.slo.text, result.target, p.arrival, p.load, p.offered, p.achieved),
                *(result.slo.metric, p.latencies.get(result.slo.metric), p.backlog, p.growth, p.verdict.value),
                *(" ".join(p.reasons), judged.judgement.holds, " ".join(judged.judgement.why), p.step),
            )
            writer.writerow([csv_cell(value) if isinstance(value, str) else value for value in known])
    return target.getvalue()
