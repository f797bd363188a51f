"""A workload's parameters, declared once as dataclass fields, described neutrally.

cli/options.py turns the description into Click options and profiles.py into TOML keys, so a runner never
knows of either.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

from iobench.errors import UsageError, near_miss
from iobench.units import parse_duration, parse_size

T = TypeVar("T")


class Kind(StrEnum):
    """How the text of a parameter is read."""

    SIZE = "size"
    TIME = "time"
    COUNT = "count"
    COUNTS = "counts"
    PERCENT = "percent"
    CHOICE = "choice"
    CHOICES = "choices"
    FLAG = "flag"
    TEXT = "text"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: its name, how it is read, its default and its help."""

    name: str
    kind: Kind
    default: object
    help: str
    choices: tuple[str, ...] = ()
    least: float = 0


def param(default: T, kind: Kind, help: str, choices: tuple[str, ...] = (), least: float = 0) -> T:
    """Declare a dataclass field that is a parameter of a workload."""
    metadata = {"kind": kind, "help": help, "choices": choices, "least": least}
    field: Any = dataclasses.field(default=default, metadata=metadata)
    return cast(T, field)


def describe(cls: type) -> tuple[Param, ...]:
    """Return the parameters that a dataclass declares, in order."""
    return tuple(
        Param(
            f.name,
            f.metadata["kind"],
            f.default,
            f.metadata["help"],
            f.metadata["choices"],
            f.metadata["least"],
        )
        for f in dataclasses.fields(cls)
        if "kind" in f.metadata
    )


def build(cls: Callable[..., T], values: Mapping[str, object], where: str) -> T:
    """Return `cls` from raw values (texts from a command line, or TOML values).

    Raises UsageError for an unknown key (with the nearest name), a value of the wrong kind, or one out of
    range; `where` begins the message.
    """
    known = {p.name: p for p in describe(cast(type, cls))}
    given: dict[str, Any] = {}
    for key, raw in values.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"{where}: unknown parameter {key!r}; {near_miss(name, known)}")
        given[name] = _read(known[name], raw, where)
    return cls(**given)


def _read(p: Param, raw: object, where: str) -> object:
    try:
        value = _convert(p, raw)
    except UsageError as error:
        raise UsageError(f"{where}: {p.name}: {error}") from None
    smallest = min(value) if isinstance(value, tuple) and value and p.kind is Kind.COUNTS else value
    if isinstance(smallest, int | float) and not isinstance(smallest, bool) and smallest < p.least:
        raise UsageError(f"{where}: {p.name}: {raw!r} is too small; the least is {p.least:.12g}")
    return value


def _convert(p: Param, raw: object) -> object:
    match p.kind:
        case Kind.SIZE:
            return raw if _is_number(raw) and isinstance(raw, int) else parse_size(_text(raw, _SIZE))
        case Kind.TIME:
            return _seconds(raw)
        case Kind.COUNT:
            return _count(raw)
        case Kind.PERCENT:
            number = _count(raw)
            if number > 100:
                raise UsageError(f"{raw!r} is more than 100 percent")
            return number
        case Kind.COUNTS:
            return tuple(_count(part) for part in _parts(raw))
        case Kind.CHOICE:
            return _choice(p, _text(raw))
        case Kind.CHOICES:
            return tuple(_choice(p, _text(part)) for part in _parts(raw))
        case Kind.TEXT:
            return _text(raw)
        case Kind.RATE:
            return _rate(raw)
        case Kind.FLAG:
            if not isinstance(raw, bool):
                raise UsageError(f"{raw!r} is neither true nor false")
            return raw


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


def _seconds(raw: object) -> float:
    if not _is_number(raw):
        return parse_duration(_text(raw, _TIME))
    seconds = cast(float, raw)
    if not abs(seconds) < 1e12:  # TOML knows nan, inf and whole numbers of any length
        raise UsageError(f"{raw!r} is not a time; write it as 10s, 500ms or 2m")
    return float(seconds)


def _rate(raw: object) -> float:
    """A number per second; the least that makes sense is above 0."""
    try:
        number = float(cast(float, raw)) if _is_number(raw) else float(_text(raw, "a number").strip())
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 < number < 1e12:
        raise UsageError(f"{raw!r} is not a rate; write it as a number per second, as 20000 or 0.5")
    return number


_SIZE, _TIME = 'a size, as 4096 or "512M"', 'a time, as 10 (seconds) or "500ms"'


def _text(raw: object, what: str = "a text") -> str:
    if isinstance(raw, str):
        return raw
    raise UsageError(f"{raw!r} is not {what}")


def _count(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().isascii() and raw.strip().isdigit() and len(raw) < 20:
        return int(raw)
    hint = "; write a list as 1,8,64" if re.fullmatch(r"\d+-\d+", str(raw)) else ""
    raise UsageError(f"{raw!r} is not a whole number{hint}")


def _parts(raw: object) -> list[object]:
    parts: list[object] = list(raw) if isinstance(raw, list | tuple) else []
    if isinstance(raw, str):
        parts = [part for part in raw.replace(",", " ").split() if part]
    elif not isinstance(raw, list | tuple):
        parts = [raw]
    if not parts:
        raise UsageError("the list is empty")
    if len(set(map(str, parts))) != len(parts):
        raise UsageError(f"{raw!r} names a value twice")
    return parts


def _choice(p: Param, text: str) -> str:
    if text not in p.choices:
        raise UsageError(f"unknown value {text!r}; {near_miss(text, p.choices)}")
    return text
