"""Making, listing and taking down emulated drives: what was asked, what is up already, and who works at it now."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iobench import proc
from iobench.drives import emulated
from iobench.drives.emulated import Record
from iobench.drives.mounts import mounts
from iobench.drives.throttle import CGROUP_ROOT, Throttle, find_throttle, loop_numbers
from iobench.errors import CannotRunError, UsageError, near_miss
from iobench.lab import image, make, stack
from iobench.lab.make import RATES
from iobench.lab.profile import DriveProfile, default_names, read_profile
from iobench.lab.stack import Say
from iobench.model import Emulation
from iobench.units import format_bytes


@dataclass(frozen=True, slots=True)
class LabDrive:
    """An emulated drive as it stands. `size` is in bytes; `state` is half-made when a part of it is missing.

    `group` is the cgroup (v2 only) that a program must be started in to feel the limits.
    """

    name: str
    device: str | None
    mount: str | None
    emulation: Emulation
    title: str
    kind: str
    size: int
    state: Literal["up", "half-made"]
    group: str | None = None

    @property
    def target(self) -> str:
        """What -t takes: NAME=PATH."""
        return f"{self.name}={self.mount or self.device}"


def up(
    names: Sequence[str | DriveProfile] = (),
    size: int | None = None,
    directory: Path | None = None,
    say: Say = lambda _: None,
    *,
    block: bool = False,
    cgroup_root: Path = CGROUP_ROOT,
) -> list[LabDrive]:
    """Make emulated drives (the three that ship when none is named) and return them, in the order asked.

    A drive that is up already is returned as it is. `size` is in bytes (1 GiB by default); `block` leaves
    the loop device bare; `say` takes each line of progress. When one cannot be made, or the user
    interrupts, what this call has made is taken down again.

    Raises UsageError (profile, size, a drive up with other figures), CannotRunError (no root, no loop
    device, no limits, no room), ToolError (a program failed).
    """
    wanted = [read_profile(n) if isinstance(n, str) else n for n in names or default_names()]
    _check_names(wanted)
    _check_machine(block)
    with _lock(say):
        state = emulated.writable_state()
        present = {r.name: r for r in emulated.records()}
        kept = [p.name for p in wanted if p.name in present and _whole(present[p.name])]
        for profile in wanted:
            if profile.name in kept:
                _check_same(present[profile.name], profile, size, block)
                say(f"{profile.name}: already up")
        missing = [profile for profile in wanted if profile.name not in kept]
        if missing:
            throttle = find_throttle(cgroup_root)
            for leftover in (present[p.name] for p in missing if p.name in present):
                say(f"{leftover.name}: removing what an interrupted start left")
                stack.undo(leftover, _throttle_of(leftover), say)
            _make_all(missing, state, size or image.DEFAULT_SIZE, directory, throttle, block, say)
        made = {r.name: r for r in emulated.records()}
        return [_drive(made[profile.name]) for profile in wanted]


def down(names: Sequence[str] | None = None, say: Say = lambda _: None) -> list[str]:
    """Take emulated drives down (all of them when none is named) and return the names of those that were.

    A drive that is not up is passed over, so it can be called twice. Raises UsageError for a name that is
    neither a drive nor a profile, ToolError when a drive is still in use.
    """
    if not emulated.records() and not names:
        return []
    _check_root()
    with _lock(say):
        present = {r.name: r for r in emulated.records()}
        for name in names or ():
            if name not in present and name not in default_names():
                raise UsageError(f"there is no drive {name!r}; {near_miss(name, [*present, *default_names()])}")
        gone = [present[name] for name in names or present if name in present]
        for record in gone:
            with _undisturbed():
                stack.undo(record, _throttle_of(record), say)
            say(f"{record.name}: down")
        _retire(gone)
    return [record.name for record in gone]


def clean() -> list[str]:
    """Take down the drives that a killed or crashed start left half-made; return a sentence for each.

    A drive that is whole stays, and so does everything while another lab is at work.
    """
    broken = [record for record in emulated.records() if not _whole(record)]
    if not broken:
        return []
    if os.geteuid() != 0:
        return [f"half-made emulated drive {record.name} is left: run this as root" for record in broken]
    said: list[str] = []
    with _lock(None) as held:
        for record in emulated.records() if held else ():
            if not _whole(record):
                with _undisturbed():
                    stack.undo(record, _throttle_of(record), said.append)
                _retire([record])
                said.append(f"took down half-made emulated drive {record.name}")
    return said


def list_drives() -> list[LabDrive]:
    """Return the emulated drives of this machine, half-made ones too: those that ship first, in their own order.

    Raises ParseError for an unreadable state.
    """
    places = {name: place for place, name in enumerate(default_names())}
    drives = [_drive(record) for record in emulated.records()]
    return sorted(drives, key=lambda drive: (places.get(drive.name, len(places)), drive.name))


def _make_all(
    profiles: Sequence[DriveProfile],
    state: Path,
    size: int,
    directory: Path | None,
    throttle: Throttle,
    block: bool,
    say: Say,
) -> None:
    images = image.images_dir(directory)
    size -= size % 4096
    image.check_room(images, size, len(profiles))
    begun: list[Record] = []
    reached: dict[str, float] = {}
    try:
        throttle.prepare()
        for profile in profiles:
            record = make.plan(profile, state, images, size, throttle, block)
            begun.append(record)
            make.make(record, profile, throttle, reached, say)
    except BaseException:
        with _undisturbed():
            for record in reversed(begun):
                say(f"{record.name}: taking down what was made")
                stack.undo(record, throttle, say)
            _retire(begun)
        raise


def _drive(record: Record) -> LabDrive:
    group = record.throttle_path if record.throttle_version == 2 else None
    return LabDrive(
        name=record.name,
        device=record.device,
        mount=record.mount,
        emulation=record.emulation,
        title=record.title,
        kind=record.kind,
        size=record.size,
        state="up" if _whole(record) else "half-made",
        group=group,
    )


def _whole(record: Record) -> bool:
    """Whether a drive is complete and all of it still stands."""
    if not record.ready or not emulated.bound(record):
        return False
    if record.emulation.latency_s is not None and not stack.served(record):
        return False
    return record.mount is None or any(
        (mount.source, mount.mount_point) == (record.device, record.mount) for mount in mounts()
    )


def _check_names(wanted: Sequence[DriveProfile]) -> None:
    names = [profile.name for profile in wanted]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise UsageError(f"{', '.join(double)} is named twice; give each drive its own name")


def _check_same(record: Record, profile: DriveProfile, size: int | None, block: bool) -> None:
    asked = make.asked(profile, record.emulation.latency_s is not None)
    same = (asked.profile, asked.latency_s, asked.parallel) == (
        record.emulation.profile,
        record.emulation.latency_s,
        record.emulation.parallel,
    )
    # A rate may be lower than asked where the disk could not reach it, never higher.
    for key, rate in RATES.items():
        wanted, has = getattr(asked, rate), getattr(record.emulation, rate)
        same = same and (wanted == has or (key in record.lowered and wanted is not None and has < wanted))
    if size is not None and size - size % 4096 != record.size:
        same = False
    if not same or block != (record.filesystem is None):
        raise UsageError(
            f"{profile.name} is up with other figures ({format_bytes(record.size)}, "
            f"{'bare device' if record.filesystem is None else record.filesystem}); take it down first: "
            f"iobench lab down {profile.name}"
        )


def _check_machine(block: bool) -> None:
    """Raise CannotRunError, with what lacks and what to do, where drives cannot be emulated."""
    _check_root()
    instead = "or measure real paths with -t NAME=PATH"
    if not Path("/dev/loop-control").exists():
        raise CannotRunError(
            f"this system has no loop devices (/dev/loop-control is missing); run outside of a container, {instead}"
        )
    programs = ("losetup",) if block else ("losetup", "mkfs.ext4", "mount", "umount")
    missing = [program for program in programs if proc.find(program) is None]
    if missing:
        raise CannotRunError(
            f"emulated drives need {', '.join(missing)}; `iobench doctor` shows what installs it, {instead}"
        )


def _check_root() -> None:
    if os.geteuid() != 0:
        raise CannotRunError(
            "emulated drives need root, for loop devices and mounts; run it with sudo, or measure real paths with "
            "-t NAME=PATH"
        )


def _throttle_of(record: Record) -> Throttle | None:
    if record.throttle_path is None:
        return None
    return Throttle(2 if record.throttle_version == 2 else 1, Path(record.throttle_path))


def _retire(gone: Sequence[Record]) -> None:
    """Remove the group of cgroup v2 after its last drive."""
    left = {record.throttle_path for record in emulated.records()}
    for record in gone:
        throttle = _throttle_of(record)
        if throttle is not None and record.throttle_path not in left:
            with loop_numbers():
                throttle.retire()


@contextmanager
def _lock(say: Say | None) -> Iterator[bool]:
    """Keep two labs from working at once; the lock goes with the process, however that ends.

    Waits for the other one and yields True; without `say` it does not wait, and yields whether it is held.
    """
    with (emulated.writable_state() / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if say is None:
                yield False
                return
            say("waiting for another `iobench lab` to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield True


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold signals back while a drive is taken down: a second Ctrl-C must not leave half of it."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
