"""findmnt: how to ask it for the mounts that may stand on a drive, and a pure parser of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iobench.errors import ParseError
from iobench.tools.said import flat, text_of, whole_of

COLUMNS = "TARGET,SOURCE,FSTYPE,OPTIONS,SIZE,USED,AVAIL,MAJ:MIN"
# Types without a drive under them are not asked about: a network file system that hangs would hang the answer.
NO_DRIVE_UNDER = "nonfs,nfs4,cifs,smb3,autofs,tmpfs,devtmpfs,proc,sysfs,devpts,cgroup,cgroup2,overlay,fuse,fuse.sshfs"
ARGV = ("findmnt", "--json", "--bytes", "--list", "--types", NO_DRIVE_UNDER, "--output", COLUMNS)


@dataclass(frozen=True, slots=True)
class FindmntRow:
    """What findmnt says of one mount. Sizes in bytes; `number` is the device's `major:minor`."""

    target: str
    source: str | None
    filesystem: str | None
    options: str | None
    size: int | None
    used: int | None
    available: int | None
    number: str | None


def parse_findmnt(text: str) -> list[FindmntRow]:
    """Return the mounts of `findmnt --json --bytes`. Raises ParseError."""
    return [_row(row) for row in flat(text, "findmnt", "filesystems")]


def _row(row: dict[str, Any]) -> FindmntRow:
    target = text_of(row, "target")
    if target is None:
        raise ParseError(f"findmnt: a mount without a target: {str(row)[:120]}")
    return FindmntRow(
        target,
        text_of(row, "source"),
        text_of(row, "fstype"),
        text_of(row, "options"),
        whole_of(row, "size"),
        whole_of(row, "used"),
        whole_of(row, "avail"),
        text_of(row, "maj:min"),
    )
