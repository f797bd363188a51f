"""`iobench doctor` and `iobench targets`: what is printed, narrow and wide, and the exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from iobench import proc
from iobench.campaign import host
from iobench.cli import doctor as doctor_module
from iobench.cli import targets as targets_module
from iobench.cli.doctor import PROGRAMS, look, package_manager, parse_version
from iobench.cli.main import iobench
from iobench.cli.tables import Column, clean, fit
from iobench.drives import throttle as throttle_module
from iobench.drives.inventory import DriveRecord, MountedFs
from iobench.model import Health

FIO = PROGRAMS[0]


def fake(monkeypatch: pytest.MonkeyPatch, folder: Path, says: dict[str, str]) -> None:
    """Let only these programs be found; each prints what it is told to, and ends with 0."""
    for name, text in says.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n", encoding="utf-8")
        script.chmod(0o755)
    monkeypatch.setattr(proc, "find", lambda name: str(folder / name) if name in says else None)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("fio-3.33", "3.33"),
        ("fio-3.36-29-g5b47a", "3.36"),
        ("dd (coreutils) 9.1", "9.1"),
        ("lsblk from util-linux 2.38.1", "2.38.1"),
        ("mke2fs 1.47.0 (5-Feb-2023)", "1.47.0"),
        ("smartctl 7.3 2022-02-28 r5338 [x86_64-linux-6.18.44]", "7.3"),
        ("mariadbd  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64", "10.11.6"),
        ("Segmentation fault", None),
        ("", None),
        ("version 9" + "9" * 10000, None),
    ],
)
def test_versions(text: str, version: str | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(("says", "ok"), [("fio-3.16", True), ("fio-3.15", False), ("fio-2.99", False), ("huh", False)])
def test_fio_too_old_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, ok: bool) -> None:
    fake(monkeypatch, tmp_path, {"fio": says})
    assert look(FIO, "apt-get").ok is ok


def test_the_exit_code_and_the_command_that_installs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor_module, "package_manager", lambda: "dnf")
    fake(monkeypatch, tmp_path, {"fio": "fio-3.1", "mysqld": "mysqld  Ver 8.0.36"})
    got = CliRunner().invoke(iobench, ["doctor", "--json"])
    document = json.loads(got.stdout)
    assert (got.exit_code, document["ready"], document["schema_version"]) == (3, False, 1)
    install = document["install"].split()
    assert {"fio", "util-linux", "nbdfuse"} <= set(install)
    assert install[install.index("dnf") + 1 :][:2] == ["install", "-y"]
    assert "mariadb-server" not in install
    assert install.count("util-linux") == 1

    fake(monkeypatch, tmp_path, {"fio": "fio-3.33"})
    assert CliRunner().invoke(iobench, ["doctor"]).exit_code == 0


def test_everything_there_needs_no_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, {program.name: "x 9.9.9" for program in PROGRAMS})
    assert json.loads(CliRunner().invoke(iobench, ["doctor", "--json"]).stdout)["install"] is None


@pytest.mark.parametrize(
    ("text", "manager"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "apt-get"),
        ('ID="pop"\nID_LIKE="ubuntu debian"\n', "apt-get"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf"),
        ("ID=arch\n", None),
        ("", None),
    ],
)
def test_package_manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, manager: str | None) -> None:
    monkeypatch.setattr(proc, "find", lambda name: f"/usr/bin/{name}")
    (tmp_path / "os-release").write_text(text, encoding="utf-8")
    assert package_manager(tmp_path / "os-release") == manager
    monkeypatch.setattr(proc, "find", lambda name: None)
    assert package_manager(tmp_path / "os-release") is None


def condition(name: str) -> dict[str, Any]:
    """What doctor says of this machine under a name."""
    machine = json.loads(CliRunner().invoke(iobench, ["doctor", "--json"]).stdout)["machine"]
    found: dict[str, Any] = next(each for each in machine if each["name"] == name)
    return found


@pytest.mark.parametrize(("engine", "ok"), [("io_uring", True), ("libaio", False)])
def test_doctor_says_of_io_uring_what_a_campaign_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str, ok: bool
) -> None:
    fake(monkeypatch, tmp_path, {"fio": "fio-3.33"})
    monkeypatch.setattr(host, "engine", lambda: engine)
    assert condition("io_uring")["ok"] is ok


def test_without_fio_io_uring_is_not_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, {"dd": "dd (coreutils) 9.1"})
    assert condition("io_uring")["ok"] is False
    assert "not known" in condition("io_uring")["detail"]


def test_doctor_finds_the_throttle_where_the_lab_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, {})
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    monkeypatch.setattr(throttle_module, "find_throttle", partial(throttle_module.find_throttle, tmp_path))
    assert condition("I/O throttle")["ok"] is False
    (tmp_path / "cgroup.controllers").write_text("cpu io memory\n")
    found = condition("I/O throttle")
    assert found["ok"] is True and f"cgroup v2, {tmp_path}/iobench-lab" in found["detail"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert condition("I/O throttle")["ok"] is False


def test_doctor_on_this_machine_is_plain_in_a_pipe() -> None:
    got = CliRunner().invoke(iobench, ["doctor"])
    assert "\x1b" not in got.stdout
    assert "fio" in got.stdout
    assert "io_uring" in got.stdout


def _drive(**changes: Any) -> DriveRecord:
    fields: dict[str, Any] = dict.fromkeys(DriveRecord.__dataclass_fields__)
    fields |= {"name": "nvme0n1", "number": "259:0", "kind": "PCIe flash", "size": 1_920_383_410_176}
    fields |= {"vendor": "Samsung", "model": "MZWLL1T6HEHP-00003 日本製 very long", "serial": "S3HDNX0K500123456789"}
    mount = MountedFs("/srv/very/long/mount/point/日本語/of/a/drive", "ext4", "rw", 10**12, 10**11, 9 * 10**11)
    fields |= {"unknown": {"serial": "nobody knows"}}
    fields |= {"mounts": (mount, mount), "partitions": (), "below": (), "notes": ("why",)}
    return DriveRecord(**(fields | changes))


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def run(drives: list[DriveRecord], *options: str, columns: int = 80) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(targets_module.inventory, "devices", lambda: drives)
        monkeypatch.setattr(
            targets_module.health, "of_all", lambda found: {drive.name: Health(passed=True) for drive in found}
        )
        got = CliRunner().invoke(iobench, ["targets", *options])
        assert got.exit_code == 0, got.output
        return got.stdout

    return run


def test_targets_fit_80_columns_and_keep_the_id_whole(listing: Callable[..., str]) -> None:
    text = listing([_drive()])
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    assert "S3HDNX0K500123456789" in text
    assert "1.92 TB" in text
    assert "HEALTH" not in text
    wide = listing([_drive()], columns=300)
    for word in ("HEALTH", "passed", "MZWLL1T6HEHP-00003 日本製 very long", "100 GB", "900 GB"):
        assert word in wide


def test_a_narrow_window_cuts_no_id(listing: Callable[..., str]) -> None:
    for columns in (20, 40, 60):
        assert "S3HDNX0K500123456789" in listing([_drive()], columns=columns)


def test_doctor_in_a_narrow_window_loses_no_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, {program.name: "x 9.9.9" for program in PROGRAMS})  # a command to copy is never broken
    texts = {}
    for columns in (40, 60, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        texts[columns] = CliRunner().invoke(iobench, ["doctor"]).stdout
    assert all(cell_len(line) <= columns for columns, text in texts.items() for line in text.splitlines())
    # A word that is wider than its column is broken.
    assert len({"".join(sorted("".join(text.split()))) for text in texts.values()}) == 1


def test_targets_strip_what_would_drive_the_terminal(listing: Callable[..., str]) -> None:
    text = listing([_drive(model="\x1b[31mred\x07\u202e")], columns=300)
    assert "\x1b" not in text
    assert "[31mred" in text


def test_targets_json(listing: Callable[..., str]) -> None:
    document = json.loads(listing([_drive(serial=None, wwn=None)], "--json"))
    (drive,) = document["targets"]
    assert document["schema_version"] == 1
    assert drive["id"] == "nvme0n1:1920383410176"
    assert (drive["serial"], drive["unknown"]["serial"]) == (None, "nobody knows")
    assert drive["unknown"]["health.temperature_c"] == "smartctl does not tell it"
    assert (drive["healthy"], drive["mounts"][0]["free"], drive["notes"]) == (True, 9 * 10**11, ["why"])


def test_targets_on_a_machine_that_shows_none(listing: Callable[..., str]) -> None:
    assert "no drive" in listing([])
    assert json.loads(listing([], "--json"))["targets"] == []


def test_targets_of_this_machine() -> None:
    document = json.loads(CliRunner().invoke(iobench, ["targets", "--json"]).stdout)
    assert all(drive["id"] and drive["size"] > 0 for drive in document["targets"])


def test_columns_are_cut_before_they_are_dropped() -> None:
    columns = (Column("A"), Column("B", drop=1, shrinks=True), Column("C", drop=2))
    rows = [["a" * 10, "b" * 30, "c" * 10]]
    assert fit(columns, rows, 54) == ([0, 1, 2], [10, 30, 10])
    assert fit(columns, rows, 44) == ([0, 1, 2], [10, 20, 10])
    assert fit(columns, rows, 20) == ([0, 1], [10, 8])
    assert fit(columns, rows, 5) == ([0], [10])


def test_clean_keeps_what_people_write() -> None:
    assert clean("日本 'x' \"é\"") == "日本 'x' \"é\""
    assert clean("a\nb\x9bc") == "abc"
