"""Which drives of this machine are emulated: the state that `iobench lab` keeps, and its one format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from iobench.errors import CannotRunError, ParseError
from iobench.model import Emulation

SCHEMA_VERSION = 1
STATE_VARIABLE = "IOBENCH_LAB_STATE"
_SYSTEM_STATE = Path("/run/iobench/lab")
_SYS_BLOCK = Path("/sys/block")


@dataclass(frozen=True, slots=True)
class Record:
    """What an emulated drive consists of, written before each part of it is taken. `size` is in bytes.

    `backing` is the file that the loop device stands on: the image, or the same served with latency.
    `ready` is False until the drive is complete, so a killed start can be told from a drive.
    """

    name: str
    id: str
    folder: str
    image_folder: str
    image: str
    backing: str
    size: int
    title: str
    kind: str
    emulation: Emulation
    filesystem: str | None = "ext4"
    device: str | None = None
    number: str | None = None
    mount: str | None = None
    throttle_version: int | None = None
    throttle_path: str | None = None
    ready: bool = False

    @property
    def socket(self) -> str:
        """The path of the socket between the two programs that give the drive its latency."""
        return f"{self.folder}/nbd.sock"


def emulations() -> dict[str, Emulation]:
    """Return the emulated drives of this machine, by the `major:minor` of their device.

    Only devices that still stand on our file: a loop number that someone else uses now is not in it.
    Raises ParseError when the state of a drive cannot be read.
    """
    return {record.number: record.emulation for record in records() if record.number and bound(record)}


def groups() -> dict[str, Path]:
    """Return, by `major:minor`, the cgroup that a program must be started in to feel a drive's limits.

    Only on cgroup v2; on v1 the limits hold for every process and the answer is empty.
    Raises ParseError when the state of a drive cannot be read.
    """
    return {
        record.number: Path(record.throttle_path)
        for record in records()
        if record.number and record.throttle_path and record.throttle_version == 2 and bound(record)
    }


def bound(record: Record) -> bool:
    """Whether the drive's device still stands on the drive's own file."""
    return record.device is not None and backing_file(Path(record.device).name) == record.backing


def loops() -> Iterator[tuple[str, str]]:
    """Yield every loop device in use: its kernel name and its backing file."""
    for folder in sorted(_SYS_BLOCK.glob("loop*")):
        backing = backing_file(folder.name)
        if backing is not None:
            yield folder.name, backing


def backing_file(device: str) -> str | None:
    """Return the file under a loop device (`loop3`), or None when there is none."""
    try:
        return (_SYS_BLOCK / device / "loop" / "backing_file").read_text(encoding="utf-8").rstrip("\n")
    except OSError:
        return None


def device_number(device: str) -> str:
    """Return the `major:minor` of a block device by its kernel name (`loop3`)."""
    return (_SYS_BLOCK / device / "dev").read_text(encoding="ascii").strip()


def state_folders() -> list[Path]:
    """Return the folders that may hold the state of emulated drives, the system's first."""
    chosen = os.environ.get(STATE_VARIABLE)
    if chosen:
        return [Path(chosen).resolve()]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return [_SYSTEM_STATE, *([Path(runtime) / "iobench" / "lab"] if runtime else [])]


def writable_state() -> Path:
    """Return the first state folder that can be written, made when it is not there.

    Raises CannotRunError when there is none.
    """
    folders = state_folders()
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    tried = ", ".join(map(str, folders))
    raise CannotRunError(f"no folder for the state of emulated drives can be written (tried {tried}); run as root")


def records() -> list[Record]:
    """Return every drive in the state, complete or not. Raises ParseError when one cannot be read."""
    return [
        read_record(path) for folder in state_folders() if folder.is_dir() for path in sorted(folder.glob("*.json"))
    ]


def read_record(path: Path) -> Record:
    """Return the drive in a state file. Raises ParseError when it is not one."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = data.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise ParseError(
                f"{path} has schema_version {version!r}, not {SCHEMA_VERSION}; use the iobench that wrote it"
            )
        emulation = data.pop("emulation")
        emulation["notes"] = tuple(emulation["notes"])
        record = Record(**data, emulation=Emulation(**emulation))
        _check_types(record)
        _check_types(record.emulation)
        return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParseError(
            f"{path} is not the state of an emulated drive ({error}); look at `losetup -a`, then delete it"
        ) from error


def save_record(record: Record) -> None:
    """Write a drive's state beside its folder, whole or not at all, and on the disk before returning."""
    path = _record_path(record)
    data = {"schema_version": SCHEMA_VERSION, **asdict(record)}
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(data, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def delete_record(record: Record) -> None:
    """Remove a drive's state; nothing when it is gone."""
    _record_path(record).unlink(missing_ok=True)


def _check_types(instance: Record | Emulation) -> None:
    """Raise TypeError where a field does not hold what its type says: the file is only text until then."""
    for name, wanted in get_type_hints(type(instance)).items():
        value = getattr(instance, name)
        if wanted == tuple[str, ...]:
            good = all(isinstance(part, str) for part in value)
        elif float in get_args(wanted):
            good = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        else:
            good = isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)
        if not good:
            raise TypeError(f"{name} is {value!r}")


def _record_path(record: Record) -> Path:
    folder = Path(record.folder)
    return folder.with_name(f"{folder.name}.json")
