"""What a block device stands on, as /sys tells it: partitions, mapped devices (LVM, encryption) and MD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SYS = Path("/sys")


def beneath(number: str, sys: Path = SYS) -> list[str]:
    """Return the device `major:minor` and all that it stands on, nearest first.

    A partition stands on its drive, a mapped or MD device on its members. A loop device ends the way: what
    it stands on is a file.
    """
    found: dict[str, None] = {}
    waiting = [number]
    while waiting:
        here = waiting.pop(0)
        if here not in found:
            found[here] = None
            waiting += _below(_folder(here, sys))
    return list(found)


def whole_disks(number: str, sys: Path = SYS) -> list[str]:
    """Return, as `major:minor`, the whole drives that the device stands on; a whole drive is its own."""
    return [each for each in beneath(number, sys) if not list(_below(_folder(each, sys)))]


def _folder(number: str, sys: Path) -> Path:
    return (sys / "dev/block" / number).resolve()


def _below(folder: Path) -> Iterator[str]:
    homes = [folder.parent] if (folder / "partition").exists() else sorted((folder / "slaves").glob("*"))
    for home in homes:
        try:
            yield (home / "dev").read_text(encoding="ascii").strip()
        except OSError:
            continue  # it went away meanwhile
