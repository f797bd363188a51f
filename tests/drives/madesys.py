"""A /sys as the kernel would show it of drives that this machine does not have."""

from __future__ import annotations

from pathlib import Path


def make_tree(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def machine(root: Path) -> Path:
    """A /sys with an ioDrive, fioa, and a SAS disk, sda, with a partition."""
    pci = "devices/pci0000:00/0000:00:03.0/0000:04:00.0"
    scsi = "devices/pci0000:00/0000:05:00.0/host2/port-2:0/end_device-2:0/target2:0:0/2:0:0:0"
    make_tree(
        root,
        {
            f"{pci}/vendor": "0x1aed\n",
            f"{pci}/class": "0x018000\n",
            f"{pci}/numa_node": "1\n",
            f"{pci}/block/fioa/dev": "252:0\n",
            f"{pci}/block/fioa/size": "1562500000\n",
            f"{pci}/block/fioa/queue/rotational": "0\n",
            f"{pci}/block/fioa/queue/scheduler": "[none] mq-deadline\n",
            f"{scsi}/vendor": "SEAGATE \n",
            f"{scsi}/model": "ST3300657SS     \n",
            f"{scsi}/rev": "0008\n",
            f"{scsi}/wwid": "naa.5000c5001234abcd\n",
            f"{scsi}/vpd_pg80": b"\x00\x80\x00\x086SJ0ABCD",
            f"{scsi}/block/sda/dev": "8:0\n",
            f"{scsi}/block/sda/size": "585937500\n",
            f"{scsi}/block/sda/queue/rotational": "1\n",
            f"{scsi}/block/sda/sda1/dev": "8:1\n",
            f"{scsi}/block/sda/sda1/partition": "1\n",
            f"{scsi}/block/sda/sda1/size": "2048\n",
        },
    )
    for name, home, numbers in (("fioa", pci, ["252:0"]), ("sda", scsi, ["8:0"])):
        (root / home / f"block/{name}/device").symlink_to(root / home)
        (root / "block").mkdir(exist_ok=True)
        (root / "block" / name).symlink_to(root / home / "block" / name)
        (root / "dev/block").mkdir(parents=True, exist_ok=True)
        (root / "dev/block" / numbers[0]).symlink_to(root / home / "block" / name)
    (root / "dev/block/8:1").symlink_to(root / scsi / "block/sda/sda1")
    return root
