"""Latency histograms as text (HDR, V2, base64): packed when a step is kept, unpacked many at a time when it is read."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping

from iobench.errors import ResultsError

# Three significant digits hold fio's bins (exact to under 1 %) with room; an hour in nanoseconds is the top.
HISTOGRAM_TOP_NS = 3_600_000_000_000
HISTOGRAM_DIGITS = 3


def encode_bins(bins: Mapping[int, int]) -> str:
    """Return latency bins (nanoseconds -> count) as an encoded HDR histogram (text, V2, base64)."""
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, HISTOGRAM_TOP_NS, HISTOGRAM_DIGITS)
    for value, count in bins.items():
        histogram.record_value(min(max(1, value), HISTOGRAM_TOP_NS), count)
    encoded: bytes = histogram.encode()
    return encoded.decode("ascii")


def decode_bins(text: str) -> dict[int, int]:
    """Return the bins (nanoseconds -> count) of an encoded HDR histogram.

    A value is the lower edge of its bin: within 0.1 % of what was recorded. Raises ResultsError when the
    text is none.
    """
    from hdrh.histogram import HdrHistogram

    try:
        raw = base64.b64decode(text, validate=True)
        if (slots := _slots(raw)) is not None:
            return {_edge(slot): count for slot, count in slots}
        # Of other bounds than ours, or spoilt: the library reads it, or says what is wrong.
        import numpy as np

        histogram = HdrHistogram.decode(text.encode("ascii"))
        counts = np.ctypeslib.as_array(histogram.encoder.payload.counts)
        return {histogram.get_value_from_index(i): int(counts[i]) for i in np.flatnonzero(counts).tolist()}
    except Exception as error:  # the library raises its own, zlib's and struct's errors alike
        raise ResultsError(f"a latency histogram in the results cannot be decoded: {error}") from error


# The outer and the inner cookie of HdrHistogram's format V2, and its inner header: cookie, length of the counts,
# offset, digits, lowest and highest value, ratio.
_COOKIES = (0x1C849314, 0x1C849313)
_HEADER = struct.Struct(">IIIIQQd")
_MOST_PAYLOAD = 1 << 20
_HALF = 10  # bits: of three digits, 1024 slots each time that values double


def _slots(raw: bytes) -> list[tuple[int, int]] | None:
    """Return the filled slots (number, count) of a histogram that `encode_bins` made; None for any other.

    Twice as fast as the library, which makes a table of all slots for each. Raises ValueError, or
    an error of zlib or struct.
    """
    cookie, length = struct.unpack_from(">II", raw)
    unpacked = zlib.decompressobj()
    inner = unpacked.decompress(raw[8 : 8 + length], _MOST_PAYLOAD)
    if unpacked.unconsumed_tail:  # a few bytes that would fill the memory
        raise ValueError(f"it unpacks to more than {_MOST_PAYLOAD} bytes")
    inner_cookie, size, offset, digits, lowest, _, ratio = _HEADER.unpack_from(inner)
    ours = (cookie, inner_cookie, offset, digits, lowest, ratio) == (*_COOKIES, 0, HISTOGRAM_DIGITS, 1, 1.0)
    counts = inner[_HEADER.size : _HEADER.size + size]
    if not ours or not unpacked.eof or len(counts) != size:
        return None
    found: list[tuple[int, int]] = []
    slot = value = shift = 0
    for byte in counts:
        # Seven bits at a time, the ninth byte whole; a number below 0 is a run of empty slots.
        value |= (byte if shift == 56 else byte & 0x7F) << shift
        if byte & 0x80 and shift < 56:
            shift += 7
            continue
        count = (value >> 1) ^ -(value & 1)
        if count > 0:
            found.append((slot, count))
        slot += 1 if count >= 0 else -count
        value = shift = 0
    return found if not shift and slot <= _SLOTS else None


_SLOTS = 33_792  # up to HISTOGRAM_TOP_NS


def _edge(slot: int) -> int:
    """Return the lowest value of a slot."""
    bucket = max(0, (slot >> _HALF) - 1)
    return (slot - (bucket << _HALF)) << bucket
