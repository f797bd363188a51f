"""May this block device be written? Every question is asked of the opened descriptor, never of a name."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from iobench import proc
from iobench.drives.mounts import mounts
from iobench.drives.passport import device_id, device_of
from iobench.drives.ways import LoopFile, loop_file, other_ways
from iobench.errors import CannotRunError, ToolError
from iobench.model import Device
from iobench.units import format_bytes

_BLKGETSIZE64 = 0x80081272
_BLKROGET = 0x125E
_BLKID_NOTHING = 2
_BLKID_AMBIVALENT = 8
_NEVER = "no option overrides this"


@dataclass(frozen=True, slots=True)
class BlockClaim:
    """A block device that is ours to overwrite while this is open: nothing else can mount or claim it."""

    fd: int
    device: Device

    @property
    def path_for_child(self) -> str:
        """The path by which a program that inherits `fd` opens this very device."""
        return f"/dev/fd/{self.fd}"

    def close(self) -> None:
        """Give the device back."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def claim(
    path: str,
    destroy_id: str | None,
    yes: bool = False,
    confirm: Callable[[str], bool] | None = None,
    size_needed: int = 0,
) -> BlockClaim:
    """Open a block device for overwriting, or raise CannotRunError with the reason and what to do.

    A device that is mounted, held, swap or otherwise in use is always refused. `destroy_id` must be the
    device's id exactly; a signature found on it needs `yes`, or `confirm` to return True for the question.
    `size_needed` is in bytes.
    """
    fd = _open(path)
    try:
        device = _device(path, fd)
        _refuse_in_use(path, device)
        _refuse_other_id(path, device, destroy_id)
        _refuse_unfit(path, fd, size_needed)
        _refuse_signature(path, fd, yes, confirm)
    except BaseException:
        os.close(fd)
        raise
    return BlockClaim(fd, device)


def _open(path: str) -> int:
    """Open the node that a path leads to now, exclusively; the name is not used again afterwards."""
    try:
        # A name such as /dev/disk/by-id/... is a link. O_PATH opens nothing (a tape would rewind), but it
        # pins the node, so that what is looked at and what is opened cannot be two things.
        node = os.open(os.path.realpath(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CannotRunError(f"{path} cannot be opened ({error.strerror}); check the path") from None
    try:
        if not stat.S_ISBLK(os.fstat(node).st_mode):
            raise CannotRunError(f"{path} is not a block device; give a device such as /dev/sdb, or a folder")
        number = _number_of(node)
        try:
            return os.open(f"/proc/self/fd/{node}", os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
        except OSError as error:
            raise CannotRunError(_why_not_opened(path, number, error)) from None
    finally:
        os.close(node)


def _why_not_opened(path: str, number: str, error: OSError) -> str:
    users = "; ".join(_users(number))
    if users or error.errno == errno.EBUSY:
        users = users or "the kernel has it claimed"
        return f"{path} is in use ({users}): it is never overwritten, and {_NEVER}"
    if error.errno in (errno.EACCES, errno.EPERM):
        why = f"{path} cannot be opened for writing ({error.strerror})"
        return f"{why}; run as root, or give a folder on the drive"
    if error.errno == errno.EROFS:
        return f"{path} is read-only; give another device"
    return f"{path} cannot be opened for writing ({error.strerror}); is a drive behind it?"


def _number_of(fd: int) -> str:
    rdev = os.fstat(fd).st_rdev
    return f"{os.major(rdev)}:{os.minor(rdev)}"


def _device(path: str, fd: int) -> Device:
    if not stat.S_ISBLK(os.fstat(fd).st_mode):
        raise CannotRunError(f"{path} is not a block device; give a device such as /dev/sdb, or a folder")
    device = device_of(_number_of(fd))
    if device is None:
        raise CannotRunError(f"the kernel does not list the device {_number_of(fd)} of {path}, so it is not written")
    return device


# --- in use --------------------------------------------------------------------------------------------


def _refuse_in_use(path: str, device: Device) -> None:
    # O_EXCL has already refused what the kernel knows of; this also sees what does not claim its device.
    users = [*_users(device.number), *_writers(device.number)]
    for way in other_ways(device.number):
        users += [f"{each}, and that is the same storage" for each in (*_users(way), *_writers(way))]
    if users:
        raise CannotRunError(f"{path} is in use ({'; '.join(users)}): it is never overwritten, and {_NEVER}")


def _users(number: str) -> Iterator[str]:
    """Yield who uses a device or one of its partitions: mounts, devices on top of it, swap."""
    home = Path("/sys/dev/block") / number
    folders = [home, *(entry.parent for entry in home.glob("*/partition"))]
    names = {_dev(folder) or number: folder.resolve().name for folder in folders}
    for mount in mounts():
        if mount.number in names or _rdev(mount.source) in names:
            yield f"{names.get(mount.number, mount.source)} is mounted at {mount.mount_point}"
    for folder in folders:
        for holder in folder.glob("holders/*"):
            yield f"{folder.resolve().name} is held by {holder.name}"
    file = _file_under(home.resolve())
    for source in _swaps():
        if _rdev(source) in names or (file is not None and _inode(Path(source)) == (file.device, file.inode)):
            yield f"{source} is swap space"
    for loop in Path("/sys/block").glob("loop*/loop/backing_file"):
        backing = _read(loop)
        if backing.startswith("/dev/") and _rdev(backing) in names:
            yield f"{loop.parent.parent.name} is made on it"


def _file_under(home: Path) -> LoopFile | None:
    """Return the file under a loop device or a partition of one, by its place in /sys; None for another device."""
    disk = home.parent if (home / "partition").exists() else home
    return loop_file(disk.name) if (disk / "loop").is_dir() else None


def _writers(number: str) -> Iterator[str]:
    """Yield the other processes that hold a device, or the file under it, open for writing, as of a virtual machine."""
    home = (Path("/sys/dev/block") / number).resolve()
    file = _file_under(home)
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            held = [each.name for each in (process / "fd").iterdir() if _is_node(each, number, file)]
            writing = [fd for fd in held if _for_writing(process / "fdinfo" / fd)]
        except OSError:
            continue  # it ended, or it is another user's
        if writing:
            yield f"{_read(process / 'comm') or 'a program'}, process {process.name}, has it open for writing"


def _is_node(entry: Path, number: str, file: LoopFile | None) -> bool:
    try:
        info = entry.stat()
    except OSError:
        return False
    if file is not None and stat.S_ISREG(info.st_mode):
        return (info.st_dev, info.st_ino) == (file.device, file.inode)
    return stat.S_ISBLK(info.st_mode) and f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}" == number


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _for_writing(fdinfo: Path) -> bool:
    match = re.search(r"^flags:\s*([0-7]+)$", _read(fdinfo), re.MULTILINE)
    return match is not None and int(match[1], 8) & os.O_ACCMODE != os.O_RDONLY and not int(match[1], 8) & os.O_PATH


def _swaps() -> list[str]:
    rows = _read(Path("/proc/swaps")).splitlines()[1:]
    return [re.sub(r"\\([0-3][0-7]{2})", lambda m: chr(int(m[1], 8)), row.split()[0]) for row in rows if row]


def _dev(folder: Path) -> str:
    return _read(folder / "dev")


def _rdev(path: str) -> str | None:
    """The number of the block device that a path leads to, else None."""
    if not path.startswith("/"):
        return None
    try:
        info = Path(path).stat()
    except OSError:
        return None
    return f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}" if stat.S_ISBLK(info.st_mode) else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return ""


# --- the right one, and empty -------------------------------------------------------------------------


def _refuse_other_id(path: str, device: Device, destroy_id: str | None) -> None:
    real = device_id(device)
    if destroy_id is None:
        raise CannotRunError(
            f"{path} is a block device and everything on it would be overwritten; "
            f"if that is wanted, give --destroy-data {shlex.quote(real)}"
        )
    if destroy_id != real:
        raise CannotRunError(
            f"--destroy-data names {destroy_id!r}, but {path} is {real!r} ({device.name}): "
            "nothing was written; `iobench targets` prints the ID of each drive"
        )


def _refuse_unfit(path: str, fd: int, size_needed: int) -> None:
    if struct.unpack("i", fcntl.ioctl(fd, _BLKROGET, bytes(4)))[0]:
        raise CannotRunError(f"{path} is set read-only; `blockdev --setrw` makes it writable")
    size = struct.unpack("Q", fcntl.ioctl(fd, _BLKGETSIZE64, bytes(8)))[0]
    if size < size_needed:
        raise CannotRunError(
            f"{path} holds {format_bytes(size)} ({size} bytes) and {format_bytes(size_needed)} "
            f"({size_needed} bytes) are needed; give a smaller --size"
        )


def _refuse_signature(path: str, fd: int, yes: bool, confirm: Callable[[str], bool] | None) -> None:
    found = signatures(fd)
    if not found or yes:
        return
    what = f"{path} holds {' and '.join(found)}"
    if confirm is None:
        raise CannotRunError(f"{what}: it is not overwritten without --yes; look at what is on it first")
    if not confirm(f"{what}, which would be destroyed"):
        raise CannotRunError(f"{what}: the destruction was not confirmed, so nothing was written")


def signatures(fd: int) -> list[str]:
    """Return what an open block device holds, as people name it; empty where nothing is known on it.

    Raises CannotRunError when blkid is missing or cannot read the device: not knowing is no permission.
    """
    argv = ("blkid", "-p", "-o", "export", f"/dev/fd/{fd}")
    try:
        done = proc.capture(argv, check=False, pass_fds=(fd,), timeout_s=30)
    except ToolError as error:
        raise CannotRunError(f"whether the device holds data cannot be found out: {error}") from None
    if done.exit_code == _BLKID_NOTHING and not done.stderr.strip():
        return _left_gpt(fd)
    if done.exit_code == _BLKID_AMBIVALENT:
        return ["more than one signature (blkid cannot say which counts)"]
    if done.exit_code != 0:
        said = done.stderr.strip() or f"exit code {done.exit_code}"
        raise CannotRunError(f"whether the device holds data cannot be found out: blkid says {said}")
    return parse_blkid(done.stdout)


def _left_gpt(fd: int) -> list[str]:
    """A GPT, or its copy at the end, where nothing before it protects it: blkid asks for that first."""
    size = os.lseek(fd, 0, os.SEEK_END)
    try:
        found = any(os.pread(fd, 8, at) == b"EFI PART" for at in (512, 4096, size - 512, size - 4096) if at >= 0)
    except OSError as error:
        raise CannotRunError(f"whether the device holds data cannot be found out: {error.strerror}") from None
    return ["what is left of a gpt partition table"] if found else []


def parse_blkid(text: str) -> list[str]:
    """Return the signatures in the output of `blkid -p -o export`.

    A partition's entry in its drive's table (PART_ENTRY_...) is no signature on the partition.
    """
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    found = []
    if values.get("TYPE"):
        use = {"filesystem": "file system", "raid": "RAID or LVM member", "crypto": "encrypted volume"}
        kind = use.get(values.get("USAGE", ""), "signature")
        label = values.get("LABEL", "")
        named = f" labelled {label!r}" if re.fullmatch(r"[\w.-]+", label, re.ASCII) else ""
        found.append(f"{_article(values['TYPE'])} {kind}{named}")
    if values.get("PTTYPE"):
        found.append(f"{_article(values['PTTYPE'])} partition table")
    return found


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeioAEIO" else f"a {word}"
