"""What each drive says of itself: health, wear, temperature and what was written, and why something is not known."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence

from iobench import proc
from iobench.drives.inventory import DriveRecord
from iobench.drives.temperature import temperature_c
from iobench.errors import IobenchError
from iobench.model import Health
from iobench.tools import fio_status, smartctl

_NO_HEALTH = {"loop": "a loop device", "emulated": "an emulated drive", "virtual disk": "a virtual disk"}


def of_all(records: Sequence[DriveRecord]) -> dict[str, Health]:
    """Return the health of drives by name. Wakes no disk, and never raises: what is not known stands in the notes."""
    memories, note = _io_memories(records)
    return {record.name: _of(record, memories, note) for record in records}


def of(record: DriveRecord) -> Health:
    """Return the health of one drive."""
    return of_all([record])[record.name]


def _of(record: DriveRecord, memories: Mapping[str, Health], note: str | None) -> Health:
    if record.name in memories:
        found = memories[record.name]
    elif record.kind == "PCIe flash" and note is not None:
        found = Health(notes=(note,))
    elif record.kind in _NO_HEALTH:
        found = Health(notes=(f"{_NO_HEALTH[record.kind]} has no health of its own",))
    else:
        found = _smart(record)
    if found.temperature_c is None:
        found = dataclasses.replace(found, temperature_c=temperature_c(record.device()))
    return found


def _smart(record: DriveRecord) -> Health:
    if proc.find("smartctl") is None:
        return Health(notes=("smartctl is not installed; `iobench doctor` shows what installs it",))
    try:
        done = proc.capture(smartctl.argv(f"/dev/{record.name.replace('!', '/')}"), check=False)
        found = smartctl.parse(done.stdout)
    except IobenchError as error:
        return Health(notes=(str(error),))
    if found.passed is not None:
        return found
    why = "it has none, or sleeps" if os.geteuid() == 0 else "it needs root"
    if record.kind == "RAID volume":
        why = "its disks are behind the RAID controller: ask the controller's own program"
    said = f" ({'; '.join(found.notes)})" if found.notes else ""
    return dataclasses.replace(found, notes=(f"smartctl gets no health from it: {why}{said}",))


def _io_memories(records: Sequence[DriveRecord]) -> tuple[dict[str, Health], str | None]:
    """The ioDrives by block device, of the driver's own program, and why there are none."""
    if not any(record.kind == "PCIe flash" for record in records):
        return {}, None
    if proc.find(fio_status.PROGRAM) is None:
        return {}, "fio-status is not installed: it comes with the ioDrive's driver, from its vendor"
    problems = []
    # Old drivers know no JSON; their text is read instead.
    for argv in (fio_status.ARGV, fio_status.TEXT_ARGV):
        try:
            found = fio_status.parse(proc.capture(argv, check=False).stdout)
        except IobenchError as error:
            problems.append(str(error))
            continue
        if found:
            return found, None
    needs = "" if os.geteuid() == 0 else " (it needs root)"
    return {}, f"fio-status tells nothing of an ioDrive{needs}: {'; '.join(problems) or 'it lists no block device'}"
