"""Servers, the connections to them, and what one process sends to each: the parts that the load loop works on."""

from __future__ import annotations

import socket
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from iobench.kvs.units import Unit, Units

clock = time.monotonic_ns
SECOND = 1_000_000_000
# Nothing is asked: whatever comes then is the end of the connection, or bytes that nobody asked for.
IDLE: Unit = (b"", 0, None, 1, None, None, -1)


class Failed(Exception):
    """The run cannot go on; what was measured so far is kept."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address, resolved."""

    name: str
    family: int
    address: Any

    @classmethod
    def of(cls, name: str) -> Endpoint:
        """Resolve `unix:PATH` or `HOST:PORT`. Raises Failed."""
        if name.startswith("unix:"):
            return cls(name, socket.AF_UNIX, name.removeprefix("unix:"))
        host, _, port = name.rpartition(":")
        try:
            family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise Failed(f"{name} is no address of a server ({why}); give HOST:PORT or unix:PATH") from error
        return cls(name, family, address)

    def connect(self, timeout_s: float) -> socket.socket:
        """Connect and wait for it. Raises Failed."""
        try:
            made = socket.socket(self.family, socket.SOCK_STREAM)
        except OSError as error:
            raise Failed(f"no more connections can be made: {error.strerror}; raise `ulimit -n`") from error
        made.settimeout(timeout_s)
        try:
            made.connect(self.address)
        except OSError as error:
            made.close()
            raise Failed(f"{self.name} cannot be reached: {error.strerror or error}") from error
        return self.ready(made)

    def ready(self, made: socket.socket) -> socket.socket:
        """Set a connection up for the loop."""
        made.setblocking(False)
        if self.family != socket.AF_UNIX:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made


class Lane:
    """An endpoint as one process sees it: its connections, its units in their order, its schedule."""

    def __init__(self, endpoint: Endpoint, units: Units, feed: Iterator[Unit]) -> None:
        self.endpoint, self.units = endpoint, units
        self.feed(feed)
        self.connections: list[Connection] = []
        self.free: deque[Connection] = deque()
        self.alive = 0
        self.down_since: int | None = None
        self.due = 0
        self.gap_ns = 0.0
        self.gap: Callable[[], int] = lambda: 0
        self.exhausted = False

    def feed(self, feed: Iterator[Unit]) -> None:
        """Take the units to send from here on."""
        self.next = feed.__next__
        self.exhausted = False

    def schedule(self, begin: int, gaps: array[int]) -> None:
        """Send by these gaps, over and over, from `begin`."""
        self.gap = chain.from_iterable(repeat(gaps)).__next__
        self.gap_ns = sum(gaps) / len(gaps)
        self.due = begin

    def waiting(self, now: int) -> int:
        """Return how many requests are due and not sent."""
        return max(0, round((now - self.due) / self.gap_ns)) if self.gap_ns and not self.exhausted else 0


class Connection:
    """One connection and what it waits for."""

    __slots__ = ("buffer", "buffer_of", "due", "ended", "fd", "freed", "lane", "left", "making", "retry", "sock",
                 "start", "unit")  # fmt: skip

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.sock: socket.socket | None = None
        self.fd = -1
        self.making = False  # the connection is under way
        self.unit = IDLE
        self.due = self.start = self.freed = self.retry = 0
        self.buffer = bytearray()
        self.buffer_of = -1  # the request (by its start) whose reply stands in the buffer
        self.left = b""  # of the request, still to be sent
        self.ended = False  # for good

    def take(self, made: socket.socket, making: bool = False) -> None:
        """Work with this socket."""
        self.sock, self.fd = made, made.fileno()
        self.making, self.unit, self.left = making, IDLE, b""
