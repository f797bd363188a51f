"""The table under a chart, the table of all figures, and the CSV of a chart's data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from iobench.analysis.types import Comparison, Difference, Estimate, Ratio, Row
from iobench.model import Verdict
from iobench.report import findings, labels
from iobench.report.charts import Chart
from iobench.report.spec import Across
from iobench.texts import Words

_OWN_UNITS = labels.Scale(1.0, None)  # each figure in the unit that suits it
_OF_A_FAILURE = ("outage", "lost", "errors")
_CSV = (
    "chart",
    "workload",
    "op",
    "load",
    "drive",
    "emulated",
    "metric",
    "unit",
    "better",
    "repeats",
    "median",
    "ci95_low",
    "ci95_high",
    "baseline",
    "ratio",
    "ratio_ci95_low",
    "ratio_ci95_high",
    "difference",
    "verdict",
    "reasons",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, what it sorts by (a number where it is one), and how it looks."""

    text: str
    sort: str = ""
    number: bool = False
    look: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page. `numbers` says for each column whether it stands to the right."""

    caption: str
    columns: tuple[str, ...]
    numbers: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]


def chart_table(comparison: Comparison, chart: Chart, words: Words) -> Table:
    """Return the figures that a chart draws, each in a row of its own."""
    drawn = {series.drive for series in chart.spec.series}
    pairs = [
        (row, d.name) for row in chart.rows for d in comparison.drives if d.name in row.targets and d.name in drawn
    ]
    if chart.spec.across is Across.TIME:  # the moments are in the CSV; the table has what came of it
        pairs = [(row, name) for row in _beside(comparison, chart.rows[0]) for name in row.targets if name in drawn]
        return _table(comparison, pairs, chart.spec.title, words, metric=True, load=False)
    scale, load = chart.spec.scale, len(chart.rows) > 1
    return _table(comparison, pairs, chart.spec.title, words, metric=False, load=load, scale=scale)


def _beside(comparison: Comparison, one: Row) -> list[Row]:
    """The figures of the same work that say what a failure did: for how long, and to how many."""
    same = [row for row in comparison.rows if (row.params, row.load, row.rate) == (one.params, one.load, one.rate)]
    return [row for row in same if row.metric in _OF_A_FAILURE]


def other_figures(comparison: Comparison, workload: str, made: Sequence[Chart], words: Words) -> Table:
    """Return the figures of a workload that stand under none of its charts."""
    told = {id(row) for chart in made for row in chart.rows}
    rows = [row for row in comparison.rows if row.workload == workload and id(row) not in told]
    pairs = [(row, d.name) for row in rows for d in comparison.drives if d.name in row.targets]
    # With the workload's name: a reader's list of tables has one of each.
    caption = words("what.metric", workload=labels.workload_name(workload, words), metric=words("page.more"))
    return _table(comparison, pairs, caption, words, metric=True, load=len({row.load for row in rows}) > 1)


def _table(
    comparison: Comparison,
    pairs: Sequence[tuple[Row, str]],
    caption: str,
    words: Words,
    *,
    metric: bool,
    load: bool,
    scale: labels.Scale = _OWN_UNITS,
) -> Table:
    names = labels.drive_labels(comparison)
    base = names.get(comparison.baseline or "")
    heads = [("col.metric", False)] if metric else []
    heads += [("col.load", True)] if load else []
    heads += [("col.drive", False), ("col.median", True), ("col.interval", True), ("col.repeats", True)]
    heads += [("col.ratio", True), ("col.ratio-interval", True), ("col.difference", False)] if base else []
    heads += [("col.verdict", False)]
    rows = []
    for row, name in pairs:
        cells = [Cell(_metric(row, words))] if metric else []
        cells += [Cell(f"{row.load:,}", str(row.load), True)] if load else []
        cells += _figures(comparison, row, name, names[name], scale, words)
        rows.append(tuple(cells))
    columns = tuple(words(key, baseline=base or "") for key, _ in heads)
    return Table(caption, columns, tuple(number for _, number in heads), tuple(rows))


def _metric(row: Row, words: Words) -> str:
    name, op = labels.metric_name(row.metric, words), labels.op_name(row, words)
    return words("what.metric", workload=name, metric=op) if op else name


def _figures(comparison: Comparison, row: Row, drive: str, label: str, scale: labels.Scale, words: Words) -> list[Cell]:
    own, ratio = row.targets[drive], comparison.shown_ratio(row, drive)
    emulated = any(d.name == drive and d.emulated for d in comparison.drives)
    cells = [
        Cell(words.noted(label, words("chart.emulated") if emulated else "")),
        Cell(labels.scaled_text(scale, own.median, row.metric, row.unit), _sort(own.median), True),
        _interval(own.ci95, lambda low, high: labels.scaled_interval(scale, low, high, row.metric, row.unit)),
        Cell(str(own.n), str(own.n), True),
    ]
    if comparison.baseline:
        cells += _ratio(comparison, drive, ratio, words)
    return [*cells, _verdict(own, words)]


def _ratio(comparison: Comparison, drive: str, ratio: Ratio | None, words: Words) -> list[Cell]:
    if ratio is None:
        text = words("diff.baseline") if drive == comparison.baseline else ""
        return [Cell("", "", True), Cell("", "", True), Cell(text, look="quiet")]
    difference = words(f"diff.{ratio.difference.value}")
    return [
        Cell(labels.times(ratio.ratio, words), _sort(ratio.ratio), True),
        _interval(ratio.ci95, lambda low, high: f"{labels.ratio_number(low)} – {labels.times(high, words)}"),
        Cell(difference, look="quiet" if ratio.difference is Difference.NONE_SHOWN else ""),
    ]


def _interval(ends: tuple[float, float] | None, write: Callable[[float, float], str]) -> Cell:
    return Cell("", "", True) if ends is None else Cell(write(*ends), _sort(ends[0]), True)


def _sort(value: float) -> str:
    """What a column sorts by: six digits tell more apart than are shown."""
    return f"{value:.6g}"


def _verdict(own: Estimate, words: Words) -> Cell:
    name = words(f"verdict.{own.verdict.value}")
    if own.verdict is Verdict.VALID:
        return Cell(name, look="valid")
    return Cell(words.pair(name, words.commas(findings.reasons(own.reasons))), look=own.verdict.value)


# --- CSV -----------------------------------------------------------------------------------------------------


def chart_csv(comparison: Comparison, chart: Chart) -> str:
    """Return a chart's data as CSV: base units, an empty field for what is not known."""
    target = io.StringIO()
    if chart.spec.across is Across.TIME:
        return _curve_csv(chart)
    writer = csv.DictWriter(target, _CSV, lineterminator="\r\n")
    writer.writeheader()
    for row in chart.rows:
        for series in chart.spec.series:
            if series.drive in row.targets:
                writer.writerow(_csv_row(comparison, chart, row, series.drive, series.emulated))
    return target.getvalue()


def _curve_csv(chart: Chart) -> str:
    """A chart along the time: a line a moment and drive."""
    target, spec = io.StringIO(), chart.spec
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(
        ("chart", "workload", "op", "drive", "emulated", "metric", "unit", "t_s", "median", "least", "most")
    )
    for series in spec.series:
        head = (spec.id, *map(csv_cell, (spec.workload, spec.op, series.drive)), str(series.emulated).lower())
        for p in series.points:
            ends = ("", "") if p.low is None else (p.low, p.high)
            writer.writerow((*head, csv_cell(spec.metric), csv_cell(spec.unit), p.load / 1000, p.value, *ends))
    return target.getvalue()


def _csv_row(comparison: Comparison, chart: Chart, row: Row, drive: str, emulated: bool) -> Mapping[str, object]:
    own, ratio = row.targets[drive], comparison.shown_ratio(row, drive)
    low, high = own.ci95 or ("", "")
    known: dict[str, object] = {
        "chart": chart.spec.id,
        "workload": csv_cell(row.workload),
        "op": csv_cell(row.op),
        "load": row.load,
        "drive": csv_cell(drive),
        "emulated": str(emulated).lower(),
        "metric": csv_cell(row.metric),
        "unit": csv_cell(row.unit),
        "better": row.better.value,
        "repeats": own.n,
        "median": own.median,
        "ci95_low": low,
        "ci95_high": high,
        "baseline": csv_cell(comparison.baseline or ""),
        "verdict": own.verdict.value,
        "reasons": csv_cell(" ".join(own.reasons)),
    }
    if ratio is not None:
        low, high = ratio.ci95 or ("", "")
        known |= {
            "ratio": ratio.ratio,
            "ratio_ci95_low": low,
            "ratio_ci95_high": high,
            "difference": ratio.difference.value,
        }
    return known


def csv_cell(text: str) -> str:
    """Return a name as a spreadsheet may have it: one that would be read as a formula gets an apostrophe before it."""
    line = labels.clean(text)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line
