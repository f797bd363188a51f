"""Was it true? The rules that judge a step by its evidence. Pure: figures in, a verdict and sentences out.

The thresholds stand here and in docs/method.md; each is set so that good runs are not accused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median, variance

from iobench.campaign.evidence import DEPTH_LEAST, Context, rates_over_time, reached_least
from iobench.model import INVALID_REASONS, METRICS, Evidence, Finding, LimitedBy, Reading, SeriesPoint, Verdict
from iobench.texts import TEXTS
from iobench.units import format_bytes, format_seconds, format_value

BACKGROUND_SHARE = 0.05
BACKGROUND_RATE = 1e6  # B/s
SHORTEST_S = 6.0
FEWEST_TRANSACTIONS = 1000
POOL_HITS = 0.999  # of page requests, above which a database answered from memory
TIME_TOLERANCE_S = 0.05
STEADY_LEAST = 0.10  # of the mean, between the halves
STEADY_SIGMAS = 4.0
STEADY_POINTS = 8
UNWRITTEN_SHARE = 0.001
BACKLOG_SHARE = 1.0  # device bytes written over the bytes of a load that works in memory
FLUSH_LEAST = 4096  # bytes that reach a device by one flush of a file: a page

# What each reason means, for `iobench explain REASON` and for reports in every language (texts/); the sentences with
# figures are made by the rules below.
REASONS: Mapping[str, str] = {
    key.removeprefix("reason."): sentence for key, sentence in TEXTS["en"].items() if key.startswith("reason.")
}


def judge(
    context: Context, reading: Reading, evidence: Evidence, series: Sequence[SeriesPoint]
) -> tuple[Verdict, tuple[Finding, ...]]:
    """Return the verdict and each reason for it, with its figures. Pure."""
    findings = tuple(
        finding
        for rule in (
            _errors,
            _lost,
            _page_cache,
            _flushed,
            _backlog,
            _page_cache_gets,
            _unwritten,
            _no_device,
            _depth,
            _client,
            _background_io,
            _too_short,
            _compressible,
            _thermal,
            _small,
            _small_cached,
        )
        for finding in rule(context, reading, evidence)
    ) + tuple(_not_steady(context, reading, series))
    reasons = {finding.reason for finding in findings}
    if reasons & INVALID_REASONS:
        return Verdict.INVALID, findings
    return (Verdict.SUSPECT if reasons else Verdict.VALID), findings


def _errors(_: Context, reading: Reading, __: Evidence) -> Iterator[Finding]:
    if reading.errors:
        said = f": {reading.error_text}" if reading.error_text else ""
        yield Finding(
            "errors",
            f"The program reported an error{said}. The number is not one of sound work; look at the raw output "
            "and the kernel's log, then measure again.",
        )


def _lost(_: Context, reading: Reading, __: Evidence) -> Iterator[Finding]:
    corrupt = sum(sample.value for sample in reading.samples if sample.metric == "corrupt")
    if corrupt:
        yield Finding(
            "lost-data",
            f"{corrupt:,.0f} block(s) read back were not what had been written: the drive, or what lies between, loses "
            "data. Look at the raw output for where, and at the kernel's log; do not use this drive.",
        )
    lost = sum(sample.value for sample in reading.samples if sample.metric == "lost")
    if lost:
        yield Finding(
            "lost-data",
            f"{lost:,.0f} acknowledged value(s) were gone when they were read back: this is the speed of losing data. "
            "Find out why (too little memory, an eviction, a node that failed), then measure again.",
        )


def _page_cache(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    directions = (
        ("read", reading.bytes_read, evidence.device_bytes_read),
        ("wrote", reading.bytes_written, evidence.device_bytes_written),
    )
    for verb, tool, device in directions:
        if tool and device is not None and device < reached_least(context.work, reading) * tool:
            yield Finding(
                "page-cache",
                f"The program {verb} {format_bytes(tool)}, but only {format_bytes(device)} "
                f"({device / tool:.2f} of it) reached {evidence.device_name}: the rest was memory. Measure with "
                "direct I/O (without --buffered) or with a flush inside the timing.",
            )


def _flushed(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    """Of a program that works in memory and flushes now and then (dbench): whether the flushes reached the drive."""
    device, flushes = evidence.device_bytes_written, reading.flushes
    if reading.bytes_written is None and flushes and device is not None and device < FLUSH_LEAST * flushes:
        yield Finding(
            "page-cache",
            f"The load asked {flushes:,} times for data to be on the drive, but only {format_bytes(device)} reached "
            f"{evidence.device_name}: less than a page each time. Something answers flushes without the drive; measure "
            "a file system that brings them to it.",
        )


def _page_cache_gets(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    each, gets = evidence.device_reads_per_get, reading.drive_reads
    if gets and each is not None and each < reached_least(context.work, reading):
        yield Finding(
            "page-cache",
            f"{gets:,} values were read that lay on the drive, but {evidence.device_name} was read only "
            f"{evidence.device_reads:,} times ({each:.2f} a get): the rest was memory. Use a larger --size, so that "
            "what the server and the machine keep in memory is a small part of it.",
        )


def _backlog(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    """Of such a program: whether the drive was busy with what was written to memory before the measured time."""
    load = sum(s.value for s in reading.samples if (s.op, s.metric) == ("all", "throughput")) * reading.measured_s
    device = evidence.device_bytes_written
    # With O_SYNC every small write has its journal, and nothing is left in memory.
    if reading.flushes is None or context.work.params.get("sync") or device is None or load <= 0:
        return
    if device > BACKLOG_SHARE * load:
        yield Finding(
            "not-steady",
            f"{format_bytes(device)} were written to {evidence.device_name} while the load read and wrote "
            f"{format_bytes(load)} in all: the drive was still busy with what its clients had left in memory before. "
            "Use a longer --duration, or fewer clients.",
        )


def _unwritten(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    size = sum(file.size for file in context.work.files)
    unwritten = evidence.unwritten_bytes
    if reading.bytes_read and unwritten is not None and unwritten > UNWRITTEN_SHARE * size:
        yield Finding(
            "unwritten-blocks",
            f"{format_bytes(unwritten)} of the file's {format_bytes(size)} were never written: the file system "
            "answers such reads without asking the drive. Lay the file out by writing it (--layout write).",
        )


def _no_device(context: Context, _: Reading, __: Evidence) -> Iterator[Finding]:
    if context.passport.device is None:
        why = context.passport.no_device_reason or "the path leads to no block device"
        yield Finding(
            "no-device",
            f"No device's counters stand behind the target: {why}. Nothing proves what reached a drive; measure a "
            "folder on a file system that stands on one block device.",
        )


def _depth(context: Context, _: Reading, evidence: Evidence) -> Iterator[Finding]:
    asked, achieved = evidence.queue_depth_asked, evidence.queue_depth_achieved
    # With a rate that is offered, the load is the most that may be outstanding, not what is asked for.
    paced = context.work.rate is not None
    if not paced and asked and achieved is not None and asked > 1 and achieved < DEPTH_LEAST * asked:
        yield Finding(
            "depth-not-reached",
            f"{asked:.0f} outstanding I/Os were asked for and {achieved:.1f} were achieved, so this is not the "
            "drive's figure at that depth. Use an asynchronous engine (io_uring, libaio) and direct I/O.",
        )


def _client(_: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    if evidence.limited_by is LimitedBy.CLIENT and reading.client_cpu is not None:
        mend = "Use --sync" if reading.flushes is not None else "Use more jobs (--jobs) or larger blocks"
        yield Finding(
            "client-bound",
            f"The program used {reading.client_cpu:.2f} cores with {reading.client_threads} thread(s): it measured "
            f"itself, and the drive may be faster. {mend}.",
        )


def _background_io(_: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    others = evidence.background_bytes
    ours = (reading.bytes_read or 0) + (reading.bytes_written or 0)
    bound = max(BACKGROUND_SHARE * ours, BACKGROUND_RATE * reading.measured_s)
    if others is not None and others > bound:
        yield Finding(
            "background-io",
            f"{format_bytes(others)} that were not ours moved on the same drive in "
            f"{format_seconds(reading.measured_s)}, beside our {format_bytes(ours)}. Stop what else uses the drive, "
            "then measure again.",
        )


def _too_short(context: Context, reading: Reading, __: Evidence) -> Iterator[Finding]:
    counted = reading.operations
    if context.work.workload == "oltp" and counted is not None and counted < FEWEST_TRANSACTIONS:
        yield Finding(
            "too-short",
            f"{counted:,} transactions were measured; fewer than {FEWEST_TRANSACTIONS:,} say little of their rate and "
            "nothing of their slow ones. Use a longer --duration.",
        )
        return
    if reading.measured_s < SHORTEST_S - TIME_TOLERANCE_S:
        yield Finding(
            "too-short",
            f"It measured for {format_seconds(reading.measured_s)}; below {SHORTEST_S:g} s a figure can read 2 % "
            "high. Use --duration 6s or longer, or for dd a larger --size.",
        )


def _compressible(context: Context, _: Reading, __: Evidence) -> Iterator[Finding]:
    if context.work.params.get("source") == "zero":
        yield Finding(
            "compressible",
            "Zeros were written: controllers and file systems that compress are flattered by them. Use "
            "--source random.",
        )


def _thermal(context: Context, _: Reading, evidence: Evidence) -> Iterator[Finding]:
    limit, temperature = context.temperature_limit_c, evidence.temperature_c
    if limit is not None and temperature is not None and temperature >= limit:
        yield Finding(
            "thermal",
            f"The drive stood at {temperature:.0f} °C after the step, and its limit is {limit:.0f} °C: it may have "
            "slowed itself down. Cool it, then measure again.",
        )


def _small(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    work = context.work
    if work.workload == "oltp":
        yield from _small_tables(context, evidence)
        return
    size = sum(file.size for file in work.files)
    buffered = work.params.get("direct") is False
    # Direct I/O to a loop device that is not direct itself ends in the page cache of what it stands on.
    below = context.passport.device is not None and context.passport.device.cached
    if reading.bytes_read and (buffered or below) and size and size < context.memory_bytes:
        cache, mend = (
            ("the page cache", "direct I/O") if buffered else ("a loop device's cache", "losetup --direct-io=on")
        )
        yield Finding(
            "small-working-set",
            f"The file of {format_bytes(size)} fits into the machine's {format_bytes(context.memory_bytes)} of "
            f"memory, and reads went through {cache}. Use {mend}, or a file larger than memory.",
        )


def _small_tables(context: Context, evidence: Evidence) -> Iterator[Finding]:
    tables, pool = context.work.params.get("tables_size"), context.work.params.get("buffer_pool")
    hits = evidence.cache_hit_ratio
    private = context.passport.target.kind != "server"  # of a server that exists the pool is not ours to set
    fits = private and isinstance(tables, int) and isinstance(pool, int) and tables <= pool
    if not fits and (hits is None or hits < POOL_HITS):
        return
    answered = f", which answered {hits:.1%} of page requests" if hits is not None else ""
    what = f"The tables of {format_bytes(tables)}" if isinstance(tables, int) else "The tables"
    held = f" of {format_bytes(pool)}" if private and isinstance(pool, int) else ""
    yield Finding(
        "small-working-set",
        f"{what} fit into the server's buffer pool{held}{answered}: memory was measured where they were read. Use a "
        "larger --size, or leave --buffer-pool at a quarter of it.",
    )


def _small_cached(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    if context.work.params.get("cache") == "cached" and context.passport.device is not None:
        reads = evidence.device_reads
        known = f" ({evidence.device_name} was read {reads:,} times)" if reads is not None else ""
        yield Finding(
            "small-working-set",
            f"--cache cached was asked for: gets were answered from the machine's memory{known}, so this is the speed "
            "of memory and protocol, not of the drive. Use --cache cold for the drive.",
        )


def _not_steady(context: Context, reading: Reading, series: Sequence[SeriesPoint]) -> Iterator[Finding]:
    if context.work.params.get("outage"):
        return  # it was made unsteady on purpose
    if reading.unsettled is not None:
        yield Finding("not-steady", reading.unsettled)
    rates = rates_over_time(context.work, reading, series)
    if len(rates) < STEADY_POINTS:
        return
    half = len(rates) // 2
    first, second = rates[:half], rates[-half:]
    a, b = median(first), median(second)
    mean = sum(rates) / len(rates)
    unit = METRICS[reading.series[0].metric].unit if reading.series and reading.series[0].metric in METRICS else "B/s"
    if mean > 0 and abs(a - b) > steady_bound(first, second, reading, len(rates)):
        yield Finding(
            "not-steady",
            f"The rate was {format_value(a, unit)} in the first half and {format_value(b, unit)} in the second, "
            f"more than noise explains. Use a longer --ramp, or prepare the drive first.",
        )


def steady_bound(first: Sequence[float], second: Sequence[float], reading: Reading, points: int) -> float:
    """Return how far the halves' medians may lie apart, in the rates' unit.

    The largest of a tenth of the mean, four standard errors by the rates' own scatter, and four by the
    counting noise of as many operations as each point holds. A median's standard error is 1.2533 sigma over
    the root of n.
    """
    mean = fmean((*first, *second))
    # The smaller of two: a step does not swell the first, nor a steady drift the second.
    within = math.sqrt((variance(first) + variance(second)) / 2)
    neighbours = math.sqrt(fmean((b - a) ** 2 for a, b in pairwise((*first, *second))) / 2)
    scatter = min(within, neighbours)
    counting = mean / math.sqrt(max(1.0, (reading.operations or points) / points))
    error = math.sqrt(2) * 1.2533 * max(scatter, counting) / math.sqrt(len(first))
    return max(STEADY_LEAST * mean, STEADY_SIGMAS * error)
