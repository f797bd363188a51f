"""What each drive says of itself: health, wear, temperature and what was written, and why something is not known."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from iobench import proc
from iobench.drives.inventory import DriveRecord
from iobench.drives.temperature import temperature_c
from iobench.errors import IobenchError
from iobench.model import Health
from iobench.texts import Phrase, Told
from iobench.tools import fio_status, smartctl

_NO_HEALTH = ("loop", "emulated", "virtual disk")
_AT_ONCE = 8  # a drive that hangs answers nothing for ten seconds; the others need not wait for it
_MOST_SAID = 3  # messages of a program that a note repeats


def of_all(records: Sequence[DriveRecord]) -> dict[str, Health]:
    """Return the health of drives by name. Wakes no disk, and never raises: what is not known stands in the notes."""
    memories, note = _io_memories(records)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda record: _of(record, memories, note), records)
        return dict(zip((record.name for record in records), found, strict=True))


def of(record: DriveRecord) -> Health:
    """Return the health of one drive."""
    return of_all([record])[record.name]


def why_not(said: Health) -> Told:
    """Return why a figure that is None in a drive's health is not known."""
    if said.passed is None and said.notes:
        return said.notes[0]
    return Phrase("health.untold", {"program": said.source or smartctl.PROGRAM})


def _of(record: DriveRecord, memories: Mapping[str, Health], note: Told | None) -> Health:
    if record.name in memories:
        found = memories[record.name]
    elif record.kind == "PCIe flash" and note is not None:
        found = Health(notes=(note,))
    elif record.kind in _NO_HEALTH:
        found = Health(notes=(Phrase(f"health.none.{record.kind.split()[0]}"),))
    else:
        found = _smart(record)
    if found.temperature_c is None:
        found = dataclasses.replace(found, temperature_c=temperature_c(record.device()))
    return found


def _smart(record: DriveRecord) -> Health:
    if proc.find(smartctl.PROGRAM) is None:
        return Health(notes=(Phrase("health.no-smartctl"),))
    try:
        done = proc.capture(smartctl.argv(f"/dev/{record.name.replace('!', '/')}"), check=False)
        found = smartctl.parse(done.stdout)
    except IobenchError as error:
        return Health(notes=(Phrase("drive.note.failed", {"program": smartctl.PROGRAM, "said": str(error)}),))
    if found.passed is not None:
        return found
    why = "asleep" if os.geteuid() == 0 else "root"
    if record.kind == "RAID volume":
        why = "raid"
    notes = (Phrase(f"health.smartctl.{why}"), *found.notes[:_MOST_SAID])
    return dataclasses.replace(found, notes=notes)


def _io_memories(records: Sequence[DriveRecord]) -> tuple[dict[str, Health], Told | None]:
    """The ioDrives by block device, of the driver's own program, and why there are none."""
    if not any(record.kind == "PCIe flash" for record in records):
        return {}, None
    if proc.find(fio_status.PROGRAM) is None:
        return {}, Phrase("health.no-fio-status")
    problems = []
    # Old drivers know no JSON; their text is read instead.
    for argv in (fio_status.ARGV, fio_status.TEXT_ARGV):
        try:
            found = fio_status.parse(proc.capture(argv, check=False).stdout)
        except IobenchError as error:
            problems.append(str(error))
            continue
        if found:
            return found, Phrase("health.unlisted")
    said = "; ".join(problems) or Phrase("health.fio-status.lists-none")
    needs = "" if os.geteuid() == 0 else ".root"
    return {}, Phrase(f"health.fio-status{needs}", {"why": said})
