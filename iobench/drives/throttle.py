"""The kernel's limits of a block device's speed, through cgroup v1 or v2."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from iobench.drives import emulated
from iobench.drives.layers import SYS
from iobench.errors import CannotRunError
from iobench.model import Emulation

CGROUP_ROOT = Path("/sys/fs/cgroup")
LOOP_CONTROL = Path("/dev/loop-control")
_GROUP = "iobench-lab"
_V1_FILES = {
    "read_bps": "blkio.throttle.read_bps_device",
    "write_bps": "blkio.throttle.write_bps_device",
    "read_iops": "blkio.throttle.read_iops_device",
    "write_iops": "blkio.throttle.write_iops_device",
}
_V2_KEYS = {"read_bps": "rbps", "write_bps": "wbps", "read_iops": "riops", "write_iops": "wiops"}


@dataclass(frozen=True, slots=True)
class Throttle:
    """Where limits are written.

    On v1 they hold for every process, on v2 for those that are started in the group `path`.
    """

    version: Literal[1, 2]
    path: Path

    def writable(self) -> bool:
        """Whether this user may set limits there."""
        place = self.path / _V1_FILES["read_bps"] if self.version == 1 else self.path.parent
        return os.access(place, os.W_OK)

    def readable(self) -> bool:
        """Whether this user may see the limits there."""
        return os.access(self.path / (_V1_FILES["read_bps"] if self.version == 1 else "io.max"), os.R_OK)

    def set(self, number: str, emulation: Emulation) -> None:
        """Limit the device `major:minor` to an emulation's rates. Raises CannotRunError when refused."""
        self._write(number, limits_of(emulation))

    def clear(self, number: str) -> None:
        """Take every limit off the device `major:minor`, found there or not."""
        if self.version == 1 or self.path.is_dir():
            self._write(number, {})

    def limits(self, number: str) -> dict[str, int]:
        """Return the limits (B/s and 1/s) that stand on the device `major:minor`; empty for none."""
        if self.version == 1:
            return {
                key: int(value)
                for key, name in _V1_FILES.items()
                for device, _, value in (line.partition(" ") for line in _lines(self.path / name))
                if device == number
            }
        names = {short: key for key, short in _V2_KEYS.items()}
        return {
            names[key]: int(value)
            for line in _lines(self.path / "io.max")
            if line.split()[0] == number
            for key, _, value in (part.partition("=") for part in line.split()[1:])
            if key in names and value != "max"
        }

    def prepare(self) -> None:
        """Make the group of cgroup v2, with memory counted beside I/O: write-back is charged only then.

        Nothing on v1. Raises CannotRunError when the group cannot be made.
        """
        if self.version == 1:
            return
        offered = " ".join(_lines(self.path.parent / "cgroup.controllers")).split()
        for controller in ("io", "memory"):
            if controller in offered:
                _put(self.path.parent / "cgroup.subtree_control", f"+{controller}")
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise CannotRunError(_refused(self.path, error)) from error

    def retire(self) -> None:
        """Remove the group of cgroup v2 when nothing runs in it and it limits no drive. Nothing on v1.

        Every lab of this machine uses the one group, so limits there may be another's.
        """
        if self.version == 2 and self.path.name == _GROUP and not self._limited():
            try:
                self.path.rmdir()
            except OSError:
                return  # a program is still in it: harmless, it limits no device any more

    def _limited(self) -> bool:
        return any(self.limits(line.split()[0]) for line in _lines(self.path / "io.max"))

    def _write(self, number: str, limits: dict[str, int]) -> None:
        if self.version == 1:
            for key, name in _V1_FILES.items():
                _put(self.path / name, f"{number} {limits.get(key, 0)}")
        else:
            parts = [f"{short}={limits.get(key, 'max')}" for key, short in _V2_KEYS.items()]
            _put(self.path / "io.max", " ".join([number, *parts]))


def limits_of(emulation: Emulation) -> dict[str, int]:
    """Return the limits (B/s and 1/s) that an emulation asks for, by the names of its fields."""
    limits = {key: getattr(emulation, key) for key in _V1_FILES}
    return {key: round(value) for key, value in limits.items() if value is not None}


def reader(number: str, sys: Path = SYS) -> Callable[[], Mapping[str, int]] | None:
    """Return what reads the limits that stand on the emulated drive that the device `major:minor` is or stands on.

    None where it is no emulated drive, a set over several, or one whose state or limits this user cannot read. Raises
    ParseError when the state of a drive of ours cannot be read.
    """
    record = emulated.record_of(number, sys)
    if record is None or record.number is None or record.throttle_path is None:
        return None
    throttle = Throttle(2 if record.throttle_version == 2 else 1, Path(record.throttle_path))
    return partial(throttle.limits, record.number) if throttle.readable() else None


@contextmanager
def loop_numbers() -> Iterator[None]:
    """Keep every lab of this machine, whatever its state folder, from taking or giving back a loop number meanwhile.

    Limits belong to a number and not to a drive: between a look at whose it is and a write of limits, it must not
    become another's. The lock goes with the process.
    """
    import fcntl  # Linux alone has it, and stored results are judged elsewhere too

    with LOOP_CONTROL.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_throttle(root: Path = CGROUP_ROOT) -> Throttle:
    """Return where this machine takes limits. Raises CannotRunError when it takes none."""
    if (root / "blkio" / _V1_FILES["read_bps"]).exists():
        return Throttle(1, root / "blkio")
    for base in (root, root / "unified"):
        controllers = _lines(base / "cgroup.controllers")
        if controllers and "io" in controllers[0].split():
            return Throttle(2, base / _GROUP)
    raise CannotRunError(
        f"the kernel's limits of block devices are not to be had here: {root} has neither "
        "blkio.throttle (v1) nor the io controller (v2); emulated drives need them, so measure real paths "
        "with -t NAME=PATH"
    )


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError:
        return []


def _put(path: Path, text: str) -> None:
    try:
        # Unbuffered, so that the kernel's refusal comes from the write and not from a later close.
        with path.open("wb", buffering=0) as file:
            file.write(text.encode())
    except OSError as error:
        raise CannotRunError(_refused(path, error)) from error


def _refused(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be written ({error.strerror}), so a drive's speed cannot be set here; run as root "
        "outside of a container, or measure real paths with -t NAME=PATH"
    )
