"""Passports: names of targets, what a path stands on, and why it may have no device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iobench import proc
from iobench.drives import passport as module
from iobench.drives.passport import (
    default_target,
    device_id,
    parse_target,
    parse_targets,
    passport,
    same_device_warnings,
)
from iobench.errors import CannotRunError, UsageError
from iobench.model import Device, Emulation, Passport, Target


@pytest.mark.parametrize("name", ["sas", "日本のドライブ", "it's", 'a "b"', "a b;$(touch X)", "x" * 64, "ｱｲｵ", "1.5"])
def test_names_that_pass(name: str, tmp_path: Path) -> None:
    target = parse_target(f"{name}={tmp_path}/a=b")
    assert (target.name, target.path, target.kind) == (name, f"{tmp_path}/a=b", "file")


@pytest.mark.parametrize(
    "text",
    [
        "/mnt/sas",
        "",
        "=/mnt",
        "sas=",
        "a/b=/mnt",
        "a\nb=/mnt",
        "a\x1b[31m=/mnt",
        "a\x7f=/mnt",
        "\u202eb=/mnt",
        f"{'x' * 65}=/mnt",
        " a=/mnt",
        "..=/mnt",
        "a\0=/mnt",
        "a=/m\0nt",
        "a\udc80=/mnt",
        "a\u2028b=/mnt",
    ],
)
def test_names_that_do_not(text: str) -> None:
    with pytest.raises(UsageError):
        parse_target(text)


def test_a_name_given_twice() -> None:
    assert [t.name for t in parse_targets(["a=/tmp", "b=/tmp"])] == ["a", "b"]
    with pytest.raises(UsageError, match=r"/tmp and /var"):
        parse_targets(["a=/tmp", "a=/var"])
    with pytest.raises(UsageError):
        parse_targets(["ガ=/tmp", "カ\u3099=/var"])  # one letter in two encodings


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_target("a=x").path == str(tmp_path / "x")
    here = default_target()
    assert here.path == str(tmp_path)
    assert here.name


def test_what_is_no_target(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotRunError, match="No such file"):
        passport(Target("a", str(tmp_path / "none")))
    with pytest.raises(CannotRunError, match="neither a folder"):
        passport(Target("a", str(tmp_path / "file")))


@pytest.mark.parametrize(("path", "why"), [("/dev/shm", "in memory"), ("/proc", "names no block device")])
def test_no_device_says_why(path: str, why: str) -> None:
    got = passport(Target("a", path))
    assert got.device is None
    assert why in str(got.no_device_reason or "")
    assert got.kind == "no device"


@pytest.mark.root
def test_overlay_has_no_device(make_loop: Callable[..., Any], tmp_path: Path) -> None:
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        pytest.skip("this kernel has no overlay")
    loop = make_loop()
    loop.ext4()
    loop.mount(tmp_path / "m")
    for name in ("low", "up", "work", "seen"):
        (tmp_path / "m" / name).mkdir()
    at = tmp_path / "m"
    options = f"lowerdir={at}/low,upperdir={at}/up,workdir={at}/work"
    proc.capture(("mount", "-t", "overlay", "overlay", "-o", options, f"{at}/seen"))
    try:
        got = passport(Target("a", f"{at}/seen"))
    finally:
        proc.capture(("umount", f"{at}/seen"))
    assert got.filesystem == "overlay"
    assert "overlay hides" in str(got.no_device_reason or "") or got.device is not None


@pytest.mark.root
def test_a_folder_and_a_block_device(make_loop: Callable[..., Any], tmp_path: Path) -> None:
    loop = make_loop()
    loop.ext4()
    point = tmp_path / "a b\t日本"
    loop.mount(point)
    (point / "deep").mkdir()
    folder = passport(parse_target(f"a={point}/deep"))
    block = passport(parse_target(f"b={loop.path}"))
    assert folder.device is not None
    assert (folder.device.name, folder.target.kind) == (loop.name, "file")
    assert (folder.filesystem, folder.mount_point) == ("ext4", str(point))
    assert "rw" in (folder.mount_options or "").split(",")
    assert folder.total_bytes is not None
    assert folder.free_bytes is not None
    assert 0 < folder.free_bytes < folder.total_bytes < loop.size
    assert block.device == folder.device
    assert (block.target.kind, block.total_bytes, block.filesystem) == ("block", loop.size, None)
    (warning,) = same_device_warnings([folder, block])
    assert loop.name in warning
    assert device_id(folder.device) == loop.id


@pytest.mark.root
def test_a_partition_names_its_drive(make_loop: Callable[..., Any]) -> None:
    loop = make_loop()
    got = passport(parse_target(f"a={loop.partition()}"))
    assert got.device is not None
    assert (got.device.name, got.device.parent) == (f"{loop.name}p1", loop.name)
    assert len(same_device_warnings([got, passport(parse_target(f"b={loop.path}"))])) == 1


@pytest.mark.root
def test_an_emulated_drive_says_so(make_loop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    loop, other = make_loop(), make_loop()
    number = passport(Target("a", loop.path)).device
    assert number is not None
    for place in (module, module.inventory):
        monkeypatch.setattr(place, "emulation_of", lambda each, *_: Emulation("sas") if each == number.number else None)
    got = passport(Target("a", loop.path))
    assert (got.emulated, got.kind) == (True, "emulated")
    assert got.emulation == Emulation("sas")
    assert passport(Target("b", other.path)).kind == "loop"


def test_ids() -> None:
    drive = Device("sda", 8, 0, 1000, serial="S1", wwn="naa.5")
    assert device_id(drive) == "S1"
    assert device_id(Device("sda", 8, 0, 1000, wwn="naa.5")) == "naa.5"
    assert device_id(Device("loop3", 7, 3, 2_000_000_000)) == "loop3:2000000000"
    assert device_id(Device("sda1", 8, 1, 500, serial="S1", parent="sda")) == "sda1:500"


def test_two_drives_are_no_warning() -> None:
    passports = [Passport(Target(n, "/"), Device(n, 8, i)) for i, n in enumerate(("sda", "sdb"))]
    assert same_device_warnings([*passports, Passport(Target("t", "/"), None), Passport(Target("u", "/"), None)]) == []


def test_a_server_that_exists_is_a_target_without_a_device() -> None:
    target = parse_target("prod=mysql://bench@db.example/sb")
    assert target == Target("prod", "mysql://bench@db.example/sb", "server")
    known = passport(target)
    assert known.device is None
    assert "a server that exists" in str(known.no_device_reason or "")


def test_a_password_in_a_servers_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse_target("prod=mysql://bench:s3cret@db/sb")
    assert "s3cret" not in str(caught.value)
    assert "process list" in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://a b", "mysql://a\u200bb", "mysql://a\nb"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        parse_target(f"x={url}")


def test_an_address_without_a_name_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse_target("mysql://bench:s3cret@db/sb")
    assert "s3cret" not in str(caught.value)


def test_a_drive_with_another_serial_is_refused_and_both_are_named() -> None:
    def of(serial: str, name: str = "sda") -> Passport:
        return Passport(Target("a", "/mnt/a"), Device(name, 8, 0, 1000, kind="SATA SSD", serial=serial))

    module.refuse_other_drive(of("S1"), of("S1", "sdb"))  # the same drive under another name
    with pytest.raises(CannotRunError, match=r"it was sda .*serial S1\) and is sda .*serial S2\)"):
        module.refuse_other_drive(of("S1"), of("S2"))
