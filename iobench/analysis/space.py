"""Space and wear of a drive: what a file system and a reserve leave, how long it lasts as it is written now. Pure."""

from __future__ import annotations

from dataclasses import dataclass

YEAR_S = 365.25 * 86400


@dataclass(frozen=True, slots=True)
class Wear:
    """How much of a drive's endurance is used, and what is left. Bytes, B/s, seconds; None is not known.

    `used` is a share of 1. `left_bytes` may still be written if wear goes on as it did: what was written over
    the share that it used up. `now_rate` is what was written since the machine started, `life_rate` over all
    hours that the drive was on; `left_s` is what is left at the first of them that is known.
    """

    used: float | None
    written: float | None
    now_rate: float | None
    life_rate: float | None
    left_bytes: float | None
    left_s: float | None


def wear(
    used: float | None, written: float | None, power_on_s: float | None, now_written: float | None, now_s: float
) -> Wear:
    """Return a drive's wear. `now_written` bytes went to it in the last `now_s` seconds.

    Nothing is said of what is left where nothing is used up yet: no slope can be drawn through one point.
    """
    now_rate = now_written / now_s if now_written is not None and now_s > 0 else None
    life_rate = written / power_on_s if written is not None and power_on_s else None
    left = written * (1 - used) / used if written is not None and used is not None and used > 0 else None
    left = None if left is None else max(0.0, left)
    rate = next((r for r in (now_rate, life_rate) if r), None)
    return Wear(used, written, now_rate, life_rate, left, left / rate if left is not None and rate else None)


@dataclass(frozen=True, slots=True)
class Space:
    """Where a drive's bytes are; None is not known.

    `physical` is what is built in where the drive tells (an ioDrive does), `formatted` what it offers;
    `filesystem` what the file system has for data, of it `reserved` for root, `used` and `free`.
    """

    physical: float | None
    formatted: float | None
    filesystem: float | None
    reserved: float | None
    used: float | None
    free: float | None

    @property
    def drive_reserve(self) -> float | None:
        """What the drive keeps back of what is built in."""
        return _less(self.physical, self.formatted)

    @property
    def for_data(self) -> float | None:
        """What data can take in the end: without what is kept back for root, were nothing used."""
        return _less(self.filesystem, self.reserved) if self.filesystem is not None else self.formatted


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
