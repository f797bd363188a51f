"""Drive profiles: how fast an emulated drive is to be, and where each figure comes from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iobench import profiles
from iobench.errors import UsageError
from iobench.texts import Phrase, Quoted, Told
from iobench.units import format_count, format_seconds, format_value, option_read, parse_duration

# Rates are written in MB/s, as on a slide, and kept in B/s.
_SCALE: Mapping[str, float] = {"read": 1e6, "write": 1e6, "read_iops": 1, "write_iops": 1, "parallel": 1}
_FIGURES = ("read", "write", "read_iops", "write_iops", "latency", "parallel")
_TEXTS = ("title", "kind")
_NAME = re.compile(r"\w[\w.-]{0,39}")
# The FUSE server runs ten requests at once by default; more could be asked and would not be had.
MOST_PARALLEL = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure (B/s, 1/s, seconds or a count) with its source, or the reason why it is assumed."""

    value: float
    source: str | None = None
    assumed: Quoted | Phrase | None = None


@dataclass(frozen=True, slots=True)
class DriveProfile:
    """A drive to emulate.

    `figures` has any of read, write (B/s), read_iops, write_iops (1/s), latency (s) and parallel.
    Raises UsageError for a name that cannot be a drive's, and for latency without parallel.
    """

    name: str
    title: str
    kind: str
    order: int = 100
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        parallel = self.value("parallel")
        if (parallel is None) != (self.value("latency") is None):
            raise UsageError(f"profile {self.name}: latency and parallel belong together; give both or neither")
        if parallel is not None and not 1 <= parallel <= MOST_PARALLEL:
            raise UsageError(f"profile {self.name}: parallel is {parallel:g}; it can be 1 to {MOST_PARALLEL}")

    def value(self, figure: str) -> float | None:
        """Return a figure's value in base units, or None when the profile sets no limit there."""
        found = self.figures.get(figure)
        return found.value if found else None

    def assumptions(self) -> list[Told]:
        """Return a sentence for each figure that has no source."""
        return [
            Phrase("lab.assumed", {**named(key, figure.value), "why": figure.assumed})
            for key, figure in self.figures.items()
            if figure.assumed
        ]


def custom(name: str, **figures: float) -> DriveProfile:
    """Return a profile of figures set by hand, in the base units of DriveProfile.figures.

    Raises UsageError for a figure that is not one, or is not above 0.
    """
    where = f"profile {name}"
    table = {
        key: Figure(_positive(value, f"{where}: {key}"), assumed=Phrase("lab.by-hand"))
        for key, value in profiles.check_keys(figures, _FIGURES, where).items()
    }
    return DriveProfile(name, title=name, kind="emulated", figures=table)


def named(figure: str, value: float) -> dict[str, str | Phrase]:
    """Return a figure's name and value for a phrase."""
    return {"figure": Phrase(f"lab.figure.{figure}"), "value": show(figure, value)}


def show(figure: str, value: float) -> str:
    """Return a figure as people read it."""
    if figure in ("read", "write"):
        return format_value(value, "B/s")
    if figure == "latency":
        return format_seconds(value)
    return format_count(value) if figure == "parallel" else f"{format_count(value)} IOPS"


def default_names() -> list[str]:
    """Return the names of the shipped profiles, in the order they have themselves."""
    shipped = [read_profile(name) for name in profiles.names("drives")]
    return [profile.name for profile in sorted(shipped, key=lambda p: (p.order, p.name))]


def read_profile(name: str) -> DriveProfile:
    """Return a drive profile: a shipped one by its name, or a .toml file by its path.

    Raises UsageError for an unknown name or key (with the nearest), and for a figure that is not above 0
    or has neither source nor assumed.
    """
    path = profiles.find("drives", name)
    return parse_profile(path.stem, profiles.load(path), path)


def parse_profile(name: str, data: dict[str, Any], path: Path) -> DriveProfile:
    """Return the profile in a TOML file's content; the checks are those of read_profile."""
    profiles.check_keys(data, (*_TEXTS, "order", "figures", *profiles.DRIVE_LOOK), str(path))
    texts = {key: data.get(key, "") for key in _TEXTS}
    order, figures = data.get("order", 100), data.get("figures", {})
    if not all(isinstance(text, str) for text in texts.values()):
        raise UsageError(f"{path}: title and kind are texts")
    if not isinstance(order, int):
        raise UsageError(f"{path}: order is a whole number")
    figures = profiles.check_keys(figures, _FIGURES, f"{path}: [figures]")
    if not figures:
        raise UsageError(f"{path}: [figures] is empty; give at least one of {', '.join(_FIGURES)}")
    return DriveProfile(
        name,
        title=str(texts["title"]) or name,
        kind=str(texts["kind"]) or "emulated",
        order=order,
        figures={key: _figure(key, raw, path) for key, raw in figures.items()},
    )


def check_name(name: str) -> None:
    """Raise UsageError when a name cannot be a drive's: it becomes a folder and the NAME of -t NAME=PATH."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a drive's name; use letters, digits, '_', and after the first also '-' and '.'; "
            "40 at most"
        )


def _figure(key: str, raw: object, path: Path) -> Figure:
    where = f"{path}: {key}"
    if not isinstance(raw, dict):
        raise UsageError(f'{where}: write it as {{ value = …, source = "…" }}')
    profiles.check_keys(raw, ("value", "source", "assumed", "assumed_ja"), where)
    source, assumed = raw.get("source"), raw.get("assumed")
    given = [text for text in (source, assumed) if isinstance(text, str) and text.strip()]
    if len(given) != 1:
        raise UsageError(f"{where}: needs either a source, or assumed with the reason")
    texts = {"en": assumed, "ja": raw.get("assumed_ja")}
    if not all(text is None or isinstance(text, str) for text in texts.values()):
        raise UsageError(f"{where}: assumed_ja is a text, as assumed is")
    quoted = Quoted({lang: text for lang, text in texts.items() if text}) if assumed else None
    return Figure(_value(key, raw.get("value"), where), source, quoted)


def _value(key: str, raw: object, where: str) -> float:
    if key == "latency":
        if not isinstance(raw, str):
            raise UsageError(f'{where}: value is a time with its unit, such as "5ms"')
        return _positive(option_read(where, raw, parse_duration), where)
    if not isinstance(raw, int | float) or isinstance(raw, bool):
        raise UsageError(f"{where}: value is a number")
    if key == "parallel" and not isinstance(raw, int):
        raise UsageError(f"{where}: value is a whole number")
    # A whole number of any length can stand in TOML, and no float holds it.
    return _positive(raw * _SCALE[key] if abs(raw) < 1e300 else math.inf, where)


def _positive(value: float, where: str) -> float:
    if not 0 < value < 1e15:
        shown = f"{value:g}" if abs(value) < 1e300 else "a number of that length"
        raise UsageError(f"{where}: {shown} is not above 0 and below 1e15 (leave the figure out for no limit)")
    return float(value)
