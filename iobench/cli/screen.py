"""A comparison on a terminal: figures with bars and ratios, in a reader's language, as wide as the window."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iobench.analysis.types import ClaimResult, Comparison, Difference, DriveSummary, Estimate, Ratio, Row
from iobench.cli.tables import clean, folded
from iobench.model import Verdict, main_metrics, of_drive, worst
from iobench.report.spec import COLORS
from iobench.texts import Words
from iobench.units import format_bytes, format_count, format_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# Narrower than this, figures are broken over lines rather than cut.
_NARROW = 56
_LONGEST, _SHORTEST = 16, 4  # bars, in cells
_GAP = 2  # between columns
_STYLES = {Verdict.VALID: "", Verdict.SUSPECT: "yellow", Verdict.INVALID: "red"}


def show(comparison: Comparison, console: Console | None = None, all_metrics: bool = False, lang: str = "en") -> None:
    """Print a comparison: a section a workload, then what the marks mean, claims and notes.

    Each figure has a bar, from zero to the greatest of its row. Drives stand beside each other where the window
    is wide enough, else below each other. Raises UsageError for a language that there is not.
    """
    from rich.console import Console

    console, words = console or Console(highlight=False), Words(lang)
    if console.is_terminal:
        _print(comparison, console, all_metrics, words)
        return
    with console.capture() as captured:
        _print(comparison, console, all_metrics, words)
    # Cells are padded to their column: in a pipe or a file the blanks at the ends of lines are noise.
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print(comparison: Comparison, console: Console, all_metrics: bool, words: Words) -> None:
    from rich.padding import Padding
    from rich.text import Text

    rows = list(comparison.rows) if all_metrics else _without_parts(_main(comparison.rows))
    sections = [[row for row in rows if row.workload == name] for name in dict.fromkeys(r.workload for r in rows)]
    tables = [_wide(comparison, section, words) for section in sections]
    unlimited = console.options.update(max_width=10_000)
    fits = all(console.measure(table, options=unlimited).maximum <= console.width for table in tables)
    for section, table in zip(sections, tables, strict=True):
        console.print(Text(_title(section, words), style="bold"))
        for part in [table] if fits else _long(comparison, section, console.width, words):
            console.print(part)
        console.print()
    for indent, line in (
        *_legend(comparison, rows, words),
        *_claims(comparison, words),
        *_notes(comparison, words),
    ):
        for each in folded(clean(line), max(1, console.width - indent)):
            console.print(Padding(Text(each, no_wrap=True), (0, 0, 0, indent)))


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


def _wide(comparison: Comparison, rows: Sequence[Row], words: Words) -> Table:
    """Return a table with a column a drive: the figure, its bar and its ratio below."""
    from rich.text import Text

    table = _table()
    drives = _measured(comparison, rows)
    columns = [words("term.load"), words("term.metric")]
    titles = [*columns, *(_drive_title(comparison, drive, "\n", words) for drive in drives)]
    height = max(title.count("\n") for title in titles)
    for title in titles:
        table.add_column(Text(title + "\n" * (height - title.count("\n"))))
    for row, load, metric in _named(rows, words):
        cells = []
        for drive in drives:
            figure, *ratio = _figure_lines(comparison, row, drive.name, words)
            drawn = [bar] if (bar := _bar(comparison, row, drive.name, _LONGEST)) else []
            cells.append(Text("\n").join([figure, *drawn, *ratio]))
        table.add_row(Text(load), Text(metric), *cells)
    return table


def _long(comparison: Comparison, rows: Sequence[Row], width: int, words: Words) -> Iterator[Text | Table]:
    """Yield what stands below each other in a narrow window: a row's name, then a line a drive."""
    from rich.text import Text

    lines = [[_line(comparison, row, d, words) for d in comparison.drives if d.name in row.targets] for row in rows]
    columns = _columns([line for of_row in lines for line in of_row], width)
    for (row, load, metric), of_row in zip(_named(rows, words), lines, strict=True):
        yield Text(words("term.row", load=load.replace("\n", words("list.comma")), metric=metric))
        table = _table()
        table.show_header = False
        for column in columns:
            table.add_column(overflow="fold", no_wrap=column.whole, width=column.width)
        for line in of_row:
            drawn = [_bar(comparison, row, line.drive, columns[1].width or 0) or Text()] if len(columns) == 4 else []
            name = "\n".join(line.name) if columns[0].broken else words("list.comma").join(line.name)
            figure = line.figure
            if not drawn and (below := _bar(comparison, row, line.drive, _LONGEST // 2)):
                figure = Text("\n").join([figure, below])
            table.add_row(Text(textwrap.indent(name, "  ")), *drawn, figure, line.ratio)
        yield table


@dataclass(frozen=True, slots=True)
class _Line:
    """A drive's line in a narrow window: its name with what is said of it, the figure and the ratio."""

    drive: str
    name: tuple[str, ...]
    figure: Text
    ratio: Text

    def widths(self, broken: bool) -> tuple[int, int, int]:
        """Its cells' widths; `broken` has what is said of a drive under its name."""
        from rich.cells import cell_len

        names = [cell_len(part) for part in self.name]
        ratio = max(map(cell_len, self.ratio.plain.split("\n")))
        return (max(names) if broken else sum(names) + 2 * len(names) - 2) + 2, cell_len(self.figure.plain), ratio


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a narrow window: its cells, or None to leave that to rich; whether its texts stay whole."""

    width: int | None
    whole: bool = True
    broken: bool = False


def _line(comparison: Comparison, row: Row, drive: DriveSummary, words: Words) -> _Line:
    from rich.text import Text

    figure, *ratio = _figure_lines(comparison, row, drive.name, words)
    name = tuple(_drive_title(comparison, drive, "\n", words).split("\n"))
    return _Line(drive.name, name, figure, Text("\n").join(ratio))


def _columns(lines: Sequence[_Line], width: int) -> list[_Column]:
    """Return the columns that fit: name, bar, figure, ratio; in the narrowest the bar stands below the figure."""
    for broken in (False, True):
        name, figure, ratio = (max(each) for each in zip(*(line.widths(broken) for line in lines), strict=True))
        bar = min(_LONGEST, width - name - figure - ratio - 3 * _GAP)
        if bar >= (_LONGEST // 2 if not broken else _SHORTEST):
            return [_Column(name, broken=broken), _Column(bar), _Column(figure), _Column(ratio)]
    whole = width >= _NARROW
    return [_Column(None, whole=False, broken=True), _Column(None, whole), _Column(None, whole)]


def _bar(comparison: Comparison, row: Row, name: str, cells: int) -> Text | None:
    """Return a figure's bar, in eighths of a cell: from zero, the greatest figure of the row being `cells` long.

    What is not valid is drawn as a row of dots, in the drive's colour too.
    """
    from rich.text import Text

    greatest = max((estimate.median for estimate in row.targets.values()), default=0.0)
    estimate = row.targets.get(name)
    if estimate is None or greatest <= 0 or estimate.median < 0:
        return None
    number, drive = next((i, drive) for i, drive in enumerate(comparison.drives) if drive.name == name)
    eighths = max(1, round(estimate.median / greatest * cells * 8))
    if estimate.verdict is Verdict.VALID:
        drawn = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
    else:
        drawn = "░" * max(1, eighths // 8)
    return Text(drawn, style=drive.color or COLORS[number % len(COLORS)])


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")


def _measured(comparison: Comparison, rows: Sequence[Row]) -> list[DriveSummary]:
    return [drive for drive in comparison.drives if any(drive.name in row.targets for row in rows)]


def _drive_title(comparison: Comparison, drive: DriveSummary, between: str, words: Words) -> str:
    tags = [words("chart.emulated")] if drive.emulated else []
    tags += [words("chart.baseline")] if drive.name == comparison.baseline else []
    return between.join([clean(drive.name), *tags])


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


def _figure_lines(comparison: Comparison, row: Row, name: str, words: Words) -> list[Text]:
    """Return a drive's lines in a row: the figure, then its ratio with what it shows."""
    from rich.text import Text

    estimate, ratio = row.targets.get(name), comparison.shown_ratio(row, name)
    if estimate is None:
        return [Text("-", style="dim")]
    lines = [Text(estimate.verdict.mark + _figure(estimate, row.unit), style=_STYLES[estimate.verdict])]
    if ratio is None:
        return lines
    base = row.targets[comparison.baseline or name]
    unsound = worst((estimate.verdict, base.verdict))
    lines.append(Text(unsound.mark + _ratio(ratio, words), style=_ratio_style(row, ratio, unsound)))
    if ratio.difference is Difference.NONE_SHOWN:
        lines.append(Text(words("chart.none-shown"), style="dim"))
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


# --- below the table -----------------------------------------------------------------------------------


def _legend(comparison: Comparison, rows: Sequence[Row], words: Words) -> Iterator[tuple[int, str]]:
    """Yield what the figures are and what the marks mean, each with its indent."""
    counts = {estimate.n for row in rows for estimate in row.targets.values()}
    if not counts:
        yield 0, words("term.nothing")
        return
    if max(counts) == 1:
        yield 0, words("term.single")
    else:
        both = {"least": min(counts), "most": max(counts)}
        yield 0, words("term.medians", repeats=words("term.range", **both) if len(counts) > 1 else min(counts))
    if comparison.baseline is not None:
        resolution = f"{comparison.resolution * 100:g} %"
        yield 0, words("term.ratios", baseline=comparison.baseline, resolution=resolution)
    for verdict in (Verdict.SUSPECT, Verdict.INVALID):
        reasons = _reasons(rows, verdict)
        if reasons is not None:
            yield 0, words(f"term.{verdict.value}", mark=verdict.mark, reasons=reasons)
    held = [
        words("term.at", drive=d.name, load=r.load)
        for r in rows
        for d in comparison.drives
        if _held_back(comparison, r, d.name)
    ]
    if held:
        yield 0, words("term.held", which=words.commas(held))
    if any(estimate.reasons for row in rows for estimate in row.targets.values()):
        yield 0, words("term.explain")


def _held_back(comparison: Comparison, row: Row, drive: str) -> bool:
    from iobench.analysis.throttled import throttled

    return row.metric.startswith("latency") and throttled(comparison, row, drive)


def _notes(comparison: Comparison, words: Words) -> Iterator[tuple[int, str]]:
    """Yield the notes; how an emulated drive is set stands in `iobench show`, and only that it is one here."""
    if comparison.despite:
        yield 0, words("page.despite")
        yield from ((2, words.say(phrase)) for phrase in comparison.despite)
    emulated = {d.name: d.emulation for d in comparison.drives if d.emulation is not None}
    own = [(name, note) for name, emulation in emulated.items() for note in emulation.notes]
    known = {of_drive(name, note) for name, note in own} | {f"{name}: {note}" for name, note in own}
    if emulated:
        where = " ".join(comparison.campaigns[:1])
        yield 0, words("term.emulated", drives=words.commas(list(emulated)), campaign=where)
    for note in comparison.notes:
        if note not in known:
            yield 0, words("term.note", note=words.tell(note))


def _reasons(rows: Sequence[Row], verdict: Verdict) -> str | None:
    """Return the reasons of a verdict with the number of figures that have each; None where none has it."""
    marked = [estimate for row in rows for estimate in row.targets.values() if estimate.verdict is verdict]
    counted = Counter(reason for estimate in marked for reason in estimate.reasons)
    return ", ".join(f"{reason} ({n})" for reason, n in counted.most_common()) if marked else None


def _claims(comparison: Comparison, words: Words) -> Iterator[tuple[int, str]]:
    """Yield each claim with its figures, and a line for all that were not measured, each with its indent."""
    from iobench.report.labels import claimed

    if not comparison.claims:
        return
    yield 0, ""
    yield 0, words("term.claims")
    for claim in comparison.claims:
        if claim.result is not ClaimResult.NOT_MEASURED:
            statement, sentence = claimed(claim, words)
            result = claim.result.value if words.lang == "en" else words(f"claim.{claim.result.value}")
            yield 2, f"{result}{words('list.colon')}{statement} ({claim.id})"
            yield 6, sentence
    missing = [claim.id for claim in comparison.claims if claim.result is ClaimResult.NOT_MEASURED]
    if missing:
        yield 2, words("term.not-measured", ids=words.commas(missing))
