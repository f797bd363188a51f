"""The memcached text protocol: requests rendered, replies foreseen, and other replies taken apart. Pure.

The load loop compares a reply with the foreseen one byte for byte; only what differs comes here to be read. Another
store's protocol is another file with the same names. Source: protocol.txt of memcached 1.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STORED = b"STORED\r\n"
ABSENT = b"END\r\n"
# No line of the protocol is longer: a key has 250 bytes at most.
LONGEST_LINE = 2048
# Far above what a server stores in one item; a longer claim is a reply gone wrong.
LARGEST_VALUE = 1 << 28
_ERRORS = (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")
_REFUSALS = (b"NOT_STORED", b"EXISTS", b"NOT_FOUND")


class ProtocolError(Exception):
    """A reply that is none: nothing after it on that connection can be trusted."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: where it ends in the buffer, the values (key, bytes) it brought, or what the server said instead."""

    end: int
    values: tuple[tuple[bytes, bytes], ...] = ()
    error: str | None = None


def get(keys: Sequence[bytes]) -> bytes:
    """Return the request for one key or several."""
    return b"get " + b" ".join(keys) + b"\r\n"


def store(key: bytes, value: bytes, ttl_s: int, noreply: bool = False) -> bytes:
    """Return the request that stores a value for `ttl_s` seconds (0: for good)."""
    return b"set %b 0 %d %d%b\r\n%b\r\n" % (key, ttl_s, len(value), b" noreply" if noreply else b"", value)


def found(items: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the reply to a get that finds these keys with these values."""
    return b"".join(b"VALUE %b 0 %d\r\n%b\r\n" % (key, len(value), value) for key, value in items) + ABSENT


def read_set(buffer: bytes | bytearray, start: int) -> Reply | None:
    """Read the reply to a set; None while it is incomplete. Raises ProtocolError."""
    line = _line(buffer, start)
    if line is None:
        return None
    text, end = line
    if text == b"STORED":
        return Reply(end)
    if text.startswith(_ERRORS) or text in _REFUSALS:
        return Reply(end, error=show(text))
    raise ProtocolError(f"the server answered a set with {show(text)}")


def read_get(buffer: bytes | bytearray, start: int) -> Reply | None:
    """Read the reply to a get; None while it is incomplete. Raises ProtocolError."""
    values: list[tuple[bytes, bytes]] = []
    while True:
        line = _line(buffer, start)
        if line is None:
            return None
        text, start = line
        if text == b"END":
            return Reply(start, tuple(values))
        if text.startswith(_ERRORS):
            return Reply(start, tuple(values), show(text))
        words = text.split(b" ")
        if words[0] != b"VALUE" or len(words) not in (4, 5) or not words[3].isdigit():
            raise ProtocolError(f"the server answered a get with {show(text)}")
        size = int(words[3])
        if size > LARGEST_VALUE:
            raise ProtocolError(f"the server announced a value of {size} bytes: {show(text)}")
        if len(buffer) < start + size + 2:
            return None
        tail = bytes(buffer[start + size : start + size + 2])
        if tail != b"\r\n":
            raise ProtocolError(f"a value announced with {size} bytes does not end there: {show(tail)} follows")
        values.append((bytes(words[1]), bytes(buffer[start : start + size])))
        start += size + 2


def read_line(buffer: bytes | bytearray, start: int = 0) -> tuple[str, int] | None:
    """Return a line without its end and where the next begins; None while it is incomplete. Raises ProtocolError."""
    line = _line(buffer, start)
    return None if line is None else (line[0].decode("latin-1"), line[1])


def _line(buffer: bytes | bytearray, start: int) -> tuple[bytes, int] | None:
    """A line; some servers end their error lines with a bare newline."""
    end = buffer.find(b"\n", start, start + LONGEST_LINE)
    if end < 0:
        if len(buffer) - start >= LONGEST_LINE:
            raise ProtocolError(f"no line ends within {LONGEST_LINE} bytes: {show(bytes(buffer[start : start + 40]))}")
        return None
    return bytes(buffer[start:end]).removesuffix(b"\r"), end + 1


def show(text: bytes) -> str:
    """Return bytes of a server as a person can read them, shortened."""
    return repr(text[:80])[1:] + (" …" if len(text) > 80 else "")
