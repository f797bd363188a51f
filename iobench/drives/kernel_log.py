"""What the kernel says of a device while it is measured: the reason behind an I/O error."""

from __future__ import annotations

import os
import re
from types import TracebackType
from typing import Self

_RECORD = 8192  # the kernel gives one whole record a read, of this size at most
_MOST = 2000  # records looked at in one go


class KernelLog:
    """The kernel's log from now on. Without the right to read it (root, mostly) it holds nothing."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            self._fd = -1

    def about(self, device: str) -> list[str]:
        """Return the lines since the last call that name a device (`sdb`, as the kernel calls it), oldest first."""
        part = r"(?:p\d+)?" if device[-1:].isdigit() else r"\d*"
        named = re.compile(rf"(?<![\w-]){re.escape(device)}{part}(?![\w-])")
        return [line for line in self._new() if named.search(line)]

    def skip(self) -> None:
        """Pass over what has been said until now."""
        self._new()

    def _new(self) -> list[str]:
        lines: list[str] = []
        for _ in range(_MOST if self._fd >= 0 else 0):
            try:
                record = os.read(self._fd, _RECORD)
            except BrokenPipeError:  # overwritten before we came to it: the next is there
                continue
            except OSError:
                break
            # "priority,number,time,flags;text", then lines of further fields that begin with a space.
            text = record.decode(errors="replace").partition(";")[2].split("\n", 1)[0]
            lines.append(text.strip())
        return lines

    def close(self) -> None:
        """Let go of the log; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
