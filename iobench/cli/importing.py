"""`iobench import`: archives of campaigns, and outputs that others made, as a campaign without evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iobench import SCHEMA_VERSION
from iobench.cli.options import json_option, results_option
from iobench.errors import CannotRunError

if TYPE_CHECKING:
    from iobench.results import CampaignFolder, Store


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
    """Take in an archive of `iobench export`, or make a campaign of fio JSON, dd, dbench or sysbench outputs in FILE.

    NAME is the drive's name in charts. Numbers of other programs are marked `no-device`: nothing proves what
    reached a drive. Files of the same NAME that measured the same are repeats of each other.
    """
    from iobench.campaign import archive
    from iobench.results import Store

    store = Store(results)
    archives = [Path(text) for text in files if archive.is_archive(Path(text))]
    taken = [archive.take_in(path, store) for path in archives]
    others = [text for text in files if Path(text) not in archives]
    measured = _measured(others, dd_as, store) if others else None
    if as_json:
        told: dict[str, object] = {"campaigns": [folder.id for folder in taken]} if taken else {}
        if measured is not None:
            folder, count = measured
            told = {"campaign": folder.id, "measurements": count, "path": str(folder.path), **told}
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **told}, ensure_ascii=False))
        return
    for folder in taken:
        click.echo(f"campaign {folder.id}: {len(folder.finished())} finished step(s) taken in, in {folder.path}")
    if measured is not None:
        folder, count = measured
        click.echo(f"campaign {folder.id}: {count} measurement(s) imported, without evidence, in {folder.path}")


def _measured(files: Sequence[str], dd_as: str, store: Store) -> tuple[CampaignFolder, int]:
    from iobench.campaign.importing import keep, parse_source, read
    from iobench.drives.passport import check_name

    sources = [parse_source(text) for text in files]
    for source in sources:
        check_name(source.target)
    found = [each for source in sources for each in read(source, dd_as)]
    return keep(found, store, _memory()), len(found)


def _memory() -> int:
    """The machine's memory in bytes; 0 where it cannot be told, and where nothing was measured it says nothing."""
    from iobench.campaign.source import total_memory

    try:
        return total_memory()
    except (OSError, CannotRunError):  # no Linux
        return 0
