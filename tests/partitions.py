"""Partitions of a block device, made and taken away with what every util-linux has (Debian 13 has no addpart)."""

from __future__ import annotations

import struct

from iobench import proc

REMOVE = ("partx", "--delete")


def add(device: str, *extents: tuple[int, int]) -> None:
    """Write a table of up to four partitions, each a start and a length in sectors, and tell the kernel of them."""
    table = bytearray(512)
    for number, (start, sectors) in enumerate(extents):
        at = 446 + 16 * number
        table[at : at + 16] = struct.pack("<B3sB3sII", 0, bytes(3), 0x83, bytes(3), start, sectors)
    table[510:] = b"\x55\xaa"
    with open(device, "r+b", buffering=0) as disk:
        disk.write(table)
    proc.capture(("partx", "--add", device))
