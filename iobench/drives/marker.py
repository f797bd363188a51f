"""Whose a work folder is: a marker file in it, without which nothing is taken over or removed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iobench import proc
from iobench.errors import CannotRunError

_MACHINE_ID = re.compile(r"[0-9a-f]{32}")  # not "uninitialized", which many have

PREFIX = ".iobench-"
MARKER = "iobench.marker"
MARKER_MOST = 4096
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose folder it is. `started` is clock ticks since the boot `boot`; `created` is ISO 8601, UTC.

    `machine` names the machine across boots, `namespace` its numbering of processes; empty where not known.
    """

    campaign: str
    host: str
    boot: str
    pid: int
    started: int
    created: str
    machine: str = ""
    namespace: str = ""

    @property
    def owner_gone(self) -> bool:
        """Whether the process that made the folder is known to have ended.

        It is not known of another machine's process (the folder may be on a network drive), nor of one in another
        container. Two machines may have one name, and clones one id; one that was renamed is not known any more.
        """
        if self.pid == 0:  # it was left for whoever goes on
            return True
        if self.boot == proc.boot_id():
            here = self.namespace in ("", proc.namespace())
            return here and not proc.ProcessId(self.pid, self.started).alive()
        if self.host != os.uname().nodename:  # clones of a machine share its id: both have to be ours
            return False
        mine = _machine()
        return not (self.machine and mine) or self.machine == mine

    @property
    def own(self) -> bool:
        """Whether this very process made the folder."""
        return (self.pid, self.boot) == (os.getpid(), proc.boot_id()) and self.namespace in ("", proc.namespace())


def _machine() -> str:
    """What names this machine whatever it is called: derived from its id, which should not be shown; may be empty."""
    try:
        own = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(f"iobench {own}".encode()).hexdigest()[:16] if _MACHINE_ID.fullmatch(own) else ""


def read_marker(dir_fd: int) -> Marker | None:
    """Return the marker in an opened folder; None where there is none, or none that is ours."""
    try:
        fd = os.open(MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=dir_fd)
    except OSError:
        return None
    try:
        return parse(os.read(fd, MARKER_MOST) if stat.S_ISREG(os.fstat(fd).st_mode) else b"")
    except OSError:
        return None
    finally:
        os.close(fd)


def parse(data: bytes | str) -> Marker | None:
    """Return the marker of what `as_text` made; None for anything else."""
    try:
        marker = Marker(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (marker.campaign, marker.host, marker.boot, marker.created, marker.machine, marker.namespace)
    numbers = (marker.pid, marker.started)
    right = all(isinstance(text, str) for text in texts) and all(type(number) is int for number in numbers)
    return marker if right else None


def of_process(campaign: str, owner: proc.ProcessId | None = None) -> Marker:
    """Return the marker of this process, or of another owner. Raises CannotRunError."""
    me = owner or proc.identify(os.getpid())
    if me is None:
        raise CannotRunError("/proc does not show this process, so its files cannot be marked; is /proc mounted?")
    now, boot = datetime.now(UTC).isoformat(timespec="seconds"), proc.boot_id()
    return Marker(campaign, os.uname().nodename, boot, me.pid, me.started, now, _machine(), proc.namespace())


def as_text(marker: Marker) -> str:
    """Return a marker as it is kept."""
    return json.dumps({name: getattr(marker, name) for name in Marker.__slots__}, ensure_ascii=False, indent=1)


def mark(dir_fd: int, path: str, campaign_id: str, owner: proc.ProcessId | None = None) -> Marker:
    """Write the marker of this process, or of another owner, into an opened folder. Raises CannotRunError."""
    marker = of_process(campaign_id, owner)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(MARKER, flags, 0o600, dir_fd=dir_fd)
        try:
            os.write(fd, as_text(marker).encode() + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise CannotRunError(f"{path} cannot be marked as iobench's ({error.strerror})") from None
    return marker
