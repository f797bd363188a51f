"""Block devices: written only with their ID, never while in use, and never by accident."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from running import ONCE, SHORT, Drive, Iobench, Result, reasons, rows

Run = Callable[..., Result]
MIB = 1 << 20
SEQ = ("run", "seq", "--ops", "write", "--size", "8Mi", *SHORT)


def _id(device: Drive) -> str:
    return f"{device.name}:{64 * MIB}"


def _content(device: Drive) -> bytes:
    return Path(str(device.device)).read_bytes()


def _refused(said: Result, sentence: str, iobench: Iobench) -> None:
    assert said.code == 3, said.err
    assert sentence in said.err and "Traceback" not in said.err
    assert not list(iobench.results.glob("*"))  # no campaign that never began


def test_the_id_is_what_targets_prints(inside: Run, block_device: Drive) -> None:
    found = {drive["name"]: drive for drive in inside("targets", "--json").json["targets"]}
    assert found[block_device.name]["id"] == _id(block_device)
    assert _id(block_device) in inside("targets").out


@pytest.mark.parametrize("given", [(), ("--destroy-data", "loop0:1"), ("--destroy-data", "a b;$(touch X)")])
def test_without_the_right_id_nothing_is_written(
    given: tuple[str, ...], inside: Run, block_device: Drive, iobench: Iobench
) -> None:
    before = _content(block_device)
    said = inside(*SEQ, "-t", f"raw={block_device.device}", *given, "--yes")
    _refused(said, _id(block_device), iobench)
    assert _content(block_device) == before
    assert not (iobench.home / "X").exists()


def test_a_mounted_device_is_refused_whatever_is_said(inside: Run, block_device: Drive, iobench: Iobench) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-F", str(block_device.device)], check=True)
    subprocess.run(["mount", str(block_device.device), str(block_device.path)], check=True)
    said = inside(*SEQ, "-t", f"raw={block_device.device}", "--destroy-data", _id(block_device), "--yes")
    _refused(said, f"is mounted at {block_device.path}", iobench)
    assert "no option overrides this" in said.err


def test_a_signed_device_needs_a_second_word(inside: Run, block_device: Drive, iobench: Iobench) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "kept", str(block_device.device)], check=True)
    before = _content(block_device)
    argv = (*SEQ, "-t", f"raw={block_device.device}", "--destroy-data", _id(block_device), "-q")
    _refused(inside(*argv), "an ext4 file system labelled 'kept'", iobench)
    assert _content(block_device) == before
    allowed = inside(*argv, "--yes")
    assert allowed.code == 0, allowed.err
    assert _content(block_device) != before


def test_too_little_room_on_a_device_is_told_with_the_figures(
    inside: Run, block_device: Drive, iobench: Iobench
) -> None:
    said = inside(
        *("run", "dd", "-t", f"raw={block_device.device}", "--destroy-data", _id(block_device), "--size", "100M")
    )
    _refused(said, "the files take 99.6 MB and 67.1 MB are free", iobench)


@pytest.mark.parametrize(
    ("command", "steps"),
    [
        (("seq", "--size", "8Mi", *SHORT), 2),
        (("dd", "--size", "8Mi", *ONCE), 2),
        (("rand", "--ops", "mixed", "--loads", "4", "--size", "8Mi", *SHORT), 1),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_device_of_ones_own_is_measured(
    command: tuple[str, ...], steps: int, inside: Run, block_device: Drive, iobench: Iobench
) -> None:
    said = inside(*("run", *command, "-t", f"raw={block_device.device}", "--destroy-data", _id(block_device), "--json"))
    assert said.code == 0, said.err
    folder = iobench.folder()
    assert len(folder.finished()) == steps
    assert set().union(*reasons(folder).values()) == {"too-short"}
    for row in rows(folder.read("evidence")):
        assert row["device_name"] == block_device.name
        moved = (row["tool_bytes_read"] or 0) + (row["tool_bytes_written"] or 0)
        reached = row["device_bytes_read"] + row["device_bytes_written"]
        assert 0.9 * moved <= reached <= 1.1 * moved + 1e6
    # Nothing but the asked size is overwritten.
    assert _content(block_device)[8 * MIB :] == (_content(block_device)[9 * MIB : 10 * MIB]) * 56


def test_another_drive_in_its_place_is_not_gone_on_with(inside: Run, block_device: Drive, iobench: Iobench) -> None:
    argv = ("--destroy-data", _id(block_device), "-q")
    once = ("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"raw={block_device.device}")
    assert inside(*once, *argv).code == 0
    for path in (iobench.folder().path / "samples").iterdir():
        path.unlink()  # as if it had not been run
    image = block_device.path.parent / "image"
    with image.open("ab") as file:
        file.truncate(65 * MIB)
    subprocess.run(["losetup", "--set-capacity", str(block_device.device)], check=True)
    said = inside("resume", *argv)
    assert said.code == 3
    assert "is another drive than when the campaign began" in said.err
    assert str(64 * MIB) in said.err and str(65 * MIB) in said.err
