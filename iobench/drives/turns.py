"""One campaign at a time on a drive: two at once would measure each other.

The turn is a lock (flock) on the root folder of the file system, which any user can open and which goes with the
process, however that ends. A bare block device is claimed exclusively anyway (guards.py).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from iobench.errors import CannotRunError


class Turns:
    """The turns that a campaign holds, one for each file system that its targets lie on."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], int] = {}

    def take(self, target: str, mount_point: str) -> None:
        """Take the turn on a file system; once, however many targets lie on it.

        Raises CannotRunError where another process has it. Where the folder cannot be opened or locked (another
        user's, some network drives) there are no turns.
        """
        try:
            fd = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        info = os.fstat(fd)
        key = info.st_dev, info.st_ino
        try:
            if key in self._held:
                os.close(fd)
                return
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise CannotRunError(
                f"target {target}: {_holder(info)} is measuring the drive mounted at {mount_point}, and two "
                "campaigns at once would measure each other; wait for it, or end it"
            ) from None
        except OSError:
            os.close(fd)
            return
        self._held[key] = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give all turns back; may be called twice."""
        for fd in self._held.values():
            os.close(fd)
        self._held.clear()


def _holder(info: os.stat_result) -> str:
    """Who holds the lock, as /proc/locks tells: `another iobench (process 123)`."""
    place = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    for fields in map(str.split, lines):
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5] == place:
            return f"another iobench (process {fields[4]})"
    return "another iobench"
