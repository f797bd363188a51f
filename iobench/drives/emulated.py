"""Which drives of this machine are emulated: the state that `iobench lab` keeps, and the marks it leaves."""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iobench.drives.layers import SYS, beneath, whole_disks
from iobench.errors import CannotRunError, ParseError
from iobench.model import Emulation, check_types
from iobench.texts import Phrase, kept, told_of

STATE_VARIABLE = "IOBENCH_LAB_STATE"
MARKER = ".iobench-lab"  # in the folder of an image: the drive's id, and where its state stands
FOLDER_PREFIX = "iobench-lab-"
_STATE_VERSION = 1  # of this format alone: a drive that is up outlives a change of the results' schema
_SYSTEM_STATE = Path("/run/iobench/lab")
_SERVED = "nbd"  # the folder, and in it the file, of an image that is served with latency


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
    lowered: tuple[str, ...] = ()  # the rates that the disk below could not reach
    ready: bool = False

    @property
    def state_file(self) -> Path:
        """The file that this stands in, beside the drive's folder."""
        folder = Path(self.folder)
        return folder.with_name(f"{folder.name}.json")

    @property
    def socket(self) -> str:
        """The path of the socket between the two programs that give the drive its latency."""
        return f"{self.folder}/nbd.sock"


def emulation_of(number: str, sys: Path = SYS) -> Emulation | None:
    """Return how the device `major:minor` is emulated, or a device that it stands on; None where none is.

    Only a device that still stands on our file counts: a loop number may be someone else's by now. A partition, a
    mapped device or a loop device on an emulated drive is as fast as that. A drive of another state folder is known by
    the mark beside its image; where its figures cannot be read they are None.
    Raises ParseError when the state of a drive of ours cannot be read.
    """
    record, marked = _found(number, sys)
    if record is not None:
        several = Emulation(record.emulation.profile, notes=(Phrase("lab.several"),))
        return several if _is_set(number, sys) else record.emulation
    return Emulation("unknown", notes=(Phrase("lab.unknown"),)) if marked else None


def record_of(number: str, sys: Path = SYS) -> Record | None:
    """Return the emulated drive that the device `major:minor` is, or stands on; None where that is not known, or a set.

    Raises ParseError when the state of a drive of ours cannot be read.
    """
    record, _ = _found(number, sys)
    return None if record is None or _is_set(number, sys) else record


def _is_set(number: str, sys: Path) -> bool:
    """Whether a device stands on several drives: what limits one of them does not limit the whole."""
    return len(whole_disks(number, sys)) > 1


def _found(number: str, sys: Path) -> tuple[Record | None, bool]:
    """The drive that a device is or stands on, as far as it can be read, and whether there is one."""
    ours = {record.number: record for record in records() if record.number and bound(record, sys)}
    seen: set[str] = set()
    waiting = [number]
    while waiting:
        for each in beneath(waiting.pop(), sys):
            if each in seen:
                continue
            seen.add(each)
            if each in ours:
                return ours[each], True
            backing = _backing(sys / "dev/block" / each)
            if backing is None:
                continue
            record, marked = _marked(Path(backing))
            if marked:
                return record, True
            waiting += _holder_of(backing)
    return None, False


def _marked(backing: Path) -> tuple[Record | None, bool]:
    """The drive that stands on this file, by the marks that every lab leaves, and whether there is such a mark."""
    if backing.parts[-2:] == (_SERVED, _SERVED):
        home = backing.parents[1]
        record = _recorded(home.with_name(f"{home.name}.json"), str(backing), None)
        return record, record is not None
    try:
        text = (backing.parent / MARKER).read_text(encoding="utf-8", errors="surrogateescape")
    except PermissionError:
        return None, backing.parent.name.startswith(FOLDER_PREFIX)
    except OSError:
        return None, False
    identity, _, state = text.strip().partition("\n")
    return _recorded(Path(state), str(backing), identity), True


def _recorded(state: Path, backing: str, identity: str | None) -> Record | None:
    """The drive in a state file, if that is the one on this backing file."""
    try:
        record = read_record(state)
    except ParseError:
        return None
    return record if record.backing == backing and identity in (None, record.id) else None


def _holder_of(backing: str) -> list[str]:
    """The device that a loop device's backing file is, or is on."""
    try:
        info = Path(backing).stat()
    except OSError:
        return []
    dev = info.st_rdev if stat.S_ISBLK(info.st_mode) else info.st_dev
    return [f"{os.major(dev)}:{os.minor(dev)}"]


def groups(sys: Path = SYS) -> dict[str, Path]:
    """Return, by `major:minor`, the cgroup that a program must be started in to feel a drive's limits.

    Only on cgroup v2; on v1 the limits hold for every process and the answer is empty.
    Raises ParseError when the state of a drive cannot be read.
    """
    return {
        record.number: Path(record.throttle_path)
        for record in records()
        if record.number and record.throttle_path and record.throttle_version == 2 and bound(record, sys)
    }


def bound(record: Record, sys: Path = SYS) -> bool:
    """Whether the drive's device still stands on the drive's own file."""
    return record.device is not None and _backing(sys / "block" / Path(record.device).name) == record.backing


def loops_on(file: str) -> list[str]:
    """Return the loop devices, by their kernel names, that stand on a file."""
    folders = sorted((SYS / "block").glob("loop*"))
    return [folder.name for folder in folders if _backing(folder) == file and _stands_on(folder.name, file)]


def _stands_on(device: str, file: str) -> bool:
    """Whether a loop device stands on this very file.

    Its name in /sys is that which it has for whoever attached it: in a container that shares /dev it is
    another file. Where that cannot be asked (no right to it, or the file is gone), the name alone counts.
    """
    from iobench.drives.ways import loop_file  # Linux alone has it, and stored results are looked at elsewhere too

    found = loop_file(device)
    try:
        there = Path(file).stat()
    except OSError:
        return True
    return found is None or (found.device, found.inode) == (there.st_dev, there.st_ino)


def orphan_of(record: Record) -> list[str]:
    """Return the drive's loop device where its server ended and took along what it served: that has no path any more.

    In a container such a path may be that of a drive that is well: only one that answers nothing is an orphan. What the
    kernel remembers of a file that was served it may answer for a second more.
    """
    from iobench.drives.ways import loop_file

    name = Path(record.device or "").name
    deadline = time.monotonic() + 3
    while name and _backing(SYS / "block" / name) == f"/{_SERVED}":
        if loop_file(name) is None:
            return [name]
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return []


def _backing(folder: Path) -> str | None:
    """The file under a loop device, by the device's folder in /sys; None when there is none."""
    try:
        return (folder / "loop/backing_file").read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except OSError:
        return None


def device_number(device: str) -> str:
    """Return the `major:minor` of a block device by its kernel name (`loop3`)."""
    return (SYS / "block" / device / "dev").read_text(encoding="ascii").strip()


def served_path(folder: Path) -> Path:
    """Return where a drive's image appears when it is served with latency; `folder` is the drive's own."""
    return folder / _SERVED / _SERVED


def state_folders() -> list[Path]:
    """Return the folders that may hold the state of emulated drives, the system's first."""
    chosen = os.environ.get(STATE_VARIABLE)
    if chosen:
        return [Path(chosen).resolve()]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    # `sudo -E` keeps another user's: what he writes there would be taken down, by root, for a drive of ours.
    own = runtime and _owner(Path(runtime)) == os.geteuid()
    return [_SYSTEM_STATE, *([Path(runtime) / "iobench" / "lab"] if runtime and own else [])]


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None


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
        if version != _STATE_VERSION:
            raise ParseError(
                f"{path} has schema_version {version!r}, not {_STATE_VERSION}; use the iobench that wrote it"
            )
        emulation = data.pop("emulation")
        emulation["notes"] = tuple(map(told_of, emulation["notes"]))
        data["lowered"] = tuple(data.get("lowered", ()))
        record = Record(**data, emulation=Emulation(**emulation))
        check_types(record)
        return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ParseError(
            f"{path} is not the state of an emulated drive ({error}); look at `losetup -a`, then delete it"
        ) from error


def save_record(record: Record) -> None:
    """Write a drive's state beside its folder, whole or not at all, and on the disk before returning.

    Raises CannotRunError when it cannot be written.
    """
    path = record.state_file
    emulation = {**asdict(record.emulation), "notes": [kept(note) for note in record.emulation.notes]}
    data = {"schema_version": _STATE_VERSION, **asdict(record), "emulation": emulation}
    draft = path.with_suffix(".draft")
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CannotRunError(
            f"the state of drive {record.name} cannot be written to {path.parent} ({error.strerror}); make room, or "
            f"choose another folder with {STATE_VARIABLE}"
        ) from error


def delete_record(record: Record) -> None:
    """Remove a drive's state; nothing when it is gone."""
    record.state_file.unlink(missing_ok=True)
