"""Outputs that others made, as a campaign: fio's JSON, dd, dbench or sysbench, marked as without evidence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from iobench.campaign import verdict
from iobench.campaign.evidence import Context, Window, gather
from iobench.errors import ParseError, UsageError
from iobench.model import (
    PERCENTILES,
    Campaign,
    LatencyBins,
    ParamValue,
    Passport,
    Reading,
    Sample,
    SeriesPoint,
    Step,
    StepResult,
    Target,
    Work,
)
from iobench.results import CampaignFolder, Store, new_id, write_safely
from iobench.runners import dbench as dbench_work
from iobench.runners import fio_work, oltp
from iobench.texts import Phrase
from iobench.tools import dbench, dd, fio, sysbench

MOST_BYTES = 64 << 20
_WORKLOADS = {
    "read": "seq-read",
    "write": "seq-write",
    "randread": "rand-read",
    "randwrite": "rand-write",
    "randrw": "rand-mixed",
}
_UNSEEN = Window(0.0, None, None, None, None, None, None)
_BLOCK_SIZE = 4096  # fio's own default
_LAST_TIME = 253_402_300_800  # the year 10000: no clock says so


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import and the name that its drive gets in charts."""

    path: Path
    target: str


@dataclass(frozen=True, slots=True)
class Found:
    """A measurement found in a file. `started_at` is None where the file does not tell it."""

    source: Source
    work: Work
    reading: Reading
    tool: str
    text: str
    started_at: datetime | None = None


def parse_source(text: str) -> Source:
    """Return the source of a `NAME=FILE` or `FILE` text; a plain file is named after itself.

    Raises UsageError when there is no such file.
    """
    name, equals, path = text.partition("=")
    # os.path answers False where Path raises: a name too long, or with a zero in it.
    if equals and name and not os.path.exists(text):  # noqa: PTH110
        source = Source(Path(path), name)
    else:
        source = Source(Path(text), Path(text).stem)
    if not os.path.isfile(source.path):  # noqa: PTH113
        raise UsageError(f"there is no file {str(source.path)!r} to import; give FILE or NAME=FILE")
    return source


def read(source: Source, dd_workload: str) -> list[Found]:
    """Return the measurements of a file. Raises ParseError, naming it, for one that is not understood."""
    try:
        if source.path.stat().st_size > MOST_BYTES:
            raise ParseError(f"{source.path} is larger than {MOST_BYTES >> 20} MiB: no tool's report is")
        text = source.path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ParseError(f"{source.path} cannot be read: {error.strerror}") from error
    if '"fio version"' in text:
        return _fio(source, text)
    if sysbench.is_text(text):
        return [_sysbench(source, text)]
    if "copied," in text:
        return [_dd(source, text, dd_workload)]
    if text.startswith("dbench version "):
        return [_dbench(source, text)]
    raise ParseError(
        f"{source.path} is neither fio's JSON (--output-format=json+) nor an output of dd, dbench or sysbench"
    )


def _fio(source: Source, text: str) -> list[Found]:
    report = fio.parse(text, str(source.path))
    found = []
    for job in map(fio.together, _clones(report.jobs)):
        if not job.directions:
            continue
        reading = Reading(
            samples=fio_work.samples(job.directions),
            measured_s=max(d.runtime_s for d in job.directions),
            bytes_read=sum(d.bytes for d in job.directions if d.op == "read"),
            bytes_written=sum(d.bytes for d in job.directions if d.op == "write"),
            operations=sum(d.operations for d in job.directions),
            latencies=fio_work.latencies(job.directions),
            depth_achieved=job.depth,
            errors=job.error,
        )
        started = _started(report, job, reading.measured_s)
        found.append(Found(source, _fio_work(job, source.path), reading, report.version, text, started))
    if not found:
        raise ParseError(f"{source.path} holds no job that did I/O")
    return found


def _clones(jobs: Sequence[fio.FioJob]) -> Iterator[list[fio.FioJob]]:
    """Yield the jobs, the threads of one job together: without group_reporting fio lists `numjobs` equal ones."""
    for _, equal in groupby(jobs, key=lambda job: (job.group, job.name, job.options)):
        same = list(equal)
        count = max(1, _whole(same[0].options.get("numjobs"), 1))
        yield from (same[i : i + count] for i in range(0, len(same), count))


def _started(report: fio.FioReport, job: fio.FioJob, seconds: float) -> datetime | None:
    """When a job began: as fio says, else before the report's end, which is the end of the last group only."""
    began = job.started_at
    if began is None and report.ended_at is not None and job.group == max(each.group for each in report.jobs):
        began = report.ended_at - seconds
    return datetime.fromtimestamp(began, UTC) if began is not None and began < _LAST_TIME else None


def _fio_work(job: fio.FioJob, path: Path) -> Work:
    options = job.options
    rw = options.get("rw") or options.get("readwrite") or "read"
    workload = _WORKLOADS.get(rw.split(":")[0])
    if workload is None:
        raise ParseError(f"{path}: job {job.name!r} has rw={rw}; {', '.join(_WORKLOADS)} can be imported")
    depth, jobs = _whole(options.get("iodepth"), 1), _whole(options.get("numjobs"), 1)
    params: dict[str, ParamValue] = {
        "block_size": _bytes(options.get("bs") or options.get("blocksize") or "", options) or _BLOCK_SIZE,
        "depth": depth,
        "jobs": jobs,
        "engine": options.get("ioengine"),
        "direct": options.get("direct") == "1",
    }
    # What tells one run from another: without these, runs of other work would be repeats of each other.
    if size := options.get("size"):
        params["size"] = _bytes(size, options) or size  # `50%` is a size to fio too
    if runtime := options.get("runtime"):
        params["duration_s"] = _seconds(runtime)
    if workload == "rand-mixed":
        params["read_share"] = _read_share(options)
    return Work("seq" if workload.startswith("seq") else "rand", workload, params, load=depth * jobs)


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default


def _bytes(text: str, options: Mapping[str, str]) -> int | None:
    """Bytes as fio reads them, the first of several; None for what is no size.

    By default k is 1024 and Ki is 1000, the wrong way round; with kb_base=1000 it is as everywhere else.
    """
    match = re.match(r"(\d{1,18})\s*(?:([kmgtp])(i?))?b?\s*(?:[,:/-]|$)", text.strip().lower(), re.ASCII)
    if match is None:
        return None
    power = " kmgtp".index(match[2] or " ")
    decimal = (options.get("kb_base") == "1000") != bool(match[3])
    return int(match[1]) * int((1000 if decimal else 1024) ** power)


def _seconds(text: str) -> float | str:
    """A time as fio reads it, a bare number being seconds; the text itself where it is none."""
    match = re.fullmatch(r"(\d{1,15})\s*(us|ms|s|m|h|d|)", text.strip().lower(), re.ASCII)
    scale = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    return int(match[1]) * scale[match[2]] if match else text


def _read_share(options: Mapping[str, str]) -> int:
    """Percent of reads in mixed work; fio's default is half."""
    writes = options.get("rwmixwrite")
    return _whole(options.get("rwmixread"), 50) if writes is None else 100 - _whole(writes, 50)


def _dd(source: Source, text: str, workload: str) -> Found:
    copied = dd.parse(text, str(source.path))
    op = workload.removeprefix("dd-")
    reading = Reading(
        samples=(Sample(op, "elapsed", copied.seconds), Sample(op, "throughput", copied.bytes / copied.seconds)),
        measured_s=copied.seconds,
        bytes_read=copied.bytes if op == "read" else 0,
        bytes_written=copied.bytes if op == "write" else 0,
    )
    work = Work("dd", workload, {"size": copied.bytes}, load=1, fixed_bytes=copied.bytes, writes=op == "write")
    return Found(source, work, reading, "dd", text)


def _dbench(source: Source, text: str) -> Found:
    run = dbench.parse(text, str(source.path))
    params: dict[str, ParamValue] = {"clients": run.clients, "duration_s": run.measured_s}
    if run.sync is not None:
        params["sync"] = run.sync
    if run.version:
        params["version"] = int(run.version.partition(".")[0])
    if run.load_file:
        params["load_file"] = Path(run.load_file).name
    work = Work("dbench", "dbench", params, load=max(1, run.clients), duration_s=run.measured_s, writes=True)
    return Found(source, work, dbench_work.reading(run, bool(run.sync)), f"dbench {run.version or ''}".strip(), text)


def _sysbench(source: Source, text: str) -> Found:
    """Return an OLTP run. Which transactions they were its output does not say."""
    run = sysbench.parse_text(text, str(source.path))
    samples = oltp.samples(run.report, run.bins)
    metric = f"latency_p{run.percentile[0]}" if run.percentile else ""
    if run.percentile and metric in PERCENTILES and all(sample.metric != metric for sample in samples):
        samples.append(Sample("all", metric, run.percentile[1]))
    reading = Reading(
        samples=tuple(samples),
        measured_s=run.report.seconds,
        operations=run.report.transactions,
        latencies=(LatencyBins("all", run.bins),) if run.bins else (),
        series=tuple(SeriesPoint(t, "transactions", tps) for t, tps in run.rates),
    )
    work = Work("oltp", "oltp", {}, load=run.threads, rate=run.rate, duration_s=run.report.seconds)
    return Found(source, work, reading, f"sysbench {run.version}", text)


def keep(found: Sequence[Found], store: Store, memory_bytes: int) -> CampaignFolder:
    """Keep measurements as a campaign and return its folder. Raises ResultsError."""
    now = datetime.now(UTC)
    steps = _steps(found)
    passports = {f.source.target: _passport(f.source) for f in found}
    campaign = Campaign(
        id=new_id(now, store.ids()),
        created_at=now,
        profile=None,
        title="imported",
        rounds=max(step.repeat for step in steps),
        steps=tuple(steps),
        passports=passports,
        host={"name": "unknown (imported)"},
        tools={f.tool.split("-")[0]: f.tool for f in found},
        imported=True,
        notes=(Phrase("note.imported"),),
    )
    folder = store.create(campaign)
    for step, each in zip(steps, found, strict=True):
        context = Context(step.work, passports[step.target], memory_bytes)
        evidence = gather(context, each.reading, _UNSEEN, (), None, None)
        said, findings = verdict.judge(context, each.reading, evidence, ())
        write_safely(folder.raw(step.id) / "imported", each.text)
        folder.save(campaign, StepResult(step, each.reading, evidence, said, findings, each.started_at, each.tool))
    return folder


def _steps(found: Sequence[Found]) -> list[Step]:
    seen: dict[str, int] = {}
    steps = []
    for number, each in enumerate(found, 1):
        key = repr((each.source.target, each.work.workload, each.work.load, sorted(each.work.params.items())))
        seen[key] = seen.get(key, 0) + 1
        id = f"{number:04d}-r{seen[key]}-{each.work.workload}-{each.work.load}-imported"
        steps.append(Step(id, each.source.target, seen[key], each.work))
    return steps


def _passport(source: Source) -> Passport:
    reason = Phrase("note.imported-from", {"file": source.path.name})
    return Passport(Target(source.target, str(source.path)), None, no_device_reason=reason)
