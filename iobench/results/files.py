"""Files that are there whole or not at all, also after a power cut: written beside, flushed, renamed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from iobench.errors import ResultsError

_MOST = 1 << 30  # bytes: the plan of 100,000 steps has a tenth of it


class replacing:
    """Write to a file beside the place, flush it, then rename it over: whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.part")

    def __enter__(self) -> Path:
        self._temporary.unlink(missing_ok=True)  # a link there would be followed
        return self._temporary

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            self._temporary.unlink(missing_ok=True)
            return
        flush(self._temporary)
        self._temporary.replace(self._path)
        flush(self._path.parent)


def read_text(path: Path, errors: str = "strict") -> str:
    """Return what a file of the results says. Raises OSError, also for what is no plain file, and ValueError.

    A pipe in a folder that others made would be waited for, a device has no end.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    info = os.fstat(fd)
    wrong = None
    if not stat.S_ISREG(info.st_mode):
        wrong = OSError(errno.EINVAL, "it is no plain file", str(path))
    elif info.st_size > _MOST:
        wrong = OSError(errno.EFBIG, f"it has {info.st_size} bytes, which none of iobench's has", str(path))
    if wrong is not None:
        os.close(fd)  # of a folder Python makes no file that would close it
        raise wrong
    with open(fd, encoding="utf-8", errors=errors) as file:
        return file.read()


def flush(path: Path) -> None:
    """Bring a file or a folder's entries to the disk."""
    if os.name != "posix":  # a folder cannot be opened there, and nothing is measured there
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def flush_all(folder: Path) -> None:
    """Bring a folder's files, which programs wrote, to the disk."""
    try:
        for path in folder.iterdir():
            flush(path)
        flush(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def write_safely(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises ResultsError when that is not possible."""
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> ResultsError:
    """Return what is said where results cannot be written."""
    return ResultsError(
        f"the results cannot be written to {path}: {error.strerror or error}; make room or choose another "
        "folder with --results. Finished steps are kept: `iobench resume` goes on"
    )
