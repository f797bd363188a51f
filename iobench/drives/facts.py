"""What a target's drive is and says of itself, as plain facts: names to values, and why a fact is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iobench.drives import health, inventory
from iobench.errors import IobenchError
from iobench.model import Health, Passport
from iobench.texts import Phrase, Told, kept

Facts = dict[str, float | str | bool]
# A fact's name -> the field of the drive's record, of its health, that tells it.
_OF_DRIVE = {
    **{name: name for name in ("kind", "vendor", "model", "serial", "firmware", "bus", "size")},
    "formatted_size": "size",
    "sector": "logical_sector",
}
_OF_HEALTH = {
    "physical_size": "physical_bytes",
    "passed": "passed",
    "state": "state",
    "temperature": "temperature_c",
    "reserve": "reserve_share",
    "used": "used_share",
    "media_errors": "media_errors",
    "reallocated": "reallocated",
    "pending": "pending",
    "warnings": "warnings",
    "power_on": "power_on_hours",
    "written": "written_bytes",
}
# The drive's own program knows better than the kernel, which sees what a driver passes on.
_RATHER_OF_HEALTH = {
    **{name: name for name in ("model", "serial", "firmware")},
    "formatted_size": "formatted_bytes",
}


def of_targets(passports: Iterable[Passport]) -> dict[str, dict[str, Any]]:
    """Return each target's `facts`, and why a fact would be `unknown`, by its name; `""` is for all others."""
    return {each.target.name: _of(each) for each in passports}


def _of(passport: Passport) -> dict[str, Any]:
    if passport.device is None:
        return _nothing(passport.no_device_reason or Phrase("judged.no-device.why"))
    try:
        found = inventory.find(passport.device.number)
    except (IobenchError, OSError) as error:
        return _nothing(str(error))
    if found is None:
        return _nothing(Phrase("drive.note.gone", {"device": passport.device.name}))
    record = found[0]
    said = health.of(record)
    return {"facts": _facts(record, said), "unknown": {n: kept(why) for n, why in _unknown(record, said).items()}}


def _nothing(why: Told) -> dict[str, Any]:
    return {"facts": {}, "unknown": {"": kept(why)}}


def _facts(record: inventory.DriveRecord, said: Health) -> Facts:
    link = record.link
    told: Mapping[str, float | str | bool | None] = {
        **{name: getattr(record, field) for name, field in _OF_DRIVE.items()},
        **{name: getattr(said, field) for name, field in _OF_HEALTH.items()},
        **{name: value for name, field in _RATHER_OF_HEALTH.items() if (value := getattr(said, field)) is not None},
        "link_width": (link.width if link else None) or said.link_width,
        "link_speed": (link.speed_gtps if link else None) or said.link_gtps,
    }
    return {name: value for name, value in told.items() if value is not None}


def _unknown(record: inventory.DriveRecord, said: Health) -> dict[str, Told]:
    """Why each fact would not be known; of those that are known, nobody asks."""
    of_drive = {name: record.unknown[field] for name, field in _OF_DRIVE.items() if field in record.unknown}
    no_link = record.unknown.get("link", Phrase("drive.note.unshown"))
    of_health = dict.fromkeys(_OF_HEALTH, health.why_not(said))
    return {**of_health, **of_drive, "link_width": no_link, "link_speed": no_link}
