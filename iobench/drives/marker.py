"""Whose a work folder is: a marker file in it, without which nothing is taken over or removed."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime

from iobench import proc
from iobench.errors import CannotRunError

PREFIX = ".iobench-"
MARKER = "iobench.marker"
MARKER_MOST = 4096
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose folder it is. `started` is clock ticks since the boot `boot`; `created` is ISO 8601, UTC."""

    campaign: str
    host: str
    boot: str
    pid: int
    started: int
    created: str

    @property
    def owner_gone(self) -> bool:
        """Whether the process that made the folder is known to have ended.

        It is not known of another machine's process (the folder may be on a network drive).
        """
        if self.host != os.uname().nodename:
            return False
        return self.boot != proc.boot_id() or not proc.ProcessId(self.pid, self.started).alive()

    @property
    def own(self) -> bool:
        """Whether this very process made the folder."""
        return (self.pid, self.boot, self.host) == (os.getpid(), proc.boot_id(), os.uname().nodename)


def read_marker(dir_fd: int) -> Marker | None:
    """Return the marker in an opened folder; None where there is none, or none that is ours."""
    try:
        fd = os.open(MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=dir_fd)
    except OSError:
        return None
    try:
        data = os.read(fd, MARKER_MOST) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
        fields = json.loads(data)
        marker = Marker(**fields)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    finally:
        os.close(fd)
    texts = (marker.campaign, marker.host, marker.boot, marker.created)
    numbers = (marker.pid, marker.started)
    right = all(isinstance(text, str) for text in texts) and all(type(number) is int for number in numbers)
    return marker if right else None


def mark(dir_fd: int, path: str, campaign_id: str, owner: proc.ProcessId | None = None) -> Marker:
    """Write the marker of this process, or of another owner, into an opened folder. Raises CannotRunError."""
    me = owner or proc.identify(os.getpid())
    if me is None:
        raise CannotRunError("/proc does not show this process, so its files cannot be marked; is /proc mounted?")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    marker = Marker(campaign_id, os.uname().nodename, proc.boot_id(), me.pid, me.started, now)
    text = json.dumps({name: getattr(marker, name) for name in Marker.__slots__}, ensure_ascii=False, indent=1)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(MARKER, flags, 0o600, dir_fd=dir_fd)
        try:
            os.write(fd, text.encode() + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise CannotRunError(f"{path} cannot be marked as iobench's ({error.strerror})") from None
    return marker
