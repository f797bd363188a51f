"""`iobench export`: a campaign as one file to hand on."""

from __future__ import annotations

from pathlib import Path

import click

from iobench import SCHEMA_VERSION
from iobench.cli.document import echo_document
from iobench.cli.listing import complete_campaign
from iobench.cli.options import GivenPath, json_option, results_option
from iobench.cli.tables import clean


@click.command()
@click.argument("campaign", default="latest", shell_complete=complete_campaign)
@click.option(
    "-o",
    "--output",
    type=GivenPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it.  [default: CAMPAIGN.tar.gz]",
)
@click.option("--redact", is_flag=True, help="Without host names, serials, WWNs, addresses and user paths.")
@results_option
@json_option
def export(campaign: str, output: Path | None, redact: bool, results: Path, as_json: bool) -> None:
    """Write CAMPAIGN (by default the newest) with its raw outputs into one archive; `iobench import` takes it in."""
    from iobench.campaign import archive
    from iobench.results import Store

    folder = Store(results).open(campaign)
    written = archive.export(folder, output or Path(f"{folder.id}.tar.gz"), redact)
    if as_json:
        told = {"campaign": folder.id, "path": str(written.path), "files": written.files, "redacted": redact}
        document = {"schema_version": SCHEMA_VERSION, **told, "sha256": written.digest}
        echo_document(document)
        return
    click.echo(f"{clean(str(written.path))}: {written.files} files, sha256 {written.digest}")
