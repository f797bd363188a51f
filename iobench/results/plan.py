"""campaign.json: a campaign's plan as a document, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from iobench import SCHEMA_VERSION
from iobench.model import Campaign, DataFile, Device, Emulation, Passport, Service, Step, Target, Work, check_types
from iobench.texts import Phrase, kept, told_of


def to_json(campaign: Campaign) -> dict[str, Any]:
    """Return a campaign as what campaign.json holds. A work stands once, however many steps share it."""
    works: list[Work] = []
    steps = []
    for step in campaign.steps:
        if step.work not in works:
            works.append(step.work)
        steps.append({"id": step.id, "target": step.target, "repeat": step.repeat, "work": works.index(step.work)})
    own: dict[str, Any] = plain(
        {
            field.name: getattr(campaign, field.name)
            for field in dataclasses.fields(campaign)
            if field.name not in ("steps", "passports")
        }
    )
    return {
        "schema_version": SCHEMA_VERSION,
        **own,
        "passports": plain(campaign.passports),
        "works": plain(works),
        "steps": steps,
    }


def from_json(data: Mapping[str, Any]) -> Campaign:
    """Return the campaign that `to_json` wrote. Raises LookupError, TypeError, AttributeError or ValueError else."""
    version = data["schema_version"]
    if type(version) is not int or version != SCHEMA_VERSION:
        raise ValueError(f"it has the schema version {version!r}, this iobench reads {SCHEMA_VERSION}")
    works = [_work(entry) for entry in data["works"]]
    for work in works:
        check_types(work)
        files = (*work.files, *(each for each in (work.source, work.tree) if each is not None))
        for name in (*(file.name for file in files), *work.fresh):
            _check_name(name)
    campaign = Campaign(
        id=data["id"],
        created_at=datetime.fromisoformat(data["created_at"]).astimezone(UTC),
        profile=data["profile"],
        title=data["title"],
        rounds=data["rounds"],
        steps=tuple(Step(s["id"], s["target"], s["repeat"], works[s["work"]]) for s in data["steps"]),
        passports={name: _passport(entry) for name, entry in data["passports"].items()},
        host=data["host"],
        tools=data["tools"],
        imported=data["imported"],
        notes=tuple(map(told_of, data["notes"])),
        director=data.get("director"),
        limits=data.get("limits"),
    )
    check_types(campaign, but=("steps",))
    _check_name(campaign.id)
    for step in campaign.steps:
        check_types(step, but=("work",))
        _check_name(step.id)
        if step.target not in campaign.passports:
            raise ValueError(f"step {step.id} is of a target {step.target!r} that it does not have")
    return campaign


def _check_name(name: str) -> None:
    """Raise ValueError for what is to be the name of a file or folder, and would lead elsewhere."""
    if not name or "/" in name or name.startswith(".") or not name.isprintable() or len(name) > 255:
        raise ValueError(f"it names {name[:80]!r} where the name of a file is expected")


def _work(data: Mapping[str, Any]) -> Work:
    source = DataFile(**data["source"]) if data["source"] else None
    files = tuple(DataFile(**entry) for entry in data["files"])
    service = Service(**data["service"]) if data.get("service") else None
    tree = DataFile(**data["tree"]) if data.get("tree") else None
    fresh = tuple(data["fresh"])
    return Work(**{**data, "files": files, "source": source, "fresh": fresh, "service": service, "tree": tree})


def _passport(data: Mapping[str, Any]) -> Passport:
    emulation = data["emulation"]
    if emulation is not None:
        emulation = Emulation(**{**emulation, "notes": tuple(map(told_of, emulation["notes"]))})
    device = Device(**data["device"]) if data["device"] else None
    why = data["no_device_reason"]
    fields = {"device": device, "emulation": emulation, "no_device_reason": None if why is None else told_of(why)}
    return Passport(**{**data, "target": Target(**data["target"]), **fields})


def plain(value: Any) -> Any:
    """Return a value with times as text, tuples as lists and nouns as objects, as JSON and the tables take it."""
    if isinstance(value, Phrase):
        return kept(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
