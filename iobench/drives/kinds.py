"""Which kind of drive it is and who made it, by what the kernel says of it."""

from __future__ import annotations

import re

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


def vendor_name(told: str | None, pci: str | None, name: str) -> str | None:
    """Return the vendor's name; SATA drives only say ATA, and PCI and virtio say a number."""
    if told is not None and told.lower().startswith("0x"):
        return _PCI_VENDORS.get(told.lower(), f"PCI {told}")
    if told is None and pci is not None and re.match(r"nvme|fio", name):
        return _PCI_VENDORS.get(pci, f"PCI {pci}")
    return told
