"""Our own marked folder on a target: the only place where files are made, and the only one that is removed.

Everything goes by descriptor and follows no link, so a folder that is swapped or a link that is planted
while a campaign runs changes nothing outside of it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from iobench import proc
from iobench.errors import CannotRunError, ResultsError

PREFIX = ".iobench-"
MARKER = "iobench.marker"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MARKER_MOST = 4096
_UNMARKED = ".making-"  # a folder inside ours that does not carry its marker yet


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose folder it is. `started` is clock ticks since the boot `boot`; `created` is ISO 8601, UTC."""

    campaign: str
    host: str
    boot: str
    pid: int
    started: int
    created: str

    @property
    def owner_gone(self) -> bool:
        """Whether the process that made the folder is known to have ended.

        It is not known of another machine's process (the folder may be on a network drive).
        """
        if self.host != os.uname().nodename:
            return False
        return self.boot != _boot() or not proc.ProcessId(self.pid, self.started).alive()


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
            with _alone(dir_fd):
                if not _linked(dir_fd):
                    raise CannotRunError(f"{path} was just removed by another iobench, as a killed one's; try again")
                if not fresh:
                    _take_over(dir_fd, path, campaign_id, keep)
                marker = _mark(dir_fd, path, campaign_id)
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
        info = _lstat(self.dir_fd, name)
        return info.st_size if info is not None and stat.S_ISREG(info.st_mode) else None

    def names(self) -> list[str]:
        """Return the names of the folder's entries but the marker, sorted."""
        return [name for name in _names(self.dir_fd) if name != MARKER]

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
        fresh = _UNMARKED + name
        self.remove_folder(fresh)
        os.mkdir(fresh, 0o700, dir_fd=self.dir_fd)
        fd = os.open(fresh, _FOLDER, dir_fd=self.dir_fd)
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
        if _lstat(self.dir_fd, name) is not None and not _remove_tree(self.dir_fd, name):
            raise CannotRunError(f"{self.path}/{name} is not a folder that iobench made; remove it")

    def remove(self) -> tuple[str, ...]:
        """Remove the folder with its plain files; return the names of what is not ours and was left.

        May be called twice. Raises ResultsError when the system does not let it be removed.
        """
        if self.dir_fd < 0:
            return ()
        try:
            if _read_marker(self.dir_fd) != self.marker:
                return (self.name,)
            return _remove(self._base_fd, self.dir_fd, self.name, self.path)
        finally:
            self.close()

    def leave(self, keep: Collection[str]) -> None:
        """Let go of the folder, with nothing but the files `keep` in it, for whoever goes on with the campaign.

        Its marker says that nobody uses it, so `find_leftovers` finds it. Raises OSError, CannotRunError.
        """
        if self.dir_fd < 0 or _read_marker(self.dir_fd) != self.marker:
            return
        _remove_files(self.dir_fd, keep)
        _mark(self.dir_fd, self.path, self.marker.campaign, proc.ProcessId(0, 0))
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


def find_leftovers(base: str) -> list[Leftover]:
    """Return the folders in `base` that carry our marker and whose owner is gone."""
    found = []
    try:
        base_fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        for name in _names(base_fd):
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
        dir_fd = os.open(leftover.name, _FOLDER, dir_fd=base_fd)
        try:
            with _alone(dir_fd):
                if not _linked(dir_fd):
                    return ()
                if _read_marker(dir_fd) != leftover.marker or not leftover.marker.owner_gone:
                    return (leftover.name,)
                return _remove(base_fd, dir_fd, leftover.name, leftover.path)
        finally:
            os.close(dir_fd)
    except FileNotFoundError:
        return ()  # another iobench that started at the same time was faster
    except OSError as error:
        raise ResultsError(f"{leftover.path} cannot be removed ({error.strerror})") from None
    finally:
        os.close(base_fd)


# --- making --------------------------------------------------------------------------------------------


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
        dir_fd = os.open(name, _FOLDER, dir_fd=base_fd)
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
    marker = _read_marker(dir_fd)
    if marker is None:
        # Killed between making the folder and marking it: there is nothing of anybody in it.
        if set(_names(dir_fd)) <= {MARKER} and not _holds_data(dir_fd, MARKER):
            return
        raise CannotRunError(f"{path} exists and does not carry iobench's marker; it is left alone: move it away")
    if marker.campaign != campaign_id:
        raise CannotRunError(f"{path} carries the marker of campaign {marker.campaign!r}; it is left alone")
    mine = (marker.pid, marker.boot) == (os.getpid(), _boot()) and marker.host == os.uname().nodename
    if not marker.owner_gone:
        whose = "this process" if mine else f"process {marker.pid} on {marker.host}"
        raise CannotRunError(f"{path} is in use by {whose}; wait for it, or end it")
    foreign = _remove_files(dir_fd, keep)
    if foreign:
        raise CannotRunError(f"{path} holds what iobench did not make ({', '.join(foreign)}); move it away")


def _mark(dir_fd: int, path: str, campaign_id: str, owner: proc.ProcessId | None = None) -> Marker:
    me = owner or proc.identify(os.getpid())
    if me is None:
        raise CannotRunError("/proc does not show this process, so its files cannot be marked; is /proc mounted?")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    marker = Marker(campaign_id, os.uname().nodename, _boot(), me.pid, me.started, now)
    text = json.dumps({name: getattr(marker, name) for name in Marker.__slots__}, ensure_ascii=False, indent=1)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(MARKER, flags, 0o600, dir_fd=dir_fd)
        try:
            os.write(fd, text.encode() + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise CannotRunError(f"{path} cannot be marked as iobench's ({error.strerror})") from None
    return marker


# --- looking, and removing -----------------------------------------------------------------------------


def _marker_of(base_fd: int, name: str) -> Marker | None:
    try:
        dir_fd = os.open(name, _FOLDER, dir_fd=base_fd)
    except OSError:
        return None
    try:
        return _read_marker(dir_fd)
    finally:
        os.close(dir_fd)


def _read_marker(dir_fd: int) -> Marker | None:
    try:
        fd = os.open(MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=dir_fd)
    except OSError:
        return None
    try:
        data = os.read(fd, _MARKER_MOST) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
        fields = json.loads(data)
        marker = Marker(**fields)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    finally:
        os.close(fd)
    texts = (marker.campaign, marker.host, marker.boot, marker.created)
    numbers = (marker.pid, marker.started)
    right = all(isinstance(text, str) for text in texts) and all(type(number) is int for number in numbers)
    return marker if right else None


@contextlib.contextmanager
def _alone(dir_fd: int) -> Iterator[None]:
    """Wait until nobody else takes over or removes a folder: two that start at once find the same leftover."""
    with contextlib.suppress(OSError):  # not every file system has locks
        fcntl.flock(dir_fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(dir_fd, fcntl.LOCK_UN)


def _linked(dir_fd: int) -> bool:
    """Whether an open folder is still one of its parent's."""
    return os.fstat(dir_fd).st_nlink > 0


def _holds_data(dir_fd: int, name: str) -> bool:
    """Whether there is something in the way of an unfinished marker: anything but a short plain file."""
    info = _lstat(dir_fd, name)
    return info is not None and (not stat.S_ISREG(info.st_mode) or info.st_size > _MARKER_MOST)


def _lstat(dir_fd: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _names(dir_fd: int) -> list[str]:
    with os.scandir(dir_fd) as entries:
        return sorted(entry.name for entry in entries)


def _plain(dir_fd: int) -> Iterator[tuple[str, bool]]:
    for name in _names(dir_fd):
        info = _lstat(dir_fd, name)
        if info is not None and name != MARKER:
            yield name, stat.S_ISREG(info.st_mode)


def _remove_files(dir_fd: int, keep: Collection[str] = ()) -> tuple[str, ...]:
    """Remove plain files but the marker and `keep`, and folders with one; return the names of what is not ours."""
    foreign = []
    for name, plain in list(_plain(dir_fd)):
        if plain and name in keep:
            continue
        if plain:
            os.unlink(name, dir_fd=dir_fd)
        elif not _remove_tree(dir_fd, name):
            foreign.append(name)
    return tuple(sorted(foreign))


def _remove_tree(dir_fd: int, name: str) -> bool:
    """Remove a folder with our marker and all that is in it, the marker last; False where it is not ours."""
    try:
        fd = os.open(name, _FOLDER, dir_fd=dir_fd)
    except OSError:
        return False
    try:
        marker = _lstat(fd, MARKER)
        if marker is None and name.startswith(_UNMARKED) and not _names(fd):  # killed before it was marked
            os.rmdir(name, dir_fd=dir_fd)
            return True
        if marker is None or not stat.S_ISREG(marker.st_mode):
            return False
        for entry in [entry for entry in _names(fd) if entry != MARKER]:
            _unlink_tree(fd, entry)
        os.unlink(MARKER, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=dir_fd)
    return True


def _unlink_tree(dir_fd: int, name: str) -> None:
    """Remove an entry, a folder with all that is in it; a link is removed itself."""
    info = _lstat(dir_fd, name)
    if info is None:
        return
    if not stat.S_ISDIR(info.st_mode):
        os.unlink(name, dir_fd=dir_fd)
        return
    fd = os.open(name, _FOLDER, dir_fd=dir_fd)
    try:
        for entry in _names(fd):
            _unlink_tree(fd, entry)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=dir_fd)


def _remove(base_fd: int, dir_fd: int, name: str, path: str) -> tuple[str, ...]:
    try:
        foreign = _remove_files(dir_fd)
        if foreign:
            return foreign  # the marker stays: `iobench clean` finds the folder again
        os.unlink(MARKER, dir_fd=dir_fd)
        there, ours = _lstat(base_fd, name), os.fstat(dir_fd)
        if there is not None and (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            os.rmdir(name, dir_fd=base_fd)
            return ()
        return (name,)
    except OSError as error:
        raise ResultsError(f"{path} cannot be removed wholly ({error.strerror}); remove it by hand") from None


def _check(name: str) -> None:
    if not name or "/" in name or "\0" in name or name in (".", "..", MARKER):
        raise ValueError(f"{name!r} is not the name of a file in a work folder")


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
