"""What the load generator answers: OUT_DIR/result.json as frozen dataclasses, and what other files it leaves.

OUT_DIR/acknowledged.bin has one byte a key: 1 where the server has confirmed a set and no later read found it gone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iobench.errors import ParseError

RESULT = "result.json"
ACKNOWLEDGED = "acknowledged.bin"
BEGAN = "began"  # when the measured window begins, by the monotonic clock; written when all processes are ready


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the requests of the measured window. A get of several keys is one request of several keys."""

    requests: int = 0  # answered as asked, misses included
    gets: int = 0  # requests that were gets
    sets: int = 0  # sets that the server confirmed
    hits: int = 0  # keys found, every byte as it was set
    misses: int = 0  # keys not found, the lost ones included
    lost: int = 0  # keys that the server had confirmed and does not find
    corrupt: int = 0  # values that are not what was set
    errors: int = 0  # error replies, replies that cannot be parsed, requests whose connection was lost or refused
    timeouts: int = 0
    reconnects: int = 0
    unconfirmed: int = 0  # sets sent with noreply
    bytes_read: int = 0  # of values
    bytes_written: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One tick of the series: what was answered in it. `t_s` is its end, from the start of the measured window."""

    t_s: float
    hits: int = 0
    sets: int = 0
    misses: int = 0
    errors: int = 0
    timeouts: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """What one server can. None: not tried."""

    endpoint: str
    version: str | None = None
    noreply: bool | None = None
    multi_get: bool | None = None
    gets: bool | None = None
    touch: bool | None = None
    stats: bool | None = None
    flush_all: bool | None = None
    line_end: str | None = None  # of its error line: "\r\n" or "\n"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One run. Times in seconds; `started_at` and `ended_at` are the measured window's, by the monotonic clock.

    `latency` holds HDR histograms (V2, base64; `iobench.results.decode_bins` reads them) by name: `get`, `set` and
    `miss` (response time: with a rate from the intended start, otherwise from sending), `get.service` and so on (from
    sending until the reply was there), and `lateness` (how late the generator itself was).
    """

    counts: Counts
    inside: Counts | None = None  # of these what was answered by the end of the window; without bytes
    latency: Mapping[str, str] = field(default_factory=dict)
    series: tuple[Point, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    window_s: float = 0.0
    offered_rate: float | None = None  # requests a second
    achieved_rate: float = 0.0
    backlog: int = 0  # requests due and not answered at the end of the window
    backlog_middle: int | None = None  # the same at its middle
    cpu_cores: float = 0.0  # used by all processes in the window
    busy_cores: float = 0.0  # of that, without the time it only waited for the clock
    processes: int = 1
    first_error: str | None = None
    first_error_s: float | None = None  # from the start of the window
    longest_gap_s: float | None = None  # the longest time in which no request was answered as asked
    gap_began_s: float | None = None
    probes: tuple[Probe, ...] = ()
    adapted: tuple[str, ...] = ()  # what was asked and is done otherwise, since the server cannot
    failure: str | None = None  # why the run could not be made


def to_json(result: Result) -> str:
    """Return the text of result.json."""
    return json.dumps(dataclasses.asdict(result), indent=1)


def from_json(text: str) -> Result:
    """Return the result of a result.json. Raises ParseError when it is none."""
    try:
        found: dict[str, Any] = json.loads(text)
        found["counts"] = Counts(**found["counts"])
        found["inside"] = Counts(**found["inside"]) if found.get("inside") else None
        found["series"] = tuple(Point(**point) for point in found.get("series", ()))
        found["probes"] = tuple(Probe(**{**one, "notes": tuple(one["notes"])}) for one in found.get("probes", ()))
        found["adapted"] = tuple(found.get("adapted", ()))
        return Result(**found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ParseError(f"the load generator's result.json cannot be read: {type(error).__name__} {error}") from error
