"""The guards: each one is tried to be got past on a loop device, and what it must let through passes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iobench import proc
from iobench.drives import emulated, guards
from iobench.drives.guards import claim, parse_blkid
from iobench.drives.mounts import mounts
from iobench.drives.ways import LoopFile, other_ways
from iobench.errors import CannotRunError

FIXTURES = Path(__file__).parents[1] / "fixtures"
MIB = 1 << 20
root = pytest.mark.root


def refused(path: str, destroy_id: str | None, **options: Any) -> str:
    """Claim a device, see it refused with everything given that could help, and return the sentence."""
    before = Path(path).read_bytes()[: 8 * MIB] if Path(path).is_block_device() else b""
    with pytest.raises(CannotRunError) as caught:
        claim(path, destroy_id, **options)
    if before:
        assert Path(path).read_bytes()[: 8 * MIB] == before
    return str(caught.value)


@root
def test_an_empty_device_with_its_exact_id_is_claimed(loop: Any) -> None:
    with claim(loop.path, loop.id, size_needed=loop.size) as held:
        assert held.device.name == loop.name
        assert held.path_for_child == f"/dev/fd/{held.fd}"
        os.pwrite(held.fd, b"ours", 0)
        with pytest.raises(OSError, match="busy"):
            os.open(loop.path, os.O_RDWR | os.O_EXCL)
    assert loop.read(4) == b"ours"
    os.close(os.open(loop.path, os.O_RDWR | os.O_EXCL))


@root
def test_a_child_writes_through_the_descriptor_and_nowhere_else(loop: Any) -> None:
    with claim(loop.path, loop.id) as held:
        dd = ("dd", "if=/dev/urandom", f"of={held.path_for_child}", "bs=4096", "count=16", "oflag=direct")
        proc.capture((*dd, "conv=notrunc"), pass_fds=(held.fd,))
    assert any(loop.read(16 * 4096))


@root
def test_without_an_id_the_exact_option_is_printed(loop: Any) -> None:
    assert f"--destroy-data {loop.id}" in refused(loop.path, None, yes=True)


@root
@pytest.mark.parametrize("change", [str.upper, lambda s: s + " ", lambda s: s[:-1], lambda s: "", lambda s: "*"])
def test_another_id_is_refused_and_both_are_named(loop: Any, change: Callable[[str], str]) -> None:
    said = refused(loop.path, change(loop.id), yes=True)
    assert repr(change(loop.id)) in said
    assert repr(loop.id) in said


@root
def test_mounted(loop: Any, tmp_path: Path) -> None:
    loop.ext4()
    loop.mount(tmp_path / "m")
    said = refused(loop.path, loop.id, yes=True, confirm=lambda _question: True)
    assert str(tmp_path / "m") in said
    assert "no option overrides" in said
    assert "no option overrides" in refused(loop.path, None)


@root
@pytest.mark.parametrize("at", [512, 4096, -512, -4096])
def test_what_is_left_of_a_partition_table(loop: Any, at: int) -> None:
    """The first sectors were lost, and its copy at the end would bring the data back."""
    loop.write(b"EFI PART", at % loop.size)
    assert "what is left of a gpt partition table" in refused(loop.path, loop.id)
    claim(loop.path, loop.id, yes=True).close()


@root
def test_mounted_by_another_way(loop: Any, make_loop: Any, tmp_path: Path) -> None:
    """Two loop devices on one file: neither the kernel's claim nor a name tells the one that the other is mounted."""
    loop.ext4()
    image = str(tmp_path / "image0")
    second = proc.capture(("losetup", "--find", "--show", image)).stdout.strip()
    try:
        claim(second, f"{Path(second).name}:{loop.size}", yes=True).close()
        loop.mount(tmp_path / "m")
        said = refused(second, f"{Path(second).name}:{loop.size}", yes=True)
        assert f"{loop.name} is mounted at {tmp_path / 'm'}, and that is the same storage" in said
    finally:
        proc.capture(("losetup", "--detach", second))
    part = LoopFile(1, 2, 0, 100)
    assert part.meets(LoopFile(1, 2, 99, 200)) and not part.meets(LoopFile(1, 2, 100, 200))
    assert not part.meets(LoopFile(1, 3, 0, 100))


@root
def test_the_file_under_it_is_open_for_writing(loop: Any, tmp_path: Path) -> None:
    """So is a virtual machine's image."""
    code = "import sys; file = open(sys.argv[1], 'r+b'); print(flush=True); sys.stdin.read()"
    argv = (sys.executable, "-c", code, str(tmp_path / "image0"))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert f"process {other.pid}, has it open" in refused(loop.path, loop.id, yes=True)
        other.communicate()
    claim(loop.path, loop.id).close()


@root
def test_the_file_under_a_partitions_drive_is_open_for_writing(loop: Any, tmp_path: Path) -> None:
    partition = loop.partition()
    part_id = f"{loop.name}p1:{loop.size - MIB}"
    code = "import sys; file = open(sys.argv[1], 'r+b'); print(flush=True); sys.stdin.read()"
    argv = (sys.executable, "-c", code, str(tmp_path / "image0"))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert f"process {other.pid}, has it open" in refused(partition, part_id, yes=True)
        other.communicate()


def test_two_paths_to_one_drive_are_known(tmp_path: Path) -> None:
    """Without multipathd each path is a disk, and only one of them is seen to be mounted."""
    real, zeros = "naa.5002538e40abcdef", "naa.0000000000000000"
    drives = {"sda": ("8:0", real), "sdb": ("8:16", real), "sdc": ("8:32", zeros), "sdd": ("8:48", zeros)}
    for name, (number, wwid) in drives.items():
        disk = tmp_path / "block" / name
        for folder, its in ((disk, number), (disk / f"{name}1", f"{number}1")):
            folder.mkdir(parents=True)
            (folder / "dev").write_text(f"{its}\n")
            (tmp_path / "dev/block").mkdir(parents=True, exist_ok=True)
            (tmp_path / "dev/block" / its).symlink_to(folder)
        (tmp_path / "block" / name / "device").mkdir()
        (tmp_path / "block" / name / "device/wwid").write_text(f"{wwid}\n")
        (tmp_path / "block" / name / f"{name}1" / "partition").write_text("1\n")
    (tmp_path / "block/hidden").mkdir()
    (tmp_path / "block/hidden/wwid").write_text(real)
    assert other_ways("8:0", tmp_path) == ["8:16"]
    assert other_ways("8:01", tmp_path) == ["8:16", "8:161"]
    assert other_ways("8:32", tmp_path) == [] == other_ways("9:9", tmp_path)


@root
def test_a_mounted_partition_holds_its_drive(loop: Any, tmp_path: Path) -> None:
    partition = loop.partition()
    loop.format(device=partition)
    loop.mount(tmp_path / "m", partition)
    said = refused(loop.path, loop.id, yes=True)
    assert f"{loop.name}p1 is mounted at" in said


@root
def test_the_id_of_the_drive_does_not_open_a_partition_nor_the_other_way(loop: Any) -> None:
    partition = loop.partition()
    part_id = f"{loop.name}p1:{loop.size - MIB}"
    assert repr(part_id) in refused(partition, loop.id, yes=True)
    refused(loop.path, part_id, yes=True)
    claim(partition, part_id).close()  # an empty partition: its entry in the table is no signature on it


@root
def test_held_by_another_descriptor(loop: Any) -> None:
    fd = os.open(loop.path, os.O_RDONLY | os.O_EXCL)
    try:
        assert "in use" in refused(loop.path, loop.id, yes=True)
    finally:
        os.close(fd)
    claim(loop.path, loop.id).close()


@root
def test_open_for_writing_elsewhere_without_a_claim(loop: Any) -> None:
    """A virtual machine's disk is open like this, and O_EXCL does not see it."""
    code = "import os, sys; os.open(sys.argv[1], int(sys.argv[2])); print(flush=True); sys.stdin.read()"
    for flags, allowed in ((os.O_RDWR, False), (os.O_RDONLY, True)):
        argv = (sys.executable, "-c", code, loop.path, str(flags))
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            if allowed:
                claim(loop.path, loop.id).close()
            else:
                assert f"process {other.pid}" in refused(loop.path, loop.id, yes=True)
            other.communicate()


@root
def test_swap(loop: Any) -> None:
    loop.swap()
    said = refused(loop.path, loop.id, yes=True)
    assert "is swap space" in said
    assert "no option overrides" in said


@root
def test_another_loop_device_made_on_it(loop: Any) -> None:
    upper = proc.capture(("losetup", "--find", "--show", loop.path)).stdout.strip()
    try:
        assert f"{Path(upper).name} is made on it" in refused(loop.path, loop.id, yes=True)
    finally:
        proc.capture(("losetup", "--detach", upper))
    claim(loop.path, loop.id).close()


@root
def test_too_small(loop: Any) -> None:
    said = refused(loop.path, loop.id, yes=True, size_needed=loop.size + 1)
    assert str(loop.size) in said
    assert str(loop.size + 1) in said


@root
def test_signed_needs_yes_or_a_typed_confirmation(loop: Any) -> None:
    loop.ext4("payroll")
    assert "an ext4 file system labelled 'payroll'" in refused(loop.path, loop.id)
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    assert "not confirmed" in refused(loop.path, loop.id, confirm=no)
    assert "payroll" in asked[0]
    claim(loop.path, loop.id, confirm=lambda _question: True).close()
    claim(loop.path, loop.id, yes=True).close()


@root
def test_a_partition_table_and_swap_are_signatures(make_loop: Callable[..., Any]) -> None:
    loop, swap = make_loop(), make_loop()
    loop.partition()
    assert "a dos partition table" in refused(loop.path, loop.id)
    proc.capture(("mkswap", swap.path))
    assert "a swap signature" in refused(swap.path, swap.id)


@root
def test_two_signatures_are_never_taken_for_none(loop: Any) -> None:
    """An LVM label inside of an ext4 file system."""
    loop.ext4()
    label = b"LABELONE" + (1).to_bytes(8, "little") + bytes(4) + (32).to_bytes(4, "little") + b"LVM2 001"
    loop.write(label.ljust(512, b"\0"), at=512)
    assert "overwritten without --yes" in refused(loop.path, loop.id)
    loop.write(b"-rom1fs-" + (1 << 20).to_bytes(4, "big") + bytes(4) + b"precious")
    # blkid then says neither; that of util-linux 2.41 names one of them.
    sentence = refused(loop.path, loop.id)
    assert "overwritten without --yes" in sentence
    assert "holds more than one signature" in sentence or "holds an ext4 file system" in sentence


@root
def test_random_data_is_no_signature(loop: Any) -> None:
    loop.write(os.urandom(MIB))
    claim(loop.path, loop.id).close()


@root
def test_not_knowing_what_is_on_it_is_no_permission(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find = proc.find
    monkeypatch.setattr(proc, "find", lambda name: None if name == "blkid" else find(name))
    assert "blkid is not installed" in refused(loop.path, loop.id)
    monkeypatch.setattr(proc, "find", lambda name: find("false") if name == "blkid" else find(name))
    assert "cannot be found out" in refused(loop.path, loop.id)


@root
def test_a_link_that_now_leads_to_another_device(make_loop: Callable[..., Any], tmp_path: Path) -> None:
    wanted, other = make_loop(), make_loop(65 * MIB)
    link = tmp_path / "by-id"
    link.symlink_to(wanted.path)
    claim(str(link), wanted.id).close()
    link.unlink()
    link.symlink_to(other.path)
    assert repr(other.id) in refused(str(link), wanted.id, yes=True)


@root
def test_the_link_is_swapped_after_the_opening(
    make_loop: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening and the questions, the name comes to mean another device."""
    wanted, other = make_loop(), make_loop(65 * MIB)
    link = tmp_path / "disk"
    link.symlink_to(wanted.path)
    device = guards._device

    def swap_then_look(path: str, fd: int) -> Any:
        link.unlink()
        link.symlink_to(other.path)
        return device(path, fd)

    monkeypatch.setattr(guards, "_device", swap_then_look)
    with claim(str(link), wanted.id) as held:
        os.pwrite(held.fd, b"ours", 0)
    assert other.read(4) == bytes(4)
    with pytest.raises(CannotRunError):
        claim(str(link), wanted.id)


@root
def test_the_link_is_swapped_while_it_is_opened(
    make_loop: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the node and its opening, the name comes to mean another device."""
    wanted, other = make_loop(), make_loop()
    link = tmp_path / "disk"
    link.symlink_to(wanted.path)
    number = guards._number_of
    swapped: list[bool] = []

    def swap_then_tell(fd: int) -> str:
        if not swapped:
            swapped.append(True)
            link.unlink()
            link.symlink_to(other.path)
        return number(fd)

    monkeypatch.setattr(guards, "_number_of", swap_then_tell)
    with claim(str(link), wanted.id) as held:
        os.pwrite(held.fd, b"ours", 0)
    assert swapped and other.read(4) == bytes(4)


@root
def test_a_link_that_comes_after_the_name_was_resolved_is_not_followed(
    make_loop: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = make_loop()
    link = tmp_path / "disk"
    link.symlink_to(wanted.path)
    monkeypatch.setattr(os.path, "realpath", lambda path: path)  # as if it had been a device a moment ago
    assert "not a block device" in refused(str(link), wanted.id, yes=True)


@root
def test_while_it_is_ours_nobody_mounts_swaps_or_maps_it(make_loop: Callable[..., Any], tmp_path: Path) -> None:
    """What came after the questions were asked would have been missed by them: the kernel refuses it."""
    filed, swap = make_loop(), make_loop()
    filed.ext4()
    proc.capture(("mkswap", swap.path))
    (tmp_path / "m").mkdir()
    sectors = filed.size // 512
    attempts = [
        (filed, ("mount", filed.path, str(tmp_path / "m"))),
        (swap, ("swapon", swap.path)),
        (filed, ("dmsetup", "create", f"iobench-{os.getpid()}", "--table", f"0 {sectors} linear {filed.path} 0")),
    ]
    for loop, argv in attempts:
        if proc.find(argv[0]) is None:
            continue
        with claim(loop.path, loop.id, yes=True):
            assert proc.capture(argv, check=False).exit_code != 0, argv
    assert not os.path.ismount(tmp_path / "m")


@root
def test_a_mount_that_races_with_the_claim_never_has_the_device_as_well(loop: Any, tmp_path: Path) -> None:
    loop.ext4()
    (tmp_path / "m").mkdir()
    over = threading.Event()

    def mount_again_and_again() -> None:
        while not over.is_set():
            if (
                subprocess.run(("mount", loop.path, str(tmp_path / "m")), capture_output=True, check=False).returncode
                == 0
            ):
                subprocess.run(("umount", str(tmp_path / "m")), check=True)

    racer = threading.Thread(target=mount_again_and_again)
    racer.start()
    try:
        for _ in range(20):
            try:
                with claim(loop.path, loop.id, yes=True):
                    assert not [mount for mount in mounts() if mount.mount_point == str(tmp_path / "m")]
            except CannotRunError as error:
                assert "in use" in str(error)
    finally:
        over.set()
        racer.join()


@root
def test_a_read_only_device(loop: Any) -> None:
    loop.read_only()
    said = refused(loop.path, loop.id, yes=True)
    assert "read-only" in said or "for writing" in said


@root
def test_no_descriptor_is_left_open_by_a_refusal(loop: Any) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for destroy_id in (None, "x", loop.id):
        refused(loop.path, destroy_id, size_needed=1 << 50)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, os.mkfifo])
def test_what_is_not_a_block_device(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x")
    assert "not a block device" in refused(str(tmp_path / "x"), "x", yes=True)


def test_what_is_not_there_and_a_character_device() -> None:
    assert "check the path" in refused("/dev/no-such-device", "x", yes=True)
    assert "not a block device" in refused("/dev/null", "null:0", yes=True)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ext4-in-partition", ["an ext4 file system labelled 'data'"]),
        ("swap-in-partition", ["a swap signature"]),
        ("partition-table", ["a dos partition table"]),
        ("empty-partition", []),
    ],
)
def test_blkid_as_captured(name: str, found: list[str]) -> None:
    assert parse_blkid((FIXTURES / f"blkid-2.38.1/{name}.txt").read_text(encoding="utf-8")) == found


@root
def test_a_loop_device_of_a_file_that_has_only_the_name_is_not_ours(loop: Any, tmp_path: Path) -> None:
    """As in a container that shares /dev: /sys has the name that the file has for who attached it."""
    file, other = tmp_path / "image0", tmp_path / "other"
    assert loop.name in emulated.loops_on(str(file))
    other.write_bytes(bytes(MIB))
    proc.capture(("mount", "--bind", str(other), str(file)))
    try:
        assert emulated.loops_on(str(file)) == []
    finally:
        proc.capture(("umount", str(file)))
