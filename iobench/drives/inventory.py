"""The machine's drives: what lsblk, findmnt and /sys say of each, with what could not be found out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from iobench import proc
from iobench.drives import layers
from iobench.drives.emulated import emulation_of
from iobench.drives.link import Link, link_of
from iobench.errors import IobenchError
from iobench.model import Device
from iobench.texts import Phrase, Told
from iobench.tools import findmnt, lsblk
from iobench.tools.findmnt import FindmntRow, parse_findmnt
from iobench.tools.lsblk import LsblkRow, parse_lsblk

SYS = layers.SYS
KINDS = (
    "PCIe flash",
    "NVMe",
    "SATA SSD",
    "SAS SSD",
    "SAS disk",
    "SATA disk",
    "RAID volume",
    "virtual disk",
    "loop",
    "emulated",
    "unknown",
)

_NOT_A_DRIVE = re.compile(r"(ram|zram|sr|fd|mtdblock)[0-9]+")
_FUSION_IO = "0x1aed"
_PCI_VENDORS = {
    _FUSION_IO: "Fusion-io",
    "0x1af4": "virtio",
    "0x1b36": "QEMU",
    "0x1d0f": "Amazon",
    "0x144d": "Samsung",
    "0x8086": "Intel",
    "0x1344": "Micron",
    "0x15b7": "SanDisk",
    "0x1179": "Toshiba",
    "0x1e0f": "KIOXIA",
    "0x1c5c": "SK hynix",
}
_VIRTUAL_VENDORS = ("qemu", "vmware", "msft", "vbox", "google", "virtual", "xen", "amazon", "virtio")
_VIRTUAL_MODELS = ("qemu", "virtual disk", "vbox", "elastic block store", "persistentdisk", "virtio")
_RAID_DRIVERS = ("megaraid", "hpsa", "aacraid", "smartpqi", "3w-", "arcmsr", "ips", "cciss", "mpi3mr_raid")
_RAID_MODELS = re.compile(r"(?i)raid|perc|logical volume|\bmr9\d|servera|virtual disk \d")

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
    """A drive of this machine. Sizes in bytes. None is not known; `notes` say why.

    `cached`: it is, or stands on, a loop device that goes through this machine's page cache.
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
    """Return the drives that hold something, in the kernel's order of names.

    Empty devices (a loop device without a file), memory disks and optical drives are left out. A program
    that is missing or unreadable costs what only it knows, and a note says so.
    """
    names = sorted(entry.name for entry in (sys / "block").iterdir())
    return [each for each in _records(names, sys) if each.size > 0 and not _NOT_A_DRIVE.fullmatch(each.name)]


def find(number: str, sys: Path = SYS) -> tuple[DriveRecord, Partition | None] | None:
    """Return the drive with a `major:minor`, or the drive and its partition; None if there is none."""
    folder = sys / "dev/block" / number
    if not folder.exists():
        return None
    folder = folder.resolve()
    drive = folder.parent if (folder / "partition").exists() else folder
    record = _records([drive.name], sys)[0]
    return record, next((part for part in record.partitions if part.number == number), None)


def _records(names: Iterable[str], sys: Path) -> list[DriveRecord]:
    blocks, lsblk_note = _ask(lsblk.ARGV, parse_lsblk)
    mounted, findmnt_note = _ask(findmnt.ARGV, parse_findmnt)
    notes = tuple(note for note in (lsblk_note, findmnt_note) if note)
    rows = {row.number: row for row in blocks}
    return [_record(sys / "block" / name, sys, rows, mounted, notes) for name in names]


def _ask(argv: tuple[str, ...], parse: Callable[[str], list[R]]) -> tuple[list[R], str | None]:
    try:
        return parse(proc.capture(argv, check=True).stdout), None
    except IobenchError as error:
        return [], f"{error}"


def _record(
    folder: Path,
    sys: Path,
    rows: dict[str, LsblkRow],
    mounted: list[FindmntRow],
    notes: tuple[Told, ...],
) -> DriveRecord:
    name, number = folder.name, _file(folder / "dev") or "0:0"
    row = rows.get(number)
    ancestors = _ancestors(folder)
    pci = _pci_vendor(ancestors)
    vendor = _vendor((row.vendor if row else None) or _file(folder / "device/vendor"), pci, name)
    model = (row.model if row else None) or _file(folder / "device/model")
    rotational = _flag(folder / "queue/rotational", (row.rotational if row else None))
    bus = (row.transport if row else None) or _bus(name, ancestors)
    serial = (row.serial if row else None) or _serial(folder)
    wwn = (row.wwn if row else None) or _file(folder / "wwid") or _file(folder / "device/wwid")
    firmware = (row.revision if row else None) or _file(folder / "device/firmware_rev") or _file(folder / "device/rev")
    mounts = _mounts_of(number, mounted)
    below = tuple(sorted(entry.name for entry in _list(folder / "slaves")))
    kind = kind_of(name, vendor, model, bus, rotational, pci, _driver(folder, ancestors))
    if emulation_of(number, sys) is not None:
        kind = "emulated"
    elif kind == "unknown" and len(below) == 1:
        kind = _kind_below(folder, below[0], sys, rows, mounted)
    cached = _cached(number, sys)
    told = {"vendor": vendor, "model": model, "serial": serial, "wwn": wwn, "firmware": firmware}
    unknown = [field for field, value in told.items() if value is None]
    return DriveRecord(
        name=name,
        number=number,
        kind=kind,
        size=_sectors(folder / "size"),
        vendor=vendor,
        model=model,
        serial=serial,
        wwn=wwn,
        firmware=firmware,
        bus=bus,
        logical_sector=_number(folder / "queue/logical_block_size"),
        physical_sector=_number(folder / "queue/physical_block_size"),
        scheduler=_scheduler(_file(folder / "queue/scheduler")),
        rotational=rotational,
        write_cache=_file(folder / "queue/write_cache"),
        discard=None if (most := _number(folder / "queue/discard_max_bytes")) is None else most > 0,
        numa_node=_numa_node(ancestors),
        filesystem=(row.filesystem if row else None) or next((m.filesystem for m in mounts), None),
        mounts=mounts,
        partitions=_partitions(folder, rows, mounted),
        below=below,
        notes=(*_own_notes(folder, kind, cached), *_unknown_note(unknown), *notes),
        cached=cached,
        link=link_of(ancestors),
    )


def kind_of(
    name: str,
    vendor: str | None,
    model: str | None,
    bus: str | None,
    rotational: bool | None,
    pci_vendor: str | None,
    driver: str | None,
) -> str:
    """Return which of KINDS a drive is, by what the kernel says of it; "unknown" rather than a guess."""
    make, what = (vendor or "").lower(), (model or "").lower()
    if re.fullmatch(r"fio[a-z]+", name) or pci_vendor == _FUSION_IO:
        return "PCIe flash"
    if name.startswith("loop"):
        return "loop"
    if re.match(r"md[_d]?[0-9]|cciss!|ida!", name):
        return "RAID volume"
    if re.match(r"vd[a-z]|xvd[a-z]", name) or bus == "virtio":
        return "virtual disk"
    if make.startswith(_VIRTUAL_VENDORS) or any(word in what for word in _VIRTUAL_MODELS):
        return "virtual disk"
    if name.startswith("nvme"):
        return "NVMe"
    if make != "ata" and ((driver or "").startswith(_RAID_DRIVERS) or _RAID_MODELS.search(what)):
        return "RAID volume"
    if bus in ("sata", "ata") or (make == "ata" and bus != "usb"):
        family = "SATA"
    elif bus == "sas":
        family = "SAS"
    else:
        return "unknown"
    return {True: f"{family} disk", False: f"{family} SSD", None: "unknown"}[rotational]


def _kind_below(folder: Path, below: str, sys: Path, rows: dict[str, LsblkRow], mounted: list[FindmntRow]) -> str:
    """The kind of the one drive that a mapped device (LVM, encryption) stands on."""
    under = (folder / "slaves" / below).resolve()
    drive = under.parent if (under / "partition").exists() else under
    return _record(drive, sys, rows, mounted, ()).kind


def _partitions(folder: Path, rows: dict[str, LsblkRow], mounted: list[FindmntRow]) -> tuple[Partition, ...]:
    found = []
    for entry in _list(folder):
        if entry.name.startswith(folder.name) and (entry / "partition").exists():
            number = _file(entry / "dev") or "0:0"
            row = rows.get(number)
            mounts = _mounts_of(number, mounted)
            filesystem = (row.filesystem if row else None) or next((m.filesystem for m in mounts), None)
            order = _number(entry / "partition") or 0
            found.append((order, Partition(entry.name, number, _sectors(entry / "size"), filesystem, mounts)))
    return tuple(part for _, part in sorted(found, key=lambda pair: pair[0]))


def _mounts_of(number: str, mounted: list[FindmntRow]) -> tuple[MountedFs, ...]:
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
    return any(_file(sys / "dev/block" / each / "loop/dio") == "0" for each in layers.beneath(number, sys))


def _own_notes(folder: Path, kind: str, cached: bool) -> Iterator[Told]:
    backing = _file(folder / "loop/backing_file")
    if backing is not None:
        yield Phrase("drive.note.backing", {"file": backing})
    if cached:
        yield Phrase("drive.note.cached")
    if kind == "unknown":
        yield Phrase("drive.note.kind")
    if _file(folder / "ro") == "1":
        yield Phrase("drive.note.read-only")


def _unknown_note(fields: list[str]) -> Iterator[Told]:
    if fields:
        yield Phrase("drive.note.untold", {"fields": tuple(Phrase(f"drive.told.{field}") for field in fields)})


# --- /sys, field by field ----------------------------------------------------------------------------


def _file(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip(" \t\n\0")
    except OSError:
        return None
    return text or None


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _number(path: Path) -> int | None:
    text = _file(path) or ""
    return int(text) if text.isascii() and text.isdigit() else None


def _sectors(path: Path) -> int:
    """A size in bytes; /sys counts 512-byte sectors whatever the drive's own sector is."""
    return (_number(path) or 0) * 512


def _flag(path: Path, otherwise: bool | None) -> bool | None:
    value = _number(path)
    return otherwise if value is None else value == 1


def _scheduler(text: str | None) -> str | None:
    match = re.search(r"\[([^\]]+)\]", text or "")
    return match[1] if match else text


def _ancestors(folder: Path) -> list[Path]:
    """The folders of the hardware that a block device hangs on, nearest first."""
    start = folder / "device" if (folder / "device").exists() else folder
    real = start.resolve()
    return [real, *(parent for parent in real.parents if len(parent.parts) > 3)]


def _pci_vendor(ancestors: list[Path]) -> str | None:
    return next((_file(path / "vendor") for path in ancestors if (path / "class").exists()), None)


def _vendor(told: str | None, pci: str | None, name: str) -> str | None:
    """The vendor's name; SATA drives only say ATA, and PCI and virtio say a number."""
    if told is not None and told.lower().startswith("0x"):
        return _PCI_VENDORS.get(told.lower(), f"PCI {told}")
    if told is None and pci is not None and re.match(r"nvme|fio", name):
        return _PCI_VENDORS.get(pci, f"PCI {pci}")
    return told


def _serial(folder: Path) -> str | None:
    plain = _file(folder / "serial") or _file(folder / "device/serial")
    if plain is not None:
        return plain
    try:
        page = (folder / "device/vpd_pg80").read_bytes()
    except OSError:
        return None
    return page[4:].decode("ascii", "replace").strip(" \0") or None


def _bus(name: str, ancestors: list[Path]) -> str | None:
    path = str(ancestors[0])
    if re.match(r"fio[a-z]", name):
        return "pcie"
    for part, bus in (("/virtio", "virtio"), ("/usb", "usb"), ("/nvme", "nvme"), ("/end_device-", "sas")):
        if part in path:
            return bus
    return "sata" if re.search(r"/ata[0-9]+/", path) else None


def _driver(folder: Path, ancestors: list[Path]) -> str | None:
    """The driver of the adapter: a RAID controller is known by it."""
    host = next((path.name for path in ancestors if re.fullmatch(r"host[0-9]+", path.name)), None)
    if host is None:
        return None
    home = next(path for path in ancestors if path.name == host)
    return _file(home / "scsi_host" / host / "proc_name")


def _numa_node(ancestors: list[Path]) -> int | None:
    return next((node for path in ancestors if (node := _number(path / "numa_node")) is not None), None)
