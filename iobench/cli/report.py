"""`iobench report`: draw campaigns as a page, pictures and tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from iobench import SCHEMA_VERSION
from iobench.cli.document import echo_document
from iobench.cli.options import GivenPath, campaigns_options, json_option, lang_option, open_campaigns, results_option
from iobench.cli.tables import clean
from iobench.errors import UsageError, near_miss
from iobench.report import FORMATS, Options, Several, build


@click.command()
@campaigns_options
@click.option(
    "-o",
    "--output",
    type=GivenPath(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to write it.  [default: RESULTS/CAMPAIGN/report]",
)
@click.option(
    "--format",
    "formats",
    metavar="NAME,NAME…",
    default="html,png",
    show_default=True,
    help=f"What to write: {', '.join(FORMATS)}.",
)
@lang_option
@click.option("--baseline", metavar="NAME", help="The drive that ratios are taken to.  [default: sas, else the last]")
@click.option("--resolution", metavar="PERCENT", default="2%", show_default=True, help="A smaller difference is none.")
@click.option(
    "--drive",
    "drives",
    metavar="NAME=PROFILE",
    multiple=True,
    help="Show a drive as a profile has it: label, colour, order, price.",
)
@click.option("--published", metavar="NAME", help="Figures that others published beside ours: 2011, or a CSV file.")
@click.option("--redact", is_flag=True, help="Without host names, serials, WWNs, addresses and user paths.")
@results_option
@json_option
def report(
    campaigns: tuple[str, ...],
    pool: bool,
    anyway: bool,
    output: Path | None,
    formats: str,
    lang: str,
    baseline: str | None,
    resolution: str,
    drives: tuple[str, ...],
    published: str | None,
    redact: bool,
    results: Path,
    as_json: bool,
) -> None:
    """Draw the report of campaigns (the latest by default); the page's path is the last line.

    NAME=CAMPAIGN gives a campaign a name, as `before`, that stands behind its drives' names.
    """
    from iobench.cli.compare import parse_share
    from iobench.results import Store

    store, wanted, share = Store(results), _formats(formats), parse_share(resolution)
    folders, called = open_campaigns(store, campaigns)
    out = output if output is not None else folders[-1].path / "report"
    several = Several(pool=pool, anyway=anyway, called=tuple(called))
    asked = Options(wanted, lang, baseline, share, several, redact, published, _drives(drives))
    with _progress() as progress:
        written = build(folders, out, asked, say=_say, progress=progress)
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "campaigns": [folder.id for folder in folders],
            "files": [str(path) for path in written],
        }
        echo_document(document)
        return
    for path in written:
        click.echo(clean(str(path)))


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Give what draws a bar over the charts on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("charts and files"))
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=True)


def _formats(text: str) -> list[str]:
    """Read `html,png`. Raises UsageError for an unknown name, with the nearest."""
    names = [name for name in text.replace(",", " ").split() if name]
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"unknown format {name!r}; {near_miss(name, FORMATS)}")
    if not names:
        raise UsageError(f"--format names nothing; known: {', '.join(FORMATS)}")
    return list(dict.fromkeys(names))


def _drives(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Read `sas=./sas.toml`. Raises UsageError for a text that is not so."""
    pairs = [text.partition("=") for text in texts]
    if wrong := next((text for text, pair in zip(texts, pairs, strict=True) if not pair[0] or not pair[2]), None):
        raise UsageError(f"--drive {wrong!r}: write it as NAME=PROFILE, as sas=./sas.toml")
    return [(name, profile) for name, _, profile in pairs]


def _say(sentence: str) -> None:
    click.echo(f"iobench: {clean(sentence)}", err=True)
