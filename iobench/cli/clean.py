"""`iobench clean`: what a killed run left, found by our marker and removed."""

from __future__ import annotations

from pathlib import Path

import click

from iobench import proc
from iobench.cli.options import results_option
from iobench.cli.tables import clean as printable
from iobench.drives.mounts import mounts
from iobench.drives.workdir import find_leftovers, remove_leftover
from iobench.errors import ResultsError
from iobench.results import CampaignFolder, Store


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="[FOLDER]…")
@results_option
def clean(folders: tuple[Path, ...], results: Path) -> None:
    """Remove what a killed run left: its programs, its files on the targets, half-made emulated drives.

    Only what carries iobench's marker is touched. It looks in the current folder, on all mounted drives,
    in the targets of all stored campaigns, and in each FOLDER.
    """
    from iobench.lab import clean as clean_lab

    did = [f"ended {ended} program(s)"] if (ended := proc.end_orphans()) else []
    for base in sorted(_places(folders, results)):
        for leftover in find_leftovers(base):
            left = remove_leftover(leftover)
            did.append(f"removed {leftover.path}" + (f", except {', '.join(left)}, which is not ours" if left else ""))
    did += clean_lab()
    for line in did or ["nothing of a killed run was found"]:
        click.echo(printable(line))


def _places(folders: tuple[Path, ...], results: Path) -> set[str]:
    places = {str(Path.cwd()), *(str(folder.absolute()) for folder in folders)}
    places |= {mount.mount_point for mount in mounts() if mount.source.startswith("/dev/")}
    store = Store(results)
    for name in store.ids():
        try:
            campaign = CampaignFolder(store.root / name).campaign()
        except ResultsError:
            continue
        places |= {p.target.path for p in campaign.passports.values() if p.target.kind == "file"}
    return places
