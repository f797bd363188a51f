"""Sizes, times and rates: what a person types to base units, and base units to what a person reads.

Inside iobench everything is bytes, seconds and per second. MB is 10^6 bytes and MiB 2^20, as in the
slides; `4G` is 4*10^9 and `4Gi` is 2^32.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeVar

from iobench.errors import UsageError

T = TypeVar("T")
_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
_SECONDS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]*)\s*", re.ASCII | re.IGNORECASE)


def _split(text: str, what: str, example: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text.replace("µ", "u"))
    if match is None or len(text) > 40:
        raise UsageError(f"{text!r} is not a {what}; write it as {example}")
    return float(match[1]), match[2].lower()


def parse_size(text: str) -> int:
    """Return bytes from a text such as `4G` (4*10^9), `4Gi` (2^32), `512k` or `1500000`.

    Raises UsageError for anything else.
    """
    number, unit = _split(text, "size", "512M, 4G (10^9) or 4Gi (2^30)")
    unit = unit.removesuffix("b") if unit != "b" else ""
    scale = _DECIMAL.get(unit) or _BINARY.get(unit)
    if scale is None:
        raise UsageError(f"{text!r} has no known unit of size; write it as 512M, 4G (10^9) or 4Gi (2^30)")
    return round(number * scale)


def parse_duration(text: str) -> float:
    """Return seconds from a text such as `10s`, `500ms`, `2m`, `1h` or `90`.

    Raises UsageError for anything else.
    """
    number, unit = _split(text, "time", "10s, 500ms or 2m")
    if unit not in _SECONDS:
        raise UsageError(f"{text!r} has no known unit of time; write it as 10s, 500ms or 2m")
    return number * _SECONDS[unit]


def option_read(option: str, text: str, read: Callable[[str], T]) -> T:
    """Return what an option says, by one of the readers above. Raises UsageError that names the option."""
    try:
        return read(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


def _significant(value: float, digits: int = 3) -> str:
    """Return a number with about `digits` significant digits and no exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    # The exponent after rounding: 9.996 is 10.0, not 10.00.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    places = max(0, digits - 1 - exponent)
    return f"{value:,.{places}f}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    for scale, unit in steps:
        if abs(value) >= scale * 0.9995:
            return f"{_significant(value / scale)}{unit}"
    scale, unit = steps[-1]
    return f"{_significant(value / scale)}{unit}"


def format_bytes(value: float) -> str:
    """Return bytes as people read them: `268 MB`, `1.50 GB`."""
    return _scaled(value, ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1, " B")))


def format_seconds(value: float) -> str:
    """Return a time as people read it: `1.52 ms`, `12.0 s`, `4 min 05 s`."""
    if value == 0:
        return "0 s"
    if not math.isfinite(value):  # of results that others made
        return f"{value} s"
    if value >= 119.5:  # what would be rounded to 120
        whole = round(value)
        hours, minutes, seconds = whole // 3600, whole % 3600 // 60, whole % 60
        return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
    return _scaled(value, ((1, " s"), (1e-3, " ms"), (1e-6, " µs"), (1e-9, " ns")))


def format_count(value: float) -> str:
    """Return a count or a rate of operations: `966`, `43.0k`, `1.07M`."""
    if value < 9999.5:
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return _scaled(value, ((1e6, "M"), (1e3, "k")))


def format_value(value: float, unit: str) -> str:
    """Return a value of one of the units of the results schema as people read it."""
    if unit == "B/s":
        # Slides compare in MB/s, so rates stay in MB/s until the figure would be unreadable.
        return f"{_significant(value / 1e6)} MB/s" if value < 1e10 else f"{_significant(value / 1e9)} GB/s"
    if unit == "s":
        return format_seconds(value)
    if unit == "1/s":
        return f"{format_count(value)}/s"
    if unit == "B":
        return format_bytes(value)
    return format_count(value)


def format_ratio(value: float) -> str:
    """Return a ratio as it is written on a bar: `3.4x` for 3.41, `0.97x`, `35.8x`."""
    return f"{value:.2f}×" if value < 1.995 else f"{value:.1f}×"
