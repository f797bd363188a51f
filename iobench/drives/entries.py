"""What is in a folder of ours, looked at and removed by descriptor; no link is followed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from iobench.drives.marker import FOLDER, MARKER
from iobench.errors import ResultsError

UNMARKED = ".making-"  # a folder inside ours that does not carry its marker yet


def names(dir_fd: int) -> list[str]:
    """Return the names of all entries of a folder, sorted."""
    with os.scandir(dir_fd) as entries:
        return sorted(entry.name for entry in entries)


def lstat(dir_fd: int, name: str) -> os.stat_result | None:
    """Return what an entry is, a link itself; None where there is none of that name."""
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def linked(dir_fd: int) -> bool:
    """Whether an open folder is still one of its parent's."""
    return os.fstat(dir_fd).st_nlink > 0


@contextlib.contextmanager
def alone(dir_fd: int) -> Iterator[None]:
    """Wait until nobody else takes over or removes a folder: two that start at once find the same leftover."""
    with contextlib.suppress(OSError):  # not every file system has locks
        fcntl.flock(dir_fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(dir_fd, fcntl.LOCK_UN)


def remove(base_fd: int, dir_fd: int, name: str, path: str) -> tuple[str, ...]:
    """Remove a marked folder with what is ours in it; return the names of what is not. Raises ResultsError."""
    try:
        foreign = remove_files(dir_fd)
        if foreign:
            return foreign  # the marker stays: `iobench clean` finds the folder again
        os.unlink(MARKER, dir_fd=dir_fd)
        there, ours = lstat(base_fd, name), os.fstat(dir_fd)
        if there is not None and (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            os.rmdir(name, dir_fd=base_fd)
            return ()
        return (name,)
    except OSError as error:
        raise ResultsError(f"{path} cannot be removed wholly ({error.strerror}); remove it by hand") from None


def remove_files(dir_fd: int, keep: Collection[str] = ()) -> tuple[str, ...]:
    """Remove plain files but the marker and `keep`, and folders with one; return the names of what is not ours."""
    foreign = []
    for name, plain in list(_plain(dir_fd)):
        if plain and name in keep:
            continue
        if plain:
            os.unlink(name, dir_fd=dir_fd)
        elif not remove_tree(dir_fd, name):
            foreign.append(name)
    return tuple(sorted(foreign))


def _plain(dir_fd: int) -> Iterator[tuple[str, bool]]:
    for name in names(dir_fd):
        info = lstat(dir_fd, name)
        if info is not None and name != MARKER:
            yield name, stat.S_ISREG(info.st_mode)


def remove_tree(dir_fd: int, name: str) -> bool:
    """Remove a folder with our marker and all that is in it, the marker last; False where it is not ours."""
    try:
        fd = _enter(dir_fd, name)
    except OSError:
        return False
    try:
        marker = lstat(fd, MARKER)
        if marker is None and name.startswith(UNMARKED) and not names(fd):  # killed before it was marked
            os.rmdir(name, dir_fd=dir_fd)
            return True
        if marker is None or not stat.S_ISREG(marker.st_mode):
            return False
        for entry in [entry for entry in names(fd) if entry != MARKER]:
            _unlink_tree(fd, entry)
        os.unlink(MARKER, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=dir_fd)
    return True


def _enter(dir_fd: int, name: str) -> int:
    """Open a folder to empty it. Raises OSError where somebody mounted something there: what it shows is not ours."""
    fd = os.open(name, FOLDER, dir_fd=dir_fd)
    if _mount_id(fd) != _mount_id(dir_fd):
        os.close(fd)
        raise OSError(errno.EXDEV, f"something is mounted on {name}")
    return fd


def _mount_id(fd: int) -> str:
    """The mount that a descriptor stands in; a bind mount has one of its own, though its device is the same."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines()
    return next(line for line in lines if line.startswith("mnt_id:"))


def _unlink_tree(dir_fd: int, name: str) -> None:
    """Remove an entry, a folder with all that is in it; a link is removed itself."""
    info = lstat(dir_fd, name)
    if info is None:
        return
    if not stat.S_ISDIR(info.st_mode):
        os.unlink(name, dir_fd=dir_fd)
        return
    fd = _enter(dir_fd, name)
    try:
        for entry in names(fd):
            _unlink_tree(fd, entry)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=dir_fd)
