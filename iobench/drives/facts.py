"""What a target's drive is and says of itself, as plain facts: names to values, and notes on what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iobench.drives import health, inventory
from iobench.errors import IobenchError
from iobench.model import Health, Passport
from iobench.texts import Phrase, Told, kept

Facts = dict[str, float | str | bool]


def of_targets(passports: Iterable[Passport]) -> dict[str, dict[str, Any]]:
    """Return each target's `facts`, and notes on what is not known of its health and of what it is, by its name."""
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
    facts = _facts(record, said)
    lacking = [] if "link_width" in facts else [Phrase("drive.note.no-link")]
    notes = {"health_notes": said.notes, "identity_notes": (*record.notes, *lacking)}
    return {"facts": facts, **{name: [kept(note) for note in told] for name, told in notes.items()}}


def _nothing(note: Told) -> dict[str, Any]:
    return {"facts": {}, "health_notes": [kept(note)], "identity_notes": [kept(note)]}


def _facts(record: inventory.DriveRecord, said: Health) -> Facts:
    link = record.link
    told: Mapping[str, float | str | bool | None] = {
        "kind": record.kind,
        "vendor": record.vendor,
        # The drive's own program knows better than the kernel, which sees what a driver passes on.
        "model": said.model or record.model,
        "serial": said.serial or record.serial,
        "firmware": said.firmware or record.firmware,
        "bus": record.bus,
        "size": record.size,
        "physical_size": said.physical_bytes,
        "formatted_size": said.formatted_bytes or record.size,
        "link_width": (link.width if link else None) or said.link_width,
        "link_speed": (link.speed_gtps if link else None) or said.link_gtps,
        "sector": record.logical_sector,
        "passed": said.passed,
        "state": said.state,
        "temperature": said.temperature_c,
        "reserve": said.reserve_share,
        "used": said.used_share,
        "media_errors": said.media_errors,
        "reallocated": said.reallocated,
        "pending": said.pending,
        "warnings": said.warnings,
        "power_on": said.power_on_hours,
        "written": said.written_bytes,
    }
    return {name: value for name, value in told.items() if value is not None}
