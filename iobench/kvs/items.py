"""Keys and values: a value is made from its key alone, so that any process, at any time, knows what a get must bring.

A value carries its key and a checksum: `KEY CRC32 FILLER`. The filler is random, since some stores compress.
"""

from __future__ import annotations

import random
import zlib
from array import array
from bisect import bisect_right
from itertools import accumulate

from iobench.kvs.config import Config, Keys

_POOL = 1 << 16  # distinct places in the filler at which a value's may begin
_CHECK = 10  # " CRC32HEX " around the checksum


class Items:
    """The keys 0 to count-1 by name, and their values. Sizes in bytes."""

    def __init__(self, config: Config) -> None:
        self.count = config.keys.count
        prefix = config.keys.prefix.encode().replace(b"%", b"%%")
        self._name = b"%b%%0%dd" % (prefix, max(8, len(str(self.count - 1))))
        self._sizes = [size for size, _ in config.values]
        self._edges = list(accumulate(weight for _, weight in config.values))
        # The same in every run, whatever its seed: a later run reads what an earlier one stored.
        self._filler = random.Random(20111).randbytes(_POOL + max(self._sizes))

    def key(self, number: int) -> bytes:
        """Return the name of a key."""
        return self._name % number

    def size(self, number: int) -> int:
        """Return the size of a key's value, drawn by the weights, the same each time."""
        if len(self._sizes) == 1:
            return self._sizes[0]
        at = zlib.crc32(b"size" + self.key(number)) / 2**32 * self._edges[-1]
        return self._sizes[min(bisect_right(self._edges, at), len(self._sizes) - 1)]

    def value(self, number: int) -> bytes:
        """Return the value of a key."""
        key, size = self._name % number, self.size(number)
        check = zlib.crc32(key)
        begin = check % _POOL
        room = size - len(key) - _CHECK
        if room < 0:
            # Too small for all of it: it carries what tells keys apart best, the checksum, then the key's end.
            return (b"%08x" % check + key[::-1])[:size].ljust(size, b".")
        filler = self._filler[begin : begin + room]
        return b"%b %08x %b" % (key, zlib.crc32(filler, check), filler)


def draw(keys: Keys, length: int, rng: random.Random) -> array[int]:
    """Return `length` key numbers drawn by the distribution."""
    if keys.distribution == "zipf":
        return array("L", _zipf(keys.count, keys.exponent, length, rng))
    if keys.distribution == "hot":
        hot = max(1, round(keys.count * keys.hot_keys))
        cold = keys.count - hot
        uniform, share = rng.random, keys.hot_share if cold else 1.0
        return array(
            "L",
            [int(uniform() * hot) if uniform() < share else hot + int(uniform() * cold) for _ in range(length)],
        )
    uniform, count = rng.random, keys.count
    return array("L", [int(uniform() * count) for _ in range(length)])


def _zipf(count: int, exponent: float, length: int, rng: random.Random) -> list[int]:
    """Ranks by 1/r^exponent, spread over the keys by a fixed permutation."""
    if count == 1:
        return [0] * length
    weights = list(accumulate((rank + 1) ** -exponent for rank in range(count)))
    # Neighbours in rank are no neighbours in name: a multiplier that shares no factor with the count.
    step = next(n for n in range(round(count * 0.618) | 1, 3 * count + 3, 2) if _coprime(n, count))
    ranks = rng.choices(range(count), cum_weights=weights, k=length)
    return [rank * step % count for rank in ranks]


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1
