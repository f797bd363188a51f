"""What the kernel counted: sectors that reached a device, and the processors' time."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iobench.errors import CannotRunError, ParseError, ToolError
from iobench.proc import boot_id

SECTOR = 512  # in these counters a sector is 512 bytes whatever the drive's own sector is
_IDLE, _IOWAIT = 3, 4
_OTHERS = (11, 15)  # discards and flushes that were finished, of newer kernels


@dataclass(frozen=True, slots=True)
class Counters:
    """A device's counters since boot. `at` is monotonic seconds; `busy_s` is time with anything in flight."""

    at: float
    bytes_read: int
    bytes_written: int
    busy_s: float
    reads: int = 0  # requests finished
    writes: int = 0
    finished: int = 0  # requests of all kinds, those that move no data too
    in_flight: int = 0  # requests that it has and did not finish


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Processor seconds since boot, all processors together. Waiting for I/O counts as idle."""

    busy_s: float
    total_s: float


class CounterFile:
    """A device's counters, opened once so that reading them costs one system call."""

    def __init__(self, number: str, sys: Path = Path("/sys")) -> None:
        """Open the counters of the device `major:minor`. Raises CannotRunError when the kernel has none."""
        self.number = number
        try:
            self._fd = os.open(sys / "dev/block" / number / "stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CannotRunError(
                f"the kernel has no counters for the device {number} ({error.strerror}), so what reaches "
                "it cannot be counted; measure a folder on a block device"
            ) from None

    def read(self) -> Counters:
        """Return the counters now. Raises ToolError when the device has gone away, ParseError otherwise."""
        try:
            data = os.pread(self._fd, 512, 0)
        except OSError as error:
            raise ToolError(f"the device {self.number} went away while it was measured ({error.strerror})") from None
        return parse_stat(data, time.monotonic())

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def mark(counters: CounterFile) -> dict[str, str | int]:
    """Return what tells later, by `written_since`, how much was written since now. Raises ToolError, ParseError."""
    return {"boot": boot_id(), "device": counters.number, "written": counters.read().bytes_written}


def written_since(marked: Mapping[str, Any], counters: CounterFile) -> int | None:
    """Return the bytes that were written to a device since it was marked, by whomever.

    None where that is not known: after another boot counters begin anew, and another device has its own.
    Raises KeyError, TypeError for what is no mark, ToolError, ParseError.
    """
    if (marked["boot"], marked["device"]) != (boot_id(), counters.number):
        return None
    grown = int(counters.read().bytes_written - marked["written"])
    return grown if grown >= 0 else None


def parse_stat(data: bytes, at: float) -> Counters:
    """Return the counters of a /sys/.../stat text (11 numbers or more). Raises ParseError."""
    fields = data.split()
    if len(fields) < 11 or not all(field.isdigit() and len(field) <= 20 for field in fields[:11]):
        raise ParseError(f"a device's stat file cannot be read: {data[:120]!r}")
    n = [int(field) for field in fields[:11]]
    others = sum(int(fields[i]) for i in _OTHERS if i < len(fields) and fields[i].isdigit() and len(fields[i]) <= 20)
    return Counters(at, n[2] * SECTOR, n[6] * SECTOR, n[9] / 1000, n[0], n[4], n[0] + n[4] + others, n[8])


def cpu_times() -> CpuTimes:
    """Return the machine's processor times now."""
    with open("/proc/stat", "rb") as file:
        return parse_cpu(file.readline(), os.sysconf("SC_CLK_TCK"))


def parse_cpu(line: bytes, ticks_per_s: int) -> CpuTimes:
    """Return the times of the first line of /proc/stat. Raises ParseError."""
    fields = line.split()
    if len(fields) < 6 or fields[0] != b"cpu" or not all(f.isdigit() and len(f) <= 20 for f in fields[1:]):
        raise ParseError(f"/proc/stat cannot be read: {line[:120]!r}")
    # Guest time (fields 9 and 10) is already inside user and nice.
    ticks = [int(field) for field in fields[1:9]]
    return CpuTimes((sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT]) / ticks_per_s, sum(ticks) / ticks_per_s)
