"""lsblk: how to ask it for all block devices, and a pure parser of its JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from iobench.errors import ParseError
from iobench.tools.said import flag_of, flat, text_of, whole_of

COLUMNS = "NAME,KNAME,MAJ:MIN,TYPE,SIZE,MODEL,SERIAL,WWN,VENDOR,REV,TRAN,ROTA,FSTYPE,PKNAME"
ARGV = ("lsblk", "--json", "--bytes", "--all", "--output", COLUMNS)
_NUMBER = re.compile(r"[0-9]{1,10}:[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class LsblkRow:
    """What lsblk says of one device. Sizes in bytes; None where it says nothing."""

    name: str
    number: str
    type: str | None
    size: int | None
    model: str | None
    serial: str | None
    wwn: str | None
    vendor: str | None
    revision: str | None
    transport: str | None
    rotational: bool | None
    filesystem: str | None
    parent: str | None


def parse_lsblk(text: str) -> list[LsblkRow]:
    """Return the devices of `lsblk --json --bytes`, children after their parent. Raises ParseError."""
    return [_row(row) for row in flat(text, "lsblk", "blockdevices")]


def _row(row: dict[str, Any]) -> LsblkRow:
    name, number = text_of(row, "kname") or text_of(row, "name"), text_of(row, "maj:min")
    if name is None or number is None or _NUMBER.fullmatch(number) is None:
        raise ParseError(f"lsblk: a device without a name or number: {str(row)[:120]}")
    return LsblkRow(
        name,
        number,
        text_of(row, "type"),
        whole_of(row, "size"),
        text_of(row, "model"),
        text_of(row, "serial"),
        text_of(row, "wwn"),
        text_of(row, "vendor"),
        text_of(row, "rev"),
        text_of(row, "tran"),
        flag_of(row, "rota"),
        text_of(row, "fstype"),
        text_of(row, "pkname"),
    )
