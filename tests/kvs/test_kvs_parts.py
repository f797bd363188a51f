"""Keys, values, placement, gaps and histograms: the parts of the generator that need no server."""

import random
import zlib
from array import array
from collections import Counter

import pytest

from iobench.kvs.config import Config, Keys
from iobench.kvs.fold import Histograms
from iobench.kvs.items import Items, draw
from iobench.kvs.ring import murmur3, owners
from iobench.kvs.units import composed
from iobench.kvs.worker import gaps
from iobench.results import decode_bins

ENDPOINT = ("127.0.0.1:1",)


def test_a_value_carries_its_key_and_a_checksum() -> None:
    items = Items(Config(ENDPOINT, keys=Keys(count=50), values=((100, 1), (700, 1), (12, 1))))
    sizes = Counter()
    for number in range(50):
        value, key = items.value(number), items.key(number)
        sizes[len(value)] += 1
        assert len(value) == items.size(number) and value == items.value(number)
        if len(value) > 50:
            name, check, filler = value.split(b" ", 2)
            assert name == key and int(check, 16) == zlib.crc32(filler, zlib.crc32(key))
    assert set(sizes) == {12, 100, 700}
    assert len({items.value(number) for number in range(50)}) == 50  # the small ones differ too


def test_distributions() -> None:
    rng = random.Random(1)
    uniform = Counter(draw(Keys(count=100), 100_000, rng))
    assert len(uniform) == 100 and max(uniform.values()) < 1.3 * min(uniform.values())
    hot = Counter(draw(Keys(count=100, distribution="hot", hot_keys=0.1, hot_share=0.9), 100_000, rng))
    assert 0.88 < sum(hot[key] for key in range(10)) / 100_000 < 0.92
    zipf = Counter(draw(Keys(count=1000, distribution="zipf", exponent=1.0), 100_000, rng)).most_common()
    # 1/r: the first rank is asked ten times as often as the tenth.
    assert 7 < zipf[0][1] / zipf[9][1] < 14 and len(zipf) > 900


def test_keys_lie_where_pymemcache_looks_for_them() -> None:
    # From pymemcache 4's RendezvousHash and murmur3_32.
    assert [murmur3(text) for text in (b"", b"a", b"ab", b"abc", b"abcd")] == VECTORS
    assert list(owners(NODES, [b"k%d" % n for n in range(20)])) == PLACES
    try:
        from pymemcache.client.rendezvous import RendezvousHash
    except ImportError:
        return
    theirs = RendezvousHash(list(NODES))
    keys = [b"key:%d" % n for n in range(500)]
    assert [NODES[n] for n in owners(NODES, keys)] == [theirs.get_node(key.decode()) for key in keys]


NODES = ("127.0.0.1:11211", "127.0.0.1:11212", "/run/a.sock")
VECTORS = [0, 1009084850, 2613040991, 3017643002, 1139631978]
PLACES = [0, 1, 2, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 1, 2, 0, 0, 2, 0]


def test_gaps_add_up_to_the_rate() -> None:
    for arrival in ("even", "poisson"):
        found = gaps(30_000, arrival, random.Random(1))
        assert sum(found) / len(found) == pytest.approx(1e9 / 30_000, rel=1e-4)
    assert len(set(gaps(30_000, "even", random.Random(1)))) == 2  # 33,333 and 33,334 ns
    drawn = gaps(1000, "poisson", random.Random(2))
    mean = sum(drawn) / len(drawn)
    assert (sum((gap - mean) ** 2 for gap in drawn) / len(drawn)) ** 0.5 == pytest.approx(mean, rel=0.05)


def test_a_key_drawn_twice_is_asked_once_in_a_multi_get() -> None:
    units = composed(array("L", [1, 1, 2, 3, 4, 5]), (1, 0), 3, 1, False, random.Random(1))
    assert [unit[0].keys for unit in units] == [(1, 2), (3, 4, 5)]


def test_sets_without_reply_stand_before_a_get() -> None:
    units = composed(array("L", range(1000)), (1, 1), 1, 1, True, random.Random(1))
    assert all(unit[-1].get and not any(each.get for each in unit[:-1]) for unit in units)
    assert any(len(unit) > 2 for unit in units)


def test_folding_is_exact_to_a_thousandth() -> None:
    times = [1, 10, 999, 12_345, 1_000_000, 987_654_321, 30_000_000_000]
    folded = Histograms()
    folded.add("get", array("L", times).tobytes(), 3)
    folded.add("get", array("L", times[:1]).tobytes())
    bins = decode_bins(folded.encoded()["get"])
    assert list(bins.values()) == [4, 3, 3, 3, 3, 3, 3]
    assert list(bins) == pytest.approx(times, rel=0.0015)
