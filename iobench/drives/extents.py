"""How much of a file was never written: reading such blocks measures memory, not the drive."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

_FS_IOC_FIEMAP = 0xC020660B
_FLAG_SYNC = 0x1
_EXTENT_LAST = 0x1
_EXTENT_UNWRITTEN = 0x800
_HEADER = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQQQLLLL")
_PER_CALL = 512
_CANNOT_TELL = {errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EINVAL, errno.EBADR, errno.EPERM}


def unwritten_bytes(fd: int) -> int | None:
    """Return the bytes of an open file that hold no data: holes, and extents that were never written.

    None where it cannot be told: not a regular file, or a file system without FIEMAP (tmpfs, NFS). What
    is still in memory is written out first, since it has no extent yet.
    """
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        return None
    written = position = 0
    while position < info.st_size:
        try:
            extents = _extents(fd, position, info.st_size - position)
        except OSError as error:
            if error.errno in _CANNOT_TELL:
                return None
            raise
        before = position
        for start, length, flags in extents:
            end = min(start + length, info.st_size)
            if not flags & _EXTENT_UNWRITTEN:
                written += max(0, end - max(start, position))
            position = max(position, end)
        if position == before or extents[-1][2] & _EXTENT_LAST:
            break  # what follows the last extent is a hole
    return info.st_size - written


def _extents(fd: int, start: int, length: int) -> list[tuple[int, int, int]]:
    """Ask once for the extents from `start` on: (start, length, flags) of each, in order."""
    buffer = bytearray(_HEADER.size + _PER_CALL * _EXTENT.size)
    _HEADER.pack_into(buffer, 0, start, length, _FLAG_SYNC, 0, _PER_CALL, 0)
    fcntl.ioctl(fd, _FS_IOC_FIEMAP, buffer, True)
    count = _HEADER.unpack_from(buffer)[3]
    rows = (_EXTENT.unpack_from(buffer, _HEADER.size + i * _EXTENT.size) for i in range(count))
    return [(row[0], row[2], row[5]) for row in rows]
