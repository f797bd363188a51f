"""What a target has room for, live: its file system's blocks, what was written since the start, its drive's health."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from iobench.drives import health, inventory
from iobench.drives.counters import CounterFile
from iobench.drives.passport import underlying
from iobench.errors import IobenchError
from iobench.model import Health, Passport
from iobench.texts import Phrase, Told


@dataclass(frozen=True, slots=True)
class FileSystemRoom:
    """A file system's room in bytes: `reserved` is kept back for root, `free` is what an ordinary user may write."""

    total: int
    used: int
    reserved: int
    free: int


@dataclass(frozen=True, slots=True)
class Room:
    """What is known of a target's room. `written` bytes went to its drive in the last `seconds`, since the start."""

    passport: Passport
    filesystem: FileSystemRoom | None
    written: int | None
    seconds: float
    health: Health
    notes: tuple[Told, ...]


def of_all(passports: list[Passport]) -> list[Room]:
    """Return the room of targets. Wakes no disk; what is not known stands in the notes. Writes nothing."""
    try:
        records = {record.number: record for record in inventory.devices()}
        healths = health.of_all(list(records.values()))
    except IobenchError as error:
        return [_room(passport, Health(notes=(str(error),)), str(error)) for passport in passports]
    rooms = []
    for passport in passports:
        numbers = underlying(passport.device) if passport.device else []
        numbers += [passport.device.number] if passport.device else []
        record = next((records[n] for n in numbers if n in records), None)
        missing = Health(notes=(Phrase("health.no-drive"),))
        found = healths.get(record.name, missing) if record else missing
        rooms.append(_room(passport, found, passport.no_device_reason))
    return rooms


def _room(passport: Passport, found: Health, note: Told | None) -> Room:
    notes: list[Told] = [text for text in (*found.notes, note) if text]
    written = None
    if passport.device is not None:
        try:
            with CounterFile(passport.device.number) as counters:
                written = counters.read().bytes_written
        except IobenchError as error:
            notes.append(str(error))
    return Room(
        passport, filesystem_room(passport), written, time.clock_gettime(time.CLOCK_BOOTTIME), found, tuple(notes)
    )


def filesystem_room(passport: Passport) -> FileSystemRoom | None:
    """Return a folder's file system's room; None for a target that is none, or is gone."""
    if passport.target.kind != "file":
        return None
    try:
        found = os.statvfs(passport.target.path)
    except OSError:
        return None
    block = found.f_frsize
    return FileSystemRoom(
        total=found.f_blocks * block,
        used=(found.f_blocks - found.f_bfree) * block,
        reserved=(found.f_bfree - found.f_bavail) * block,
        free=found.f_bavail * block,
    )
