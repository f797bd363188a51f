"""How large a private memcached is made, on which processors it runs, and the command that starts it."""

from __future__ import annotations

import dataclasses
import os

from iobench.kvs.dataset import Dataset
from iobench.model import Params, whole

EXTERNAL = "ext"
_MIB = 1 << 20
_HEADER_BYTES = 160  # what a value on the drive costs in memory: its header, its key, its place in the hash table
_ITEM_BYTES = 80  # what it takes on the drive beside its bytes
_SPARE_PAGES = 8


def page_bytes(data: int) -> int:
    """Return the size of extstore's pages for so many bytes of values: small data gets small pages."""
    return (8 if data < 512 * _MIB else 64) * _MIB


def buffer_bytes(data: int) -> int:
    """Return the size of extstore's write buffers."""
    return (2 if page_bytes(data) < 64 * _MIB else 4) * _MIB


def filler(data: Dataset) -> Dataset:
    """Return values that are never asked for: they push the others out of the last write buffer, which is memory."""
    size = 4096
    return dataclasses.replace(
        data, keys=3 * buffer_bytes(data.bytes) // (2 * size), values=((size, 1.0),), prefix="iobench-filler:"
    )


def room_bytes(data: Dataset) -> int:
    """Return what extstore's file may take: twice the values, so that nothing is dropped to make room."""
    page = page_bytes(data.bytes)
    return -(-2 * (data.bytes + data.keys * _ITEM_BYTES) // page) * page + _SPARE_PAGES * page


def command(params: Params, data: Dataset, socket: str, space: int) -> tuple[str, ...]:
    """Return memcached's command; the external file lies in the folder that it is started in."""
    memory = whole(params, "memory") + data.keys * _HEADER_BYTES
    drive = bool(params.get("drive", True))
    if not drive:  # all values stay in memory, with the room that slabs of their sizes waste
        memory += 2 * data.bytes
    words = ["memcached", "-s", socket, "-a", "0700", "-m", str(-(-memory // _MIB))]
    words += ["-c", "4096", "-t", str(whole(params, "threads")), "-I", str(max(_MIB, 2 * data.most))]
    if os.geteuid() == 0:
        words += ["-u", "root"]  # it refuses to run as root without being told so
    if drive:
        page = page_bytes(data.bytes) // _MIB
        options = {
            "ext_page_size": page,  # memcached wants this and the next before the path
            "ext_wbuf_size": buffer_bytes(data.bytes) // _MIB,
            "ext_threads": whole(params, "io_threads"),
            "ext_item_size": 64,
            "ext_item_age": 1,
            "ext_recache_rate": 0,  # no value goes back into memory because it was read often
            "slab_automove_window": 3,
            "ext_path": f"{EXTERNAL}:{max(1, space // _MIB)}M",
        }
        words += ["-o", ",".join(f"{name}={value}" for name, value in options.items())]
    return tuple(words)


def shared_processors(processes: int) -> tuple[list[int], list[int]]:
    """Return the processors of the server and those of the generator: apart, where there are enough."""
    there = sorted(os.sched_getaffinity(0))
    if len(there) < 2:
        return [], []
    client = there[-min(processes, len(there) - 1) :]
    return [cpu for cpu in there if cpu not in client], client
