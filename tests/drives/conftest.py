"""Loop devices for the tests of drives: made here, and always detached."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import partitions
import pytest
from madesys import machine

from iobench import proc
from iobench.drives import inventory

MIB = 1 << 20


def no_loops() -> str | None:
    """Why no loop devices can be had here, else None."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.access("/dev/loop-control", os.R_OK | os.W_OK):
        return "needs loop devices (/dev/loop-control)"
    lacking = [name for name in ("losetup", "mkfs.ext4", "blkid") if proc.find(name) is None]
    return f"needs {', '.join(lacking)}" if lacking else None


class Loop:
    """A loop device of a test, with what was done to it undone in reverse order."""

    def __init__(self, image: Path, size: int) -> None:
        with image.open("wb") as file:
            file.truncate(size)
        self.size = size
        self.path = proc.capture(("losetup", "--find", "--show", str(image))).stdout.strip()
        self.name = Path(self.path).name
        self.id = f"{self.name}:{size}"
        self._undo: list[tuple[str, ...]] = [("losetup", "--detach", self.path)]

    def ext4(self, label: str = "kept") -> None:
        self.format("-L", label)

    def format(self, *options: str, device: str | None = None) -> None:
        """Make a file system of which nothing is left for the kernel to make at its leisure once it is mounted."""
        whole = ("-O", "^metadata_csum,^uninit_bg", "-E", "lazy_itable_init=0,lazy_journal_init=0")
        proc.capture(("mkfs.ext4", "-q", "-F", *whole, *options, device or self.path))

    def mount(self, folder: Path, device: str | None = None) -> None:
        folder.mkdir(exist_ok=True)
        proc.capture(("mount", device or self.path, str(folder)))
        # What mounting itself writes is to be there before a test looks whether anything was written.
        proc.capture(("sync", "--file-system", str(folder)))
        self._undo.append(("umount", str(folder)))

    def swap(self) -> None:
        proc.capture(("mkswap", self.path))
        proc.capture(("swapon", self.path))
        self._undo.append(("swapoff", self.path))

    def partition(self) -> str:
        """Write a table with one partition of all but the first MiB, and return the partition's path."""
        partitions.add(self.path, (2048, self.size // 512 - 2048))
        self._undo.append((*partitions.REMOVE, self.path))
        return f"{self.path}p1"

    def read_only(self) -> None:
        """Set it read-only; the kernel keeps that for the next image, so it is undone first."""
        proc.capture(("blockdev", "--setro", self.path))
        self._undo.append(("blockdev", "--setrw", self.path))

    def read(self, count: int) -> bytes:
        with open(self.path, "rb") as device:
            return device.read(count)

    def write(self, data: bytes, at: int = 0) -> None:
        with open(self.path, "r+b", buffering=0) as device:
            device.seek(at)
            device.write(data)

    def undo(self) -> None:
        for argv in reversed(self._undo):
            proc.capture(argv, check=False)


@pytest.fixture
def make_loop(tmp_path: Path) -> Iterator[Callable[..., Loop]]:
    reason = no_loops()
    if reason is not None:
        pytest.skip(reason)
    made: list[Loop] = []

    def make(size: int = 64 * MIB) -> Loop:
        made.append(Loop(tmp_path / f"image{len(made)}", size))
        return made[-1]

    yield make
    for loop in reversed(made):
        loop.undo()


@pytest.fixture
def loop(make_loop: Callable[..., Loop]) -> Loop:
    return make_loop()


@pytest.fixture
def fake_sys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /sys with an ioDrive and a SAS disk, none of them emulated."""
    monkeypatch.setattr(inventory, "emulation_of", lambda _number, _sys: None)
    return machine(tmp_path)


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any program."""
    monkeypatch.setattr(proc, "find", lambda _program: None)
