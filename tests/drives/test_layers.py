"""What a block device stands on, on a made /sys: partitions, mapped devices, MD, and what is none of these."""

from __future__ import annotations

from pathlib import Path

import pytest

from iobench.drives import layers
from iobench.drives.passport import underlying
from iobench.model import Device


@pytest.fixture
def stacked(tmp_path: Path) -> Path:
    """Drives sda (sda1, sda2), sdb and sdc; dm-0 encrypts sda2; md0 mirrors sdb and sdc; dm-1 is LVM on both."""
    places = {
        "pci/sda": ("8:0", ()),
        "pci/sda/sda1": ("8:1", ()),
        "pci/sda/sda2": ("8:2", ()),
        "pci/sdb": ("8:16", ()),
        "pci/sdc": ("8:32", ()),
        "virtual/dm-0": ("252:0", ("pci/sda/sda2",)),
        "virtual/md0": ("9:0", ("pci/sdb", "pci/sdc")),
        "virtual/dm-1": ("252:1", ("virtual/dm-0", "virtual/md0")),
        "virtual/loop0": ("7:0", ()),
    }
    (tmp_path / "dev/block").mkdir(parents=True)
    for name, (number, _) in places.items():
        home = tmp_path / "devices" / name
        (home / "slaves").mkdir(parents=True)
        (home / "dev").write_text(f"{number}\n")
        (tmp_path / "dev/block" / number).symlink_to(home)
    for name, (_, below) in places.items():
        for each in below:
            (tmp_path / "devices" / name / "slaves" / Path(each).name).symlink_to(tmp_path / "devices" / each)
    for part in ("sda1", "sda2"):
        (tmp_path / "devices/pci/sda" / part / "partition").write_text(part[-1] + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("number", "disks"),
    [
        ("8:0", ["8:0"]),
        ("8:1", ["8:0"]),
        ("252:0", ["8:0"]),
        ("9:0", ["8:16", "8:32"]),
        ("252:1", ["8:16", "8:32", "8:0"]),
        ("7:0", ["7:0"]),
    ],
)
def test_the_whole_drives_under_a_device(stacked: Path, number: str, disks: list[str]) -> None:
    major, minor = map(int, number.split(":"))
    assert underlying(Device("any", major, minor), stacked) == disks


def test_all_that_a_device_stands_on_nearest_first(stacked: Path) -> None:
    assert layers.beneath("252:1", stacked) == ["252:1", "252:0", "9:0", "8:2", "8:16", "8:32", "8:0"]
    assert layers.beneath("8:16", stacked) == ["8:16"]


def test_a_drive_under_two_members_is_named_once(stacked: Path) -> None:
    (stacked / "devices/virtual/dm-1/slaves/sda1").symlink_to(stacked / "devices/pci/sda/sda1")
    assert sorted(layers.whole_disks("252:1", stacked)) == ["8:0", "8:16", "8:32"]


def test_a_ring_ends(stacked: Path) -> None:
    (stacked / "devices/pci/sdb/slaves/dm-1").symlink_to(stacked / "devices/virtual/dm-1")
    assert layers.whole_disks("252:1", stacked) == ["8:32", "8:0"]


def test_a_device_that_is_not_there_is_its_own(stacked: Path) -> None:
    assert layers.beneath("99:9", stacked) == ["99:9"]
