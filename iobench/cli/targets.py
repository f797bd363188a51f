"""`iobench targets`: the drives of this machine, with the ID that --destroy-data takes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping

import click

from iobench import SCHEMA_VERSION
from iobench.cli.tables import Column, clean, hung, print_table
from iobench.drives import health, inventory
from iobench.drives import prometheus as metrics
from iobench.drives.inventory import DriveRecord, MountedFs, Partition
from iobench.errors import UsageError
from iobench.model import Health
from iobench.texts import Phrase
from iobench.units import format_bytes

_NOTHING = "-"
_COLUMNS = (
    Column("DRIVE"),
    Column("KIND", drop=1),
    Column("MODEL", drop=3, shrinks=True),
    Column("BUS", drop=6),
    Column("SIZE", right=True),
    Column("MOUNTED AT", shrinks=True),
    Column("FILE SYSTEM", drop=4),
    Column("USED", drop=7, right=True),
    Column("FREE", drop=2, right=True),
    Column("HEALTH", drop=5),
    Column("ID"),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with everything that is known.")
@click.option("--prometheus", is_flag=True, help="Print metrics for Prometheus' textfile collector.")
def targets(as_json: bool, prometheus: bool) -> None:
    """List the machine's drives: model, kind, bus, size, file system, space, health and ID."""
    if as_json and prometheus:
        raise UsageError("--json and --prometheus are two documents; give one of them")
    drives = inventory.devices()
    healths = health.of_all(drives)
    if as_json:
        click.echo(json.dumps(document(drives, healths), indent=2, ensure_ascii=False))
        return
    if prometheus:
        click.echo(metrics.render(drives, healths), nl=False)
        return
    if not drives:
        click.echo("This machine shows no drive (a container?); a folder can still be measured: -t NAME=FOLDER")
        return
    words = {True: "passed", False: "FAILED", None: _NOTHING}
    rows = [row for drive in drives for row in _rows(drive, words[healths[drive.name].passed])]
    print_table(_COLUMNS, rows)
    for note in _notes(drives, healths):
        click.echo(hung("", clean(note)))
    click.echo()
    click.echo(hung("", "Everything that is known, and why something is not:  iobench targets --json"))
    click.echo(hung("", "Measure one:  iobench run seq -t NAME=FOLDER  (a folder on the drive)"))


def document(drives: list[DriveRecord], healths: Mapping[str, Health]) -> dict[str, object]:
    """Return what --json prints. Sizes in bytes; null is not known, and `unknown` says why."""
    return {
        "schema_version": SCHEMA_VERSION,
        "targets": [drive_document(drive, healths[drive.name]) for drive in drives],
    }


def drive_document(drive: DriveRecord, said: Health) -> dict[str, object]:
    """Return everything that is known of a drive; `healthy` stands beside `health` for short questions."""
    fields = dataclasses.asdict(dataclasses.replace(drive, notes=(), unknown={}))
    del fields["notes"], fields["unknown"]
    notes = [str(note) for note in (*drive.notes, *said.notes)]
    own = {key: value for key, value in dataclasses.asdict(said).items() if key != "notes"}
    unknown = {name: str(why) for name, why in drive.unknown.items()}
    unknown |= {f"health.{key}": str(health.why_not(said)) for key, value in own.items() if value is None}
    fields["partitions"] = [
        {**dataclasses.asdict(part), "id": part.id, "mounts": _mounts(part.mounts)} for part in drive.partitions
    ]
    fields["mounts"] = _mounts(drive.mounts)
    return {"id": drive.id, **fields, "healthy": said.passed, "health": own, "notes": notes, "unknown": unknown}


def _notes(drives: Iterable[DriveRecord], healths: Mapping[str, Health]) -> Iterator[str]:
    """What has to be known beside the table, each once, with the drives that it is of."""
    found: dict[str, list[str]] = {}
    for drive in drives:
        if healths[drive.name].passed is False:  # its column is left out where the window is narrow
            found.setdefault("its own health check FAILED", []).append(drive.name)
        for note in (*drive.notes, *healths[drive.name].notes):
            # Which file a loop device is on is told with everything else.
            if not (isinstance(note, Phrase) and note.key == "drive.note.backing"):
                found.setdefault(str(note), []).append(drive.name)
    if found:
        yield ""
    for note, names in found.items():
        yield f"{', '.join(names)}: {note}"


def _mounts(mounts: Iterable[MountedFs]) -> list[dict[str, object]]:
    return [{**dataclasses.asdict(mount), "reserved": mount.reserved} for mount in mounts]


def _rows(drive: DriveRecord, health: str) -> Iterator[tuple[str, ...]]:
    model = " ".join(word for word in (drive.vendor, drive.model) if word) or _NOTHING
    head = (drive.name, drive.kind, model, drive.bus or _NOTHING, format_bytes(drive.size))
    yield from _with_mounts(head, drive, health, drive.id)
    for part in drive.partitions:
        # A partition is not the drive: it has an ID of its own.
        yield from _with_mounts((f" {part.name}", "", "", "", format_bytes(part.size)), part, "", part.id)


def _with_mounts(
    head: tuple[str, ...], holder: DriveRecord | Partition, health: str, id: str
) -> Iterator[tuple[str, ...]]:
    first, *others = holder.mounts or (MountedFs(_NOTHING, holder.filesystem, None, None, None, None),)
    yield (*head, *_space(first), health, id)
    for mount in others:
        yield ("",) * len(head) + (*_space(mount), "", "")


def _space(mount: MountedFs) -> tuple[str, str, str, str]:
    used = format_bytes(mount.used) if mount.used is not None else _NOTHING
    free = format_bytes(mount.free) if mount.free is not None else _NOTHING
    return mount.mount_point, mount.filesystem or _NOTHING, used, free
