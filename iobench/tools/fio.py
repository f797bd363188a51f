"""fio: how to ask it for one job, and a pure parser of its JSON and its logs.

Units as fio's manual has them: `bw_bytes` B/s, `runtime` ms, latencies ns, log rates KiB/s. `lat` is from
submission to completion; its json+ bins are exact to under 1 % up to 2^34 ns.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from iobench import bins
from iobench.errors import ParseError
from iobench.model import Command, LatencyBins, SeriesPoint

OLDEST = (3, 16)  # io_uring, and json+ with bins of nanoseconds under `lat_ns`
_VERSION = re.compile(r"fio-(\d+)\.(\d+)")
RESULT = "fio.json"
LOG = "fio_bw.log"
EILSEQ = 84  # the error of a block that is not what its checksum says
_EPOCH_MS = 10**12  # a time in a log that is larger is of the Unix epoch, not of the run


@dataclass(frozen=True, slots=True)
class Job:
    """One fio job. Sizes in bytes, times in seconds; `rw` is fio's word."""

    rw: str
    filename: str
    size: int
    block_size: int
    iodepth: int
    engine: str
    numjobs: int = 1
    direct: bool = True
    ramp_s: float = 0.0
    runtime_s: float | None = None  # None: once over `size`
    read_share: int | None = None  # percent, for mixed work
    max_rate: int | None = None  # B/s at most, each direction, all jobs together
    rates: tuple[int, ...] = ()  # operations offered a second to each job: reads, or reads and writes of mixed work
    poisson: bool = False  # whether offered operations arrive at random instead of evenly spaced

    @property
    def argv(self) -> tuple[str, ...]:
        """The options that say what is to be done, without those that say where results go."""
        # Whole blocks: a job that begins inside one could not be direct.
        part = self.size // self.numjobs // self.block_size * self.block_size
        args = [
            f"--filename={self.filename}",
            f"--rw={self.rw}",
            f"--bs={self.block_size}",
            f"--ioengine={self.engine}",
            f"--iodepth={self.iodepth}",
            f"--numjobs={self.numjobs}",
            f"--direct={int(self.direct)}",
            f"--size={part}",
        ]
        if self.numjobs > 1:
            args.append(f"--offset_increment={part}")
        if not self.direct:
            # fio drops the file from the page cache first, and whoever asks for the cache wants to see it.
            args.append("--invalidate=0")
        if self.max_rate is not None:
            args.append(f"--rate={max(1, self.max_rate // self.numjobs)}")
        if self.read_share is not None:
            args.append(f"--rwmixread={self.read_share}")
        if self.rates:
            args.append(f"--rate_iops={','.join(map(str, self.rates))}")
            args.append(f"--rate_process={'poisson' if self.poisson else 'linear'}")
        if self.rw.startswith("rand"):
            # Offsets differ from run to run, and a block may be hit twice: the load of an application.
            args += ["--norandommap", "--randrepeat=0"]
        if self.runtime_s is not None:
            args += ["--time_based", f"--runtime={_ms(self.runtime_s)}", f"--ramp_time={_ms(self.ramp_s)}"]
        return tuple(args)


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def measure(job: Job, out: str) -> Command:
    """Return the command that measures a job; its result and one-second log go into the folder `out`."""
    seconds = job.ramp_s + (job.runtime_s or 0)
    argv = (
        "fio",
        "--name=iobench",
        *job.argv,
        # One process with threads: ended as one, and its CPU time is counted whole.
        "--thread",
        "--group_reporting",
        "--allow_file_create=0",
        "--lat_percentiles=1",
        "--clat_percentiles=0",
        "--eta=never",
        "--output-format=json+",
        f"--output={out}/{RESULT}",
        f"--write_bw_log={out}/fio",
        "--per_job_logs=0",
        # Where the measured window lies: fio's report tells only when it was written, some time after.
        "--log_unix_epoch=1",
        f"--log_avg_msec={log_interval_ms(job.runtime_s or 10)}",
    )
    return Command("fio", argv, timeout_s=2 * seconds + 60)


def log_interval_ms(runtime_s: float) -> int:
    """Return how often fio logs: every second, oftener in runs too short to have a dozen seconds."""
    return 1000 if runtime_s >= 12 else 500 if runtime_s >= 4 else 250


def probe(job: Job) -> Command:
    """Return the command of a short look at a device: the result is fio's standard output."""
    argv = ("fio", "--name=probe", *job.argv, "--thread", "--group_reporting", "--eta=never", "--output-format=json")
    return Command("fio", argv, timeout_s=20 + job.ramp_s + (job.runtime_s or 0))


def lay_out(filename: str, size: int, engine: str, direct: bool, out: str) -> Command:
    """Return the command that writes every block of a file with data that cannot be compressed."""
    job = Job("write", filename, size, min(size, 1 << 20), 8, engine, direct=direct)
    argv = (
        "fio",
        "--name=layout",
        *job.argv,
        "--thread",
        "--fallocate=none",
        "--refill_buffers",
        "--end_fsync=1",
        "--eta=never",
        "--output-format=json",
        f"--output={out}/{RESULT}",
    )
    # 1 MB/s is slower than any drive that is worth a benchmark.
    return Command("fio", argv, timeout_s=60 + size / 1e6)


def version(text: str) -> tuple[int, int] | None:
    """Return (major, minor) from what `fio --version` prints, or None."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2])) if match else None


def fill(job: Job, passes: int, out: str) -> Command:
    """Return the command that writes a file or a drive over `passes` times."""
    argv = ("fio", "--name=iobench", *job.argv, f"--loops={passes}", "--refill_buffers", "--allow_file_create=0")
    return Command("fio", (*argv, *_whole_output(out)), timeout_s=60 + passes * job.size / 1e6)


def verify(job: Job, checksum: str, out: str) -> Command:
    """Return the command that writes checksummed blocks and reads all of them back, going on where one differs."""
    argv = (
        "fio",
        "--name=iobench",
        *job.argv,
        "--fallocate=none",
        f"--verify={checksum}",
        "--do_verify=1",
        "--verify_dump=0",
        "--verify_state_save=0",
        "--continue_on_error=verify",
        "--end_fsync=1",
    )
    return Command("fio", (*argv, *_whole_output(out)), timeout_s=60 + 2 * job.size / 1e6)


def _whole_output(out: str) -> tuple[str, ...]:
    """The options of a job of which all is measured, from its first I/O to its last."""
    return (
        "--thread",
        "--group_reporting",
        "--lat_percentiles=1",
        "--clat_percentiles=0",
        "--eta=never",
        "--output-format=json+",
        f"--output={out}/{RESULT}",
    )


# --- what it says --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a job: bytes, B/s, 1/s, seconds; `bins` are nanoseconds -> count."""

    op: str
    bytes: int
    throughput: float
    iops: float
    runtime_s: float
    operations: int
    latency_mean: float | None
    latency_max: float | None
    bins: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class FioJob:
    """A job (or a group of equal jobs) as fio reports it."""

    name: str
    options: Mapping[str, str]
    directions: tuple[Direction, ...]
    cpu: float  # user and system, as a share of one core per thread
    error: int
    group: int = 0
    started_at: float | None = None  # Unix time, ramp included; only newer versions say it
    mismatches: int = 0  # blocks that were read back and were not what had been written

    @property
    def depth(self) -> float | None:
        """The average of outstanding I/O in the measured window, by Little's law: rate times latency.

        fio's iodepth_level counts only what is queued at submission; the law counts what was waited for.
        """
        known = [d for d in self.directions if d.operations and d.latency_mean is not None]
        return sum(d.iops * (d.latency_mean or 0.0) for d in known) if known else None


@dataclass(frozen=True, slots=True)
class FioReport:
    """One output of fio."""

    version: str
    ended_at: float | None
    jobs: tuple[FioJob, ...]


def parse(text: str, name: str = RESULT) -> FioReport:
    """Return what fio's JSON output says. Notices before (and after) the document are passed over.

    Raises ParseError, naming the file, for anything that is not fio's JSON of version 3.
    """
    try:
        return _report(_document(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ParseError(f"{name} is not JSON that fio 3 writes: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)[:200]


def _document(text: str) -> Mapping[str, Any]:
    """The first object that begins a line and is JSON: notices before it may begin with a brace too."""
    error = ValueError("no line begins with {")
    for match in itertools.islice(re.finditer(r"^\{", text, re.MULTILINE), 20):
        try:
            document: Mapping[str, Any] = json.JSONDecoder().raw_decode(text[match.start() :])[0]
        except ValueError as reason:
            error = reason
            continue
        return document
    raise error


def _report(document: Mapping[str, Any]) -> FioReport:
    common = {str(k): str(v) for k, v in document.get("global options", {}).items()}
    stamp = document.get("timestamp_ms")
    return FioReport(
        version=str(document["fio version"]),
        ended_at=_number(stamp) / 1000 if stamp is not None else None,
        jobs=tuple(_job(entry, common) for entry in document["jobs"]),
    )


def _job(entry: Mapping[str, Any], common: Mapping[str, str]) -> FioJob:
    error = int(_number(entry.get("error", 0)))
    options = {**common, **{str(k): str(v) for k, v in entry.get("job options", {}).items()}}
    return FioJob(
        name=str(entry["jobname"]),
        options=options,
        directions=tuple(_directions(entry)),
        cpu=(_number(entry["usr_cpu"]) + _number(entry["sys_cpu"])) / 100,
        error=error,
        group=int(_number(entry.get("groupid", 0))),
        started_at=_started(entry),
        mismatches=int(_number(entry.get("total_err", 0))) if error == EILSEQ else 0,
    )


def _started(entry: Mapping[str, Any]) -> float | None:
    """When a job began. It may have been asked to tell that by another clock than that of the Unix epoch."""
    stamp = _number(entry.get("job_start", 0))
    return stamp / 1000 if stamp > _EPOCH_MS else None


def _directions(entry: Mapping[str, Any]) -> Iterator[Direction]:
    for op in ("read", "write"):
        data = entry[op]
        operations = int(_number(data["total_ios"]))
        if operations <= 0:
            continue  # fio writes a direction that it did not run as zeros
        latency = data.get("lat_ns", {})
        yield Direction(
            op=op,
            bytes=int(_number(data["io_bytes"])),
            throughput=_number(data["bw_bytes"]),
            iops=_number(data["iops"]),
            runtime_s=_number(data["runtime"]) / 1000,
            operations=operations,
            latency_mean=_number(latency["mean"]) / 1e9 if "mean" in latency else None,
            latency_max=_number(latency["max"]) / 1e9 if "max" in latency else None,
            bins=_bins(latency.get("bins") or data.get("clat_ns", {}).get("bins") or {}),
        )


def _bins(raw: Mapping[str, Any]) -> dict[int, int]:
    bins: dict[int, int] = {}
    for key, count in raw.items():
        value = int(key)
        if value < 0 or _number(count) < 0:
            raise ValueError(f"a latency bin {key}: {count} is negative")
        if count:
            bins[value] = int(_number(count))
    return bins


def _number(value: Any) -> float:
    """A finite number that is not negative: fio has no other, and a negative one is an overflow."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    if not 0 <= value < 1e19:
        raise ValueError(f"{value!r} is out of range")
    return value


def parse_log(text: str, name: str = LOG) -> tuple[SeriesPoint, ...]:
    """Return the throughput over time from a bandwidth log (`ms, KiB/s, direction, …` a line).

    Lines of several jobs that fall into the same interval are summed. Points are (seconds, B/s) with the
    metric `read_throughput` or `write_throughput`. Raises ParseError.
    """
    rows: list[tuple[int, int, int]] = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) < 3 or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts[:3]):
            raise ParseError(f"{name}: {line[:80]!r} is not a line of fio's log")
        rows.append((int(parts[0]), int(parts[1]), int(parts[2])))
    times = sorted({ms for ms, _, _ in rows})
    step = _interval(times)
    zero = times[0] - step if times and times[0] > _EPOCH_MS else 0
    slots: dict[tuple[int, int], list[int]] = {}
    for ms, kib, direction in rows:
        slots.setdefault((round((ms - zero) / step), direction), []).append(kib)
    names = {0: "read_throughput", 1: "write_throughput"}
    for direction in names:
        _drop_cut_end(slots, direction)
    return tuple(
        SeriesPoint(slot * step / 1000, names[direction], 1024.0 * sum(values))
        for (slot, direction), values in sorted(slots.items())
        if direction in names
    )


def _drop_cut_end(slots: dict[tuple[int, int], list[int]], direction: int) -> None:
    """Drop the last interval where some jobs ended before they logged it: half a sum is no fall of the rate."""
    mine = sorted(slot for slot, of in slots if of == direction)
    if len(mine) > 1 and len(slots[mine[-1], direction]) < median(len(slots[s, direction]) for s in mine[:-1]):
        del slots[mine[-1], direction]


def log_start(text: str, interval_ms: int) -> float | None:
    """Return when a log with Unix times began, in seconds; None for one without such times.

    Its first entry is made one interval after the ramp's end.
    """
    first = re.match(r"\s*(\d{13,14}),", text, re.ASCII)
    return (int(first[1]) - interval_ms) / 1000 if first else None


def _interval(times: list[int]) -> int:
    """The logging interval in ms: the usual gap, so that jobs which log a little apart fall together."""
    gaps = [b - a for a, b in itertools.pairwise(times) if b - a > 50]
    usual = sorted(gaps)[len(gaps) // 2] if gaps else min(max(times, default=1000), 1000)  # one line alone
    return max(50, round(usual / 50) * 50)


def merged_bins(directions: Sequence[Direction]) -> LatencyBins:
    """Return the latencies of all directions together."""
    return LatencyBins("all", bins.merged(direction.bins for direction in directions))


def together(jobs: Sequence[FioJob]) -> FioJob:
    """Return jobs that ran at one time as one: what fio itself reports of them with --group_reporting.

    Rates, bytes and latencies are summed; the CPU is per thread, and so is averaged.
    """
    first = jobs[0]
    if len(jobs) == 1:
        return first
    starts = [job.started_at for job in jobs if job.started_at is not None]
    return replace(
        first,
        directions=tuple(
            _summed(same) for op in ("read", "write") if (same := [d for j in jobs for d in j.directions if d.op == op])
        ),
        cpu=sum(job.cpu for job in jobs) / len(jobs),
        error=max(job.error for job in jobs),
        started_at=min(starts, default=None),
    )


def _summed(parts: Sequence[Direction]) -> Direction:
    operations = sum(d.operations for d in parts)
    means = [d.latency_mean * d.operations for d in parts if d.latency_mean is not None]
    most = [d.latency_max for d in parts if d.latency_max is not None]
    return Direction(
        op=parts[0].op,
        bytes=sum(d.bytes for d in parts),
        throughput=sum(d.throughput for d in parts),
        iops=sum(d.iops for d in parts),
        runtime_s=max(d.runtime_s for d in parts),
        operations=operations,
        latency_mean=sum(means) / operations if len(means) == len(parts) else None,
        latency_max=max(most, default=None),
        bins=merged_bins(parts).bins,
    )
