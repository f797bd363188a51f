"""`iobench compare`: the comparison as a table in the terminal, or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iobench import SCHEMA_VERSION
from iobench.analysis.types import ClaimResult, Comparison, Difference, DriveSummary, Estimate, Ratio, Row
from iobench.cli.options import campaigns_options, json_option, open_campaigns, results_option
from iobench.cli.tables import clean
from iobench.errors import EXIT_OK, EXIT_VERDICT, UsageError
from iobench.model import Verdict, main_metrics, worst
from iobench.texts import Words
from iobench.units import format_bytes, format_count, format_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

DEFAULT_CLAIMS = "talk-2011"
# Narrower than this, figures are broken over lines rather than cut.
_NARROW = 56
_STYLES = {Verdict.VALID: "", Verdict.SUSPECT: "yellow", Verdict.INVALID: "red"}


@click.command()
@campaigns_options
@click.option("--baseline", metavar="NAME", help="The drive that ratios are taken to.  [default: sas, else the last]")
@click.option("--resolution", metavar="PERCENT", default="2%", show_default=True, help="A smaller difference is none.")
@click.option("--metric", "metrics", metavar="NAME", multiple=True, help="Only this metric; may be repeated.")
@click.option("--all-metrics", is_flag=True, help="Every metric, and not only a workload's main ones.")
@click.option("--claims", metavar="NAME|FILE", help=f"Claims to hold the figures against.  [default: {DEFAULT_CLAIMS}]")
@results_option
@json_option
def compare(
    campaigns: tuple[str, ...],
    pool: bool,
    anyway: bool,
    baseline: str | None,
    resolution: str,
    metrics: tuple[str, ...],
    all_metrics: bool,
    claims: str | None,
    results: Path,
    as_json: bool,
) -> int:
    """Compare the drives of campaigns (the latest by default): median, 95 % interval, ratio to a baseline.

    NAME=CAMPAIGN gives a campaign a name, as `before`, that stands behind its drives' names.
    """
    from iobench.analysis import claims as said
    from iobench.analysis import compare as analysis
    from iobench.results import Store

    share, rules, store = parse_share(resolution), said.load(claims or DEFAULT_CLAIMS), Store(results)
    folders, called = open_campaigns(store, campaigns)
    comparison = analysis.compare(
        folders, baseline, share, metrics or None, rules, pool=pool, anyway=anyway, called=called
    )
    if as_json:
        click.echo(json.dumps(to_json(comparison), ensure_ascii=False, indent=1, allow_nan=False))
        return exit_code(comparison)
    if claims is None and all(claim.result is ClaimResult.NOT_MEASURED for claim in comparison.claims):
        comparison = replace(comparison, claims=())  # drives that nobody made a claim of
    show(comparison, all_metrics=all_metrics or bool(metrics))
    return exit_code(comparison)


def exit_code(comparison: Comparison) -> int:
    """Return 1 where a figure is invalid, else 0."""
    verdicts = {estimate.verdict for row in comparison.rows for estimate in row.targets.values()}
    return EXIT_VERDICT if Verdict.INVALID in verdicts else EXIT_OK


def parse_share(text: str) -> float:
    """Return a share from `2%` or `0.02`. Raises UsageError unless it is from 0 up to 1."""
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / (100 if "%" in text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise UsageError(f"--resolution {text!r} is not a share below 100 %; write it as 2% or 0.02")
    return share


# --- JSON ----------------------------------------------------------------------------------------------


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as the document that scripts read; `rate` is there in open-loop rows only."""
    words = Words("en")
    return {
        "schema_version": SCHEMA_VERSION,
        "baseline": comparison.baseline,
        "resolution": comparison.resolution,
        "campaigns": list(comparison.campaigns),
        "despite": [words.say(phrase) for phrase in comparison.despite],
        "drives": {drive.name: {"kind": drive.kind, "emulated": drive.emulated} for drive in comparison.drives},
        "rows": [_row_json(row) for row in comparison.rows],
        "claims": [{"id": claim.id, "result": claim.result.value} for claim in comparison.claims],
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "workload": row.workload,
        "op": row.op,
        "metric": row.metric,
        "unit": row.unit,
        "better": row.better.value,
        "load": row.load,
        **({"rate": row.rate} if row.rate is not None else {}),
        "params": dict(row.params),
        "targets": {
            name: {
                "n": e.n,
                "median": e.median,
                "ci95": list(e.ci95) if e.ci95 else None,
                "verdict": e.verdict.value,
                "reasons": list(e.reasons),
            }
            for name, e in row.targets.items()
        },
        "ratios": {
            name: {
                "ratio": r.ratio,
                "ci95": list(r.ci95) if r.ci95 else None,
                "difference": r.difference.value,
            }
            for name, r in row.ratios.items()
        },
    }


# --- the table -----------------------------------------------------------------------------------------


def show(comparison: Comparison, console: Console | None = None, all_metrics: bool = False) -> None:
    """Print a comparison: a section a workload, then what the marks mean, claims and notes.

    Drives stand beside each other where the window is wide enough, else below each other.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    if console.is_terminal:
        _print(comparison, console, all_metrics)
        return
    with console.capture() as captured:
        _print(comparison, console, all_metrics)
    # Cells are padded to their column: in a pipe or a file the blanks at the ends of lines are noise.
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print(comparison: Comparison, console: Console, all_metrics: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    rows = list(comparison.rows) if all_metrics else _without_parts(_main(comparison.rows))
    sections = [[row for row in rows if row.workload == name] for name in dict.fromkeys(r.workload for r in rows)]
    tables = [_wide(comparison, section) for section in sections]
    unlimited = console.options.update(max_width=10_000)
    if any(console.measure(table, options=unlimited).maximum > console.width for table in tables):
        tables = [_long(comparison, section, console.width >= _NARROW) for section in sections]
    for section, table in zip(sections, tables, strict=True):
        console.print(Text(_title(section), style="bold"))
        console.print(table)
        console.print()
    for indent, line in (
        *_legend(comparison, rows),
        *_claims(comparison),
        *_notes(comparison),
    ):
        console.print(Padding(Text(clean(line)), (0, 0, 0, indent)))


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


def _wide(comparison: Comparison, rows: Sequence[Row]) -> Table:
    """Return a table with a column a drive: the figure, and its ratio below."""
    from rich.text import Text

    table = _table()
    drives = _measured(comparison, rows)
    titles = ["load", "metric", *(_drive_title(comparison, drive, "\n") for drive in drives)]
    height = max(title.count("\n") for title in titles)
    for title in titles:
        table.add_column(Text(title + "\n" * (height - title.count("\n"))))
    for row in rows:
        cells = [Text("\n").join(_figure_lines(comparison, row, drive.name)) for drive in drives]
        table.add_row(Text(_load(row, rows)), Text(_metric(row, rows)), *cells)
    return table


def _long(comparison: Comparison, rows: Sequence[Row], whole: bool) -> Table:
    """Return a table with a line a drive, for narrow windows; `whole` keeps figures on one line."""
    from rich.text import Text

    table = _table()
    table.add_column("load, metric", overflow="fold", min_width=10)
    table.add_column("median", overflow="fold", no_wrap=whole)
    table.add_column("ratio", overflow="fold", no_wrap=whole)
    for row in rows:
        load = _load(row, rows).replace("\n", ", ")
        table.add_row(Text(f"load {load}, {_metric(row, rows)}"), Text(), Text())
        for drive in (drive for drive in comparison.drives if drive.name in row.targets):
            figure, *ratio = _figure_lines(comparison, row, drive.name)
            table.add_row(Text(f"  {_drive_title(comparison, drive, ', ')}"), figure, Text("\n").join(ratio))
    return table


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")


def _measured(comparison: Comparison, rows: Sequence[Row]) -> list[DriveSummary]:
    return [drive for drive in comparison.drives if any(drive.name in row.targets for row in rows)]


def _drive_title(comparison: Comparison, drive: DriveSummary, between: str) -> str:
    words = ["emulated"] if drive.emulated else []
    words += ["baseline"] if drive.name == comparison.baseline else []
    return between.join([clean(drive.name), *words])


def _title(rows: Sequence[Row]) -> str:
    """Return a section's title: the workload, and what was asked alike in all its rows."""
    first = rows[0].params
    same = {key: value for key, value in first.items() if all(row.params.get(key) == value for row in rows)}
    said = []
    if isinstance(size := same.get("block_size"), int):
        said.append(f"{_binary(size)} blocks")
    if "read_share" in same:
        said.append(f"{same['read_share']} % reads")
    if isinstance(size := same.get("tables_size"), int):
        said.append(f"{same.get('profile')}, tables of {format_bytes(size)}")
    if isinstance(size := same.get("size"), int):
        said.append(f"a file of {format_bytes(size)}")
    said += [f"{key} {same[key]}" for key in ("source", "flush") if key in same]
    if same.get("direct") is False and "flush" not in same:
        said.append("through the page cache")
    return clean(": ".join(part for part in (rows[0].workload, ", ".join(said)) if part))


def _binary(size: int) -> str:
    for power, unit in ((20, "MiB"), (10, "KiB")):
        if size >= 1 << power and size % (1 << power) == 0:
            return f"{size >> power} {unit}"
    return format_bytes(size)


def _load(row: Row, rows: Sequence[Row]) -> str:
    """Return the load, with the offered rate, and with what tells the row from others of that load."""
    text = str(row.load) if row.rate is None else f"{row.load} at {format_count(row.rate)}/s"
    twins = [r for r in rows if (r.load, r.rate, r.metric, r.op) == (row.load, row.rate, row.metric, row.op)]
    keys = [k for k in row.params if any(twin.params.get(k) != row.params[k] for twin in twins)]
    return clean("\n".join([text, *(f"{key} {row.params[key]}" for key in keys)])) if keys else text


def _metric(row: Row, rows: Sequence[Row]) -> str:
    name = row.metric.replace("_", " ").replace("iops", "IOPS")
    return clean(name if len({r.op for r in rows}) == 1 else f"{name} ({row.op})")


def _figure_lines(comparison: Comparison, row: Row, name: str) -> list[Text]:
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
    lines.append(Text(unsound.mark + _ratio(ratio), style=_ratio_style(row, ratio, unsound)))
    if ratio.difference is Difference.NONE_SHOWN:
        lines.append(Text("no difference shown", style="dim"))
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


def _ratio(ratio: Ratio) -> str:
    text = f"{_digits(ratio.ratio)}×"
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


def _legend(comparison: Comparison, rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Yield what the figures are and what the marks mean, each with its indent."""
    counts = {estimate.n for row in rows for estimate in row.targets.values()}
    if not counts:
        yield 0, "No figure of such a metric was measured."
        return
    if max(counts) == 1:
        yield 0, "One repeat each: no interval, and no difference can be shown. --repeats 5 gives both."
    else:
        repeats = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
        yield 0, f"Median of {repeats} repeats, ± to the farther end of its 95 % interval."
    if comparison.baseline is not None:
        yield (
            0,
            f"×: ratio to {comparison.baseline} [95 % interval]. A difference is shown where the interval excludes 1 "
            f"and the ratio is beyond {comparison.resolution * 100:g} %.",
        )
    for verdict, meaning in (
        (Verdict.SUSPECT, "shown, and enters no claim"),
        (Verdict.INVALID, "not a figure of the drive; it has no ratio"),
    ):
        reasons = _reasons(rows, verdict)
        if reasons is not None:
            yield 0, f"{verdict.mark} {verdict}: {meaning}. {reasons}"
    held = [f"{d.name} at {r.load}" for r in rows for d in comparison.drives if _held_back(comparison, r, d.name)]
    if held:
        yield 0, f"The latency of {', '.join(held)} is made by the limit that the emulated drive is set to."
    if any(estimate.reasons for row in rows for estimate in row.targets.values()):
        yield 0, "`iobench explain REASON` says what a reason means and what to do."


def _held_back(comparison: Comparison, row: Row, drive: str) -> bool:
    from iobench.analysis.throttled import throttled

    return row.metric.startswith("latency") and throttled(comparison, row, drive)


def _notes(comparison: Comparison) -> Iterator[tuple[int, str]]:
    """Yield the notes; how an emulated drive is set stands in `iobench show`, and only that it is one here."""
    if comparison.despite:
        words = Words("en")
        yield 0, words("page.despite")
        yield from ((2, words.say(phrase)) for phrase in comparison.despite)
    emulated = {d.name: d.emulation for d in comparison.drives if d.emulation is not None}
    known = {f"{name}: {note}" for name, emulation in emulated.items() for note in emulation.notes}
    if emulated:
        where = " ".join(comparison.campaigns[:1])
        yield 0, f"Emulated: {', '.join(emulated)}. `iobench show {where}` says how each is set, and why."
    for note in comparison.notes:
        if note not in known:
            yield 0, f"note: {note}"


def _reasons(rows: Sequence[Row], verdict: Verdict) -> str | None:
    """Return the reasons of a verdict with the number of figures that have each; None where none has it."""
    marked = [estimate for row in rows for estimate in row.targets.values() if estimate.verdict is verdict]
    counted = Counter(reason for estimate in marked for reason in estimate.reasons)
    return ", ".join(f"{reason} ({n})" for reason, n in counted.most_common()) if marked else None


def _claims(comparison: Comparison) -> Iterator[tuple[int, str]]:
    """Yield each claim with its figures, and a line for all that were not measured, each with its indent."""
    if not comparison.claims:
        return
    yield 0, ""
    yield 0, "Claims:"
    for claim in comparison.claims:
        if claim.result is not ClaimResult.NOT_MEASURED:
            yield 2, f"{claim.result}: {claim.statement} ({claim.id})"
            yield 6, claim.sentence
    missing = [claim.id for claim in comparison.claims if claim.result is ClaimResult.NOT_MEASURED]
    if missing:
        yield 2, f"not measured: {', '.join(missing)}"
