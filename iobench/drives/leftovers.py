"""What a killed run left on a drive: work folders of ours whose owner is gone, found and removed."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

from iobench.drives.entries import alone, linked, names, remove
from iobench.drives.marker import FOLDER, PREFIX, Marker, read_marker
from iobench.errors import CannotRunError, ResultsError


@dataclass(frozen=True, slots=True)
class Leftover:
    """A folder of ours whose owner is gone."""

    base: str
    name: str
    marker: Marker

    @property
    def path(self) -> str:
        """Where it is."""
        return os.path.join(self.base, self.name)  # noqa: PTH118  (a base may hold bytes that Path alters)


def temporary_folder() -> str:
    """Return the folder for temporary files. Raises CannotRunError where none can be written."""
    try:
        return tempfile.gettempdir()
    except OSError:
        raise CannotRunError(
            "no folder for temporary files can be written (TMPDIR, /tmp, /var/tmp); make room, or set TMPDIR to one"
        ) from None


def temporary_folders() -> set[str]:
    """Return where ours may have been: where one of these is full, the next is taken."""
    asked = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return {place for place in (*asked, tempfile.tempdir, "/tmp", "/var/tmp") if place}


def find_leftovers(base: str) -> list[Leftover]:
    """Return the folders in `base` that carry our marker and whose owner is gone."""
    found = []
    try:
        base_fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        for name in names(base_fd):
            if name.startswith(PREFIX) and (marker := _marker_of(base_fd, name)) is not None and marker.owner_gone:
                found.append(Leftover(base, name, marker))
    finally:
        os.close(base_fd)
    return found


def remove_leftover(leftover: Leftover) -> tuple[str, ...]:
    """Remove what a killed run left, if it is still that; return the names of what is not ours.

    Raises ResultsError when it cannot be removed.
    """
    try:
        base_fd = os.open(leftover.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ResultsError(f"{leftover.base} cannot be opened ({error.strerror}), so nothing was removed") from None
    try:
        dir_fd = os.open(leftover.name, FOLDER, dir_fd=base_fd)
        try:
            with alone(dir_fd):
                if not linked(dir_fd):
                    return ()
                if read_marker(dir_fd) != leftover.marker or not leftover.marker.owner_gone:
                    return (leftover.name,)
                return remove(base_fd, dir_fd, leftover.name, leftover.path)
        finally:
            os.close(dir_fd)
    except FileNotFoundError:
        return ()  # another iobench that started at the same time was faster
    except OSError as error:
        raise ResultsError(f"{leftover.path} cannot be removed ({error.strerror})") from None
    finally:
        os.close(base_fd)


def _marker_of(base_fd: int, name: str) -> Marker | None:
    try:
        dir_fd = os.open(name, FOLDER, dir_fd=base_fd)
    except OSError:
        return None
    try:
        return read_marker(dir_fd)
    finally:
        os.close(dir_fd)
