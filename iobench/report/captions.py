"""The texts about a chart: subtitle, axis, footnotes, marks, and the chart in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from iobench.analysis.throttled import throttled
from iobench.analysis.types import Comparison, Row
from iobench.model import Better, Verdict
from iobench.report import cost, findings, labels
from iobench.report.findings import Finding
from iobench.report.spec import Across, ChartKind, ChartSpec, Point, Series
from iobench.texts import Words


def subtitle(rows: Sequence[Row], words: Words) -> str:
    """Return what was measured and how it was set: the parameters that all rows share."""
    name = labels.workload_name(rows[0].workload, words)
    if op := labels.op_name(rows[0], words):
        name = words("what.metric", workload=name, metric=op)
    return " · ".join(part for part in (name, labels.said_params(rows, words)) if part)


def axis(row: Row, scale: labels.Scale, log: bool, words: Words, money: str = "") -> str:
    """Return the title of the value axis, with its one unit and its good direction where that is down."""
    metric = labels.metric_name(row.metric, words)
    if row.metric.endswith(labels.PER_PRICE):
        metric = words(
            "axis.cost", metric=labels.metric_name(row.metric.removesuffix(labels.PER_PRICE), words), money=money
        )
    if not metric[1:2].isdigit():  # but `p99 latency` stays as it is
        metric = metric[:1].upper() + metric[1:]
    title = words("axis.plain", metric=metric, unit=scale.unit) if scale.unit else metric
    if log:
        title = words("axis.log", title=title)
    return words("axis.lower", title=title) if row.better is Better.LOWER else title


def footnotes(
    comparison: Comparison,
    rows: Sequence[Row],
    series: Sequence[Series],
    kind: ChartKind,
    shared: Sequence[str],
    stable: Sequence[Finding],
    names: Mapping[str, str],
    words: Words,
) -> tuple[str, ...]:
    """Return the lines under a chart: repeats and interval, what is emulated, what is marked, stability."""
    drawn = {s.drive for s in series if s.points}
    notes = [" · ".join((*_method(series, kind, words), *emulated(comparison, drawn, words)))]
    if shared:
        notes.append(words("foot.shared", reasons=words.commas(shared)))
    if stable:
        parts = [words("foot.share", drive=names[f.drive], share=labels.percent(f.value)) for f in stable]
        metric = labels.metric_name(stable[0].row.metric, words)
        ends = {"since": stable[0].since, "load": stable[0].load}
        notes.append(words("foot.stability", metric=metric, **ends, shares=words.commas(parts)))
    held = _held_back(comparison, rows, names, words)
    if held:
        notes.append(words("foot.throttled", drives=words.commas(held)))
    if comparison.despite:
        notes.append(words("foot.despite"))
    if rows[0].metric.endswith(labels.PER_PRICE):
        priced = [(names[d.name], cost.price(d)) for d in comparison.drives if d.price]
        said = [words("foot.price-of", drive=drive, price=price) for drive, price in priced]
        notes.append(words("foot.prices", prices=words("list.semicolon").join(said)))
    if kind is ChartKind.LINE:  # bars have a place for each
        absent = [names[d.name] for d in comparison.drives if not any(d.name in row.targets for row in rows)]
        notes += [words("foot.not-measured", drives=words.commas(absent))] if absent else []
        notes += _not_emulated(comparison, rows[0].better, names, words)
    return tuple(notes)


def _not_emulated(comparison: Comparison, better: Better, names: Mapping[str, str], words: Words) -> list[str]:
    """What is held back because a drive's latency is not emulated: stability, and latency that was asked for."""
    hidden = [d.name for d in comparison.drives if findings.latency_hidden(d)]
    flat = [d.name for d in comparison.drives if findings.flat(d) and d.name not in hidden]
    notes = [words("foot.throttle-only", drives=words.every([names[n] for n in hidden]))] if hidden else []
    if flat and better is Better.HIGHER:
        notes.append(words("foot.flat", drives=words.every([names[n] for n in flat])))
    return notes


def _held_back(comparison: Comparison, rows: Sequence[Row], names: Mapping[str, str], words: Words) -> list[str]:
    """The emulated drives, with their loads, whose latency is made by the limit that they are set to."""
    if not rows[0].metric.startswith("latency"):
        return []
    found = []
    for drive in comparison.drives:
        loads = [str(row.load) for row in rows if throttled(comparison, row, drive.name)]
        if loads:
            found.append(words("chart.at", reasons=names[drive.name], loads=words.commas(loads)))
    return found


def _method(series: Sequence[Series], kind: ChartKind, words: Words) -> list[str]:
    repeats = sorted({p.repeats for s in series for p in s.points})
    if repeats == [1]:
        return [words("foot.single")]
    if len(repeats) == 1:
        median = words("foot.median", n=repeats[0])
    else:
        median = words("foot.medians", least=repeats[0], most=repeats[-1])
    return [median, words("foot.bars" if kind is ChartKind.BAR else "foot.band")]


def emulated(comparison: Comparison, drawn: Collection[str], words: Words) -> list[str]:
    """Return what names the emulated drives among those that are drawn; nothing where none is."""
    here = [d for d in comparison.drives if d.name in drawn]
    if not any(d.emulated for d in here):
        return []
    if all(d.emulated for d in here):
        return [words("foot.emulated")]
    plain = labels.drive_labels(comparison)
    return [words("foot.some-emulated", drives=words.commas([plain[d.name] for d in here if d.emulated]))]


def mark(verdict: Verdict, ids: Sequence[str], words: Words) -> str:
    """What names a result that is not valid: `page-cache`, with `invalid` where it is."""
    if verdict is Verdict.VALID:
        return ""
    return words(f"chart.{verdict.value}", reasons=words.commas(ids) or words(f"verdict.{verdict.value}"))


def marks(points: Sequence[Point], words: Words) -> tuple[str, ...]:
    """The marks of a line's points, each once with its loads: `too-short at 1, 8`."""
    loads: dict[str, list[str]] = {}
    for point in points:
        if point.mark:
            loads.setdefault(point.mark, []).append(str(point.load))
    return tuple(words("chart.at", reasons=text, loads=words.commas(at)) for text, at in loads.items())


def alt_text(spec: ChartSpec, words: Words) -> str:
    """Return a chart in words, for who does not see it."""
    parts = [words(f"chart.alt.{spec.kind.value}", title=spec.title)]
    if spec.across is Across.TIME:  # a hundred figures tell nobody anything
        return " ".join([*parts, *spec.footnotes])
    for series in spec.series:
        figures = [
            words("what.load", what=p.text, load=spec.x_text(p.load)) if spec.kind is ChartKind.LINE else p.text
            for p in series.points
        ]
        parts.append(words("chart.alt.series", drive=series.label, figures=words.commas(figures) or series.tags[-1]))
    return " ".join(parts)
