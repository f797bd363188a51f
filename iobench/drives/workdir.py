"""Our own marked folder on a target: the only place where files are made, and the only one that is removed.

Everything goes by descriptor and follows no link, so a folder that is swapped or a link that is planted
while a campaign runs changes nothing outside of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from iobench import proc
from iobench.drives.entries import UNMARKED, alone, linked, lstat, names, remove, remove_files, remove_tree
from iobench.drives.marker import FOLDER, MARKER, MARKER_MOST, PREFIX, Marker, mark, read_marker
from iobench.errors import CannotRunError


class WorkFolder:
    """A folder BASE/.iobench-CAMPAIGN of ours, held open by descriptor. Leaving it removes it."""

    def __init__(self, base_fd: int, dir_fd: int, path: str, name: str, marker: Marker) -> None:
        self._base_fd = base_fd
        self.dir_fd = dir_fd
        self.path = path
        self.name = name
        self.marker = marker

    @classmethod
    def make(cls, base_path: str, campaign_id: str, keep: Collection[str] = ()) -> Self:
        """Make the folder of a campaign in `base_path`, or take over what an aborted run of it left: the files `keep`.

        Raises CannotRunError when it cannot be made, is another's, or is in use.
        """
        name = _folder_name(campaign_id)
        path = str(Path(base_path) / name)
        try:
            base_fd = os.open(base_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise CannotRunError(f"{base_path} cannot be opened ({error.strerror}); give an existing folder") from None
        dir_fd, fresh = -1, False
        try:
            fresh = _make(base_fd, name, base_path)
            dir_fd = _open_folder(base_fd, name, path, fresh)
            with alone(dir_fd):
                if not linked(dir_fd):
                    raise CannotRunError(f"{path} was just removed by another iobench, as a killed one's; try again")
                if not fresh:
                    _take_over(dir_fd, path, campaign_id, keep)
                marker = mark(dir_fd, path, campaign_id)
        except BaseException:
            if fresh:
                _unmake(base_fd, dir_fd, name)
            for fd in (dir_fd, base_fd):
                if fd >= 0:
                    os.close(fd)
            raise
        return cls(base_fd, dir_fd, path, name, marker)

    @property
    def cwd(self) -> str:
        """The working folder to give to a program: the descriptor, not the name, which could be swapped."""
        return f"/proc/self/fd/{self.dir_fd}"

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file of the folder and return its descriptor. Raises CannotRunError for a link, OSError."""
        _check(name)
        try:
            # Nothing is truncated before it is known to be ours.
            first = flags & ~os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            fd = os.open(name, first, mode, dir_fd=self.dir_fd)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise CannotRunError(f"{self.path}/{name} is a link that iobench did not make; remove it") from None
            raise
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
            os.close(fd)
            raise CannotRunError(f"{self.path}/{name} is not a plain file of its own; remove it")
        if flags & os.O_TRUNC:
            os.ftruncate(fd, 0)
        return fd

    def size(self, name: str) -> int | None:
        """Return the size in bytes of a plain file of the folder; None if there is none of that name."""
        _check(name)
        info = lstat(self.dir_fd, name)
        return info.st_size if info is not None and stat.S_ISREG(info.st_mode) else None

    def names(self) -> list[str]:
        """Return the names of the folder's entries but the marker, sorted."""
        return [name for name in names(self.dir_fd) if name != MARKER]

    def unlink(self, name: str) -> None:
        """Remove a file of the folder if it is there; a link is removed itself, never what it leads to."""
        _check(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.dir_fd)

    def make_folder(self, name: str) -> str:
        """Make a folder of ours inside, mode 0700 and marked, and return its path.

        What stood there under that name and was ours is removed first. Raises OSError.
        """
        self.remove_folder(name)
        fresh = UNMARKED + name
        self.remove_folder(fresh)
        os.mkdir(fresh, 0o700, dir_fd=self.dir_fd)
        fd = os.open(fresh, FOLDER, dir_fd=self.dir_fd)
        try:
            os.close(os.open(MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=fd))
        finally:
            os.close(fd)
        os.rename(fresh, name, src_dir_fd=self.dir_fd, dst_dir_fd=self.dir_fd)
        return str(Path(self.path) / name)

    def remove_folder(self, name: str) -> None:
        """Remove a folder that `make_folder` made, with all that is in it; nothing where it is not there.

        No link is followed. Raises CannotRunError for one that does not carry our marker, and OSError.
        """
        _check(name)
        if lstat(self.dir_fd, name) is not None and not remove_tree(self.dir_fd, name):
            raise CannotRunError(f"{self.path}/{name} is not a folder that iobench made; remove it")

    def remove(self) -> tuple[str, ...]:
        """Remove the folder with its plain files; return the names of what is not ours and was left.

        May be called twice. Raises ResultsError when the system does not let it be removed.
        """
        if self.dir_fd < 0:
            return ()
        try:
            with contextlib.suppress(OSError):  # a drive that failed: its marker cannot be read either
                if not linked(self.dir_fd):
                    return ()  # somebody has removed it
            if read_marker(self.dir_fd) != self.marker:
                return (self.name,)
            return remove(self._base_fd, self.dir_fd, self.name, self.path)
        finally:
            self.close()

    def leave(self, keep: Collection[str]) -> None:
        """Let go of the folder, with nothing but the files `keep` in it, for whoever goes on with the campaign.

        Its marker says that nobody uses it, so `find_leftovers` finds it. Raises OSError, CannotRunError.
        """
        if self.dir_fd < 0 or read_marker(self.dir_fd) != self.marker:
            return
        remove_files(self.dir_fd, keep)
        mark(self.dir_fd, self.path, self.marker.campaign, proc.ProcessId(0, 0))
        self.close()

    def close(self) -> None:
        """Let go of the folder without removing it; may be called twice."""
        if self.dir_fd >= 0:
            os.close(self.dir_fd)
            os.close(self._base_fd)
            self.dir_fd = self._base_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.remove()


def _folder_name(campaign_id: str) -> str:
    if not re.fullmatch(r"[\w.@+-]{1,200}", campaign_id) or len(os.fsencode(campaign_id)) > 200:
        raise CannotRunError(f"{campaign_id!r} cannot name a folder; use letters, digits, '.', '_' and '-'")
    return PREFIX + campaign_id


def _make(base_fd: int, name: str, base_path: str) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=base_fd)
    except FileExistsError:
        return False
    except OSError as error:
        raise CannotRunError(
            f"{base_path} cannot be written ({error.strerror}); give a folder that you may write in"
        ) from None
    return True


def _unmake(base_fd: int, dir_fd: int, name: str) -> None:
    """Take back a folder that this call has made and cannot use; only an empty one goes."""
    with contextlib.suppress(OSError):
        if dir_fd >= 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(MARKER, dir_fd=dir_fd)
        os.rmdir(name, dir_fd=base_fd)


def _open_folder(base_fd: int, name: str, path: str, fresh: bool) -> int:
    try:
        dir_fd = os.open(name, FOLDER, dir_fd=base_fd)
    except OSError as error:
        raise CannotRunError(f"{path} is not a folder that iobench made ({error.strerror}); remove it") from None
    info = os.fstat(dir_fd)
    if info.st_uid != os.geteuid() or info.st_mode & 0o022:
        os.close(dir_fd)
        if fresh:
            raise CannotRunError(
                f"a folder made in {Path(path).parent} belongs to, or can be written by, another user: the file "
                "system keeps no owners (vfat, or NFS for root); mount it so that new folders are this user's "
                "alone (vfat: uid=, umask=077), or give a folder on another one"
            )
        raise CannotRunError(f"{path} belongs to, or can be written by, another user; remove it")
    return dir_fd


def _take_over(dir_fd: int, path: str, campaign_id: str, keep: Collection[str]) -> None:
    """Empty a folder that was there before but for the files `keep`, if an aborted run of this campaign left it."""
    marker = read_marker(dir_fd)
    if marker is None:
        # Killed between making the folder and marking it: there is nothing of anybody in it.
        if set(names(dir_fd)) <= {MARKER} and not _holds_data(dir_fd, MARKER):
            return
        raise CannotRunError(f"{path} exists and does not carry iobench's marker; it is left alone: move it away")
    if marker.campaign != campaign_id:
        raise CannotRunError(f"{path} carries the marker of campaign {marker.campaign!r}; it is left alone")
    if not marker.owner_gone:
        whose = "this process" if marker.own else f"process {marker.pid} on {marker.host}, or in a container there"
        raise CannotRunError(
            f"{path} is in use by {whose}; wait for it, or end it. Where it is known to run no more (a container or a "
            "machine that is gone), remove the folder"
        )
    foreign = remove_files(dir_fd, keep)
    if foreign:
        raise CannotRunError(f"{path} holds what iobench did not make ({', '.join(foreign)}); move it away")


def _holds_data(dir_fd: int, name: str) -> bool:
    """Whether there is something in the way of an unfinished marker: anything but a short plain file."""
    info = lstat(dir_fd, name)
    return info is not None and (not stat.S_ISREG(info.st_mode) or info.st_size > MARKER_MOST)


def _check(name: str) -> None:
    if not name or "/" in name or "\0" in name or name in (".", "..", MARKER):
        raise ValueError(f"{name!r} is not the name of a file in a work folder")
