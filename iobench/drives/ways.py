"""Other ways to the same storage: loop devices on one file, paths to one drive. Who uses one of them uses all."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iobench.drives.layers import SYS

_LOOP_GET_STATUS64, _LOOP_INFO64_BYTES = 0x4C05, 232  # linux/loop.h
_NO_END = 1 << 63


@dataclass(frozen=True, slots=True)
class LoopFile:
    """The part of a file that a loop device stands on: the file's device and inode, first and last byte."""

    device: int
    inode: int
    begin: int
    end: int

    def meets(self, other: LoopFile) -> bool:
        """Whether a byte of the one is a byte of the other."""
        same = (self.device, self.inode) == (other.device, other.inode)
        return same and self.begin < other.end and other.begin < self.end


def other_ways(number: str, sys: Path = SYS) -> list[str]:
    """Return the numbers (`major:minor`) of other devices that lead to the storage of this one.

    To a partition the same partition of another path leads, and that path as a whole.
    """
    home = (sys / "dev/block" / number).resolve()
    part = _read(home / "partition")
    disk = home.parent if part else home
    mine = _identity(disk)
    if mine is None:
        return []
    # One of several paths that the kernel hides (NVMe's own multipath) has no number.
    return [each for other in _same(disk, mine, sys) for each in _numbers(other, part) if each]


def loop_file(name: str) -> LoopFile | None:
    """Return what a loop device stands on, by its kernel name; None for any other, or where that cannot be asked."""
    try:
        fd = os.open(f"/dev/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = fcntl.ioctl(fd, _LOOP_GET_STATUS64, bytes(_LOOP_INFO64_BYTES))
    except OSError:
        return None
    finally:
        os.close(fd)
    device, inode, _, begin, length = struct.unpack_from("=5Q", status)
    return LoopFile(device, inode, begin, begin + length if length else _NO_END)


def _identity(disk: Path) -> LoopFile | str | None:
    if (disk / "loop").is_dir():
        return loop_file(disk.name)
    said = _read(disk / "wwid") or _read(disk / "device/wwid")
    # Some drives have zeros there, all alike; some bridges call each drive behind them by one name.
    return f"{said} {_read(disk / 'size')}" if said.strip("naeui.0 -") else None


def _same(disk: Path, mine: LoopFile | str, sys: Path) -> Iterator[Path]:
    for other in sorted((sys / "block").iterdir()):
        if other.name == disk.name or (disk / "loop").is_dir() != (other / "loop").is_dir():
            continue
        its = _identity(other)
        if its == mine or (isinstance(mine, LoopFile) and isinstance(its, LoopFile) and mine.meets(its)):
            yield other


def _numbers(disk: Path, part: str) -> Iterator[str]:
    yield _read(disk / "dev")
    for each in disk.glob("*/partition"):
        if part and _read(each) == part:
            yield _read(each.parent / "dev")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
