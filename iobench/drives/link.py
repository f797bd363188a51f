"""A drive's PCIe link, now and at best, from /sys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from iobench.drives import sysfs


@dataclass(frozen=True, slots=True)
class Link:
    """A PCIe link: lanes and GT/s, now and the most that both ends could do; None is not known."""

    width: int | None
    width_best: int | None
    speed_gtps: float | None
    speed_best_gtps: float | None


def link_of(ancestors: Iterable[Path]) -> Link | None:
    """Return the link of the nearest PCIe device above a drive; None where there is none (as in most virtual machines).

    `ancestors` are its folders in /sys, the nearest first.
    """
    for folder in ancestors:
        if (folder / "current_link_width").exists():
            link = Link(
                sysfs.number(folder / "current_link_width"),
                sysfs.number(folder / "max_link_width"),
                _speed(folder / "current_link_speed"),
                _speed(folder / "max_link_speed"),
            )
            # A virtual device reports a link of 0 lanes, or 255 at best: that is none.
            return link if link.width and link.width_best != 255 else None
    return None


def _speed(path: Path) -> float | None:
    match = re.match(r"([0-9]+(?:\.[0-9]+)?) GT/s", sysfs.text(path) or "")
    return float(match[1]) if match else None
