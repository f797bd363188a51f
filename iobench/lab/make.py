"""Making one emulated drive: its parts are taken one after the other, the state is written before each."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from iobench.drives import emulated
from iobench.drives.emulated import Record
from iobench.drives.throttle import Throttle, loop_numbers
from iobench.lab import image, measure, stack
from iobench.lab.profile import DriveProfile
from iobench.lab.stack import Say
from iobench.model import Emulation
from iobench.texts import Amount, Phrase, Told
from iobench.units import format_bytes

# A profile's figure -> the field of the emulation.
RATES = {"read": "read_bps", "write": "write_bps", "read_iops": "read_iops", "write_iops": "write_iops"}


def plan(profile: DriveProfile, state: Path, images: Path, size: int, throttle: Throttle, block: bool) -> Record:
    """Return what a drive of `size` bytes will consist of. Nothing is taken."""
    folder, image_folder = state / profile.name, images / f"{emulated.FOLDER_PREFIX}{profile.name}"
    delayed = profile.value("latency") is not None and stack.can_delay()
    path = image_folder / image.IMAGE
    return Record(
        name=profile.name,
        id=secrets.token_hex(16),
        folder=str(folder),
        image_folder=str(image_folder),
        image=str(path),
        backing=str(emulated.served_path(folder) if delayed else path),
        size=size,
        title=profile.title,
        kind=profile.kind,
        emulation=asked(profile, delayed),
        filesystem=None if block else "ext4",
        throttle_version=throttle.version,
        throttle_path=str(throttle.path),
    )


def asked(profile: DriveProfile, delayed: bool) -> Emulation:
    """Return the emulation that a profile asks for, as far as this machine can give it."""
    latency, parallel = profile.value("latency"), profile.value("parallel")
    notes = profile.assumptions()
    if latency is not None and not delayed:
        notes.append(Phrase("lab.throttle-only", {"latency": Amount(latency, "s")}))
    return Emulation(
        profile=profile.name,
        read_bps=profile.value("read"),
        write_bps=profile.value("write"),
        read_iops=profile.value("read_iops"),
        write_iops=profile.value("write_iops"),
        latency_s=latency if delayed else None,
        parallel=int(parallel) if delayed and parallel is not None else None,
        throttle_only=latency is not None and not delayed,
        notes=tuple(notes),
    )


def make(record: Record, profile: DriveProfile, throttle: Throttle, reached: dict[str, float], say: Say) -> None:
    """Take a drive's parts one after the other; the state is written before each.

    `reached` is what the disk below was found to reach, for the drives that share it. Raises CannotRunError, ToolError.
    """
    folder = Path(record.folder)
    emulated.save_record(record)
    folder.mkdir(exist_ok=True)
    image.claim(Path(record.image_folder), record.id, record.state_file)
    say(f"{record.name}: writing {format_bytes(record.size)} of random data to {record.image}")
    image.write(Path(record.image), record.size)
    if record.emulation.latency_s is not None and record.emulation.parallel is not None:
        stack.serve(record, record.emulation.latency_s, record.emulation.parallel)
    device = stack.attach(record, throttle)
    number = emulated.device_number(device)
    record = replace(record, device=f"/dev/{device}", number=number)
    emulated.save_record(record)
    record = _reachable(record, profile, device, reached, say)
    if record.filesystem is not None:
        mount = folder / "mnt"
        record = replace(record, mount=str(mount))
        emulated.save_record(record)
        stack.make_filesystem(f"/dev/{device}")
        stack.mount(f"/dev/{device}", mount)
    with loop_numbers():
        throttle.prepare()  # another lab may have removed the group of cgroup v2 since, when no drive was in it
        throttle.set(number, record.emulation)
    emulated.save_record(replace(record, ready=True))


def _reachable(record: Record, profile: DriveProfile, device: str, reached: dict[str, float], say: Say) -> Record:
    """Measure the disk below through the drive's own device, and lower aloud what it cannot reach."""
    emulation, notes = record.emulation, list[Told]()
    if not stack.direct(device):
        notes.append(Phrase("lab.not-direct"))
    asked = {key: value for key in RATES if (value := profile.value(key)) is not None}
    limits = asked
    if measure.available():
        # Drives on the bare image share a disk: one measurement serves them. A served one has its own.
        known = reached if emulation.latency_s is None else {}
        for key in asked:
            if key in known:
                continue
            top = measure.best_reach(f"/dev/{device}", record.size, key, asked[key])
            if top is not None:
                known[key] = top
        limits, lower = measure.lowered(asked, known)
        notes += lower
        unknown = [key for key in asked if key not in known]
        notes += [Phrase("lab.not-measured", {"figure": Phrase(f"lab.figure.{key}")}) for key in unknown]
        if emulation.latency_s is not None and (seen := measure.latency(f"/dev/{device}", record.size)) is not None:
            notes.append(Phrase("lab.latency", {"latency": Amount(seen, "s")}))
    else:
        notes.append(Phrase("lab.no-fio"))
    assumed = profile.assumptions()  # the profile's, not this machine's: `lab list` and reports have them
    for note in (note for note in (*emulation.notes, *notes) if note not in assumed):
        say(f"{record.name}: {note}")
    emulation = replace(
        emulation,
        read_bps=limits.get("read"),
        write_bps=limits.get("write"),
        read_iops=limits.get("read_iops"),
        write_iops=limits.get("write_iops"),
        notes=(*emulation.notes, *notes),
    )
    return replace(record, emulation=emulation, lowered=tuple(key for key in asked if limits[key] < asked[key]))
