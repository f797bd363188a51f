"""What each drive says of itself: health, wear, temperature and what was written, and why something is not known."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from iobench import proc
from iobench.drives import inventory, layers, sysfs
from iobench.drives.inventory import DriveRecord
from iobench.drives.temperature import temperature_c
from iobench.errors import IobenchError
from iobench.model import Health, of_drive
from iobench.texts import Phrase, Told, joined
from iobench.tools import fio_status, smartctl

_NO_HEALTH = ("loop", "emulated", "virtual disk")
_AT_ONCE = 8  # a drive that hangs answers nothing for ten seconds; the others need not wait for it
_MOST_SAID = 3  # messages of a program that a note repeats


def of_all(records: Sequence[DriveRecord], sys: Path = layers.SYS) -> dict[str, Health]:
    """Return the health of drives by name. Wakes no disk, and never raises: what is not known stands in the notes."""
    memories, note = _io_memories(records)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda record: _of(record, memories, note, sys), records)
        return dict(zip((record.name for record in records), found, strict=True))


def of(record: DriveRecord, sys: Path = layers.SYS) -> Health:
    """Return the health of one drive."""
    return of_all([record], sys)[record.name]


def why_not(said: Health) -> Told:
    """Return why a figure that is None in a drive's health is not known."""
    if said.passed is None and said.notes:
        return joined(said.notes)
    return Phrase("health.untold", {"program": said.source or smartctl.PROGRAM})


def _of(record: DriveRecord, memories: Mapping[str, Health], note: Told | None, sys: Path) -> Health:
    if record.name in memories:
        found = memories[record.name]
    elif record.kind == "PCIe flash" and note is not None:
        found = Health(notes=(note,))
    elif record.kind in _NO_HEALTH:
        found = Health(notes=(Phrase(f"health.none.{record.kind.split()[0]}"),))
    elif record.below:
        found = _of_members(record, sys)
    else:
        found = _smart(record)
    if found.temperature_c is None:
        found = dataclasses.replace(found, temperature_c=temperature_c(record.device()))
    return found


def _of_members(record: DriveRecord, sys: Path) -> Health:
    """The health of what stands on several drives (MD, LVM), of a partition's or an encrypted drive's one: theirs."""
    numbers = [number for number in layers.whole_disks(record.number, sys) if number != record.number]
    members = [found[0] for number in numbers if (found := inventory.find(number, sys)) is not None]
    healths = list(of_all(members, sys).values())
    names = Phrase("health.of-members", {"drives": tuple(member.name for member in members)})
    notes = (names, *(of_drive(m.name, note) for m, said in zip(members, healths, strict=True) for note in said.notes))
    if not members:
        return Health(notes=(names,))

    def every(field: str, of: Callable[[list[float]], float]) -> float | None:
        values = [getattr(said, field) for said in healths]
        return None if None in values else of(values)

    passed = [said.passed for said in healths]
    # A set that lost a member is as healthy as those that are left, and no longer what was ordered.
    stack = (sysfs.number(sys / "dev/block" / each / "md/degraded") for each in layers.beneath(record.number, sys))
    if missing := sum(filter(None, stack)):
        passed.append(False)
        notes = (Phrase("health.degraded", {"n": missing}), *notes)
    return Health(
        source=next((said.source for said in healths if said.source), None),
        passed=False if False in passed else None if None in passed else True,
        temperature_c=every("temperature_c", max),
        media_errors=every("media_errors", sum),
        reallocated=every("reallocated", sum),
        pending=every("pending", sum),
        used_share=every("used_share", max),
        reserve_share=every("reserve_share", min),
        notes=notes,
    )


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
