"""Which of several servers holds a key: rendezvous hashing with murmur3, as pymemcache's HashClient does it.

So what this generator stores, an application with that client finds. MurmurHash3 is by Austin Appleby, in the public
domain.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

_MASK = 0xFFFFFFFF


def owners(names: Sequence[str], keys: Sequence[bytes]) -> array[int]:
    """Return for each key the number of its server in `names`."""
    if len(names) == 1:
        return array("B", bytes(len(keys)))
    return array("B", [_owner(names, key) for key in keys])


def _owner(names: Sequence[str], key: bytes) -> int:
    # Equal scores: the greater name wins, as there.
    return max(range(len(names)), key=lambda n: (murmur3(names[n].encode() + b"-" + key), names[n]))


def murmur3(data: bytes, seed: int = 0) -> int:
    """Return the 32-bit MurmurHash3 of ASCII bytes."""
    h, whole = seed, len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * 0xCC9E2D51 & _MASK
        k = ((k << 15) | (k >> 17)) * 0x1B873593 & _MASK
        h ^= k
        h = (((h << 13) | (h >> 19)) & _MASK) * 5 + 0xE6546B64 & _MASK
    if whole < len(data):
        k = int.from_bytes(data[whole:], "little") * 0xCC9E2D51 & _MASK
        h ^= ((k << 15) | (k >> 17)) * 0x1B873593 & _MASK
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & _MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & _MASK
    return h ^ h >> 16
