"""One campaign at a time on a drive: two at once would measure each other.

A turn on a file system is a lock (flock) on its root folder, which any user can open; on each whole drive below, it is
a socket of the drive's name (in the abstract namespace: there is no file), since a drive may be reached through
several partitions and mounts. Nothing is ever sent there. Both go with the process, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from iobench.errors import CannotRunError

_NAME = "\0iobench-turn-"


class Turns:
    """The turns that a campaign holds, one for each file system and each drive that its targets lie on."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], int] = {}
        self._drives: dict[str, socket.socket] = {}

    def take_drives(self, target: str, numbers: Sequence[str]) -> None:
        """Take the turn on whole drives, given as `major:minor`; once, however many targets lie on them.

        Raises CannotRunError where another process has one.
        """
        for number in numbers:
            if number in self._drives:
                continue
            end = socket.socket(socket.AF_UNIX)
            try:
                end.bind(_NAME + number)
                end.listen()
            except OSError as error:
                end.close()
                if error.errno != errno.EADDRINUSE:
                    continue
                name = (Path("/sys/dev/block") / number).resolve().name
                raise CannotRunError(
                    f"target {target}: {_listener(_NAME + number)} is measuring on the drive {name} as well, and two "
                    "campaigns at once would measure each other; wait for it, or end it"
                ) from None
            self._drives[number] = end

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
        for end in self._drives.values():
            end.close()
        self._drives.clear()


def _listener(name: str) -> str:
    """Who listens on a socket, as the kernel tells whoever connects to it."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(1.0)
        try:
            end.connect(name)
            pid, _, _ = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return "another iobench"
    return f"another iobench (process {pid})"


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
