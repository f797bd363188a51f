"""kvs: gets and sets over the memcached protocol, on a private memcached on the drive or on servers that exist."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from iobench import bins
from iobench.errors import ParseError, ResultsError, UsageError
from iobench.kvs import result
from iobench.kvs.config import ARRIVALS, DISTRIBUTIONS, Keys, Server, to_json
from iobench.kvs.dataset import CONFIG, Dataset, argv, parse_values
from iobench.kvs.result import Counts, Point
from iobench.model import (
    PERCENTILES,
    Command,
    LatencyBins,
    Output,
    ParamValue,
    Place,
    Reading,
    Sample,
    SeriesPoint,
    Service,
    Work,
)
from iobench.params import Kind, param
from iobench.results import decode_bins
from iobench.runners import Address
from iobench.servers import memcached, memcached_sizes
from iobench.servers.outage import OUTAGE, READBACK
from iobench.texts import Phrase, last_said

NAME = "kvs"
SUMMARY = "gets and sets over the memcached protocol, over rising connections or at given rates"
TOOLS: tuple[str, ...] = ()  # the generator is our own; the private server's module names memcached
ENDPOINT = Address(
    "endpoint", "HOST:PORT[,HOST:PORT…]", "servers that exist, the keys shared out among them", "memcached"
)
PROVES = "Show, on a private server in memory, that a stall of a second is in the figures."
LATE_S = 0.1  # an answer after this long is late, in a run with an outage
_OUTAGE_TICK_S = 0.1
_OUTAGE_AT = 0.3  # of the measured time
_REACH_S = 60.0


@dataclass(frozen=True)
class Params:
    """Parameters of the key-value store. Sizes in bytes, times in seconds, rates in 1/s. A load is connections."""

    loads: tuple[int, ...] = param((1, 4, 16, 64), Kind.COUNTS, "connections", least=1)
    rate: float | None = param(None, Kind.RATE, "requests offered a second (default: as many as it takes)")
    rates: tuple[int, ...] = param((), Kind.COUNTS, "several such rates, a step each", least=1)
    arrival: str = param("poisson", Kind.CHOICE, "how requests at a rate are spread in time", ARRIVALS)
    ratio: str = param("9:1", Kind.TEXT, "gets to sets")
    value_size: str = param("4Ki", Kind.TEXT, "size of a value, or sizes with weights: 100:9,4Ki:1")
    keys: str = param("uniform", Kind.CHOICE, "which keys are asked for how often", DISTRIBUTIONS)
    multi_get: int = param(1, Kind.COUNT, "keys in one get", least=1)
    pipeline: int = param(1, Kind.COUNT, "requests sent before the first answer is waited for", least=1)
    ttl: float = param(0.0, Kind.TIME, "time after which a value expires (0: never)")
    cache: tuple[str, ...] = param(
        ("cold",), Kind.CHOICES, "read from the drive, or from the machine's page cache", ("cold", "cached")
    )
    memory: int = param(64 << 20, Kind.SIZE, "memory of the private server beside its index", least=16 << 20)
    processes: int = param(1, Kind.COUNT, "processes of the load generator", least=1)
    preload_rate: int = param(50_000_000, Kind.SIZE, "bytes a second at which the values are stored first", least=1)
    outage: str = param("", Kind.TEXT, "make it fail: kill or freeze the private server, or a command that stops yours")
    restore: str = param("", Kind.TEXT, "the command that starts your server again")
    outage_time: float = param(1.0, Kind.TIME, "time from the failure to the restart", least=0.1)
    seed: int = param(1, Kind.COUNT, "seed of keys and values")
    duration: float = param(10.0, Kind.TIME, "measured time of a step", least=0.1)
    ramp: float = param(1.0, Kind.TIME, "time before the measured one, not counted")
    size: int | None = param(None, Kind.SIZE, "bytes of all values (default: 4G or a tenth of the room)", least=1)


def plan(params: Params) -> tuple[Work, ...]:
    """Return a work for each load (or rate) and cache. Raises UsageError for what cannot be asked together."""
    _check(params)
    service = _service(params)
    points: list[tuple[int, float | None]] = [(load, None) for load in params.loads]
    if _rates(params):  # connections are then the most that may be outstanding
        points = [(max(params.loads), rate) for rate in _rates(params)]
    return tuple(_work(params, service, load, rate, cache) for cache in params.cache for load, rate in points)


def _rates(params: Params) -> tuple[float, ...]:
    one = () if params.rate is None else (params.rate,)
    return tuple(sorted({*one, *map(float, params.rates)}))


def _check(params: Params) -> None:
    gets, _ = _ratio(params.ratio)
    if params.pipeline > 1 and _rates(params):
        raise UsageError("pipeline and rate exclude each other: at a rate each request is sent when it is due")
    if params.outage and not _rates(params):
        raise UsageError("an outage is watched at a rate, where a pause cannot hide; give --rate, as --rate 1000")
    if params.restore and not params.outage:
        raise UsageError("--restore belongs to --outage; give the command that stops the server too")
    for name, text in (("outage", params.outage), ("restore", params.restore)):
        try:
            shlex.split(text)
        except ValueError as error:
            raise UsageError(f"--{name} {text!r} is no command: {error}") from None
    few = max(params.loads) if _rates(params) else min(params.loads)
    if few < params.processes:
        raise UsageError(
            f"{few} connection(s) cannot be shared by {params.processes} processes; give fewer --processes, or higher "
            "--loads"
        )
    if params.outage and params.outage_time >= (1 - _OUTAGE_AT) * params.duration:
        raise UsageError(
            f"an outage of {params.outage_time:g} s leaves nothing of {params.duration:g} s to see the recovery in; "
            "give a longer --duration, or a shorter --outage-time"
        )
    if gets == 0 and params.cache != ("cold",):
        raise UsageError("--cache says where gets are answered from, and --ratio asks for sets alone")


def _ratio(text: str) -> tuple[int, int]:
    parts = text.replace(" ", "").split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts):
        raise UsageError(f"ratio {text!r} is not gets to sets; write 9:1")
    gets, sets = int(parts[0]), int(parts[1])
    if gets + sets == 0:
        raise UsageError("ratio 0:0 asks for nothing; write 9:1")
    return gets, sets


def _service(params: Params) -> Service:
    if params.size is None:
        raise ValueError("the size is resolved before planning")
    values = parse_values(params.value_size)
    mean = sum(size * weight for size, weight in values) / sum(weight for _, weight in values)
    keys = int(params.size // mean)
    if keys < 1:
        raise UsageError(f"size {params.size} holds not one value of {params.value_size}; give a larger --size")
    settings: dict[str, ParamValue] = {
        "keys": keys,
        "values": ",".join(f"{size}:{weight:g}" for size, weight in values),
        "seed": params.seed,
        "ttl_s": int(-(-params.ttl // 1)),
        "preload_rate": params.preload_rate,
        "memory": params.memory,
        "threads": 4,
        # The server reads the drive in these threads: as many as gets may be outstanding.
        "io_threads": min(64, max(params.loads)),
        "processes": params.processes,
        "drive": True,
    }
    data = Dataset.of(settings)
    # Paced, it takes as long as that, and some seconds until the last values have aged and gone to the drive.
    seconds = data.bytes / data.preload_rate + memcached.AGE_S
    return Service("memcached", settings, memcached_sizes.room_bytes(data), setup_s=seconds, laid=data.bytes)


def _work(params: Params, service: Service, load: int, rate: float | None, cache: str) -> Work:
    asked: dict[str, ParamValue] = {
        "ratio": params.ratio,
        "value_size": params.value_size,
        "data": params.size,
        "keys": params.keys,
        "multi_get": params.multi_get,
        "pipeline": params.pipeline,
        "ttl_s": params.ttl,
        "cache": cache,
        "memory": params.memory,
        "processes": params.processes,
        "duration_s": params.duration,
        "ramp_s": params.ramp,
    }
    if rate is not None:
        asked |= {"arrival": params.arrival}
    if params.outage:
        at = _OUTAGE_AT * params.duration
        asked |= {"outage": params.outage, "restore": params.restore, "outage_at_s": at, "outage_s": params.outage_time}
    return Work(
        runner=NAME,
        workload="kvs",
        params=asked,
        load=load,
        ramp_s=params.ramp,
        duration_s=params.duration,
        rate=rate,
        writes=_ratio(params.ratio)[1] > 0,
        write_share=_ratio(params.ratio)[1] / sum(_ratio(params.ratio)),
        service=service,
    )


def command(work: Work, place: Place) -> Command:
    """Return the load generator's command with its configuration."""
    if work.service is None:
        raise TypeError("a work of kvs has a service")
    p, data = work.params, Dataset.of(work.service.params)
    cpus = [int(cpu) for cpu in str(place.service["cpus"]).split(",") if cpu]
    can = json.loads(str(place.service["can"]))
    data = dataclasses.replace(data, ttl_s=int(place.service.get("ttl_s", data.ttl_s)))
    config = data.config(
        tuple(str(place.service["servers"]).split(",")),
        Keys(distribution=str(p["keys"])),
        mode="load",
        connections=work.load,
        processes=int(str(p["processes"])),
        cpus=tuple(cpus) or None,
        ratio=_ratio(str(p["ratio"])),
        multi_get=int(str(p["multi_get"])),
        pipeline=int(str(p["pipeline"])),
        rate=work.rate,
        arrival=str(p.get("arrival") or "poisson"),
        ramp_s=work.ramp_s,
        duration_s=work.duration_s,
        tick_s=_OUTAGE_TICK_S if p.get("outage") else 1.0,
        # All keys were stored before the first step: one that is not found is lost, unless it may expire.
        acknowledged="all",
        outage=bool(p.get("outage")),
        server=Server(**can),
    )
    seconds = work.ramp_s + (work.duration_s or 0.0)
    program = argv(f"{place.out}/{CONFIG}", place.out)
    return Command("iobench.kvs", program, _REACH_S + 2 * seconds, inputs={CONFIG: to_json(config)})


def read(work: Work, output: Output) -> Reading:
    """Return what the generator measured. Raises ParseError."""
    if result.RESULT not in output.files:
        said = last_said(output.stderr)
        raise ParseError(Phrase("failed.no-result", {"program": "iobench.kvs", "code": output.exit_code, "said": said}))
    found = result.from_json(output.files[result.RESULT])
    if found.failure:
        raise ParseError(Phrase("failed.generator", {"said": found.failure}))
    try:
        return _reading(work, found, output.files)
    except (ResultsError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ParseError(f"{result.RESULT} cannot be read: {error}") from error


def _reading(work: Work, found: result.Result, files: Mapping[str, str]) -> Reading:
    if found.window_s <= 0:
        raise ParseError(f"{result.RESULT} says that it measured for {found.window_s:g} s")
    failed = _Outage.of(files) if work.params.get("outage") else None
    counts, error, text = found.counts, *_errors(found, failed)
    inside = found.inside or counts
    latencies = {name: decode_bins(packed) for name, packed in found.latency.items()}
    # After an outage values come from memory, where sets have put them.
    cold = work.params["cache"] == "cold" and counts.hits > 0 and failed is None
    return Reading(
        samples=tuple(_samples(found, latencies, failed)),
        measured_s=found.window_s,
        # Of a cached step the drive is asked for nothing, and nothing is claimed.
        # What was asked in the window and answered after it is in the latencies, and in no rate.
        bytes_read=round(counts.bytes_read * inside.hits / counts.hits) if cold else None,
        operations=max(1, counts.requests),
        latencies=tuple(LatencyBins(op, latencies[op]) for op in ("get", "set") if latencies.get(op)),
        series=tuple(_series(found.series, failed, found.started_at)),
        client_cpu=found.busy_cores,
        client_threads=found.processes,
        errors=error,
        error_text=text,
        ended_at=found.ended_at,
        drive_reads=inside.hits if cold else None,
    )


# --- an outage -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Outage:
    """What is known of a failure that was made on purpose. Moments are by the monotonic clock."""

    began_at: float | None
    restored_at: float | None
    problem: str | None
    after: Counts | None  # of all keys read back afterwards

    @classmethod
    def of(cls, files: Mapping[str, str]) -> _Outage:
        """Return what the server's files say. Raises ParseError."""
        if OUTAGE not in files:
            raise ParseError(f"{OUTAGE} is not there: the outage was never made")
        try:
            told = json.loads(files[OUTAGE])
            began, restored, problem = told["began_at"], told["restored_at"], told["problem"]
            for name in ("outage", "restore"):
                if told[f"{name}_exit"]:
                    problem = problem or f"the {name} command ended with exit code {told[f'{name}_exit']}"
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ParseError(f"{OUTAGE} cannot be read: {error}") from error
        after = result.from_json(files[READBACK]) if READBACK in files else None
        if after is None:
            problem = problem or "the keys were not read back"
        elif after.failure:
            problem = problem or f"the keys could not be read back: {after.failure}"
        if began is None:
            problem = problem or "the outage never began"
        return cls(began, restored, problem, after.counts if after else None)


def _errors(found: result.Result, outage: _Outage | None) -> tuple[int, str | None]:
    """The errors that make a number invalid, and what to say of them; those of an outage are what is measured."""
    counts = found.counts
    if counts.corrupt:
        return counts.corrupt, f"{counts.corrupt:,} value(s) came back changed"
    if outage is not None:
        unread = outage.after.errors + outage.after.timeouts if outage.after else 0
        if outage.problem or unread:
            return 1, outage.problem or f"{unread:,} keys could not be read back after the outage"
        return 0, None
    bad = counts.errors + counts.timeouts
    if not bad:
        return 0, None
    parts = [f"{counts.errors:,} request(s) failed"] if counts.errors else []
    parts += [f"{counts.timeouts:,} got no answer in time"] if counts.timeouts else []
    return bad, f"{' and '.join(parts)} of {counts.requests + bad:,}" + (
        f" (the first: {found.first_error})" if found.first_error else ""
    )


def _gap(found: result.Result) -> float | None:
    """How long requests were not answered, in seconds: all of them, or those to the node that failed."""
    failing = [point.t_s for point in found.series if point.errors or point.timeouts]
    part = failing[-1] - found.first_error_s if failing and found.first_error_s is not None else 0.0
    gap = found.longest_gap_s
    return max(gap, part) if gap is not None else part or None


# --- numbers ---------------------------------------------------------------------------------------------


def _samples(
    found: result.Result, latencies: Mapping[str, Mapping[int, int]], outage: _Outage | None
) -> Iterator[Sample]:
    counts, inside, seconds = found.counts, found.inside or found.counts, found.window_s
    if counts.gets:
        yield Sample("get", "hits", inside.hits / seconds)
    if counts.sets:
        yield Sample("set", "ops", inside.sets / seconds)
    yield Sample("all", "ops", inside.requests / seconds)
    for op in ("get", "set"):
        yield from _percentiles(op, "latency", latencies.get(op, {}))
        yield from _percentiles(op, "latency_service", latencies.get(f"{op}.service", {}))
    late = latencies.get("lateness", {})
    if bins.carries(sum(late.values()), 99.0):
        yield Sample("all", "lateness_p99", bins.percentile(late, 99.0))
    lost, corrupt = counts.lost, counts.corrupt
    if outage is not None:
        # Every key that is gone is read back as gone, those that a get missed meanwhile too.
        lost = max(lost, outage.after.lost) if outage.after else lost
        corrupt += outage.after.corrupt if outage.after else 0
        gap = _gap(found)
        if gap is not None:
            yield Sample("all", "outage", gap)
        yield Sample("all", "late", float(_later(latencies, LATE_S)))
    values = {"misses": counts.misses, "errors": counts.errors, "lost": lost, "corrupt": corrupt}
    for metric, value in {**values, "timeouts": counts.timeouts, "reconnects": counts.reconnects}.items():
        yield Sample("all", metric, float(value))


def _percentiles(op: str, family: str, counts: Mapping[int, int]) -> Iterator[Sample]:
    total = sum(counts.values())
    if not total:
        return
    yield Sample(op, f"{family}_mean", sum(edge * count for edge, count in counts.items()) / total / 1e9)
    for metric, q in PERCENTILES.items():
        if bins.carries(total, q):
            yield Sample(op, metric.replace("latency", family), bins.percentile(counts, q))
    yield Sample(op, f"{family}_max", max(counts) / 1e9)


def _later(latencies: Mapping[str, Mapping[int, int]], bound_s: float) -> int:
    return sum(
        count for op in ("get", "set", "miss") for edge, count in latencies.get(op, {}).items() if edge > bound_s * 1e9
    )


def _series(points: tuple[Point, ...], outage: _Outage | None, started_at: float | None) -> Iterator[SeriesPoint]:
    """The rates of each tick, in 1/s; when an outage began and ended, as points of the value 1."""
    before = 0.0
    shown = ["hits", "sets"] + [name for name in ("misses", "errors", "timeouts") if _any(points, name)]
    for point in points:
        length = point.t_s - before
        before = point.t_s
        if length > 0:
            for name in shown:
                yield SeriesPoint(point.t_s, name, getattr(point, name) / length)
    if outage is not None and started_at is not None:
        for name, at in (("outage_began", outage.began_at), ("outage_restored", outage.restored_at)):
            if at is not None and at >= started_at:
                yield SeriesPoint(at - started_at, name, 1.0)


def _any(points: tuple[Point, ...], name: str) -> bool:
    return any(dataclasses.asdict(point)[name] for point in points)
