"""`iobench import`: outputs that others made, as a campaign without evidence."""

from __future__ import annotations

import json
from pathlib import Path

import click

from iobench import SCHEMA_VERSION
from iobench.cli.options import json_option, results_option


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="[NAME=]FILE…")
@click.option(
    "--dd-as",
    type=click.Choice(["dd-write", "dd-read"]),
    default="dd-write",
    show_default=True,
    help="What dd did: its output does not say.",
)
@results_option
@json_option
def import_files(files: tuple[str, ...], dd_as: str, results: Path, as_json: bool) -> None:
    """Make a campaign of fio's JSON or dd's output in FILE; NAME is the drive's name in charts.

    Such numbers are marked `no-device`: nothing proves what reached a drive. Files of the same NAME that
    measured the same are repeats of each other.
    """
    from iobench.campaign.importing import keep, parse_source, read
    from iobench.campaign.source import total_memory
    from iobench.drives.passport import check_name
    from iobench.results import Store

    sources = [parse_source(text) for text in files]
    for source in sources:
        check_name(source.target)
    found = [each for source in sources for each in read(source, dd_as)]
    folder = keep(found, Store(results), total_memory())
    if as_json:
        told = {"campaign": folder.id, "measurements": len(found), "path": str(folder.path)}
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **told}, ensure_ascii=False))
        return
    click.echo(f"campaign {folder.id}: {len(found)} measurement(s) imported, without evidence, in {folder.path}")
