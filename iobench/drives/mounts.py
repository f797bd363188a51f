"""What is mounted where, as the kernel tells it in /proc/self/mountinfo."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from iobench.errors import CannotRunError, ParseError

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_NUMBER = re.compile(r"[0-9]{1,10}:[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount. `number` is its `major:minor`; `options` are the mount's own, then the file system's."""

    id: int
    number: str
    root: str
    mount_point: str
    options: str
    filesystem: str
    source: str


def parse_mountinfo(data: bytes) -> list[Mount]:
    """Return the mounts of a mountinfo text, in the kernel's order. Raises ParseError."""
    return [_parse_line(line) for line in data.split(b"\n") if line]


def mounts() -> list[Mount]:
    """Return what is mounted now, as this process sees it."""
    try:
        return parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())
    except OSError as error:
        raise CannotRunError(f"/proc/self/mountinfo cannot be read ({error.strerror}); is /proc mounted?") from None


def mount_of(path: str, table: list[Mount]) -> Mount | None:
    """Return the mount that a path is on, or None where the table has none for it.

    The kernel is asked for the mount's id, since names alone are wrong where one mount hides another.
    """
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        info = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii")
    except OSError:
        info = ""
    finally:
        os.close(fd)
    asked = re.search(r"^mnt_id:\s*([0-9]+)$", info, re.MULTILINE)
    by_id = {mount.id: mount for mount in table}
    if asked is not None and int(asked[1]) in by_id:
        return by_id[int(asked[1])]
    return longest_match(os.path.realpath(path), table)


def longest_match(path: str, table: list[Mount]) -> Mount | None:
    """Return the mount whose mount point is the longest that an absolute path begins with; the last wins."""
    found: Mount | None = None
    for mount in table:
        base = mount.mount_point.rstrip("/")
        holds = path == base or path.startswith(base + "/")
        if holds and (found is None or len(mount.mount_point) >= len(found.mount_point)):
            found = mount
    return found


def _parse_line(line: bytes) -> Mount:
    before, dash, after = line.partition(b" - ")
    left, right = before.split(b" "), after.split(b" ")
    if not dash or len(left) < 6 or len(right) < 2:
        raise ParseError(f"/proc/self/mountinfo: a line cannot be read: {line[:120]!r}")
    number = left[2].decode("ascii", "replace")
    if _NUMBER.fullmatch(number) is None or not re.fullmatch(rb"[0-9]{1,18}", left[0]):
        raise ParseError(f"/proc/self/mountinfo: a line has no device number: {line[:120]!r}")
    own, general = _text(left[5]), _text(right[2]) if len(right) > 2 else ""
    known = own.split(",")
    options = ",".join([*known, *(each for each in general.split(",") if each and each not in known)])
    return Mount(int(left[0]), number, _text(left[3]), _text(left[4]), options, _text(right[0]), _text(right[1]))


def _text(field: bytes) -> str:
    """Undo the kernel's octal escapes (space, tab, newline, backslash); other bytes stay."""
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))
