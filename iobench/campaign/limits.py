"""What a campaign must not do to a machine that is in service: room, temperature, bytes written, priority."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from iobench import proc
from iobench.campaign.needs import Estimate
from iobench.drives.temperature import temperature_c
from iobench.errors import CannotRunError, ToolError, UsageError
from iobench.model import Campaign, ParamValue, Passport
from iobench.units import format_bytes, option_read, parse_size

LOOK_EVERY_S = 1.0


class LimitReached(ToolError):
    """A limit was reached while it ran; what was measured before is kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a campaign. `min_free` is a share of the file system, or bytes; None is no limit.

    `max_write` is in bytes on each target, preparation included; `idle` starts programs with idle I/O priority.
    """

    min_free: float | None = None
    min_free_is_share: bool = True
    max_temp_c: float | None = None
    max_write: int | None = None
    idle: bool = False

    def as_params(self) -> dict[str, ParamValue] | None:
        """Return what campaign.json keeps, so that a resumed campaign keeps to it; None without any limit."""
        kept: dict[str, ParamValue] = {
            "min_free": self.min_free,
            "min_free_is_share": self.min_free_is_share,
            "max_temp_c": self.max_temp_c,
            "max_write": self.max_write,
            "idle": self.idle,
        }
        return None if self == Limits() else kept

    @classmethod
    def of(cls, campaign: Campaign) -> Limits:
        """Return the limits that a campaign was begun with."""
        kept = campaign.limits or {}
        numbers = {name: v for name, v in kept.items() if isinstance(v, int | float)}
        write = numbers.get("max_write")
        return cls(
            min_free=numbers.get("min_free"),
            min_free_is_share=bool(kept.get("min_free_is_share", True)),
            max_temp_c=numbers.get("max_temp_c"),
            max_write=int(write) if write is not None else None,
            idle=bool(kept.get("idle")),
        )

    @property
    def prefix(self) -> tuple[str, ...]:
        """What stands before a program's command."""
        return ("ionice", "-c", "3") if self.idle else ()


def read(min_free: str | None, max_temp: float | None, max_write: str | None, idle: bool) -> Limits:
    """Return limits as they were typed: `10%` or `20G`, °C, bytes. Raises UsageError."""
    share, is_share = None, True
    if min_free is not None and min_free.strip().endswith("%"):
        try:
            share = float(min_free.strip().removesuffix("%")) / 100
        except ValueError:
            raise UsageError(f"--min-free: {min_free!r} is no share; write it as 10% or 20G") from None
        if not 0 <= share < 1:
            raise UsageError(f"--min-free: {min_free!r} is not between 0% and 100%")
    elif min_free is not None:
        share, is_share = float(option_read("--min-free", min_free, parse_size)), False
    if max_temp is not None and not math.isfinite(max_temp):  # nothing is hotter than `nan`
        raise UsageError(f"--max-temp: {max_temp} is no temperature; write degrees Celsius, as 60")
    most = option_read("--max-write", max_write, parse_size) if max_write is not None else None
    return Limits(share, is_share, max_temp, most, idle)


def check(
    limits: Limits,
    passports: Mapping[str, Passport],
    needed: int,
    estimate: Estimate,
    spent: Mapping[str, int],
) -> None:
    """Raise CannotRunError, before anything is written, for a plan that would pass a limit, or could not keep to it.

    `spent` is what earlier runs of the campaign have written, by target.
    """
    if limits.idle and proc.find("ionice") is None:
        raise CannotRunError("ionice is not installed, so --idle cannot be kept to; install util-linux")
    for name, passport in passports.items():
        _check_free(limits, name, passport, needed)
        if limits.max_temp_c is not None and temperature_c(passport.device) is None:
            raise CannotRunError(
                f"target {name}: the kernel knows no temperature of it, so --max-temp cannot be kept to; leave it out "
                "(for SATA and SAS disks, `modprobe drivetemp` may help)"
            )
        written, before = estimate.written.get(name, 0), spent.get(name, 0)
        if limits.max_write is not None and before + written > limits.max_write:
            were = f", {format_bytes(before)} were written before it was aborted" if before else ""
            raise CannotRunError(
                f"target {name}: the plan writes about {format_bytes(written)}{were}, and --max-write allows "
                f"{format_bytes(limits.max_write)}; nothing {'more ' if before else ''}was written. Take a smaller "
                f"--size, fewer repeats, or reads only{' in a new campaign' if before else ''}"
            )


def _check_free(limits: Limits, name: str, passport: Passport, needed: int) -> None:
    free, total = passport.free_bytes, passport.total_bytes
    if limits.min_free is None or passport.target.kind == "block" or free is None or total is None:
        return
    least = _least(limits, total)
    if free - needed < least:
        raise CannotRunError(
            f"target {name}: {format_bytes(free)} are free and the test files take {format_bytes(needed)}, which "
            f"leaves less than --min-free, {format_bytes(least)}; nothing was written. Take a smaller --size"
        )


def _least(limits: Limits, total: float) -> float:
    """The bytes of a file system that have to stay free."""
    least = limits.min_free or 0.0
    return least * total if limits.min_free_is_share else least


class Guard:
    """Looks, while a program runs, whether a limit is reached: at writes each time, at room and heat once a second."""

    def __init__(self, limits: Limits, passport: Passport, written: int) -> None:
        self._limits, self._passport, self._before = limits, passport, written
        self._next = 0.0

    def look(self, written_now: int | None, room: tuple[int, int] | None = None) -> None:
        """Raise LimitReached; `written_now` is what reached the device since the guard was set, None if not known.

        `room` is what the file system last told of itself, in bytes: free, and all; others may fill it meanwhile.
        """
        limits, name = self._limits, self._passport.target.name
        if limits.max_write is not None and written_now is not None:
            total = self._before + written_now
            if total > limits.max_write:
                raise LimitReached(
                    f"target {name}: {format_bytes(total)} were written to its drive, by whomever, and --max-write is "
                    f"{format_bytes(limits.max_write)}; stopped"
                )
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_EVERY_S
        if limits.min_free is not None and room is not None and room[0] < _least(limits, room[1]):
            raise LimitReached(
                f"target {name}: {format_bytes(room[0])} are free, and --min-free is "
                f"{format_bytes(_least(limits, room[1]))}; stopped"
            )
        if limits.max_temp_c is not None:
            now = temperature_c(self._passport.device)
            if now is not None and now > limits.max_temp_c:
                raise LimitReached(
                    f"target {name}: the drive is at {now:.0f} °C, and --max-temp is {limits.max_temp_c:.0f}; stopped"
                )
