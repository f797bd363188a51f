"""The machine's drives: what lsblk, findmnt and /sys say of each, with what could not be found out and why."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from iobench import proc
from iobench.drives import emulated, layers, sysfs
from iobench.drives.emulated import emulation_of
from iobench.drives.kinds import kind_of, vendor_name
from iobench.drives.link import Link, link_of
from iobench.errors import IobenchError, ParseError
from iobench.model import Device
from iobench.texts import Phrase, Told
from iobench.tools import findmnt, lsblk
from iobench.tools.findmnt import FindmntRow, parse_findmnt
from iobench.tools.lsblk import LsblkRow, parse_lsblk

SYS = layers.SYS
_NOT_A_DRIVE = re.compile(r"(ram|zram|sr|fd|mtdblock)[0-9]+")
# What is asked of every drive, by who tells it: missing, it has a reason in `DriveRecord.unknown`.
_OF_LSBLK = ("vendor", "model", "serial", "wwn", "firmware", "bus")
_OF_KERNEL = ("logical_sector", "physical_sector", "scheduler", "rotational", "write_cache", "discard")

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class MountedFs:
    """A mounted file system. Sizes in bytes; `free` is what an ordinary user may still write."""

    mount_point: str
    filesystem: str | None
    options: str | None
    total: int | None
    used: int | None
    free: int | None

    @property
    def reserved(self) -> int | None:
        """What is kept for root: neither used nor free for an ordinary user."""
        if self.total is None or self.used is None or self.free is None:
            return None
        return max(0, self.total - self.used - self.free)


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a drive. Sizes in bytes. Its id is never the drive's: that would name all of it."""

    name: str
    number: str
    size: int
    filesystem: str | None
    mounts: tuple[MountedFs, ...]

    @property
    def id(self) -> str:
        """What --destroy-data takes for it."""
        return identity(self.name, self.size, None, None)


@dataclass(frozen=True, slots=True)
class DriveRecord:
    """A drive of this machine. Sizes in bytes. None is not known; `unknown` says why, by the field's name.

    `notes` are what else has to be known of it, programs that failed among it. `cached`: it is, or stands on, a loop
    device that goes through this machine's page cache.
    """

    name: str
    number: str
    kind: str
    size: int
    vendor: str | None
    model: str | None
    serial: str | None
    wwn: str | None
    firmware: str | None
    bus: str | None
    logical_sector: int | None
    physical_sector: int | None
    scheduler: str | None
    rotational: bool | None
    write_cache: str | None
    discard: bool | None
    numa_node: int | None
    filesystem: str | None
    mounts: tuple[MountedFs, ...]
    partitions: tuple[Partition, ...]
    below: tuple[str, ...]
    notes: tuple[Told, ...]
    cached: bool = False
    link: Link | None = None
    unknown: Mapping[str, Told] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What --destroy-data takes for it: serial, else WWN, else NAME:BYTES."""
        return identity(self.name, self.size, self.serial, self.wwn)

    def device(self, partition: Partition | None = None) -> Device:
        """Return it, or one of its partitions, as the device that a passport names."""
        name, number, size = self.name, self.number, self.size
        if partition is not None:
            name, number, size = partition.name, partition.number, partition.size
        major, minor = (int(part) for part in number.split(":"))
        return Device(
            name,
            major,
            minor,
            size,
            kind=self.kind,
            model=self.model,
            serial=self.serial,
            wwn=self.wwn,
            bus=self.bus,
            rotational=self.rotational,
            scheduler=self.scheduler,
            logical_sector=self.logical_sector,
            physical_sector=self.physical_sector,
            write_cache=self.write_cache,
            parent=self.name if partition is not None else None,
            cached=self.cached,
        )


def identity(name: str, size: int | None, serial: str | None, wwn: str | None) -> str:
    """Return the id of a device: serial; else WWN; else NAME:BYTES."""
    return serial or wwn or f"{name}:{size if size is not None else 0}"


# --- what this machine has ---------------------------------------------------------------------------


def devices(sys: Path = SYS) -> list[DriveRecord]:
    """Return the drives that hold something, in the order of their names.

    Empty devices (a loop device without a file), memory disks and optical drives are left out. A program
    that is missing or unreadable costs what only it knows, and a note says so.
    """
    names = sorted((entry.name for entry in sysfs.entries(sys / "block")), key=_in_order)
    return [each for each in _records(names, sys) if each.size > 0 and not _NOT_A_DRIVE.fullmatch(each.name)]


def _in_order(name: str) -> list[tuple[int, str]]:
    """A name's order: loop2 comes before loop10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]+)", name)]


def find(number: str, sys: Path = SYS) -> tuple[DriveRecord, Partition | None] | None:
    """Return the drive with a `major:minor`, or the drive and its partition; None if there is none."""
    folder = sys / "dev/block" / number
    if not folder.exists():
        return None
    folder = folder.resolve()
    drive = folder.parent if (folder / "partition").exists() else folder
    record = _records([drive.name], sys)[0]
    return record, next((part for part in record.partitions if part.number == number), None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the programs said of all drives, once: rows by device number, mounts, and why one said nothing."""

    rows: Mapping[str, LsblkRow]
    mounted: tuple[FindmntRow, ...]
    no_lsblk: Phrase | None
    no_findmnt: Phrase | None
    no_lab: Phrase | None = None  # why it is not known which loop devices are emulated


def _records(names: Iterable[str], sys: Path) -> list[DriveRecord]:
    blocks, no_lsblk = _ask(lsblk.ARGV, parse_lsblk)
    mounted, no_findmnt = _ask(findmnt.ARGV, parse_findmnt)
    asked = _Asked({row.number: row for row in blocks}, tuple(mounted), no_lsblk, no_findmnt, _no_lab())
    return [_record(sys / "block" / name, sys, asked) for name in names]


def _no_lab() -> Phrase | None:
    try:
        emulated.records()
    except ParseError as error:
        return Phrase("drive.note.failed", {"program": "iobench lab", "said": str(error)})
    return None


def _ask(argv: tuple[str, ...], parse: Callable[[str], list[R]]) -> tuple[list[R], Phrase | None]:
    try:
        return parse(proc.capture(argv, check=True).stdout), None
    except IobenchError as error:
        return [], Phrase("drive.note.failed", {"program": argv[0], "said": str(error)})


def _record(folder: Path, sys: Path, asked: _Asked) -> DriveRecord:
    name, number = folder.name, sysfs.text(folder / "dev") or "0:0"
    row = asked.rows.get(number)
    ancestors = sysfs.ancestors_of(folder)
    pci = sysfs.pci_vendor(ancestors)
    rotates = sysfs.number(folder / "queue/rotational")
    discard = sysfs.number(folder / "queue/discard_max_bytes")
    mounts = _mounts_of(number, asked.mounted)
    record = DriveRecord(
        name=name,
        number=number,
        kind="unknown",
        size=sysfs.size(folder),
        vendor=vendor_name((row.vendor if row else None) or sysfs.text(folder / "device/vendor"), pci, name),
        model=(row.model if row else None) or sysfs.text(folder / "device/model"),
        serial=(row.serial if row else None) or sysfs.serial(folder),
        wwn=(row.wwn if row else None) or sysfs.text(folder / "wwid") or sysfs.text(folder / "device/wwid"),
        firmware=(row.revision if row else None) or _firmware(folder),
        bus=(row.transport if row else None) or sysfs.bus(folder, ancestors),
        logical_sector=sysfs.number(folder / "queue/logical_block_size"),
        physical_sector=sysfs.number(folder / "queue/physical_block_size"),
        scheduler=sysfs.scheduler(folder),
        rotational=rotates == 1 if rotates is not None else row.rotational if row else None,
        write_cache=sysfs.text(folder / "queue/write_cache"),
        discard=None if discard is None else discard > 0,
        numa_node=sysfs.numa_node(ancestors),
        filesystem=(row.filesystem if row else None) or next((m.filesystem for m in mounts), None),
        mounts=mounts,
        partitions=_partitions(folder, asked),
        below=tuple(sorted(entry.name for entry in sysfs.entries(folder / "slaves"))),
        notes=(),
        cached=_cached(number, sys),
        link=link_of(ancestors),
    )
    kind = _kind(record, folder, sys, asked, pci, sysfs.adapter_driver(ancestors))
    notes = tuple(_notes(folder, kind, record.cached, asked))
    return dataclasses.replace(record, kind=kind, notes=notes, unknown=dict(_unknown(record, asked)))


def _firmware(folder: Path) -> str | None:
    return sysfs.text(folder / "device/firmware_rev") or sysfs.text(folder / "device/rev")


def _kind(record: DriveRecord, folder: Path, sys: Path, asked: _Asked, pci: str | None, driver: str | None) -> str:
    if asked.no_lab is None and emulation_of(record.number, sys) is not None:
        return "emulated"
    kind = kind_of(record.name, record.vendor, record.model, record.bus, record.rotational, pci, driver)
    if kind != "unknown" or len(record.below) != 1:
        return kind
    # A mapped device (LVM, encryption) is of the kind of the one drive that it stands on.
    under = (folder / "slaves" / record.below[0]).resolve()
    drive = under.parent if (under / "partition").exists() else under
    return _record(drive, sys, asked).kind


def _partitions(folder: Path, asked: _Asked) -> tuple[Partition, ...]:
    found = []
    for entry in sysfs.entries(folder):
        if entry.name.startswith(folder.name) and (entry / "partition").exists():
            number = sysfs.text(entry / "dev") or "0:0"
            row = asked.rows.get(number)
            mounts = _mounts_of(number, asked.mounted)
            filesystem = (row.filesystem if row else None) or next((m.filesystem for m in mounts), None)
            order = sysfs.number(entry / "partition") or 0
            found.append((order, Partition(entry.name, number, sysfs.size(entry), filesystem, mounts)))
    return tuple(part for _, part in sorted(found, key=lambda pair: pair[0]))


def _mounts_of(number: str, mounted: Iterable[FindmntRow]) -> tuple[MountedFs, ...]:
    mine = [row for row in mounted if _number_of(row) == number]
    # A bind mount, `/dev/sda1[/folder]`, shows the same space once more.
    whole = [row for row in mine if not (row.source or "").endswith("]")] or mine
    unique = {row.target: row for row in whole}
    return tuple(
        MountedFs(row.target, row.filesystem, row.options, row.size, row.used, row.available) for row in unique.values()
    )


def _number_of(row: FindmntRow) -> str | None:
    """The device of a mount; btrfs gives its mounts an anonymous number, so there the source is asked."""
    source = (row.source or "").partition("[")[0]
    if row.number is None or not row.number.startswith("0:") or not source.startswith("/dev/"):
        return row.number
    try:
        rdev = Path(source).stat().st_rdev
    except OSError:
        return row.number
    return f"{os.major(rdev)}:{os.minor(rdev)}"


def _cached(number: str, sys: Path) -> bool:
    """Whether a loop device without direct I/O stands in the way: it answers from this machine's memory."""
    return any(sysfs.text(sys / "dev/block" / each / "loop/dio") == "0" for each in layers.beneath(number, sys))


def _notes(folder: Path, kind: str, cached: bool, asked: _Asked) -> Iterator[Told]:
    backing = sysfs.text(folder / "loop/backing_file")
    if backing is not None:
        yield Phrase("drive.note.backing", {"file": backing})
    if cached:
        yield Phrase("drive.note.cached")
    if kind == "unknown":
        yield Phrase("drive.note.kind")
    if sysfs.text(folder / "ro") == "1":
        yield Phrase("drive.note.read-only")
    no_lab = asked.no_lab if kind == "loop" else None
    yield from (note for note in (asked.no_lsblk, asked.no_findmnt, no_lab) if note is not None)


def _unknown(record: DriveRecord, asked: _Asked) -> Iterator[tuple[str, Told]]:
    """Why each field that is None is not known."""
    reasons: dict[str, Told] = {
        **dict.fromkeys(_OF_LSBLK, asked.no_lsblk or Phrase("drive.note.untold")),
        **dict.fromkeys(_OF_KERNEL, Phrase("drive.note.unshown")),
        "numa_node": Phrase("drive.note.no-numa-node"),
        "link": Phrase("drive.note.no-link"),
    }
    return ((name, why) for name, why in reasons.items() if getattr(record, name) is None)
