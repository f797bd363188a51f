"""Latency histograms as text (HDR, V2, base64): packed when a step is kept, unpacked many at a time when it is read."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from iobench.bins import Histogram
from iobench.errors import ResultsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

# Three significant digits hold fio's bins (exact to under 1 %) with room; an hour in nanoseconds is the top.
HISTOGRAM_TOP_NS = 3_600_000_000_000
HISTOGRAM_DIGITS = 3
_HALF = 10  # bits: of three digits, 1024 slots each time that values double
_SLOTS = 33_792  # up to HISTOGRAM_TOP_NS
# The outer and the inner cookie of HdrHistogram's format V2, and its inner header: cookie, length of the counts,
# offset, digits, lowest and highest value, ratio.
_COOKIES = (0x1C849314, 0x1C849313)
_HEADER = struct.Struct(">IIIIQQd")
_MOST_PAYLOAD = 1 << 20
_LONGEST = 8  # bytes of a count: 2^55 operations, which nothing reaches
_AT_ONCE = 500  # histograms: arrays of a few MB


def encode_bins(bins: Mapping[int, int]) -> str:
    """Return latency bins (nanoseconds -> count) as an encoded HDR histogram (text, V2, base64)."""
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, HISTOGRAM_TOP_NS, HISTOGRAM_DIGITS)
    for value, count in bins.items():
        histogram.record_value(min(max(1, value), HISTOGRAM_TOP_NS), count)
    encoded: bytes = histogram.encode()
    # The two hold each other: a quarter of a megabyte each, until somebody looks for such garbage, which we seldom do.
    histogram.encoder.histogram = None
    return encoded.decode("ascii")


def decode_bins(text: str) -> dict[int, int]:
    """Return the bins (nanoseconds -> count) of one encoded histogram, as `decode` does of many."""
    (found,) = decode([text])
    return dict(zip(found.edges.tolist(), found.counts.tolist(), strict=True))


def decode(texts: Sequence[str]) -> list[Histogram]:
    """Return the bins of encoded HDR histograms, in their order.

    A bin's edge is its lowest value: within 0.1 % of what was recorded. Raises ResultsError where a text is none.
    """
    found: list[Histogram] = []
    for start in range(0, len(texts), _AT_ONCE):
        try:
            payloads = [_payload(text) for text in texts[start : start + _AT_ONCE]]
            ours = iter(_unpacked([payload for payload in payloads if isinstance(payload, bytes)]))
            found += [next(ours) if isinstance(payload, bytes) else payload for payload in payloads]
        except Exception as error:  # the library raises its own, zlib's and struct's errors alike
            raise ResultsError(f"a latency histogram in the results cannot be decoded: {error}") from error
    return found


def _payload(text: str) -> bytes | Histogram:
    """Return the packed counts of a histogram that `encode_bins` made; one of other bounds as the library reads it.

    Raises ValueError, or an error of zlib, struct or the library, for what is none.
    """
    raw = base64.b64decode(text, validate=True)
    cookie, length = struct.unpack_from(">II", raw)
    unpacked = zlib.decompressobj()
    inner = unpacked.decompress(raw[8 : 8 + length], _MOST_PAYLOAD)
    if unpacked.unconsumed_tail:  # a few bytes that would fill the memory
        raise ValueError(f"it unpacks to more than {_MOST_PAYLOAD} bytes")
    inner_cookie, size, offset, digits, lowest, _, ratio = _HEADER.unpack_from(inner)
    counts = inner[_HEADER.size : _HEADER.size + size]
    ours = (cookie, inner_cookie, offset, digits, lowest, ratio) == (*_COOKIES, 0, HISTOGRAM_DIGITS, 1, 1.0)
    if ours and unpacked.eof and len(counts) == size:
        return counts
    import numpy as np
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram.decode(text.encode("ascii"))
    table = np.ctypeslib.as_array(histogram.encoder.payload.counts)
    bins = {histogram.get_value_from_index(i): int(table[i]) for i in np.flatnonzero(table).tolist()}
    if max(bins, default=0) > HISTOGRAM_TOP_NS:
        raise ValueError("it has a latency of more than an hour")
    return Histogram.of(bins)


def _unpacked(payloads: Sequence[bytes]) -> list[Histogram]:
    """Return the histograms of packed counts, all in one go: ten times as fast as the library, one after the other.

    A number is a slot's count, or below 0 a run of empty slots. Raises ValueError for what is not so packed.
    """
    import numpy as np

    numbers, first = _numbers(payloads)
    # In which slot each number stands: those before it are a slot each, or as many as their run is long.
    until = np.concatenate(([0], np.where(numbers < 0, -numbers, 1).cumsum()))
    owner = np.repeat(np.arange(len(payloads)), np.diff(first))
    if len(payloads) and (np.diff(until[first]) > _SLOTS).any():
        raise ValueError(f"it has more than {_SLOTS} slots")
    filled = np.flatnonzero(numbers > 0)
    slots = until[filled] - until[first[owner[filled]]]
    shift = np.maximum(0, (slots >> _HALF) - 1)
    edges, counts = (slots - (shift << _HALF)) << shift, numbers[filled]
    ends = np.searchsorted(filled, first)
    total = np.concatenate(([0], counts.cumsum()))[ends]
    operations = np.diff(total).tolist()
    return [
        Histogram(edges[a:b], counts[a:b], whole) for a, b, whole in zip(ends[:-1], ends[1:], operations, strict=True)
    ]


def _numbers(payloads: Sequence[bytes]) -> tuple[Whole, Whole]:
    """Return all numbers of payloads, one after the other, and where each payload's begin, with the end of the last.

    Seven bits a byte, the least first, the highest bit set where more follow; ZigZag: odd ones are below 0.
    """
    import numpy as np

    whole = np.frombuffer(b"".join(payloads), dtype=np.uint8)
    borders = np.concatenate(([0], np.cumsum([len(payload) for payload in payloads]))).astype(np.int64)
    ends = np.flatnonzero(whole < 0x80) + 1
    first = np.searchsorted(ends, borders, side="right")
    starts = np.concatenate(([0], ends))
    if (starts[first] != borders).any():
        raise ValueError("a count is cut off")
    starts, lengths = starts[:-1], np.diff(starts)
    if lengths.max(initial=0) > _LONGEST:
        raise ValueError("it has a count that nothing reaches")
    coded = np.zeros(len(starts), dtype=np.int64)
    for byte in range(int(lengths.max(initial=0))):
        more = np.flatnonzero(lengths > byte) if byte else slice(None)
        coded[more] |= (whole[starts[more] + byte] & 0x7F).astype(np.int64) << (7 * byte)
    return (coded >> 1) ^ -(coded & 1), first
