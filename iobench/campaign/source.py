"""Random data that stands in memory for dd to read: no drive, no process and no /dev/urandom in its way."""

from __future__ import annotations

import os
from pathlib import Path

from iobench import proc
from iobench.errors import CannotRunError, InterruptedCampaign
from iobench.units import format_bytes

_CHUNK = 1 << 24
_SHARE = 0.5  # of the memory that is available now


class MemorySource:
    """One anonymous file in memory, refilled when another size is asked for; gone with the process."""

    def __init__(self, stop: proc.Stop) -> None:
        self._stop = stop
        self._fd = -1
        self._size = 0

    def path(self, size: int) -> str:
        """Return a path to `size` random bytes for a program that inherits `fds`.

        Raises CannotRunError when memory does not suffice, InterruptedCampaign when a stop is requested.
        """
        if size != self._size:
            self.close()
            check(size)
            self._fd = _filled(size, self._stop)
            self._size = size
        return f"/dev/fd/{self._fd}"

    @property
    def fds(self) -> tuple[int, ...]:
        """The descriptors that a program has to inherit."""
        return (self._fd,) if self._fd >= 0 else ()

    def close(self) -> None:
        """Free the memory."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size = -1, 0


def check(size: int) -> None:
    """Raise CannotRunError, with the figures, when memory does not suffice for a source of `size` bytes."""
    room = available_memory()
    if size > _SHARE * room:
        raise CannotRunError(
            f"dd's random source of {format_bytes(size)} is held in memory, and {format_bytes(room)} are available; "
            "use a smaller --size, or --source zero"
        )


def largest() -> int:
    """Return the bytes of a source that memory holds with ease."""
    return int(_SHARE * available_memory() / 2)


def _filled(size: int, stop: proc.Stop) -> int:
    import numpy as np

    random = np.random.default_rng()
    fd = os.memfd_create("iobench-source")
    left = size
    while left > 0:
        if stop.requested:
            os.close(fd)
            raise InterruptedCampaign
        left -= os.write(fd, random.bytes(min(_CHUNK, left)))
    return fd


def available_memory() -> int:
    """Return the bytes that programs can still get, as the kernel estimates them."""
    return _meminfo("MemAvailable")


def total_memory() -> int:
    """Return the machine's memory in bytes."""
    return _meminfo("MemTotal")


def _meminfo(key: str) -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise CannotRunError(f"/proc/meminfo has no {key}: is /proc mounted?")
