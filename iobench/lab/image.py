"""The file under an emulated drive: fully written with random data, in a folder that carries our marker."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from iobench.drives import emulated
from iobench.drives.emulated import MARKER
from iobench.errors import CannotRunError, UsageError
from iobench.units import format_bytes

DEFAULT_SIZE = 2**30
# Below this ext4's journal takes most of it and a benchmark has no file to work on.
LEAST_SIZE = 64 * 2**20
IMAGE = "drive.img"
_DEFAULT_DIR = Path("/var/tmp/iobench-lab")
_CHUNK = 8 * 2**20
_SPARE = 64 * 2**20


def images_dir(chosen: Path | None) -> Path:
    """Return the folder for images, made when it is not there.

    Raises CannotRunError when it cannot be made, or when the default one belongs to someone else: it stands
    in a folder where everyone may write.
    """
    folder = chosen.resolve() if chosen else _DEFAULT_DIR
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise CannotRunError(f"{folder} cannot be used for images ({error.strerror}); give another --dir") from error
    if not stat.S_ISDIR(found.st_mode) or (chosen is None and found.st_uid != os.geteuid()):
        raise CannotRunError(f"{folder} is a link or belongs to another user; give your own folder with --dir")
    return folder


def check_room(folder: Path, size: int, drives: int) -> None:
    """Raise UsageError for a size that makes no drive, CannotRunError where the images do not fit."""
    if size < LEAST_SIZE:
        raise UsageError(f"a drive of {format_bytes(size)} is too small; the least is {format_bytes(LEAST_SIZE)}")
    needed, free = size * drives + _SPARE, shutil.disk_usage(folder).free
    if drives and needed > free:
        raise CannotRunError(
            f"{folder} has {format_bytes(free)} free, and {drives} drive{'s' * (drives > 1)} of {format_bytes(size)} "
            f"take {format_bytes(needed)}; give a smaller --size, fewer drives or another --dir"
        )


def claim(folder: Path, identity: str, state: Path) -> None:
    """Make a drive's image folder and mark it as ours, after removing what a killed start left there.

    `state` is the drive's state file: the mark says where it is, to those who look in another state folder.
    Raises CannotRunError when the folder is not ours, or a drive stands on its image.
    """
    if os.path.lexists(folder):
        if _marker(folder) is None and not _empty(folder):
            raise CannotRunError(f"{folder} exists and does not carry our marker; remove it, or give another --dir")
        image = str(folder / IMAGE)
        users = emulated.loops_on(image)
        users += [record.name for record in emulated.records() if record.image == image and record.id != identity]
        if users or _served(image):
            raise CannotRunError(f"{image} is in use by {', '.join(users) or 'a server'}; give another --dir")
        remove(folder, None)
    try:
        folder.mkdir(mode=0o700)
        (folder / MARKER).write_text(f"{identity}\n{state}\n", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise CannotRunError(f"{folder} cannot be written: {error.strerror}; give another --dir") from error


def write(path: Path, size: int) -> None:
    """Write a new file of `size` bytes, every block of it, with random data that no drive can shrink.

    Raises CannotRunError when it cannot be written.
    """
    try:
        # O_EXCL: a name that someone laid there first, link or not, is never followed.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            for chunk in _random_chunks(size):
                view = memoryview(chunk)
                while view:
                    view = view[file.write(view) :]
            os.fsync(descriptor)
            # What stays in memory would be read from there when the file is served by a program.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError as error:
        raise CannotRunError(f"{path} cannot be written: {error.strerror}; give another --dir") from error


def remove(folder: Path, identity: str | None) -> bool:
    """Delete a drive's image and its folder if it carries our marker; return whether nothing is left.

    With `identity`, the marker must be that of this drive. Only the two files that are ours are deleted.
    """
    if not os.path.lexists(folder):
        return True
    if _empty(folder):  # what a start leaves that was killed between making the folder and marking it
        folder.rmdir()
        return True
    found = _marker(folder)
    if found is None or (identity is not None and found != identity):
        return False
    # The marker goes last: killed in between, the folder is still known as ours.
    (folder / IMAGE).unlink(missing_ok=True)
    if any(entry.name != MARKER for entry in folder.iterdir()):
        return False
    (folder / MARKER).unlink()
    folder.rmdir()
    return True


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())


def _marker(folder: Path) -> str | None:
    """The identity in a folder's marker; None when it is a link, not a folder, or has no marker."""
    path = folder / MARKER
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        return None
    return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()


def _served(image: str) -> bool:
    argument = image.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if argument in (folder / "cmdline").read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def _random_chunks(size: int) -> Iterator[bytes]:
    import numpy as np

    # SFC64 is numpy's quickest generator, and no chunk repeats: a drive that finds doubles gains nothing.
    generator = np.random.Generator(np.random.SFC64())
    for start in range(0, size, _CHUNK):
        yield generator.bytes(min(_CHUNK, size - start))
