"""The inventory: what lsblk and findmnt really printed, what it would be on drives that are not here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from madesys import make_tree

from iobench import proc
from iobench.drives import inventory, kinds
from iobench.drives.kinds import kind_of
from iobench.errors import ParseError
from iobench.tools import smartctl
from iobench.tools.findmnt import parse_findmnt
from iobench.tools.lsblk import parse_lsblk

FIXTURES = Path(__file__).parents[1] / "fixtures"
LSBLK = (FIXTURES / "lsblk-2.38.1/loop-with-partitions.json").read_text(encoding="utf-8")
FINDMNT = (FIXTURES / "findmnt-2.38.1/loop-with-partitions.json").read_text(encoding="utf-8")
SMARTCTL = (FIXTURES / "smartctl-7.3/virtual-disk-health.json").read_text(encoding="utf-8")
REASONED = {
    *("vendor", "model", "serial", "wwn", "firmware", "bus", "logical_sector", "physical_sector", "scheduler"),
    *("rotational", "write_cache", "discard", "numa_node", "link"),
}
PARSERS = [(parse_lsblk, LSBLK), (parse_findmnt, FINDMNT), (smartctl.parse, SMARTCTL)]


def test_lsblk_as_captured() -> None:
    rows = {row.name: row for row in parse_lsblk(LSBLK)}
    assert rows["loop3"].size == 314572800
    assert rows["loop3"].number == "7:3"
    assert rows["loop3p1"].parent == "loop3"
    assert rows["vda"].vendor == "0x1af4"
    assert rows["vda"].model is None
    assert rows["vda"].rotational is True


def test_lsblk_flat_and_nested_say_the_same() -> None:
    flat = (FIXTURES / "lsblk-2.38.1/flat-list.json").read_text(encoding="utf-8")
    assert sorted(map(repr, parse_lsblk(flat))) == sorted(map(repr, parse_lsblk(LSBLK)))


def test_lsblk_of_old_versions_writes_numbers_as_texts() -> None:
    """util-linux before 2.33; made by hand from the captured text, since none is at hand."""
    old = json.loads(LSBLK)
    for row in old["blockdevices"]:
        row["size"], row["rota"], row["maj:min"] = str(row["size"]), str(int(row["rota"])), f" {row['maj:min']} "
    rows = {row.name: row for row in parse_lsblk(json.dumps(old))}
    assert (rows["loop3"].size, rows["loop3"].rotational, rows["loop3"].number) == (314572800, True, "7:3")


def test_findmnt_as_captured() -> None:
    rows = {row.target: row for row in parse_findmnt(FINDMNT)}
    assert rows["/mnt/drive one"].source == "/dev/loop3p1"
    assert rows["/mnt/drive one"].available == 85146624
    assert rows["/"].number == "254:0"


def test_findmnt_nested() -> None:
    nested = (FIXTURES / "findmnt-2.38.1/nested.json").read_text(encoding="utf-8")
    assert {row.target for row in parse_findmnt(nested)} == {row.target for row in parse_findmnt(FINDMNT)}


def test_smartctl_as_captured_gives_no_health() -> None:
    assert smartctl.parse(SMARTCTL).passed is None


@pytest.mark.parametrize("passed", [True, False])
def test_smartctl_health(passed: bool) -> None:
    assert smartctl.parse(json.dumps({"smart_status": {"passed": passed}})).passed is passed


@pytest.mark.parametrize(("parse", "text"), PARSERS)
def test_truncated_is_an_error(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ParseError):
        parse(text[: len(text) // 2])


@pytest.mark.parametrize("text", ["", "null", "[]", "3", '{"blockdevices": {}}', '{"blockdevices": [3]}', "[" * 10**5])
def test_not_a_list_of_devices(text: str) -> None:
    with pytest.raises(ParseError):
        parse_lsblk(text)


@given(st.data())
def test_mutated_gives_rows_or_parse_error(data: st.DataObject) -> None:
    parse, text = data.draw(st.sampled_from(PARSERS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 40))
        words = st.sampled_from(['""', "null", "true", "-1", "1e999", "[]", "{}", '"children":[1],', "9" * 5000])
        text = text[:start] + data.draw(st.one_of(words, st.text(max_size=10))) + text[start + length :]
    try:
        parse(text)
    except ParseError as error:
        assert str(error)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "blockdevices",
                        "children",
                        "name",
                        "maj:min",
                        "size",
                        "rota",
                        "smart_status",
                        "filesystems",
                        "target",
                        "passed",
                    ]
                ),
                x,
            )
        ),
    )
)
def test_any_json_gives_rows_or_parse_error(document: Any) -> None:
    for parse, _ in PARSERS:
        try:
            parse(json.dumps(document))
        except ParseError as error:
            assert str(error)


# What the kernel says of such drives: (name, vendor, model, bus, rotational, PCI vendor, adapter's driver).
@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (("fioa", None, None, "pcie", False, "0x1aed", None), "PCIe flash"),
        (("fiob", None, None, None, None, None, None), "PCIe flash"),
        (("nvme0n1", None, "Samsung SSD 980 PRO", "nvme", False, "0x144d", None), "NVMe"),
        (("nvme1n1", None, "Amazon Elastic Block Store", "nvme", False, "0x1d0f", None), "virtual disk"),
        (("sda", "ATA", "INTEL SSDSC2BB48", "sata", False, "0x8086", "ahci"), "SATA SSD"),
        (("sda", "ATA", "ST2000DM001-1ER1", "sata", True, "0x8086", "ahci"), "SATA disk"),
        (("sda", "ATA", "ST2000DM001-1ER1", "sas", True, "0x1000", "megaraid_sas"), "SATA disk"),
        (("sda", "ATA", "ST2000DM001-1ER1", "sata", None, None, None), "unknown"),
        (("sdb", "SEAGATE", "ST3300657SS", "sas", True, "0x1000", "mpt2sas"), "SAS disk"),
        (("sdb", "HGST", "HUSMM1640ASS200", "sas", False, "0x1000", "mpt3sas"), "SAS SSD"),
        (("sda", "DELL", "PERC H730 Mini", None, True, "0x1000", "megaraid_sas"), "RAID volume"),
        (("sda", "HP", "LOGICAL VOLUME", "sas", True, "0x103c", "hpsa"), "RAID volume"),
        (("md0", None, None, None, True, None, None), "RAID volume"),
        (("cciss!c0d0", None, None, None, True, None, None), "RAID volume"),
        (("vda", "virtio", None, "virtio", True, "0x1af4", None), "virtual disk"),
        (("sda", "QEMU", "QEMU HARDDISK", "sata", True, "0x8086", "ahci"), "virtual disk"),
        (("sda", "VMware", "Virtual disk", None, True, "0x15ad", "vmw_pvscsi"), "virtual disk"),
        (("sda", "Msft", "Virtual Disk", None, True, None, "hv_storvsc"), "virtual disk"),
        (("loop3", None, None, None, False, None, None), "loop"),
        (("sdc", "SanDisk", "Ultra", "usb", True, "0x8086", None), "unknown"),
        (("dm-0", None, None, None, True, None, None), "unknown"),
    ],
)
def test_kinds(facts: tuple[Any, ...], kind: str) -> None:
    assert kind in kinds.KINDS
    assert kind_of(*facts) == kind


def test_iodrive_and_sas_disk_by_sys_alone(fake_sys: Path, no_programs: None) -> None:
    fioa, sda = inventory.devices(fake_sys)
    assert (fioa.kind, fioa.vendor, fioa.bus, fioa.numa_node) == ("PCIe flash", "Fusion-io", "pcie", 1)
    assert (fioa.size, fioa.rotational, fioa.scheduler) == (800_000_000_000, False, "none")
    assert fioa.serial is None
    assert fioa.id == "fioa:800000000000"
    assert {"model", "serial", "link"} <= set(fioa.unknown) and "vendor" not in fioa.unknown
    assert all("lsblk is not installed" in str(said) for said in (fioa.unknown["model"], fioa.notes[0]))
    assert all((getattr(sda, name) is None) == (name in sda.unknown) for name in sda.__slots__ if name in REASONED)
    assert (sda.kind, sda.model, sda.serial, sda.firmware) == ("SAS disk", "ST3300657SS", "6SJ0ABCD", "0008")
    assert sda.id == "6SJ0ABCD"


def test_wwn_is_the_id_without_a_serial(fake_sys: Path, no_programs: None) -> None:
    next(fake_sys.glob("devices/**/vpd_pg80")).unlink()
    assert inventory.devices(fake_sys)[1].id == "naa.5000c5001234abcd"


def test_a_partition_never_has_the_id_of_its_drive(fake_sys: Path, no_programs: None) -> None:
    found = inventory.find("8:1", fake_sys)
    assert found is not None
    drive, part = found
    assert part is not None
    assert (drive.name, part.name, part.id) == ("sda", "sda1", "sda1:1048576")
    assert drive.device(part).parent == "sda"
    assert inventory.find("9:9", fake_sys) is None


@pytest.mark.parametrize(("dio", "cached"), [("0\n", True), ("1\n", False), (None, False)])
def test_a_loop_device_without_direct_io_is_a_cache(
    fake_sys: Path, no_programs: None, dio: str | None, cached: bool
) -> None:
    files = {"dev": "7:3\n", "size": "2048\n", "loop/backing_file": "/x.img\n", "loop3p1/dev": "259:1\n"}
    files |= {"loop3p1/partition": "1\n", "loop3p1/size": "1024\n"}
    if dio is not None:
        files["loop/dio"] = dio
    home = fake_sys / "devices/virtual/block/loop3"
    make_tree(home, dict(files))
    (fake_sys / "block/loop3").symlink_to(home)
    (fake_sys / "dev/block/7:3").symlink_to(home)
    (fake_sys / "dev/block/259:1").symlink_to(home / "loop3p1")
    mapped = fake_sys / "devices/virtual/block/dm-0"
    make_tree(mapped, {"dev": "252:9\n", "size": "1024\n"})
    (mapped / "slaves").mkdir()
    (mapped / "slaves/loop3p1").symlink_to(home / "loop3p1")
    (fake_sys / "block/dm-0").symlink_to(mapped)
    (fake_sys / "dev/block/252:9").symlink_to(mapped)
    for number in ("7:3", "259:1", "252:9"):
        found = inventory.find(number, fake_sys)
        assert found is not None
        assert found[0].device(found[1]).cached is cached
        assert any("direct I/O" in str(note) for note in found[0].notes) is cached
    drives = {drive.name: drive.cached for drive in inventory.devices(fake_sys)}
    assert drives == {"dm-0": cached, "fioa": False, "loop3": cached, "sda": False}


@pytest.mark.root
def test_a_loop_device_with_a_partition(make_loop: Callable[..., Any], tmp_path: Path) -> None:
    loop = make_loop()
    partition = loop.partition()
    proc.capture(("mkfs.ext4", "-q", partition))
    loop.mount(tmp_path / "日本 'x'", partition)
    record = next(each for each in inventory.devices() if each.name == loop.name)
    assert (record.kind, record.size, record.id) == ("loop", loop.size, loop.id)
    assert any(str(note).endswith("image0") for note in record.notes)
    (part,) = record.partitions
    assert part.size == loop.size - (1 << 20)
    (mount,) = part.mounts
    assert mount.mount_point == str(tmp_path / "日本 'x'")
    assert mount.filesystem == "ext4"
    assert mount.total is not None
    assert mount.free is not None
    assert 0 < mount.free <= mount.total < part.size


@pytest.mark.root
def test_an_emulated_drive_is_called_so(make_loop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    loop, other = make_loop(), make_loop()
    found = next(each for each in inventory.devices() if each.name == loop.name)
    monkeypatch.setattr(inventory, "emulation_of", lambda number, _sys: number == found.number or None)
    kinds = {each.name: each.kind for each in inventory.devices()}
    assert (kinds[loop.name], kinds[other.name]) == ("emulated", "loop")
