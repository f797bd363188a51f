"""A service level objective as it is typed: `rand-read p99<1ms`; read once, and held against measured latencies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iobench.bins import LEAST_BEYOND
from iobench.errors import UsageError, near_miss
from iobench.model import PERCENTILES
from iobench.units import parse_duration

LATENCIES = ("mean", "p50", "p90", "p95", "p99", "p999", "max")
_CONDITION = re.compile(r"(?P<point>[a-z]+[0-9.]*)\s*(?P<sign><=?)\s*(?P<time>[0-9.]+\s*[a-zµ]+)", re.IGNORECASE)
_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))
_EXAMPLE = "write it as 'rand-read p99<1ms', or with several conditions as 'kvs p50<1ms p99<5ms'"


@dataclass(frozen=True, slots=True)
class Limit:
    """One condition: a latency metric, and the seconds that it has to stay below."""

    metric: str
    seconds: float

    @property
    def text(self) -> str:
        """The condition as it is typed."""
        scale, unit = next((pair for pair in _SCALES if self.seconds >= pair[0]), _SCALES[-1])
        return f"{self.metric.removeprefix('latency_')}<{self.seconds / scale:.12g}{unit}"


@dataclass(frozen=True, slots=True)
class Slo:
    """What a workload's latency has to hold. All limits have to."""

    workload: str
    limits: tuple[Limit, ...]

    @property
    def text(self) -> str:
        """The objective in one normal form."""
        return " ".join((self.workload, *(limit.text for limit in self.limits)))

    @property
    def metric(self) -> str:
        """The latency that stands for it, on a curve and in a table: the first one."""
        return self.limits[0].metric

    def broken(self, latencies: Mapping[str, float]) -> Limit | None:
        """Return the first limit that measured latencies (metric -> seconds) do not hold, None where all hold.

        Raises KeyError where one was not measured.
        """
        return next((limit for limit in self.limits if latencies[limit.metric] >= limit.seconds), None)

    def missing(self, latencies: Mapping[str, float]) -> str | None:
        """Return the first metric of the limits that was not measured."""
        return next((limit.metric for limit in self.limits if limit.metric not in latencies), None)

    @property
    def least_operations(self) -> int:
        """How many operations a point needs so that each percentile has enough of them beyond it."""
        shares = [PERCENTILES[limit.metric] for limit in self.limits if limit.metric in PERCENTILES]
        return max((round(LEAST_BEYOND * 100 / (100 - q)) for q in shares if q > 50), default=1)


def parse(text: str, workloads: Sequence[str]) -> Slo:
    """Return the objective in a text. Raises UsageError, with the nearest name, for what cannot be read."""
    words = text.strip().split(None, 1)
    if not words:
        raise UsageError(f"an SLO is empty; {_EXAMPLE}")
    workload, rest = words[0], words[1] if len(words) > 1 else ""
    if workload not in workloads:
        raise UsageError(f"--slo {text!r}: no load can be searched for {workload!r}; {near_miss(workload, workloads)}")
    parts = [part for part in re.split(r"\s*(?:,|\band\b|(?<=[a-z])\s+(?=[a-z]))\s*", rest.strip()) if part]
    limits = tuple(_limit(part, text) for part in parts)
    if not limits:
        raise UsageError(f"--slo {text!r} says no latency; {_EXAMPLE}")
    if len({limit.metric for limit in limits}) < len(limits):
        raise UsageError(f"--slo {text!r} limits one latency twice")
    return Slo(workload, limits)


def _limit(part: str, text: str) -> Limit:
    match = _CONDITION.fullmatch(part.strip())
    if match is None:
        raise UsageError(f"--slo {text!r}: {part!r} is not a limit of a latency; {_EXAMPLE}")
    point = match["point"].lower().replace(".", "")
    if point not in LATENCIES:
        raise UsageError(f"--slo {text!r}: unknown latency {match['point']!r}; {near_miss(point, LATENCIES)}")
    seconds = parse_duration(match["time"])
    if seconds <= 0:
        raise UsageError(f"--slo {text!r}: no latency is below {match['time']}")
    return Limit(f"latency_{point}", seconds)
