"""What /sys says of a block device, field by field; None where it says nothing.

A device's `folder` is that in /sys/block; its `ancestors` are the folders of the hardware it hangs on, nearest first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def text(path: Path) -> str | None:
    """Return what a file holds, without space around it."""
    try:
        found = path.read_text(encoding="utf-8", errors="replace").strip(" \t\n\0")
    except OSError:
        return None
    return found or None


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing where it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def number(path: Path) -> int | None:
    """Return the whole number in a file, from 0 on."""
    found = text(path) or ""
    return int(found) if found.isascii() and found.isdigit() and len(found) < 20 else None


def size(folder: Path) -> int:
    """Return a size in bytes; /sys counts 512-byte sectors whatever the drive's own sector is."""
    return (number(folder / "size") or 0) * 512


def scheduler(folder: Path) -> str | None:
    """Return the scheduler that is chosen."""
    found = text(folder / "queue/scheduler")
    match = re.search(r"\[([^\]]+)\]", found or "")
    return match[1] if match else found


def ancestors_of(folder: Path) -> list[Path]:
    """Return the folders of the hardware that a block device hangs on, nearest first."""
    start = folder / "device" if (folder / "device").exists() else folder
    real = start.resolve()
    return [real, *(parent for parent in real.parents if len(parent.parts) > 3)]


def pci_vendor(ancestors: Sequence[Path]) -> str | None:
    """Return the number of the PCI device's vendor, as `0x1aed`."""
    return next((text(path / "vendor") for path in ancestors if (path / "class").exists()), None)


def serial(folder: Path) -> str | None:
    """Return the serial number, of SCSI drives from the page that they are asked for."""
    plain = text(folder / "serial") or text(folder / "device/serial")
    if plain is not None:
        return plain
    try:
        page = (folder / "device/vpd_pg80").read_bytes()
    except OSError:
        return None
    return page[4:].decode("ascii", "replace").strip(" \0") or None


def bus(folder: Path, ancestors: Sequence[Path]) -> str | None:
    """Return the bus, by the hardware's path."""
    if re.match(r"fio[a-z]", folder.name):
        return "pcie"
    path = str(ancestors[0])
    for part, name in (("/virtio", "virtio"), ("/usb", "usb"), ("/nvme", "nvme"), ("/end_device-", "sas")):
        if part in path:
            return name
    return "sata" if re.search(r"/ata[0-9]+/", path) else None


def adapter_driver(ancestors: Sequence[Path]) -> str | None:
    """Return the driver of the adapter: a RAID controller is known by it."""
    home = next((path for path in ancestors if re.fullmatch(r"host[0-9]+", path.name)), None)
    return None if home is None else text(home / "scsi_host" / home.name / "proc_name")


def numa_node(ancestors: Sequence[Path]) -> int | None:
    """Return the NUMA node that the hardware is at."""
    return next((node for path in ancestors if (node := number(path / "numa_node")) is not None), None)
