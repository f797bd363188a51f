"""GNU dd: how to ask it, and a pure parser of its last line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from iobench.errors import ParseError

_COPIED = re.compile(r"^(\d{1,18}) bytes?\b.*\bcopied, ([0-9.]+(?:e[+-]?\d+)?) s(?:econds)?\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Copied:
    """What dd says it did: bytes and seconds, by its own clock and with its flush inside."""

    bytes: int
    seconds: float


def argv(
    *,
    source: str,
    to: str,
    block_size: int,
    count: int,
    conv: tuple[str, ...] = (),
    iflag: tuple[str, ...] = (),
    oflag: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Return the command that copies `count` blocks of `block_size` bytes."""
    flags = (("conv", conv), ("iflag", iflag), ("oflag", oflag))
    return (
        "dd",
        f"if={source}",
        f"of={to}",
        f"bs={block_size}",
        f"count={count}",
        *(f"{name}={','.join(values)}" for name, values in flags if values),
    )


def parse(text: str, name: str = "dd's output") -> Copied:
    """Return what the last `… copied, … s` line of dd's stderr says.

    Raises ParseError, naming the file, when there is none.
    """
    lines = _COPIED.findall(text)
    try:
        copied = Copied(int(lines[-1][0]), float(lines[-1][1]))
    except (IndexError, ValueError):
        raise ParseError(f"{name} has no line `… bytes copied, … s` as GNU dd prints it") from None
    if not 0 < copied.seconds < 1e9 or copied.bytes == 0:
        raise ParseError(f"{name} says {copied.bytes} bytes in {copied.seconds:g} s: no rate follows from that")
    return copied
