"""A comparison on a terminal: figures with bars and ratios, in a reader's language, as wide as the window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from iobench.analysis.types import Comparison, Difference, DriveSummary, Estimate, Ratio, Row
from iobench.cli import grid
from iobench.cli.grid import Cell, Line, Piece
from iobench.cli.remarks import remarks
from iobench.cli.tables import clean
from iobench.model import Verdict, main_metrics, worst
from iobench.report.spec import look_of
from iobench.texts import Words
from iobench.units import format_bytes, format_count, format_value

if TYPE_CHECKING:
    from rich.console import Console

_LONGEST, _SHORTEST = 16, 4  # bars, in cells
_STYLES = {Verdict.VALID: "", Verdict.SUSPECT: "yellow", Verdict.INVALID: "red"}


def show(comparison: Comparison, console: Console | None = None, all_metrics: bool = False, lang: str = "en") -> None:
    """Print a comparison: a section a workload, then what the marks mean, claims and notes.

    Each figure has a bar, from zero to the greatest of its row. Drives stand beside each other where the window
    is wide enough, else below each other. Raises UsageError for a language that there is not.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    lines = list(_lines(comparison, console.width, all_metrics, Words(lang)))
    console.print(grid.Page(lines), crop=False)


def _lines(comparison: Comparison, width: int, all_metrics: bool, words: Words) -> Iterator[Line]:
    rows = list(comparison.rows) if all_metrics else _without_parts(_main(comparison.rows))
    sections = [[row for row in rows if row.workload == name] for name in dict.fromkeys(r.workload for r in rows)]
    shown = [[_shown(comparison, *named, words) for named in _named(section, words)] for section in sections]
    tables = [_wide(comparison, each, words) for each in shown]
    columns = [grid.widths(table) for table in tables]
    fits = all(grid.total(each) <= width for each in columns)
    for section, lines, table, across in zip(sections, shown, tables, columns, strict=True):
        yield from grid.paragraph(_title(section, words), width, style="bold")
        if fits:
            yield from chain.from_iterable(grid.beside(cells, across) for cells in table)
        else:
            yield from _long(comparison, lines, width, words)
        yield []
    for indent, said in remarks(comparison, rows, words):
        yield from grid.paragraph(clean(said), width, indent)


def _main(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of each workload's main metrics."""
    there: dict[str, dict[str, None]] = {}
    for row in rows:
        there.setdefault(row.workload, {})[row.metric] = None
    main = {workload: main_metrics(workload, metrics) for workload, metrics in there.items()}
    return [row for row in rows if row.metric in main[row.workload]]


def _without_parts(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without reads and writes whose sum stands beside them."""
    summed = {(row.workload, row.metric) for row in rows if row.op == "all"}
    return [row for row in rows if row.op == "all" or (row.workload, row.metric) not in summed]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A drive's figure in a row: its bar as a share of the row's greatest, where it has one, and what is said."""

    drive: DriveSummary
    bar: float | None
    color: str
    valid: bool
    figure: Piece
    ratio: Cell

    def drawn(self, cells: int) -> Cell:
        """Return the bar, in eighths of a cell: `cells` are the greatest figure's. Dots where it is not valid."""
        if self.bar is None:
            return []
        eighths = max(1, round(self.bar * cells * 8))
        if not self.valid:
            return [Piece("░" * max(1, eighths // 8), self.color)]
        return [Piece("█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8], self.color)]


@dataclass(frozen=True, slots=True)
class _Shown:
    """A row as it is shown: its load, of lines, its metric, and a figure a drive that has one."""

    load: Sequence[str]
    metric: str
    figures: Sequence[_Figure]


def _shown(comparison: Comparison, row: Row, load: str, metric: str, words: Words) -> _Shown:
    greatest = max((estimate.median for estimate in row.targets.values()), default=0.0)
    figures = []
    for number, drive in enumerate(comparison.drives):
        estimate = row.targets.get(drive.name)
        if estimate is None:
            continue
        share = estimate.median / greatest if greatest > 0 and estimate.median >= 0 else None
        color, _ = look_of(number, drive.color)
        figure, *ratio = _figure_lines(comparison, row, drive.name, estimate, words)
        figures.append(_Figure(drive, share, color, estimate.verdict is Verdict.VALID, figure, ratio))
    return _Shown(load.split("\n"), metric, figures)


def _wide(comparison: Comparison, rows: Sequence[_Shown], words: Words) -> list[Sequence[Cell]]:
    """Return a table with a column a drive: the figure, its bar and its ratio below; the titles are its first row."""
    drives = _measured(comparison, rows)
    titles = [grid.cell(text, style="bold") for text in (words("term.load"), words("term.metric"))]
    titles += [grid.cell(*_drive_title(comparison, drive, words), style="bold") for drive in drives]
    table: list[Sequence[Cell]] = [titles]
    for row in rows:
        of = {each.drive.name: [each.figure, *each.drawn(_LONGEST), *each.ratio] for each in row.figures}
        figures = [of.get(drive.name, [Piece("-", "dim")]) for drive in drives]
        table.append([grid.cell(*row.load), grid.cell(row.metric), *figures])
    return table


def _long(comparison: Comparison, rows: Sequence[_Shown], width: int, words: Words) -> Iterator[Line]:
    """Yield what stands below each other in a narrow window: a row's name, then its drives.

    A drive has a line, with its bar between name and figure, as long as there is room; what is said of a drive
    goes below its name before the bar becomes too short. In the narrowest all stands below the name.
    """
    between = words("list.comma")
    titles = {drive.name: _drive_title(comparison, drive, words) for drive in _measured(comparison, rows)}
    said = [each for row in rows for each in row.figures]
    figure, ratio = (max(map(grid.width, cells)) for cells in zip(*(((f.figure,), f.ratio) for f in said), strict=True))
    for broken in (False, True):
        names = {
            name: [f"  {t}" for t in (title if broken else [between.join(title)])] for name, title in titles.items()
        }
        name = max(grid.width(grid.cell(*lines)) for lines in names.values())
        bar = min(_LONGEST, width - name - figure - ratio - 3 * grid.GAP)
        if bar >= (_SHORTEST if broken else _LONGEST // 2):
            break
    for row in rows:
        load = between.join(row.load)
        yield from grid.paragraph(words("term.row", load=load, metric=row.metric), width)
        for each in row.figures:
            lines = names[each.drive.name]
            if bar >= _SHORTEST:
                cells = [grid.cell(*lines), each.drawn(bar), [each.figure], each.ratio]
                yield from grid.beside(cells, (name, bar, figure, ratio))
                continue
            yield from grid.paragraph(between.join(titles[each.drive.name]), width, 2)
            for piece in (each.figure, *each.drawn(_LONGEST // 2), *each.ratio):
                yield from grid.paragraph(piece.text, width, 4, piece.style)


def _measured(comparison: Comparison, rows: Sequence[_Shown]) -> list[DriveSummary]:
    there = {each.drive.name for row in rows for each in row.figures}
    return [drive for drive in comparison.drives if drive.name in there]


def _drive_title(comparison: Comparison, drive: DriveSummary, words: Words) -> list[str]:
    """Return a drive's name, and what is said of it: that it is emulated, the baseline."""
    tags = [words("chart.emulated")] if drive.emulated else []
    tags += [words("chart.baseline")] if drive.name == comparison.baseline else []
    return [clean(drive.name), *tags]


def _title(rows: Sequence[Row], words: Words) -> str:
    """Return a section's title: the workload, and what was asked alike in all its rows."""
    first = rows[0].params
    same = {key: value for key, value in first.items() if all(row.params.get(key) == value for row in rows)}
    said = []
    if isinstance(size := same.get("block_size"), int):
        said.append(words("param.block_size", size=_binary(size)))
    if "read_share" in same:
        said.append(words("param.read_share", value=same["read_share"]))
    if isinstance(size := same.get("tables_size"), int):
        said.append(words("term.tables", profile=same.get("profile"), size=format_bytes(size)))
    if isinstance(size := same.get("size"), int):
        said.append(words("term.file", size=format_bytes(size)))
    said += [f"{key} {same[key]}" for key in ("source", "flush") if key in same]
    if same.get("direct") is False and "flush" not in same:
        said.append(words("param.buffered"))
    name = rows[0].workload if words.lang == "en" else words.or_name(f"workload.{rows[0].workload}", rows[0].workload)
    return clean(words("list.colon").join(part for part in (name, words.commas(said)) if part))


def _binary(size: int) -> str:
    for power, unit in ((20, "MiB"), (10, "KiB")):
        if size >= 1 << power and size % (1 << power) == 0:
            return f"{size >> power} {unit}"
    return format_bytes(size)


def _named(rows: Sequence[Row], words: Words) -> Iterator[tuple[Row, str, str]]:
    """Yield each row with its load, of lines, and its metric: with no more than tells them from one another."""
    of_load: dict[object, list[Row]] = {}
    for row in rows:
        of_load.setdefault(_same_load(row), []).append(row)
    differing = {same: _differing(twins) for same, twins in of_load.items()}
    many = len({row.op for row in rows}) > 1
    for row in rows:
        yield row, _load(row, differing[_same_load(row)], words), _metric(row, many, words)


def _same_load(row: Row) -> object:
    return row.load, row.rate, row.metric, row.op


def _differing(twins: Sequence[Row]) -> set[str]:
    """The parameters in which rows of one load are not alike."""
    keys = {key for twin in twins for key in twin.params}
    return {key for key in keys if len({twin.params.get(key) for twin in twins}) > 1}


def _load(row: Row, differing: set[str], words: Words) -> str:
    """Return the load, with the offered rate, and with what tells the row from others of that load."""
    text = str(row.load) if row.rate is None else words("term.rate", load=row.load, rate=format_count(row.rate))
    keys = [key for key in row.params if key in differing]
    # Cleaned part by part: the ends of lines between them are our own.
    return "\n".join([text, *(clean(f"{key} {row.params[key]}") for key in keys)])


def _metric(row: Row, with_op: bool, words: Words) -> str:
    name = row.metric.replace("_", " ").replace("iops", "IOPS")
    if words.lang != "en":
        name = words.or_name(f"metric.{row.metric}", name)
    op = row.op if words.lang == "en" else words.or_name(f"op.{row.op}", row.op)
    return clean(f"{name} ({op})" if with_op else name)


def _figure_lines(comparison: Comparison, row: Row, name: str, estimate: Estimate, words: Words) -> Cell:
    """Return a drive's lines in a row: the figure, then its ratio with what it shows."""
    ratio = comparison.shown_ratio(row, name)
    lines = [Piece(estimate.verdict.mark + _figure(estimate, row.unit), _STYLES[estimate.verdict])]
    if ratio is None:
        return lines
    base = row.targets[comparison.baseline or name]
    unsound = worst((estimate.verdict, base.verdict))
    lines.append(Piece(unsound.mark + _ratio(ratio, words), _ratio_style(row, ratio, unsound)))
    if ratio.difference is Difference.NONE_SHOWN:
        lines.append(Piece(words("chart.none-shown"), "dim"))
    return lines


def _figure(estimate: Estimate, unit: str) -> str:
    """Return a median with its interval as a share of it: `501 MB/s ±0.6 %`."""
    text = format_value(estimate.median, unit)
    if estimate.ci95 is None or estimate.median == 0:
        return text
    share = max(estimate.ci95[1] - estimate.median, estimate.median - estimate.ci95[0]) / abs(estimate.median) * 100
    if share >= 999.5:
        return f"{text} ±>999 %"
    return f"{text} ±{share:.0f} %" if share >= 9.95 else f"{text} ±{share:.1f} %" if share else f"{text} ±0 %"


def _ratio(ratio: Ratio, words: Words) -> str:
    text = words("ratio.times", r=_digits(ratio.ratio))
    return text if ratio.ci95 is None else f"{text} [{_digits(ratio.ci95[0])}, {_digits(ratio.ci95[1])}]"


def _digits(value: float) -> str:
    """Return a ratio with three digits, enough for the tool's resolution: `3.34`, `0.972`, `35.8`, `0.028`."""
    if value >= 99.95:
        return f"{value:,.0f}" if value < 1e5 else f"{value:.0e}"
    if value >= 0.9995:
        return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.01 else f"{value:.2g}"


def _ratio_style(row: Row, ratio: Ratio, verdict: Verdict) -> str:
    if verdict is not Verdict.VALID or ratio.difference is Difference.NONE_SHOWN:
        return _STYLES[verdict] or "dim"
    return "green" if ratio.difference.value == row.better.value else "magenta"
