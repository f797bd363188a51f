"""Chart specs: what a chart shows, as data. draw.py makes pictures of them, tables.py their tables and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from iobench.analysis.types import Comparison, Difference, DriveSummary, Estimate, Ratio, Row
from iobench.model import Better, Verdict
from iobench.report import findings, labels
from iobench.report.findings import Finding
from iobench.report.texts import Words

# Colour-blind safe, told apart by lightness too; the first three are the house's.
COLORS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#7a5195",
    "#8c8c8c",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")

# What is drawn of a workload; of others, the first rate that it has and its p99 latency.
_DRAWN = {"dd-write": ("elapsed",), "seq-read": ("throughput",), "seq-write": ("throughput",)}
_RATES = ("iops", "transactions", "hits", "ops", "queries", "throughput", "elapsed")
_BY_THROUGHPUT = ("throughput",)
_THROUGHPUT_FIRST = ("dd-read", "dbench")
_LATENCY = "latency_p99"


class ChartKind(StrEnum):
    """How a chart is drawn: a bar a drive, or a line a drive against the load."""

    BAR = "bar"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Point:
    """A drive's figure at a load, in the base unit, with every text that stands beside it."""

    load: int
    value: float
    low: float | None
    high: float | None
    repeats: int
    verdict: Verdict
    reasons: tuple[str, ...]
    text: str
    ratio: Ratio | None = None
    note: str = ""  # a second figure of the same step: MB/s beside seconds
    mark: str = ""  # names what is not valid: `page-cache`

    @property
    def ratio_text(self) -> str:
        """The ratio as it is written on a bar, or nothing."""
        return labels.ratio_text(self.ratio.ratio) if self.ratio else ""

    @property
    def none_shown(self) -> bool:
        """Whether the data show no difference from the baseline."""
        return self.ratio is not None and self.ratio.difference is Difference.NONE_SHOWN


@dataclass(frozen=True, slots=True)
class Series:
    """A drive on a chart. `tags` are words that always stand beside its name; `marks` name unsound points."""

    drive: str
    label: str
    color: str
    marker: str
    tags: tuple[str, ...]
    points: tuple[Point, ...]
    marks: tuple[str, ...] = ()
    emulated: bool = False
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """One chart, as data. `shared` are the reasons that every result on it carries alike."""

    id: str
    kind: ChartKind
    workload: str
    op: str
    metric: str
    unit: str
    better: Better
    title: str
    subtitle: str
    axis: str
    x_axis: str
    scale: labels.Scale
    log: bool
    series: tuple[Series, ...]
    footnotes: tuple[str, ...]
    shared: tuple[str, ...] = ()
    none_shown: str = ""  # what stands under a ratio that shows no difference

    @property
    def loads(self) -> tuple[int, ...]:
        """The loads on the chart, rising."""
        return tuple(sorted({p.load for s in self.series for p in s.points}))


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's spec with the rows and the findings that it comes from."""

    spec: ChartSpec
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]


def charts(comparison: Comparison, words: Words) -> list[Chart]:
    """Return the charts of a comparison, in the order of its rows."""
    made: list[Chart] = []
    for rows in _groups(comparison.rows):
        if chart := _chart(comparison, rows, words):
            made.append(chart)
    return _unique(made)


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that belong on one chart: they differ in their load only."""
    groups: dict[object, list[Row]] = {}
    for row in (r for r in rows if r.metric in _drawn(r.workload, rows)):
        key = (row.workload, row.op, row.metric, row.rate, labels.fixed_params(row))
        groups.setdefault(key, []).append(row)
    split = []
    for group in groups.values():
        if len({row.load for row in group}) == len(group):
            split.append(sorted(group, key=lambda row: row.load))
        else:  # depth 8 by 1 job is not 1 by 8: one load, yet no one line
            split += [[row] for row in group]
    return split


def _drawn(workload: str, rows: Sequence[Row]) -> tuple[str, ...]:
    there = {row.metric for row in rows if row.workload == workload}
    wanted = _DRAWN.get(workload, ())
    if there.intersection(wanted):
        return wanted
    order = (*_BY_THROUGHPUT, *_RATES) if workload in _THROUGHPUT_FIRST else _RATES
    rate = next((metric for metric in order if metric in there), None)
    return tuple(metric for metric in (rate, _LATENCY) if metric in there and metric is not None)


def _chart(comparison: Comparison, rows: Sequence[Row], words: Words) -> Chart | None:
    first, one_load = rows[0], len(rows) == 1
    quiet = findings.silent(comparison, first.metric)
    drives = [
        (i, d)
        for i, d in enumerate(comparison.drives)
        if d.name not in quiet and (one_load or any(d.name in row.targets for row in rows))
    ]
    if not any(d.name in row.targets for _, d in drives for row in rows):
        return None
    names = labels.said_labels(comparison, words)
    series = tuple(_series(comparison, i, d, rows, words) for i, d in drives)
    shared = _shared(series)
    found = findings.of_row(comparison, rows[-1], one_load)
    stable = [] if one_load else findings.shares(comparison, rows)
    kind = ChartKind.BAR if one_load else ChartKind.LINE
    values = [p.value for s in series for p in s.points]
    scale = labels.scale(first.unit, values)
    log = kind is ChartKind.LINE and first.metric.startswith("latency") and min(values) > 0
    spec = ChartSpec(
        id=_slug(first),
        kind=kind,
        workload=first.workload,
        op=first.op,
        metric=first.metric,
        unit=first.unit,
        better=first.better,
        title=findings.headline(found, words, names),
        subtitle=_subtitle(rows, words),
        axis=_axis(first, scale, log, words),
        x_axis=labels.load_name(first.workload, words),
        scale=scale,
        log=log,
        series=series,
        footnotes=_footnotes(comparison, series, kind, shared, stable, names, words),
        shared=shared,
        none_shown=words("chart.none-shown"),
    )
    return Chart(spec, tuple(rows), (*found, *stable))


def _series(comparison: Comparison, index: int, drive: DriveSummary, rows: Sequence[Row], words: Words) -> Series:
    is_baseline = drive.name == comparison.baseline
    points = tuple(
        _point(comparison, row, row.targets[drive.name], _sound_ratio(comparison, row, drive.name), drive.name, words)
        for row in rows
        if drive.name in row.targets
    )
    tags = [words("chart.emulated")] if drive.emulated else []
    tags += [words("chart.baseline")] if is_baseline else []
    tags += [] if points else [words("chart.not-measured")]
    return Series(
        drive=drive.name,
        label=labels.drive_labels(comparison)[drive.name],
        color=COLORS[index % len(COLORS)],
        marker=MARKERS[index % len(MARKERS)],
        tags=tuple(tags),
        points=points,
        marks=_marks(points, words),
        emulated=drive.emulated,
        baseline=is_baseline,
    )


def _sound_ratio(comparison: Comparison, row: Row, drive: str) -> Ratio | None:
    """A row's ratio, but none of what is invalid: a ratio on a chart is read as a claim."""
    both = (row.targets[drive], row.targets.get(comparison.baseline or ""))
    return None if any(e and e.verdict is Verdict.INVALID for e in both) else row.ratios.get(drive)


def _point(
    comparison: Comparison, row: Row, estimate: Estimate, ratio: Ratio | None, drive: str, words: Words
) -> Point:
    low, high = estimate.ci95 or (None, None)
    ids = findings.reasons(estimate.reasons)
    note = ""
    if row.metric == "elapsed":
        twin = next((r for r in comparison.rows if _same_step(r, row) and r.metric == "throughput"), None)
        if twin and drive in twin.targets:
            note = labels.value_text(twin.targets[drive].median, twin.metric, twin.unit)
    return Point(
        load=row.load,
        value=estimate.median,
        low=low,
        high=high,
        repeats=estimate.n,
        verdict=estimate.verdict,
        reasons=tuple(ids),
        text=labels.value_text(estimate.median, row.metric, row.unit),
        ratio=ratio,
        note=note,
        mark=_mark(estimate.verdict, ids, words),
    )


def _same_step(a: Row, b: Row) -> bool:
    return (a.workload, a.op, a.load, a.rate, a.params) == (b.workload, b.op, b.load, b.rate, b.params)


def _shared(series: Sequence[Series]) -> tuple[str, ...]:
    """The reasons of all results, when each is suspect for the same ones; else they are named one by one."""
    marks = {(p.verdict, frozenset(p.reasons)) for s in series for p in s.points}
    if len(marks) != 1:
        return ()
    verdict, ids = next(iter(marks))
    return tuple(sorted(ids)) if verdict is Verdict.SUSPECT else ()


# --- texts -------------------------------------------------------------------------------------------------


def _subtitle(rows: Sequence[Row], words: Words) -> str:
    name = labels.workload_name(rows[0].workload, words)
    if op := labels.op_name(rows[0], words):
        name = words("what.metric", workload=name, metric=op)
    return " · ".join(part for part in (name, labels.said_params(rows, words)) if part)


def _axis(row: Row, scale: labels.Scale, log: bool, words: Words) -> str:
    metric = labels.metric_name(row.metric, words)
    metric = metric[:1].upper() + metric[1:] if words.lang == "en" and not metric.startswith("p9") else metric
    title = words("axis.plain", metric=metric, unit=scale.unit) if scale.unit else metric
    if log:
        title = words("axis.log", title=title)
    return words("axis.lower", title=title) if row.better is Better.LOWER else title


def _footnotes(
    comparison: Comparison,
    series: Sequence[Series],
    kind: ChartKind,
    shared: Sequence[str],
    stable: Sequence[Finding],
    names: dict[str, str],
    words: Words,
) -> tuple[str, ...]:
    drawn = {s.drive for s in series if s.points}
    notes = [" · ".join((*_method(series, kind, words), *_emulated(comparison, drawn, words)))]
    if shared:
        notes.append(words("foot.shared", reasons=words.commas(shared)))
    if stable:
        parts = [words("foot.share", drive=names[f.drive], share=labels.percent(f.value)) for f in stable]
        metric = labels.metric_name(stable[0].row.metric, words)
        notes.append(words("foot.stability", metric=metric, load=stable[0].load, shares=words.commas(parts)))
    hidden = [names[d.name] for d in comparison.drives if findings.latency_hidden(d)]
    if hidden and kind is ChartKind.LINE:
        notes.append(words("foot.throttle-only", drives=words.every(hidden)))
    return tuple(notes)


def _method(series: Sequence[Series], kind: ChartKind, words: Words) -> list[str]:
    repeats = sorted({p.repeats for s in series for p in s.points})
    if repeats == [1]:
        return [words("foot.single")]
    if len(repeats) == 1:
        median = words("foot.median", n=repeats[0])
    else:
        median = words("foot.medians", least=repeats[0], most=repeats[-1])
    return [median, words("foot.bars" if kind is ChartKind.BAR else "foot.band")]


def _emulated(comparison: Comparison, drawn: set[str], words: Words) -> list[str]:
    here = [d for d in comparison.drives if d.name in drawn]
    if not any(d.emulated for d in here):
        return []
    if all(d.emulated for d in here):
        return [words("foot.emulated")]
    plain = labels.drive_labels(comparison)
    return [words("foot.some-emulated", drives=words.commas([plain[d.name] for d in here if d.emulated]))]


def _mark(verdict: Verdict, ids: Sequence[str], words: Words) -> str:
    """What names a result that is not valid: `page-cache`, with `invalid` where it is."""
    if verdict is Verdict.VALID:
        return ""
    return words(f"chart.{verdict.value}", reasons=words.commas(ids) or words(f"verdict.{verdict.value}"))


def _marks(points: Sequence[Point], words: Words) -> tuple[str, ...]:
    """The marks of a line's points, each once with its loads: `too-short at 1, 8`."""
    loads: dict[str, list[str]] = {}
    for point in points:
        if point.mark:
            loads.setdefault(point.mark, []).append(str(point.load))
    return tuple(words("chart.at", reasons=text, loads=words.commas(at)) for text, at in loads.items())


def alt_text(spec: ChartSpec, words: Words) -> str:
    """Return a chart in words, for who does not see it."""
    parts = [words(f"chart.alt.{spec.kind.value}", title=spec.title)]
    for series in spec.series:
        figures = [
            words("what.load", what=p.text, load=p.load) if spec.kind is ChartKind.LINE else p.text
            for p in series.points
        ]
        parts.append(f"{series.label}: {words.commas(figures) or words('chart.not-measured')}.")
    return " ".join(parts)


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
