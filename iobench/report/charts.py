"""Which charts a comparison gives: rows grouped by what they hold fixed, and a spec of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iobench.analysis.types import Comparison, DriveSummary, Row
from iobench.model import Verdict, main_metrics
from iobench.report import captions, cost, findings, labels
from iobench.report.findings import Finding
from iobench.report.spec import Across, ChartKind, ChartSpec, Point, Series, look_of
from iobench.texts import Words

_MANY_RATES = 3


# How far an axis goes for an interval: so many times the greatest figure, and down to such a part of the least.
_REACH, _DEPTH = 1.8, 10.0


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's spec with the rows and the findings that it comes from."""

    spec: ChartSpec
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]


def charts(comparison: Comparison, words: Words, searched: frozenset[str] = frozenset()) -> list[Chart]:
    """Return the charts of a comparison, in the order of its rows; the rates of what was searched are on its curve."""
    made = [_chart(comparison, rows, words) for rows in _groups(comparison.rows, searched)]
    made += [_chart(comparison, [row], words) for row in cost.rows(comparison)]
    return _unique([chart for chart in made if chart])


def _groups(rows: Sequence[Row], searched: frozenset[str]) -> list[list[Row]]:
    """Rows that belong on one chart: they differ in their load only, or in the rate that was offered."""
    groups: dict[object, list[Row]] = {}
    swept = _swept(rows) | searched
    drawn = [row for row in rows if row.metric in _drawn(row.workload, rows)]
    drawn = [row for row in drawn if row.workload not in swept or (row.rate is None and not _single(row))]
    paced = _paced(drawn)
    for row in drawn:
        along = row.load if _offers(row) in paced else row.rate
        key = (row.workload, row.op, row.metric, along, row.rate is None, labels.fixed_params(row))
        groups.setdefault(key, []).append(row)
    split = []
    for group in groups.values():
        if len({row.rate for row in group}) > 1:
            split.append(sorted(group, key=lambda row: row.rate or 0.0))
        elif len({row.load for row in group}) == len(group):
            split.append(sorted(group, key=lambda row: row.load))
        else:  # depth 8 by 1 job is not 1 by 8: one load, yet no one line
            split += [[row] for row in group]
    return split


def _single(row: Row) -> bool:
    """Whether each drive did it once: the closed loops that a search begins with, which are points of its curve."""
    return all(estimate.n == 1 for estimate in row.targets.values())


def _swept(rows: Sequence[Row]) -> frozenset[str]:
    """The workloads that were measured at many rates: those are points of one curve (curves.py), not a chart each.

    Those of kvs were asked for one by one (`--rates`), and are a line.
    """
    rates: dict[str, set[float]] = {}
    for row in rows:
        if row.rate is not None and row.workload != "kvs":
            rates.setdefault(row.workload, set()).add(row.rate)
    return frozenset(workload for workload, own in rates.items() if len(own) >= _MANY_RATES)


def _offers(row: Row) -> object:
    """What rows at several rates share."""
    return (row.workload, row.op, row.metric, row.load, labels.fixed_params(row)) if row.rate is not None else None


def _paced(rows: Sequence[Row]) -> set[object]:
    """What several rates were offered to, at one load each."""
    rates: dict[object, set[float | None]] = {}
    for row in rows:
        if row.rate is not None:
            rates.setdefault(_offers(row), set()).add(row.rate)
    return {offers for offers, several in rates.items() if len(several) > 1}


def _drawn(workload: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """What is drawn of a workload: its main metrics; beside a time, the rate is a note on each bar."""
    metrics = main_metrics(workload, dict.fromkeys(row.metric for row in rows if row.workload == workload))
    return tuple(m for m in metrics if m != "throughput") if "elapsed" in metrics else metrics


def _chart(comparison: Comparison, rows: Sequence[Row], words: Words) -> Chart | None:
    first, one_load = rows[0], len(rows) == 1
    across = Across.RATE if len({row.rate for row in rows}) > 1 else Across.LOAD
    quiet = findings.silent(comparison, first.metric)
    drives = [
        (i, d)
        for i, d in enumerate(comparison.drives)
        if d.name not in quiet and (one_load or any(d.name in row.targets for row in rows))
    ]
    if not any(d.name in row.targets for _, d in drives for row in rows):
        return None
    names = labels.said_labels(comparison, words)
    values = [row.targets[d.name].median for row in rows for _, d in drives if d.name in row.targets]
    scale = labels.scale(first.unit, values)
    series = tuple(_series(comparison, i, d, rows, scale, words) for i, d in drives)
    if not any(each.points for each in series):
        return None  # all held back, as a limit's latency is
    kind = ChartKind.BAR if one_load else ChartKind.LINE
    log = kind is ChartKind.LINE and first.metric.startswith("latency") and min(values) > 0
    series, cut = _within(series, max(values) * _REACH, min(values) / _DEPTH if log else 0.0)
    shared = _shared(series)
    series = tuple(_without(each, shared, words) for each in series)
    found = findings.of_row(comparison, rows[-1], one_load, across is Across.RATE)
    stable = [] if one_load or across is Across.RATE else findings.shares(comparison, rows)
    spec = ChartSpec(
        id=_slug(first),
        kind=kind,
        workload=first.workload,
        op=first.op,
        metric=first.metric,
        unit=first.unit,
        better=first.better,
        title=findings.headline(found, words, names),
        subtitle=captions.subtitle(rows, words),
        axis=captions.axis(first, scale, log, words, cost.amount(comparison)),
        x_axis=words("load.rate") if across is Across.RATE else labels.load_name(first.workload, words),
        scale=scale,
        log=log,
        series=series,
        footnotes=(
            *captions.footnotes(comparison, rows, series, kind, shared, stable, names, words),
            *((words("foot.cut"),) if cut else ()),
        ),
        shared=shared,
        none_shown=words("chart.none-shown"),
        across=across,
    )
    return Chart(spec, tuple(rows), (*found, *stable))


def _within(series: Sequence[Series], most: float, least: float) -> tuple[tuple[Series, ...], bool]:
    """Series with each interval cut at the greatest and the least that the axis shows, and whether any was.

    Two repeats have an interval of a thousand times the figure: an axis for it would show nothing else.
    """
    cut = any((p.high or 0) > most or (p.low is not None and p.low < least) for s in series for p in s.points)
    held = tuple(
        replace(
            each,
            points=tuple(
                p if p.low is None or p.high is None else replace(p, low=max(p.low, least), high=min(p.high, most))
                for p in each.points
            ),
        )
        for each in series
    )
    return (held, True) if cut else (tuple(series), False)


def _series(
    comparison: Comparison,
    index: int,
    drive: DriveSummary,
    rows: Sequence[Row],
    scale: labels.Scale,
    words: Words,
) -> Series:
    paced = len({row.rate for row in rows}) > 1

    def at(row: Row) -> int:
        return round(row.rate or 0) if paced else row.load

    is_baseline = drive.name == comparison.baseline
    points = tuple(
        _point(comparison, row, at(row), drive.name, scale, words)
        for row in rows
        if drive.name in row.targets and not findings.held_back(comparison, row, drive.name)
    )
    tags = [words("chart.emulated")] if drive.emulated else []
    tags += [words("chart.baseline")] if is_baseline else []
    if not points:
        there = any(drive.name in row.targets for row in rows)
        tags.append(words("chart.not-drawn" if there else "chart.not-measured"))
    color, marker = look_of(index, drive.color)
    return Series(
        drive=drive.name,
        label=labels.drive_labels(comparison)[drive.name],
        color=color,
        marker=marker,
        tags=tuple(tags),
        points=points,
        marks=captions.marks(points, words),
        emulated=drive.emulated,
        baseline=is_baseline,
    )


def _point(comparison: Comparison, row: Row, at: int, drive: str, scale: labels.Scale, words: Words) -> Point:
    estimate = row.targets[drive]
    low, high = estimate.ci95 or (None, None)
    ratio = comparison.shown_ratio(row, drive)
    ids = findings.reasons(estimate.reasons)
    note = ""
    if row.metric == "elapsed":
        twin = next((r for r in comparison.rows if _same_step(r, row) and r.metric == "throughput"), None)
        if twin and drive in twin.targets:
            note = labels.value_text(twin.targets[drive].median, twin.metric, twin.unit)
    return Point(
        load=at,
        value=estimate.median,
        low=low,
        high=high,
        repeats=estimate.n,
        verdict=estimate.verdict,
        reasons=tuple(ids),
        text=labels.scaled_text(scale, estimate.median, row.metric, row.unit),
        ratio=ratio,
        ratio_text=labels.times(ratio.ratio, words) if ratio else "",
        note=note,
        mark=captions.mark(estimate.verdict, ids, words),
    )


def _same_step(a: Row, b: Row) -> bool:
    return (a.workload, a.op, a.load, a.rate, a.params) == (b.workload, b.op, b.load, b.rate, b.params)


def _shared(series: Sequence[Series]) -> tuple[str, ...]:
    """The reasons that every result carries, said once where all are suspect; the others are named one by one."""
    points = [p for s in series for p in s.points]
    if any(p.verdict is not Verdict.SUSPECT for p in points):
        return ()
    return tuple(sorted(set.intersection(*(set(p.reasons) for p in points))))


def _without(series: Series, shared: Sequence[str], words: Words) -> Series:
    """A series whose marks leave out what is said once for all."""
    if not shared:
        return series
    left = [tuple(reason for reason in p.reasons if reason not in shared) for p in series.points]
    points = tuple(
        replace(p, mark=captions.mark(p.verdict, ids, words) if ids else "")
        for p, ids in zip(series.points, left, strict=True)
    )
    return replace(series, points=points, marks=captions.marks(points, words))


# --- names of charts -----------------------------------------------------------------------------------------


def _slug(row: Row) -> str:
    op = "" if row.op == "all" or row.workload.endswith(f"-{row.op}") else f"-{row.op}"
    return labels.slug(f"{row.workload}{op}-{row.metric}")


def _unique(made: Sequence[Chart]) -> list[Chart]:
    """Give charts whose names are one (other parameters) a number each."""
    seen: dict[str, int] = {}
    out = []
    for chart in made:
        count = seen[chart.spec.id] = seen.get(chart.spec.id, 0) + 1
        spec = chart.spec if count == 1 else replace(chart.spec, id=f"{chart.spec.id}-{count}")
        out.append(replace(chart, spec=spec))
    return out
