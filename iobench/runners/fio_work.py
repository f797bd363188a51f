"""What the workloads on fio share: their common parameters, their command and how its output is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iobench import bins
from iobench.errors import ParseError, UsageError
from iobench.model import (
    PERCENTILES,
    Command,
    DataFile,
    LatencyBins,
    Output,
    Place,
    Reading,
    Sample,
    Work,
    whole,
)
from iobench.params import Kind, param
from iobench.texts import Phrase, last_said
from iobench.tools import fio

ENGINES = ("auto", "io_uring", "libaio", "psync")
LAYOUTS = ("write", "fallocate")
DATA = "data"


@dataclass(frozen=True)
class CommonParams:
    """Parameters of every workload on fio. Sizes in bytes, times in seconds."""

    jobs: int = param(1, Kind.COUNT, "threads, each with its own queue", least=1)
    duration: float = param(10.0, Kind.TIME, "measured time of a step", least=0.1)
    ramp: float = param(1.0, Kind.TIME, "time before the measured one, not counted")
    size: int | None = param(None, Kind.SIZE, "size of the test file (default: 4G or a tenth of the room)", least=1)
    engine: str = param("auto", Kind.CHOICE, "fio's I/O engine (auto: io_uring, else libaio)", ENGINES)
    max_rate: int | None = param(None, Kind.SIZE, "bytes a second at most, each direction (default: no cap)", least=1)
    buffered: bool = param(False, Kind.FLAG, "through the page cache, to see what it does to a number")
    layout: str = param(
        "write", Kind.CHOICE, "write every block first; fallocate shows how unwritten blocks lie", LAYOUTS
    )


def data_file(params: CommonParams) -> DataFile:
    """Return the file that the works of these parameters need."""
    if params.size is None:
        raise ValueError("the size is resolved before planning")
    return DataFile(DATA, params.size, "fallocate" if params.layout == "fallocate" else "write")


def asked(params: CommonParams, block_size: int, depth: int) -> dict[str, str | int | float | bool | None]:
    """Return the parameters as the results keep them: what was asked, the same for all targets.

    Raises UsageError for a file in which a job has not even one block.
    """
    if params.size is not None and params.size // params.jobs < block_size:
        raise UsageError(
            f"size {params.size} has no block of {block_size} bytes for each of {params.jobs} job(s); "
            "give a larger --size, or a smaller --block-size"
        )
    return {
        "block_size": block_size,
        "depth": depth,
        "jobs": params.jobs,
        "engine": params.engine,
        "size": params.size,
        "duration_s": params.duration,
        "ramp_s": params.ramp,
        "direct": not params.buffered,
        "layout": params.layout,
        # Only where there is a cap: works without one stay what they were.
        **({"max_rate": params.max_rate} if params.max_rate else {}),
    }


def command(work: Work, place: Place, rw: str, rates: tuple[int, ...] = ()) -> Command:
    """Return fio's command for a work; `rates` are the operations a second that each job is offered."""
    p = work.params
    job = fio.Job(
        rw=rw,
        filename=place.data[DATA],
        size=place.size[DATA],
        block_size=whole(p, "block_size"),
        iodepth=whole(p, "depth"),
        engine=str(p["engine"]),
        numjobs=whole(p, "jobs"),
        direct=bool(p["direct"]),
        max_rate=whole(p, "max_rate") if p.get("max_rate") else None,
        ramp_s=work.ramp_s,
        runtime_s=work.duration_s,
        read_share=whole(p, "read_share") if p.get("read_share") is not None else None,
        rates=rates,
        poisson=p.get("arrival") == "poisson",
    )
    return fio.measure(job, place.out)


def last_words(output: Output) -> str:
    """Return the last line of what fio said in text."""
    return (output.stderr.strip() or output.stdout.strip() or "it said nothing").splitlines()[-1]


def report_of(output: Output) -> fio.FioReport:
    """Return fio's report. Raises ParseError where it wrote none."""
    if fio.RESULT not in output.files:
        said = last_said(output.stderr.strip() or output.stdout)
        raise ParseError(Phrase("failed.no-result", {"program": "fio", "code": output.exit_code, "said": said}))
    return fio.parse(output.files[fio.RESULT])


def read(work: Work, output: Output) -> Reading:
    """Return the samples, latencies, series and claims of fio's output. Raises ParseError."""
    report = report_of(output)
    if len(report.jobs) > 1:
        raise ParseError(f"{fio.RESULT} holds {len(report.jobs)} jobs; one job group was asked for")
    if not report.jobs or not report.jobs[0].directions:
        said = last_said(output.stderr)
        raise ParseError(Phrase("failed.no-io", {"program": "fio", "code": output.exit_code, "said": said}))
    job = report.jobs[0]
    done = {d.op: d for d in job.directions}
    threads = whole(work.params, "jobs")
    log, seconds = output.files.get(fio.LOG, ""), max(d.runtime_s for d in job.directions)
    began = fio.log_start(log, fio.log_interval_ms(work.duration_s or 0))
    return Reading(
        samples=samples(job.directions),
        measured_s=seconds,
        bytes_read=done["read"].bytes if "read" in done else 0,
        bytes_written=done["write"].bytes if "write" in done else 0,
        operations=sum(d.operations for d in job.directions),
        latencies=latencies(job.directions),
        series=fio.parse_log(log),
        depth_achieved=_depth(work, job),
        client_cpu=job.cpu * threads,
        client_threads=threads,
        errors=max(job.error, int(output.exit_code != 0)),
        error_text=" ".join(output.stderr.split("\n")[-4:]).strip() or None if output.exit_code or job.error else None,
        ended_unix=report.ended_at if began is None else began + seconds,
    )


def _depth(work: Work, job: fio.FioJob) -> float | None:
    """The depth achieved. Buffered libaio submits and waits: its queue is one deep whatever fio counts."""
    threads = float(whole(work.params, "jobs"))
    if not work.params["direct"] and work.params["engine"] == "libaio":
        return threads
    return job.depth


def latencies(directions: tuple[fio.Direction, ...]) -> tuple[LatencyBins, ...]:
    """Return the latency bins of each direction, and of both together where there are two."""
    each = tuple(LatencyBins(d.op, d.bins) for d in directions if d.bins)
    return (*each, fio.merged_bins(directions)) if len(each) > 1 else each


def samples(directions: tuple[fio.Direction, ...]) -> tuple[Sample, ...]:
    """Return the numbers of each direction; of two directions also the sums, as op `all`."""
    found: list[Sample] = []
    for d in directions:
        found += [Sample(d.op, "throughput", d.throughput), Sample(d.op, "iops", d.iops)]
        if d.latency_mean is not None:
            found.append(Sample(d.op, "latency_mean", d.latency_mean))
        found += percentiles(d.op, d.bins)
        if d.latency_max is not None:
            found.append(Sample(d.op, "latency_max", d.latency_max))
    if len(directions) > 1:
        found.append(Sample("all", "throughput", sum(d.throughput for d in directions)))
        found.append(Sample("all", "iops", sum(d.iops for d in directions)))
        found += percentiles("all", fio.merged_bins(directions).bins)
    return tuple(found)


def percentiles(op: str, counts: Mapping[int, int]) -> list[Sample]:
    """Return the latency percentiles of bins, each only where enough operations lie beyond it.

    A missing value is a missing row.
    """
    total = sum(counts.values())
    return [Sample(op, m, bins.percentile(counts, q)) for m, q in PERCENTILES.items() if bins.carries(total, q)]
