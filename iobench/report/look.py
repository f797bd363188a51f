"""How a drive's profile has it shown: its label, colour and place, and what it cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from iobench import profiles
from iobench.analysis.types import Comparison
from iobench.errors import UsageError, near_miss
from iobench.report import labels

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Look:
    """What a profile says of how a drive is shown; None is not said. `price` is in `currency` (ISO 4217)."""

    label: str | None = None
    color: str | None = None
    order: int | None = None
    price: float | None = None
    currency: str | None = None


def load(name: str) -> Look:
    """Return the look in a drive's profile: a shipped one's name, or the path of a .toml file.

    Raises UsageError for a file that is not there, and for a value that is not of its kind.
    """
    path = profiles.find("drives", name)
    told = profiles.load(path)
    known = ("title", "kind", "order", "figures", *profiles.DRIVE_LOOK)
    profiles.check_keys(told, known, str(path))
    label = told.get("label", told.get("title"))
    look = Look(
        label=_of_kind(label, str, "label", "a text", path.name),
        color=_of_kind(told.get("color"), str, "color", 'a colour such as "#0072B2"', path.name),
        order=_of_kind(told.get("order"), int, "order", "a whole number", path.name),
        price=_of_kind(told.get("price"), (int, float), "price", "a number", path.name),
        currency=_of_kind(told.get("currency"), str, "currency", 'a currency such as "JPY"', path.name),
    )
    if look.color is not None and not _COLOR.fullmatch(look.color):
        raise UsageError(f'{path.name}: color is {look.color!r}; write it as "#0072B2"')
    if look.price is not None and not 0 < look.price < 1e15:
        raise UsageError(f"{path.name}: price is {look.price:g}; it is above 0")
    if (look.price is None) != (look.currency is None):
        raise UsageError(f"{path.name}: price and currency belong together; give both or neither")
    if look.currency is not None and not _CURRENCY.fullmatch(look.currency):
        raise UsageError(f'{path.name}: currency is {look.currency!r}; write its three letters, as "JPY"')
    return replace(look, label=labels.clean(look.label, 80) or None if look.label else None)


def _of_kind(value: Any, kind: type | tuple[type, ...], key: str, what: str, where: str) -> Any:
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise UsageError(f"{where}: {key} is {value!r}, and has to be {what}")


def dressed(comparison: Comparison, asked: Sequence[tuple[str, str]]) -> Comparison:
    """Return a comparison whose drives are shown as their profiles (pairs of drive and profile) have it.

    Drives with an order stand first, in that order. A target that is several drives, one of each campaign, gives its
    look to each of them, its colour to the first. Raises UsageError for a drive that was not measured.
    """
    looks: dict[str, Look] = {}
    for name, profile in asked:
        look = load(profile)
        for number, drive in enumerate(_drives(comparison, name)):
            label = f"{look.label}{drive.removeprefix(name)}" if look.label else None
            looks[drive] = replace(look, label=label, color=None if number else look.color)
    drives = [
        replace(drive, label=own.label, color=own.color, price=own.price, currency=own.currency)
        if (own := looks.get(drive.name))
        else drive
        for drive in comparison.drives
    ]
    places = {name: look.order for name, look in looks.items() if look.order is not None}
    drives.sort(key=lambda drive: places.get(drive.name, 10**9))
    return replace(comparison, drives=tuple(drives))


def _drives(comparison: Comparison, name: str) -> list[str]:
    """The drives of a name: the one that is called so, else those of a target that several campaigns have."""
    names = [drive.name for drive in comparison.drives]
    own = {drive for (_, target), drive in comparison.names.items() if target == name}
    found = [name] if name in names else [drive for drive in names if drive in own]
    if not found:
        raise UsageError(f"no drive {name!r} was measured; {near_miss(name, names)}")
    return found
