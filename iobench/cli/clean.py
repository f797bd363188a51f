"""`iobench clean`: what a killed run left, found by our marker and removed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from iobench import SCHEMA_VERSION, proc
from iobench.cli.options import GivenPath, json_option, results_option
from iobench.cli.tables import clean as printable
from iobench.drives.asking import answers
from iobench.drives.leftovers import find_leftovers, remove_leftover, temporary_folders
from iobench.drives.mounts import mounts
from iobench.errors import ResultsError, UsageError
from iobench.results import CampaignFolder, Store


@click.command()
@click.argument("folders", nargs=-1, type=GivenPath(path_type=Path), metavar="[FOLDER]…")
@results_option
@json_option
def clean(folders: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Remove what a killed run left: its programs, its files on the targets, half-made emulated drives.

    Only what carries iobench's marker is touched. It looks in the current folder, the folders for temporary files,
    the results (a killed import), on all mounted drives, in the targets of all stored campaigns, and in each FOLDER.
    """
    from iobench.lab import clean as clean_lab

    places = sorted(looked_in(folders, results))
    silent = [base for base in places if not answers(base)]
    for folder in folders:
        # Asked for only now: of one that does not answer nobody would ever hear what it is.
        if str(folder.absolute()) not in silent and not folder.is_dir():
            raise UsageError(f"{folder} is no folder; give the one in which a killed run left its files")
    ended = proc.end_orphans()
    removed = {
        leftover.path: remove_leftover(leftover)
        for base in places
        if base not in silent
        for leftover in find_leftovers(base)
    }
    drives = clean_lab()
    if as_json:
        # "left" is what was in a folder and is not ours: it stays, and so does the folder.
        rows = [{"path": path, "left": list(left)} for path, left in removed.items()]
        told = {"programs_ended": ended, "folders": rows, "drives": drives, "silent": silent}
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **told}, ensure_ascii=False))
        return
    did = [f"ended {ended} program(s)"] if ended else []
    for path, left in removed.items():
        did.append(f"removed {path}" + (f", except {', '.join(left)}, which is not ours" if left else ""))
    did += drives
    did += [f"{base} does not answer and was not looked at: what serves it, or the drive, hangs" for base in silent]
    for line in did or ["nothing of a killed run was found"]:
        click.echo(printable(line))


def looked_in(folders: tuple[Path, ...], results: Path) -> set[str]:
    """Return the folders in which what a killed run left is looked for."""
    places = {str(Path.cwd()), *temporary_folders(), *(str(folder.absolute()) for folder in folders)}
    places |= {mount.mount_point for mount in mounts() if mount.source.startswith("/dev/")}
    store = Store(results)
    places.add(str(store.root))
    for name in store.ids():
        try:
            campaign = CampaignFolder(store.root / name).campaign()
        except ResultsError:
            continue
        places |= {p.target.path for p in campaign.passports.values() if p.target.kind == "file"}
    return places
