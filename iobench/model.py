"""The nouns of iobench: metrics, targets, works, steps, samples and evidence. All frozen, none does I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from iobench.texts import Phrase, Told

Scalar = str | int | float | bool | None
ParamValue = Scalar | list[str] | list[int]
Params = Mapping[str, ParamValue]


def whole(params: Params, name: str) -> int:
    """Return a parameter that is a whole number. Raises TypeError for a programmer's mistake."""
    value = params[name]
    if isinstance(value, int):
        return value
    raise TypeError(f"{name} is {value!r}, not a whole number")


class Better(StrEnum):
    """The direction in which a metric is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity: its fixed name, its base unit and its good direction."""

    name: str
    unit: str
    better: Better


def _metrics() -> dict[str, Metric]:
    higher = {"throughput": "B/s", "iops": "1/s", "transactions": "1/s", "queries": "1/s", "ops": "1/s"}
    higher["hits"] = "1/s"
    lower = {"elapsed": "s", "outage": "s", "lateness_p99": "s"}
    lower |= dict.fromkeys(("misses", "errors", "lost", "corrupt", "timeouts", "reconnects", "late"), "1")
    for kind in ("latency", "latency_service"):
        for point in ("mean", "p50", "p90", "p95", "p99", "p999", "max"):
            lower[f"{kind}_{point}"] = "s"
    table = {name: Metric(name, unit, Better.HIGHER) for name, unit in higher.items()}
    return table | {name: Metric(name, unit, Better.LOWER) for name, unit in lower.items()}


METRICS: Mapping[str, Metric] = _metrics()
PERCENTILES: Mapping[str, float] = {
    "latency_p50": 50.0,
    "latency_p90": 90.0,
    "latency_p95": 95.0,
    "latency_p99": 99.0,
    "latency_p999": 99.9,
}


# What a workload is looked at by; the first stands for it.
MAIN_METRICS: Mapping[str, tuple[str, ...]] = {
    "seq-read": ("throughput",),
    "seq-write": ("throughput",),
    "dd-read": ("throughput",),
    "dd-write": ("elapsed", "throughput"),
    "rand-read": ("iops", "latency_p99"),
    "rand-write": ("iops", "latency_p99"),
    "rand-mixed": ("iops", "latency_p99"),
    "dbench": ("throughput", "latency_max"),
    "oltp": ("transactions", "latency_p95"),
    "kvs": ("hits", "latency_p99", "outage"),
    "precondition": ("throughput",),
    "steady-write": ("iops", "latency_p99"),
    "verify": ("corrupt", "throughput"),
}
_RATES = ("iops", "transactions", "hits", "ops", "queries", "throughput", "elapsed")


def main_metrics(workload: str, there: Collection[str]) -> tuple[str, ...]:
    """Return what a workload is looked at by, of the metrics that are there.

    Of a workload without any of its own: the first rate, and the p99 latency; else all that is there.
    """
    own = tuple(metric for metric in MAIN_METRICS.get(workload, ()) if metric in there)
    rate = [metric for metric in _RATES if metric in there][:1]
    return own or (*rate, *(metric for metric in ("latency_p99",) if metric in there)) or tuple(there)


class Verdict(StrEnum):
    """What the evidence says of a number; the later, the worse."""

    VALID = "valid"
    SUSPECT = "suspect"
    INVALID = "invalid"

    @property
    def mark(self) -> str:
        """The sign before a figure on a terminal; a valid one has none."""
        return {"valid": "", "suspect": "~", "invalid": "✗"}[self.value]


_RISING = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of verdicts; valid where there is none."""
    return max(verdicts, key=_RISING.index, default=Verdict.VALID)


# The reasons that make a number invalid: it is not one of the drive. Any other makes it suspect.
INVALID_REASONS = frozenset({"page-cache", "unwritten-blocks", "errors", "lost-data"})
# Those of them by which a drive can only have looked better than it is: memory answered in its place.
FLATTERING_REASONS = frozenset({"page-cache", "unwritten-blocks"})
# How far the measured window's ends are uncertain on our clock, in seconds, where a ramp comes before it.
EDGE_S = 0.05
# A rate this near to the limit of an emulated drive, or above it, was set by the limit.
THROTTLE_NEAR = 0.03


class LimitedBy(StrEnum):
    """Who set the rate of a step."""

    DEVICE = "device"
    CLIENT = "client"
    SERVER = "server"
    CPU = "cpu"
    LINK = "link"
    THROTTLE = "throttle"
    UNKNOWN = "unknown"


def canonical(params: Params) -> str:
    """Return parameters as canonical JSON: sorted keys, no spaces, so that equal means equal text."""
    return json.dumps(dict(params), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def of_drive(drive: str, note: Told) -> Phrase:
    """Return what is noted of a drive with its name before it."""
    return Phrase("note.of", {"drive": drive, "note": note})


# --- where ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """A place to measure, as it was named with -t NAME=PATH.

    A `server` is one that exists and is not ours; its `path` is a URL without a password, as mysql://user@host/db.
    """

    name: str
    path: str
    kind: Literal["file", "block", "server"] = "file"


@dataclass(frozen=True, slots=True)
class Device:
    """A block device as the kernel names it. Sizes in bytes."""

    name: str
    major: int
    minor: int
    size_bytes: int | None = None
    kind: str = "unknown"
    model: str | None = None
    serial: str | None = None
    bus: str | None = None
    rotational: bool | None = None
    scheduler: str | None = None
    logical_sector: int | None = None
    physical_sector: int | None = None
    write_cache: str | None = None
    parent: str | None = None
    wwn: str | None = None
    cached: bool = False  # known to answer from this machine's memory: a loop device without direct I/O

    @property
    def number(self) -> str:
        """The `major:minor` by which the kernel knows it."""
        return f"{self.major}:{self.minor}"


@dataclass(frozen=True, slots=True)
class Emulation:
    """What an emulated drive was set to. Rates in B/s and 1/s, latency in seconds; None is no limit."""

    profile: str
    read_bps: float | None = None
    write_bps: float | None = None
    read_iops: float | None = None
    write_iops: float | None = None
    latency_s: float | None = None
    parallel: int | None = None
    throttle_only: bool = False  # the profile asks for latency, and this machine could not give it
    notes: tuple[Told, ...] = ()

    @property
    def rate_only(self) -> bool:
        """Whether no latency is emulated: the rate is then flat over the loads by construction."""
        return self.throttle_only or self.latency_s is None


@dataclass(frozen=True, slots=True)
class Passport:
    """What a target is: the device under it, its file system and its room. Sizes in bytes."""

    target: Target
    device: Device | None
    no_device_reason: Told | None = None
    filesystem: str | None = None
    mount_point: str | None = None
    mount_options: str | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    emulation: Emulation | None = None

    @property
    def kind(self) -> str:
        """The kind of drive, for tables and charts."""
        return self.device.kind if self.device else "no device"

    @property
    def emulated(self) -> bool:
        """Whether the drive is one that `iobench lab` made."""
        return self.emulation is not None


@dataclass(frozen=True, slots=True)
class Health:
    """What a drive says of itself, by the program `source`. Bytes, °C, hours, shares of 1; None is not known.

    `used_share` is the endurance used (may pass 1), `reserve_share` the spare blocks left, `media_errors` what
    could not be corrected, `warnings` NVMe's critical warnings as a bit field.
    """

    source: str | None = None
    passed: bool | None = None
    state: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    temperature_c: float | None = None
    temperature_limit_c: float | None = None
    power_on_hours: float | None = None
    media_errors: float | None = None
    reallocated: float | None = None
    pending: float | None = None
    warnings: float | None = None
    used_share: float | None = None
    reserve_share: float | None = None
    reserve_warning_share: float | None = None
    written_bytes: float | None = None
    read_bytes: float | None = None
    physical_bytes: float | None = None
    formatted_bytes: float | None = None
    link_width: int | None = None
    link_gtps: float | None = None
    notes: tuple[Told, ...] = ()


# --- what is done --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that a work needs in the target's work folder before it can run."""

    name: str
    size: int
    layout: Literal["write", "fallocate"] = "write"


@dataclass(frozen=True)
class Service:
    """A private server that a work needs on its target: its kind (a file of servers/) and its settings.

    Equal services of one target are one server. `room` is the bytes that its data may take on the target, `once_s`
    the seconds that making them takes, once for all targets, `setup_s` those on each target. `laid` is the bytes that
    are written there at first, where that is not all of the room.
    """

    kind: str
    params: Params
    room: int = 0
    once_s: float = 0.0
    setup_s: float = 0.0
    laid: int | None = None

    def __hash__(self) -> int:
        return hash((self.kind, canonical(self.params), self.room))


@dataclass(frozen=True, slots=True)
class Work:
    """One measurement that can be made on any target: what a runner plans.

    `params` is what was asked, the same for every target; `load` is the outstanding work that was asked.
    `duration_s` is None where the amount of work is fixed instead (dd).
    """

    runner: str
    workload: str
    params: Params
    load: int
    ramp_s: float = 0.0
    duration_s: float | None = None
    rate: float | None = None
    files: tuple[DataFile, ...] = ()
    source: DataFile | None = None  # random data that stands in memory, for dd to read
    fresh: tuple[str, ...] = ()  # files that the work makes itself and that must not exist before
    tree: DataFile | None = None  # a folder of its own that the work fills, and the room that this takes
    fixed_bytes: int = 0  # bytes it moves where duration_s is None
    writes: bool = False
    write_share: float = 1.0  # of its requests, where it writes for a set time
    warm_up: bool = False  # run once on each target before the first step, not measured
    service: Service | None = None  # a private server on the target that the program talks to
    once: bool = False  # in the first round only: a director asks for the others
    passes: int = 1  # times that it writes fixed_bytes
    reads_back: bool = False  # it then reads them all


@dataclass(frozen=True, slots=True)
class Step:
    """A work on a target in a round: what the engine runs and the journal keeps."""

    id: str
    target: str
    repeat: int
    work: Work


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works, given by the engine: names are relative to the command's working folder."""

    data: Mapping[str, str]  # DataFile.name (and fresh names) -> the path to give to the program
    size: Mapping[str, int]
    out: str  # an absolute folder for the program's own output files
    source: str | None = None
    block_device: bool = False
    service: Mapping[str, str | int] = field(default_factory=dict)  # where the work's server is reached


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: never a shell string."""

    tool: str
    argv: tuple[str, ...]
    timeout_s: float
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)  # files it reads, written into `Place.out` before it starts
    wall_clock: bool = False  # it counts its time by the machine's clock, which somebody may set


@dataclass(frozen=True, slots=True)
class Output:
    """What a program left behind, as it came. Files are the ones it wrote itself, by name."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    files: Mapping[str, str]
    wall_s: float
    cpu_s: float
    grown: tuple[tuple[float, int], ...] = ()  # when (monotonic clock) its stdout was seen to have how many bytes

    def when(self, size: int) -> float | None:
        """Return when its stdout was first seen to have so many bytes (monotonic clock, within 0.1 s), or None."""
        return next((at for at, seen in self.grown if seen >= size), None)


# --- what came out -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a step, in the metric's base unit."""

    op: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """A value at a time (seconds from the start of the measured window)."""

    t_s: float
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class LatencyBins:
    """Counts of latencies: nanoseconds -> how often. Bins are merged, percentiles never averaged."""

    op: str
    bins: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class OperationLatency:
    """How often an operation of a load was done and how long it took (seconds), as the program itself sums it."""

    op: str
    count: int
    latency_mean: float
    latency_max: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a runner reads from an Output: the numbers, and what the tool itself claims to have done.

    `measured_s` is the length of the measured window, which ends at `ended_at` (monotonic clock) or at
    `ended_unix` (Unix time) where the tool says so, else when the program ended. Bytes are those of that window.
    """

    samples: tuple[Sample, ...]
    measured_s: float
    bytes_read: int | None = None
    bytes_written: int | None = None
    operations: int | None = None
    latencies: tuple[LatencyBins, ...] = ()
    series: tuple[SeriesPoint, ...] = ()
    depth_achieved: float | None = None
    client_cpu: float | None = None  # cores
    client_threads: int = 1
    errors: int = 0
    error_text: Told | None = None
    ended_at: float | None = None
    ended_unix: float | None = None
    operation_latencies: tuple[OperationLatency, ...] = ()
    flushes: int | None = None  # how often the program asked for data to be on the drive, where it says so
    unsettled: Phrase | None = None  # why what was measured is not the work that was meant
    drive_reads: int | None = None  # values that were answered and can only have come from the drive, one read each


@dataclass(frozen=True, slots=True)
class Facts:
    """What a private server counted around a step. None is not known, never 0. The fields are evidence's too."""

    cache_hit_ratio: float | None = None  # of reads, answered from the server's memory
    server_reads: int | None = None  # reads that the server asked the drive for
    server_writes: int | None = None
    server_fsyncs: int | None = None
    server_cpu: float | None = None  # cores
    settled_s: float | None = None  # waited before the step until earlier work was done


@dataclass(frozen=True, slots=True)
class Evidence:
    """Whether a number is true: what the machine saw while the tool worked. None is not known, never 0."""

    tool_bytes_read: int | None = None
    tool_bytes_written: int | None = None
    device_name: str | None = None
    device_bytes_read: int | None = None
    device_bytes_written: int | None = None
    device_busy: float | None = None
    client_cpu: float | None = None
    system_cpu: float | None = None
    queue_depth_asked: float | None = None
    queue_depth_achieved: float | None = None
    rate_cv: float | None = None
    rate_drift: float | None = None
    background_bytes: int | None = None
    unwritten_bytes: int | None = None
    limited_by: LimitedBy = LimitedBy.UNKNOWN
    temperature_c: float | None = None
    device_reads: int | None = None  # requests that the device finished
    device_writes: int | None = None
    cache_hit_ratio: float | None = None
    server_reads: int | None = None
    server_writes: int | None = None
    server_fsyncs: int | None = None
    server_cpu: float | None = None
    settled_s: float | None = None
    device_reads_per_get: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason why a number is not valid: its fixed id, and what is said of it with the figures."""

    reason: str
    said: Told

    @property
    def sentence(self) -> str:
        """The sentence in English."""
        return str(self.said)


@dataclass(frozen=True, slots=True)
class StepResult:
    """Everything that is kept of a finished step."""

    step: Step
    reading: Reading
    evidence: Evidence
    verdict: Verdict
    findings: tuple[Finding, ...]
    started_at: datetime | None  # not known of what was imported
    tool: str
    device_series: tuple[SeriesPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Campaign:
    """A plan with the machine it is for; campaign.json, written before the first step."""

    id: str
    created_at: datetime
    profile: str | None
    title: str
    rounds: int
    steps: tuple[Step, ...]
    passports: Mapping[str, Passport]
    host: Mapping[str, Scalar]
    tools: Mapping[str, str]
    imported: bool = False
    notes: tuple[Told, ...] = ()
    director: Mapping[str, ParamValue] | None = None  # who makes the plan grow, and what was asked of it
    limits: Mapping[str, ParamValue] | None = None  # what it must not do to the machine


# --- what was read from a file -------------------------------------------------------------------------------


def check_types(instance: object, but: Collection[str] = ()) -> None:
    """Raise TypeError where a field of a noun that was read from a file does not hold what its type says.

    `but` names fields that were checked already.
    """
    kind: Any = type(instance)
    for name, fits in _fields(kind):
        if name not in but and not fits(value := getattr(instance, name)):
            raise TypeError(f"{name} is {str(value)[:80]!r}")


_NONE = 1e100


@cache
def _fields(kind: Any) -> tuple[tuple[str, Callable[[Any], bool]], ...]:
    return tuple((name, _fits(wanted)) for name, wanted in get_type_hints(kind).items())


@cache
def _fits(wanted: Any) -> Callable[[Any], bool]:
    """Return what tells whether a value is of a type; made once for each, since 1,000 plans are read at a time."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        some = [_fits(each) for each in inner]
        return lambda value: any(fits(value) for fits in some)
    if origin is Literal:
        return lambda value: value in inner
    if origin in (tuple, list):  # of any length, and all alike
        each = _fits(inner[0])
        return lambda value: isinstance(value, origin) and all(map(each, value))
    if origin is not None:  # a mapping
        keys, values = _fits(inner[0]), _fits(inner[1])
        return lambda value: isinstance(value, Mapping) and all(map(keys, value)) and all(map(values, value.values()))
    if wanted in (int, float):  # true and false are no numbers here
        kinds = (int,) if wanted is int else (int, float)
        # Nothing has as many bytes or seconds, and what is computed of such a number has no end, or is none.
        return lambda value: isinstance(value, kinds) and not isinstance(value, bool) and -_NONE < value < _NONE
    if is_dataclass(wanted) and wanted is not Phrase:
        noun: Any = wanted
        own = _fields(noun)
        return lambda value: isinstance(value, noun) and all(fits(getattr(value, name)) for name, fits in own)
    if wanted is str:
        return lambda value: isinstance(value, str) and "\0" not in value  # no path and no argument has one
    return lambda value: isinstance(value, wanted)
