"""What a target is: the device under a path, its file system, its room, and whether it is emulated."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from iobench.drives import inventory, layers
from iobench.drives.asking import refuse_silent
from iobench.drives.emulated import emulation_of
from iobench.drives.mounts import Mount, mount_of, mounts
from iobench.errors import CannotRunError, UsageError
from iobench.model import Device, Passport, Target
from iobench.texts import Phrase

_NAME_MOST = 64
_OPENED = "/proc/self/fd/"  # what is open here answers: it was asked before
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S")
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "fuse.sshfs"}


def parse_target(text: str) -> Target:
    """Return the target of a `NAME=PATH` text, its path made absolute.

    Raises UsageError for a missing `=`, an empty name or path, or a name that cannot stand in a file name.
    """
    if _URL.match(text):  # not repeated: it may hold a password
        raise UsageError("an address of a server needs a name; write -t NAME=SCHEME://USER@HOST/…")
    name, equals, path = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is not a name and a path; write -t NAME=PATH, as -t sas=/mnt/sas")
    if not path:
        raise UsageError(f"{text!r} has no path after the '='; write -t NAME=PATH, as -t sas=/mnt/sas")
    if "\0" in path:
        raise UsageError(f"{text!r} has a NUL in its path")
    if _URL.match(path):
        return server_target(name, path)
    full = str(Path(path).absolute())
    refuse_silent(full)
    return Target(check_name(name), full, "block" if _is_block(full) else "file")


_SECRET = re.compile(r"[?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=", re.IGNORECASE)


def server_target(name: str, url: str) -> Target:
    """Return the target that is a server which exists, at SCHEME://[USER@]HOST[:PORT][/NAME].

    Raises UsageError for what is no such URL, and for one that holds a password: it stood in the process list,
    and would stand in results. The password is not repeated.
    """
    scheme, _, rest = url.partition("://")
    user, at, _ = rest.rpartition("@")
    if (at and ":" in user) or _SECRET.search(rest):
        raise UsageError(
            f"the {scheme}:// address holds a password, which everybody on this machine can read in the process list; "
            f"leave it out ({scheme}://USER@HOST/…): it is asked for, or read from a file or the environment"
        )
    if not _URL.match(url) or any(char.isspace() or unicodedata.category(char) in _INVISIBLE for char in url):
        raise UsageError(f"{url!r} is not an address of a server; write SCHEME://USER@HOST/NAME")
    return Target(check_name(name), url, "server")


def check_name(name: str) -> str:
    """Return a target's name as it is, or raise UsageError. Any script and quotes are welcome."""
    if not name or name != name.strip() or not name.strip("."):
        raise UsageError(f"{name!r} cannot name a target; write -t NAME=PATH with a word as the name")
    if len(name) > _NAME_MOST:
        raise UsageError(f"the target's name {name[:20]!r}… has {len(name)} characters; the most is {_NAME_MOST}")
    if "/" in name:
        raise UsageError(f"the target's name {name!r} holds a '/'; write -t NAME=PATH, the name first")
    if any("\udc80" <= char <= "\udcff" for char in name):
        # Bytes that Python could not read as text; what was typed is well, the locale is not.
        shown = os.fsencode(name).decode(errors="replace")
        raise UsageError(
            f"the target's name {shown!r} cannot be read in this locale, which is not UTF-8; set LC_ALL=C.UTF-8, "
            "or give another name"
        )
    if any(unicodedata.category(char) in _INVISIBLE for char in name):
        raise UsageError(f"the target's name {name!r} holds a control or invisible character; leave it out")
    return name


def parse_targets(texts: Sequence[str]) -> list[Target]:
    """Return the targets of several `NAME=PATH` texts. Raises UsageError, also for a name given twice."""
    targets: list[Target] = []
    for text in texts:
        target = parse_target(text)
        # Two spellings of one character look alike in a chart.
        same = [t for t in targets if _folded(t.name) == _folded(target.name)]
        if same:
            raise UsageError(
                f"two targets are named {target.name!r} ({same[0].path} and {target.path}); give each its own name"
            )
        targets.append(target)
    return targets


def default_target() -> Target:
    """Return the drive that the current folder is on, named after its device."""
    here = passport(Target("here", str(Path.cwd())))
    name = here.device.name.replace("!", "-") if here.device else here.filesystem
    return Target(name or "here", here.target.path)


def passport(target: Target) -> Passport:
    """Return what a target is. Raises CannotRunError for a path that is no folder and no block device."""
    if target.kind == "server":
        why = Phrase("nodevice.server", {"path": target.path})
        return Passport(target, None, no_device_reason=why)
    if not target.path.startswith(_OPENED):
        refuse_silent(target.path)
    try:
        info = Path(target.path).stat()
    except OSError as error:
        raise CannotRunError(
            f"target {target.name!r}: {target.path} cannot be used ({error.strerror}); "
            "give an existing folder on the drive, or a block device"
        ) from None
    if stat.S_ISBLK(info.st_mode):
        return _of_block(dataclasses.replace(target, kind="block"), info.st_rdev)
    if not stat.S_ISDIR(info.st_mode):
        raise CannotRunError(
            f"target {target.name!r}: {target.path} is neither a folder nor a block device; "
            "give a folder on the drive, and iobench makes its own files there"
        )
    return _of_folder(dataclasses.replace(target, kind="file"), info.st_dev)


def device_id(device: Device) -> str:
    """Return what --destroy-data takes for a device: serial; else WWN; else NAME:BYTES.

    A partition is always NAME:BYTES, since the serial names the whole drive.
    """
    if device.parent is not None:
        return inventory.identity(device.name, device.size_bytes, None, None)
    return inventory.identity(device.name, device.size_bytes, device.serial, device.wwn)


def device_of(number: str) -> Device | None:
    """Return the device `major:minor`, a partition with its drive named; None if there is none."""
    found = inventory.find(number)
    return found[0].device(found[1]) if found else None


def underlying(device: Device, sys: Path = layers.SYS) -> list[str]:
    """Return, as `major:minor`, the whole drives that a device is on; of a whole drive its own number alone.

    A partition is on its drive; LVM, encryption and MD are on the drives of their members, through whatever
    lies between. Their bytes are not one for one the device's: RAID writes copies and parity.
    """
    return layers.whole_disks(device.number, sys)


def same_device_warnings(passports: Iterable[Passport]) -> list[str]:
    """Return a sentence for each target that shares its drive with an earlier one."""
    first: dict[str, str] = {}
    warnings = []
    for each in passports:
        if each.device is None:
            continue
        drive = each.device.parent or each.device.name
        if drive in first:
            warnings.append(
                f"targets {first[drive]!r} and {each.target.name!r} are on one device ({drive}): "
                "a comparison of them shows the file systems or the spread, not two drives"
            )
        else:
            first[drive] = each.target.name
    return warnings


def refuse_other_drive(old: Passport, new: Passport) -> None:
    """Raise CannotRunError, naming both, where a target is another drive than it was."""

    def identity(p: Passport) -> tuple[object, ...]:
        if p.device is None:
            return (p.filesystem,)
        emulation = p.emulation.profile if p.emulation else None
        # A loop device's number changes from boot to boot; what it carries does not.
        own = p.device.serial or p.device.wwn or emulation or p.device.name
        return (own, p.device.size_bytes, *_rates(p))

    if identity(old) != identity(new):
        raise CannotRunError(
            f"target {old.target.name} is another drive than when the campaign began: it was {_words(old)} and is "
            f"{_words(new)}. Bring the first one back, or begin a new campaign"
        )


def _rates(p: Passport) -> tuple[float | None, ...]:
    """What an emulated drive is set to: made again, it may have been lowered to something else."""
    e = p.emulation
    return () if e is None else (e.read_bps, e.write_bps, e.read_iops, e.write_iops, e.latency_s, e.parallel)


def _words(p: Passport) -> str:
    if p.device is None:
        return f"{p.filesystem or 'a path'} without a device"
    serial = f", serial {p.device.serial}" if p.device.serial else ""
    return f"{p.device.name} ({p.device.model or p.device.kind}, {p.device.size_bytes} bytes{serial})"


def _is_block(path: str) -> bool:
    try:
        return stat.S_ISBLK(Path(path).stat().st_mode)
    except OSError:
        return False


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _number(dev: int) -> str:
    return f"{os.major(dev)}:{os.minor(dev)}"


def _of_block(target: Target, rdev: int) -> Passport:
    device = device_of(_number(rdev))
    if device is None:
        raise CannotRunError(f"target {target.name!r}: the kernel has no drive behind {target.path}; check the path")
    return Passport(target, device, total_bytes=device.size_bytes, emulation=emulation_of(device.number))


def _of_folder(target: Target, dev: int) -> Passport:
    mount = mount_of(target.path, mounts())
    room = os.statvfs(target.path)
    device = device_of(_number(dev)) or (device_of(number) if (number := _btrfs_device(mount)) else None)
    return Passport(
        target,
        device,
        no_device_reason=None if device else _no_device_reason(target.path, mount),
        filesystem=mount.filesystem if mount else None,
        mount_point=mount.mount_point if mount else None,
        mount_options=mount.options if mount else None,
        total_bytes=room.f_blocks * room.f_frsize,
        free_bytes=room.f_bavail * room.f_frsize,
        emulation=emulation_of(device.number) if device else None,
    )


def _btrfs_device(mount: Mount | None, sys: Path = inventory.SYS) -> str | None:
    """The number of the one device of a btrfs; None for any other, and where it spans several."""
    if mount is None or mount.filesystem != "btrfs" or not mount.source.startswith("/dev/"):
        return None
    try:
        number = _number(Path(mount.source).stat().st_rdev)
        name = (sys / "dev/block" / number).resolve().name
        members = [list(home.iterdir()) for home in (sys / "fs/btrfs").glob("*/devices") if (home / name).exists()]
    except OSError:
        return None
    return number if members and len(members[0]) == 1 else None


def _no_device_reason(path: str, mount: Mount | None) -> Phrase:
    kind = mount.filesystem if mount else "unknown"
    figures = {"path": path, "filesystem": kind}
    if kind in _MEMORY:
        which = "memory"
    elif mount is not None and kind in _NETWORK:
        which, figures["source"] = "network", mount.source
    elif kind == "overlay":
        which = "overlay"
    elif kind in ("btrfs", "zfs", "bcachefs"):
        which = "several"
    else:
        which = "unnamed"
    return Phrase(f"nodevice.{which}", figures)
