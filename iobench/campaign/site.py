"""A target opened to be measured: the drive that was planned, its ground, its counters, what is laid out on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from iobench.campaign.ground import DeviceGround, FolderGround, Ground, ServerGround
from iobench.drives import throttle
from iobench.drives.counters import CounterFile
from iobench.drives.emulated import groups
from iobench.drives.guards import BlockClaim, claim
from iobench.drives.layers import beneath
from iobench.drives.passport import device_id, refuse_other_drive, underlying
from iobench.drives.passport import passport as passport_of
from iobench.drives.workdir import WorkFolder
from iobench.errors import CannotRunError
from iobench.model import Campaign, DataFile, Passport, Place, Work

NOWHERE: Mapping[str, str | int] = {}


@dataclass(frozen=True, slots=True)
class Permission:
    """What the user allows: the ids of devices that may be overwritten, and how signatures are confirmed."""

    destroy_ids: tuple[str, ...] = ()
    yes: bool = False
    confirm: Callable[[str], bool] | None = None


@dataclass
class Site:
    """A target made ready to be measured. Leaving it removes what is ours."""

    passport: Passport
    ground: Ground
    counters: CounterFile | None
    disk: CounterFile | None
    group: Path | None = None  # the cgroup (v2) in which an emulated drive's limits hold
    limits: Callable[[], Mapping[str, int]] | None = None  # those that stand on an emulated drive now
    laid_out: set[DataFile] = field(default_factory=set)
    silent: bool = False  # it does not answer: it is left as it is
    stays: tuple[str, ...] = ()  # what could not be removed, once it is closed

    @classmethod
    def open(
        cls,
        passport: Passport,
        folder: str,
        works: Sequence[Work],
        permission: Permission,
        keep: Sequence[str] = (),
    ) -> Self:
        """Make a target ready, its files in a work folder of that name; of what an aborted run left there `keep` stays.

        Raises CannotRunError when refused.
        """
        with ExitStack() as stack:
            ground: Ground
            if passport.target.kind == "block":
                need = max((w.fixed_bytes or sum(f.size for f in w.files) for w in works), default=0)
                ground = DeviceGround(_claim(passport, need, permission))
            elif passport.target.kind == "server":
                ground = ServerGround(passport.target.name)
            else:
                ground = FolderGround(open_folder(passport, folder, keep))
            stack.callback(ground.close)
            if isinstance(ground, DeviceGround):
                _refuse_other_drive(passport, ground.pass_fds[0])
            _refuse_without_direct(passport, ground, works)
            counters = disk = None
            if passport.device is not None:
                counters = stack.enter_context(CounterFile(passport.device.number))
                disk = _whole_disk(passport, stack)
            group = _group(passport)
            limits = throttle.reader(passport.device.number) if passport.device is not None else None
            stack.pop_all()
        return cls(passport, ground, counters, disk, group, limits)

    def missing(self, works: Sequence[Work]) -> list[DataFile]:
        """Return the files that are not laid out yet, the largest of a name only."""
        wanted: dict[str, DataFile] = {}
        for work in works:
            for file in work.files:
                if file.name not in wanted or wanted[file.name].size < file.size:
                    wanted[file.name] = file
        return [f for f in wanted.values() if f not in self.laid_out or (self.ground.size(f.name) or 0) < f.size]

    def gone(self, work: Work) -> list[str]:
        """Return the names of a work's files that were laid out and are not there any more, or not whole."""
        sizes = {file.name: file.size for file in self.laid_out if file in work.files}
        with suppress(OSError):  # a drive that fails tells nothing of who removed what
            return [name for name, size in sizes.items() if (self.ground.size(name) or 0) < size]
        return []

    def place(self, work: Work, out: Path, source: str | None, service: Mapping[str, str | int] = NOWHERE) -> Place:
        """Return where a work's command works."""
        names = [*(f.name for f in work.files), *work.fresh, *([work.tree.name] if work.tree else ())]
        return Place(
            data={name: self.ground.path(name) for name in names},
            size={f.name: f.size for f in work.files},
            out=str(out),
            source=source,
            block_device=self.ground.block,
            service=service,
        )

    def unwritten(self, work: Work) -> int | None:
        """Return the bytes of a work's files that were never written; None if that cannot be known."""
        counts = [self.ground.unwritten(file.name) for file in work.files]
        known = [count for count in counts if count is not None]
        return sum(known) if known and len(known) == len(counts) else None

    def close(self) -> None:
        """Remove what is ours and let go of the target; what had to stay is in `stays` then."""
        try:
            self.stays = self.ground.abandon() if self.silent else self.ground.close()
        finally:
            for counters in (self.counters, self.disk):
                if counters is not None:
                    counters.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def check_devices(campaign: Campaign, destroy_ids: tuple[str, ...]) -> None:
    """Raise CannotRunError for a block device that may not be overwritten, before anything is said of writing to it.

    What is found on it is asked about when it is made ready, and everything else is asked again then.
    """
    for passport in campaign.passports.values():
        if passport.target.kind == "block":
            _claim(passport, 0, Permission(destroy_ids, yes=True)).close()


def open_folder(target: Passport, name: str, keep: Sequence[str] = ()) -> WorkFolder:
    """Make a work folder on a target. Raises CannotRunError where another drive is there by now."""
    folder = WorkFolder.make(target.target.path, name, keep)
    try:
        _refuse_other_drive(target, folder.dir_fd)
    except BaseException:
        folder.remove()
        raise
    return folder


def _refuse_other_drive(planned: Passport, fd: int) -> None:
    """What was planned is compared with what was opened: the name may lead elsewhere a moment later."""
    opened = dataclasses.replace(planned.target, path=f"/proc/self/fd/{fd}")
    refuse_other_drive(planned, passport_of(opened))


def _claim(passport: Passport, need: int, permission: Permission) -> BlockClaim:
    own = device_id(passport.device) if passport.device else None
    given = own if own in permission.destroy_ids else next(iter(permission.destroy_ids), None)
    return claim(passport.target.path, given, permission.yes, permission.confirm, need)


def _refuse_without_direct(passport: Passport, ground: Ground, works: Sequence[Work]) -> None:
    if any(work.params.get("direct") for work in works) and not ground.direct():
        raise CannotRunError(
            f"target {passport.target.name}: {passport.filesystem or 'the file system'} does not take direct I/O, "
            "so memory would be measured; give a folder on another file system, or --buffered to see that"
        )


def _whole_disk(passport: Passport, stack: ExitStack) -> CounterFile | None:
    """The counters of the one drive that the device is a part of: others may use its other parts.

    Over several drives the bytes are not one for one the device's (copies, parity), and nothing is said of others.
    """
    device = passport.device
    drives = underlying(device) if device is not None else []
    if device is None or len(drives) != 1 or drives[0] == device.number:
        return None
    return stack.enter_context(CounterFile(drives[0]))


def _group(passport: Passport) -> Path | None:
    """The cgroup (v2) of the emulated drive that the device is, or is a part of."""
    if passport.device is None:
        return None
    found = groups()
    return next((found[number] for number in beneath(passport.device.number) if number in found), None)
