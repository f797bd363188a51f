"""What carries the data files: a folder of ours, a device that is ours to overwrite, or a server that exists."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

from iobench.drives.extents import unwritten_bytes
from iobench.drives.guards import BlockClaim
from iobench.drives.workdir import WorkFolder
from iobench.errors import CannotRunError
from iobench.model import DataFile

PROBE_BYTES = 1 << 26
_PROBE_BLOCK = 1 << 22


class Ground(Protocol):
    """What carries the data files: a folder of ours or a device that is ours to overwrite."""

    cwd: str | None
    pass_fds: tuple[int, ...]
    block: bool

    def path(self, name: str) -> str:
        """The path to give to a program for a file."""

    def size(self, name: str) -> int | None:
        """The size of a file that is there, or None."""

    def make(self, file: DataFile) -> None:
        """Make an empty or unwritten file, before it is laid out."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there, and bring that to the drive."""

    def unwritten(self, name: str) -> int | None:
        """Bytes of a file that were never written; None if that cannot be known."""

    def folder(self, name: str) -> str:
        """Make an empty folder of ours, for a server or a program's own tree; return its path."""

    def remove_folder(self, name: str) -> None:
        """Remove such a folder with all that is in it."""

    def stamp(self, name: str) -> list[int] | None:
        """What changes when a file does; None where it is gone, or a part of it was never written."""

    def take_up(self, file: DataFile) -> None:
        """Believe that a file is there, as an earlier run laid it out."""

    def leave(self, names: Sequence[str]) -> None:
        """Let go, but leave these files for a resumed campaign; the rest of what is ours is removed."""

    def settle(self) -> None:
        """Bring to the drive what is still in memory, so that it does not fall into the next step."""

    def direct(self) -> bool:
        """Whether direct I/O is possible."""

    def close(self) -> tuple[str, ...]:
        """Remove what is ours and let go; return the paths of what is not known as ours any more, and stays."""

    def abandon(self) -> tuple[str, ...]:
        """Do nothing there, since it does not answer; return the paths of what is ours and stays."""


class FolderGround:
    """Files in our own marked folder; every access by descriptor, so a folder swapped meanwhile is harmless."""

    block = False

    def __init__(self, folder: WorkFolder) -> None:
        self._folder = folder
        self.cwd: str | None = folder.cwd
        self.pass_fds: tuple[int, ...] = ()

    def path(self, name: str) -> str:
        """The name alone: programs start inside the folder."""
        return name

    def size(self, name: str) -> int | None:
        """The size of a file that is there, or None."""
        return self._folder.size(name)

    def make(self, file: DataFile) -> None:
        """Make the file: empty for one that will be written, else allocated but unwritten."""
        self._folder.unlink(file.name)
        fd = self._folder.open(file.name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            if file.layout == "fallocate":
                os.posix_fallocate(fd, 0, file.size)
        except OSError as error:
            raise CannotRunError(f"{file.name} of {file.size} bytes cannot be made: {error.strerror}") from error
        finally:
            os.close(fd)

    def remove(self, name: str) -> None:
        """Remove a file if it is there, and bring that to the drive."""
        if self._folder.size(name) is not None:
            self._folder.unlink(name)
            os.fsync(self._folder.dir_fd)

    def unwritten(self, name: str) -> int | None:
        """Bytes of a file that hold no data; None where the file system cannot tell."""
        fd = self._folder.open(name, os.O_RDONLY)
        try:
            return unwritten_bytes(fd)
        finally:
            os.close(fd)

    def folder(self, name: str) -> str:
        """Make an empty folder inside ours and return its path; what was there of ours is removed.

        The path goes by our descriptor too, for a server looks its files up by name for as long as it runs.
        """
        self._folder.make_folder(name)
        return f"/proc/{os.getpid()}/fd/{self._folder.dir_fd}/{name}"

    def remove_folder(self, name: str) -> None:
        """Remove such a folder with all that is in it."""
        self._folder.remove_folder(name)

    def stamp(self, name: str) -> list[int] | None:
        """Size, inode and times of the last changes (ns); None where it is gone, or a part of it was never written."""
        if self._folder.size(name) is None or self.unwritten(name):
            return None
        info = os.stat(name, dir_fd=self._folder.dir_fd, follow_symlinks=False)
        return [info.st_size, info.st_ino, info.st_mtime_ns, info.st_ctime_ns]

    def take_up(self, file: DataFile) -> None:
        """It is in the folder: nothing is to be done."""

    def leave(self, names: Sequence[str]) -> None:
        """Leave these files in the folder, which from now on is nobody's, so that `clean` removes it too."""
        self._folder.leave(names)

    def settle(self) -> None:
        """Flush all files of the folder."""
        for name in self._folder.names():
            if self._folder.size(name) is not None:
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._folder.dir_fd)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)

    def direct(self) -> bool:
        """Try a direct open of a file of our own."""
        self._folder.unlink("probe")
        try:
            os.close(self._folder.open("probe", os.O_RDWR | os.O_CREAT | os.O_DIRECT))
        except OSError:
            return False
        finally:
            self._folder.unlink("probe")
        return True

    def write_rate(self, clock: Callable[[], float]) -> float | None:
        """Return a first idea of the write rate, B/s: 64 MiB with a flush, or what half a second lets through."""
        block = os.urandom(_PROBE_BLOCK)
        done, begin = 0, clock()
        fd = self._folder.open("probe", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            while done < PROBE_BYTES and clock() - begin < 0.5:
                done += os.write(fd, block)
                os.fdatasync(fd)
            return done / (clock() - begin)
        except OSError:
            return None
        finally:
            os.close(fd)
            self._folder.unlink("probe")

    def close(self) -> tuple[str, ...]:
        """Remove the folder with what is in it; return the paths of what is not known as ours any more, and stays."""
        own = self._folder
        return tuple(own.path if name == own.name else f"{own.path}/{name}" for name in own.remove())

    def abandon(self) -> tuple[str, ...]:
        """The folder stays, with its marker."""
        self._folder.close()
        return (self._folder.path,)


class DeviceGround:
    """A block device that the user allowed to be overwritten, held exclusively while it is measured."""

    block = True

    def __init__(self, held: BlockClaim) -> None:
        self._held = held
        self._size: int | None = None
        self.cwd: str | None = None
        self.pass_fds: tuple[int, ...] = (held.fd,)

    def path(self, name: str) -> str:
        """The opened descriptor: the device itself, whatever its name leads to by now."""
        return self._held.path_for_child

    def size(self, name: str) -> int | None:
        """How much of the device has been laid out."""
        return self._size

    def make(self, file: DataFile) -> None:
        """Nothing is to be made; remember what will be written."""
        self._size = max(file.size, self._size or 0)

    def remove(self, name: str) -> None:
        """A device keeps its blocks."""

    def unwritten(self, name: str) -> int | None:
        """A device does not tell."""
        return None

    def folder(self, name: str) -> str:
        """There are no folders on a bare device. Raises CannotRunError."""
        raise CannotRunError(f"{name} needs a folder on a file system, and this target is a block device")

    def remove_folder(self, name: str) -> None:
        """There are none."""

    def stamp(self, name: str) -> list[int] | None:
        """A device has no files: its counter alone tells."""
        return []

    def take_up(self, file: DataFile) -> None:
        """The same as making it: what is laid out is remembered."""
        self.make(file)

    def leave(self, names: Sequence[str]) -> None:
        """Give the device back: its blocks stay as they are."""
        self.close()

    def settle(self) -> None:
        """Flush the device."""
        os.fsync(self._held.fd)

    def direct(self) -> bool:
        """A block device always can."""
        return True

    def close(self) -> tuple[str, ...]:
        """Give the device back."""
        self._held.close()
        return ()

    def abandon(self) -> tuple[str, ...]:
        """The kernel takes it back when we end: whoever closes a device waits for what is written to it."""
        return ()


class ServerGround:
    """A server that exists: nothing of ours lies there."""

    block = False
    cwd: str | None = None
    pass_fds: tuple[int, ...] = ()

    def __init__(self, name: str) -> None:
        self._name = name

    def path(self, name: str) -> str:
        """There are no files. Raises CannotRunError."""
        raise CannotRunError(
            f"target {self._name} is a server, and this work needs files on a drive; give a folder on one"
        )

    def size(self, name: str) -> int | None:
        """None."""
        return None

    def make(self, file: DataFile) -> None:
        """There are no files. Raises CannotRunError."""
        self.path(file.name)

    def remove(self, name: str) -> None:
        """There is none."""

    def unwritten(self, name: str) -> int | None:
        """A server does not tell."""
        return None

    def folder(self, name: str) -> str:
        """There are no folders. Raises CannotRunError."""
        return self.path(name)

    def remove_folder(self, name: str) -> None:
        """There are none."""

    def stamp(self, name: str) -> list[int] | None:
        """None."""
        return None

    def take_up(self, file: DataFile) -> None:
        """There are no files. Raises CannotRunError."""
        self.path(file.name)

    def leave(self, names: Sequence[str]) -> None:
        """Nothing of ours is there."""

    def settle(self) -> None:
        """Nothing of ours is in memory."""

    def direct(self) -> bool:
        """How it does its I/O is its own affair."""
        return True

    def close(self) -> tuple[str, ...]:
        """Nothing of ours is there."""
        return ()

    def abandon(self) -> tuple[str, ...]:
        """Nothing of ours is there."""
        return ()
