"""What a connection sends at a time: requests rendered beforehand, with the very bytes that must come back.

A unit is one request (numbered by its key for a get, by count + key for a set), or several that are composed
beforehand: a get of several keys, a pipeline, sets without reply in front of a get.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any

from iobench.kvs import memcached_text as codec
from iobench.kvs.items import Items

# Rendered beforehand and kept: this much; what goes beyond is rendered when it is sent.
KEPT_BYTES = 256 << 20
_OVERHEAD = 350  # what Python adds to a unit
LONGEST_READ = 1 << 16

# (request, its length, expected reply, how much to read, record response, record service, number)
Unit = tuple[bytes, int, bytes | None, int, Any, Any, int]
Record = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a unit: the keys of a get, or the key of a set."""

    get: bool
    keys: tuple[int, ...]
    noreply: bool = False
    one_byte: bool = False  # the first pass of a preload


@dataclass(frozen=True, slots=True)
class Mix:
    """How many replies a unit brings: what its latency counts for. `unconfirmed` are sets without reply."""

    gets: int = 0
    keys: int = 0
    sets: int = 0
    unconfirmed: int = 0


_GET, _SET = Mix(gets=1, keys=1), Mix(sets=1)


@dataclass(frozen=True, slots=True)
class Single:
    """What unit numbers mean where each is one request: a get below `count`, a set from there."""

    count: int
    one_byte: bool = False

    def __call__(self, number: int) -> Sequence[Request]:
        """Return the one request of a unit."""
        return (Request(number < self.count, (number % self.count,), one_byte=self.one_byte),)


class Units:
    """Renders units, and keeps what fits.

    `requests(number)` says what a unit is made of; `record(mix, keys set)` gives the two functions that take its
    response and service time, in nanoseconds.
    """

    def __init__(
        self,
        items: Items,
        requests: Callable[[int], Sequence[Request]],
        record: Callable[[Mix, tuple[int, ...]], tuple[Record, Record]],
        ttl_s: int,
    ) -> None:
        self.requests = requests
        self._items, self._record, self._ttl_s = items, record, ttl_s
        self._kept: dict[int, Unit] = {}
        self._room = KEPT_BYTES
        self._count = requests.count if isinstance(requests, Single) else None
        self._one_byte = isinstance(requests, Single) and requests.one_byte
        self._of_gets = record(_GET, ())

    def render(self, number: int) -> Unit:
        """Return a unit, made anew."""
        if self._count is None:
            return self._compose(number)
        # Single requests are by far the most, and there are hundreds of thousands: no objects in between.
        items = self._items
        if number < self._count:
            key = items.key(number)
            request, expected = codec.get((key,)), codec.found(((key, items.value(number)),))
            response, service = self._of_gets
        else:
            stored = number - self._count
            value = b"1" if self._one_byte else items.value(stored)
            request, expected = codec.store(items.key(stored), value, self._ttl_s), codec.STORED
            response, service = self._record(_SET, (stored,))
        size = len(expected)
        return request, len(request), expected, min(size, LONGEST_READ), response, service, number

    def _compose(self, number: int) -> Unit:
        sent: list[bytes] = []
        wanted: list[bytes] = []
        stored: list[int] = []
        gets = keys = sets = unconfirmed = 0
        items = self._items
        for request in self.requests(number):
            names = [items.key(key) for key in request.keys]
            if request.get:
                sent.append(codec.get(names))
                wanted.append(codec.found([(items.key(key), items.value(key)) for key in request.keys]))
                gets, keys = gets + 1, keys + len(names)
                continue
            value = b"1" if request.one_byte else items.value(request.keys[0])
            sent.append(codec.store(names[0], value, self._ttl_s, request.noreply))
            if request.noreply:
                unconfirmed += 1
                continue
            wanted.append(codec.STORED)
            stored.append(request.keys[0])
            sets += 1
        request_bytes, expected = b"".join(sent), b"".join(wanted)
        response, service = self._record(Mix(gets, keys, sets, unconfirmed), tuple(stored))
        size = min(len(expected), LONGEST_READ)
        return request_bytes, len(request_bytes), expected, size, response, service, number

    def __call__(self, number: int) -> Unit:
        """Return a unit, kept or rendered."""
        unit = self._kept.get(number)
        if unit is None:
            unit = self.render(number)
            weight = unit[1] + len(unit[2] or b"") + _OVERHEAD
            if weight < self._room:
                self._room -= weight
                self._kept[number] = unit
        return unit

    def feed(self, order: array[int], once: bool) -> Iterator[Unit]:
        """Return the units of an order, over and over or once: rendered now where there is room, else when sent."""
        some = order[:: max(1, len(order) // 256)]
        weight = sum(unit[1] + len(unit[2] or b"") + _OVERHEAD for unit in map(self.render, some)) / len(some)
        if weight * len(order) < KEPT_BYTES:
            # Each in its place, also where it is the same as an earlier one: the loop then walks through memory, and
            # does not wait for it. Shared units in random order cost 1.0 to 1.6 µs more a request, of 6.
            row = list(map(self.render, order))
            return iter(row) if once else chain.from_iterable(repeat(row))
        return map(self, order if once else chain.from_iterable(repeat(order)))


def mixed(keys: array[int], count: int, ratio: tuple[int, int], rng: random.Random) -> array[int]:
    """Return the order of single requests: each drawn key, as a get or a set by the ratio."""
    gets, sets = ratio
    if not sets:
        return keys
    if not gets:
        return array("L", [count + key for key in keys])
    share, draw = gets / (gets + sets), rng.random
    return array("L", [key if draw() < share else count + key for key in keys])


def composed(
    keys: array[int], ratio: tuple[int, int], several: int, pipeline: int, noreply: bool, rng: random.Random
) -> list[tuple[Request, ...]]:
    """Return units of `pipeline` replies each, the keys taken in their order, gets of `several` keys.

    With `noreply`, sets bring no reply: they stand in front of the next get.
    """
    share, at = ratio[0] / sum(ratio), iter(keys)
    units: list[tuple[Request, ...]] = []
    while True:
        unit: list[Request] = []
        replies = 0
        while replies < pipeline:
            if share and (share == 1 or rng.random() < share):
                taken = tuple(islice(at, several))
                if len(taken) < several:
                    return units
                # A key drawn twice is asked once, as clients do it.
                unit.append(Request(True, tuple(dict.fromkeys(taken))))
                replies += 1
                continue
            key = next(at, None)
            if key is None:
                return units
            unit.append(Request(False, (key,), noreply=noreply))
            replies += not noreply
        units.append(tuple(unit))
