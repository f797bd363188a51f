"""Was it true? The rules that judge a step by its evidence. Pure: figures in, a verdict and phrases out.

The thresholds stand here and in docs/method.md; each is set so that good runs are not accused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median, variance
from types import MappingProxyType

from iobench.campaign.evidence import DEPTH_LEAST, Context, rates_over_time, reached_least
from iobench.model import (
    INVALID_REASONS,
    METRICS,
    THROTTLE_NEAR,
    Evidence,
    Finding,
    LimitedBy,
    Reading,
    SeriesPoint,
    Verdict,
)
from iobench.texts import TEXTS, Amount, Figure, Phrase

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

# What each reason means, for `iobench explain REASON` and for reports in every language (texts/); the rules
# below give the figures of `judged.REASON`.
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
            _unlimited,
            _faster,
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


def _found(reason: str, which: str = "", figures: Mapping[str, Figure] = MappingProxyType({})) -> Finding:
    """A reason with its figures; `which` of its sentences, where it has several."""
    return Finding(reason, Phrase(f"judged.{reason}.{which}" if which else f"judged.{reason}", figures))


def _device(evidence: Evidence) -> str:
    return evidence.device_name or "?"


def _errors(_: Context, reading: Reading, __: Evidence) -> Iterator[Finding]:
    if reading.errors:
        said = {"error": reading.error_text} if reading.error_text else {}
        yield _found("errors", "said" if said else "silent", said)


def _unlimited(context: Context, _: Reading, __: Evidence) -> Iterator[Finding]:
    if context.unlimited is not None:
        yield Finding("errors", context.unlimited)


def _faster(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    """Of an emulated drive: whether it moved more than its limits let through. Short steps get a burst."""
    emulation, seconds = context.passport.emulation, reading.measured_s
    if emulation is None or seconds < SHORTEST_S - TIME_TOLERANCE_S:
        return
    moves = {sample.op: sample.value * seconds for sample in reading.samples if sample.metric == "iops"}
    ways = (
        ("B/s", emulation.read_bps, reading.bytes_read, evidence.device_bytes_read),
        ("B/s", emulation.write_bps, reading.bytes_written, evidence.device_bytes_written),
        ("1/s", emulation.read_iops, moves.get("read"), evidence.device_reads),
        ("1/s", emulation.write_iops, moves.get("write"), evidence.device_writes),
    )
    block = context.work.params.get("block_size")
    for unit, limit, tool, device in ways:
        # Of few operations one more or less is a share: it is no sign of a missing limit.
        one = 1 if unit == "1/s" else block if isinstance(block, int) else 0
        # Both, since memory may answer the tool, and other programs may use the device.
        done = min(tool, device) if tool is not None and device is not None else 0.0
        if limit is not None and done - one > (1 + THROTTLE_NEAR) * limit * seconds:
            rates = {"rate": Amount(done / seconds, unit), "limit": Amount(limit, unit)}
            yield _found("errors", "faster", {**rates, "device": _device(evidence)})


def _lost(_: Context, reading: Reading, __: Evidence) -> Iterator[Finding]:
    corrupt = sum(sample.value for sample in reading.samples if sample.metric == "corrupt")
    if corrupt:
        yield _found("lost-data", "corrupt", {"n": int(corrupt)})
    lost = sum(sample.value for sample in reading.samples if sample.metric == "lost")
    if lost:
        yield _found("lost-data", "lost", {"n": int(lost)})


def _page_cache(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    directions = (
        ("read", reading.bytes_read, evidence.device_bytes_read),
        ("written", reading.bytes_written, evidence.device_bytes_written),
    )
    for way, tool, device in directions:
        if tool and device is not None and device < reached_least(context.work, reading) * tool:
            seen: dict[str, Figure] = {"tool": Amount(tool, "B"), "seen": Amount(device, "B"), "share": device / tool}
            yield _found("page-cache", way, seen | {"device": _device(evidence)})


def _flushed(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    """Of a program that works in memory and flushes now and then (dbench): whether the flushes reached the drive."""
    device, flushes = evidence.device_bytes_written, reading.flushes
    if reading.bytes_written is None and flushes and device is not None and device < FLUSH_LEAST * flushes:
        yield _found("page-cache", "flushes", {"n": flushes, "seen": Amount(device, "B"), "device": _device(evidence)})


def _page_cache_gets(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    each, gets, reads = evidence.device_reads_per_get, reading.drive_reads, evidence.device_reads
    if gets and reads is not None and each is not None and each < reached_least(context.work, reading):
        yield _found("page-cache", "gets", {"gets": gets, "device": _device(evidence), "reads": reads, "each": each})


def _backlog(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    """Of such a program: whether the drive was busy with what was written to memory before the measured time."""
    load = sum(s.value for s in reading.samples if (s.op, s.metric) == ("all", "throughput")) * reading.measured_s
    device = evidence.device_bytes_written
    # With O_SYNC every small write has its journal, and nothing is left in memory.
    if reading.flushes is None or context.work.params.get("sync") or device is None or load <= 0:
        return
    if device > BACKLOG_SHARE * load:
        amounts = {"written": Amount(device, "B"), "load": Amount(load, "B")}
        yield _found("not-steady", "backlog", {**amounts, "device": _device(evidence)})


def _unwritten(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    size = sum(file.size for file in context.work.files)
    unwritten = evidence.unwritten_bytes
    if reading.bytes_read and unwritten is not None and unwritten > UNWRITTEN_SHARE * size:
        yield _found("unwritten-blocks", "", {"unwritten": Amount(unwritten, "B"), "size": Amount(size, "B")})


def _no_device(context: Context, _: Reading, __: Evidence) -> Iterator[Finding]:
    if context.passport.device is None:
        yield _found("no-device", "", {"why": context.passport.no_device_reason or Phrase("judged.no-device.why")})


def _depth(context: Context, _: Reading, evidence: Evidence) -> Iterator[Finding]:
    asked, achieved = evidence.queue_depth_asked, evidence.queue_depth_achieved
    # With a rate that is offered, the load is the most that may be outstanding, not what is asked for.
    paced = context.work.rate is not None
    if not paced and asked and achieved is not None and asked > 1 and achieved < DEPTH_LEAST * asked:
        yield _found("depth-not-reached", "", {"asked": asked, "achieved": achieved})


def _client(_: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    if evidence.limited_by is LimitedBy.CLIENT and reading.client_cpu is not None:
        mend = "sync" if reading.flushes is not None else "jobs"
        yield _found("client-bound", mend, {"cores": reading.client_cpu, "threads": reading.client_threads})


def _background_io(_: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    others = evidence.background_bytes
    ours = (reading.bytes_read or 0) + (reading.bytes_written or 0)
    bound = max(BACKGROUND_SHARE * ours, BACKGROUND_RATE * reading.measured_s)
    if others is not None and others > bound:
        amounts = {"others": Amount(others, "B"), "ours": Amount(ours, "B"), "time": Amount(reading.measured_s, "s")}
        yield _found("background-io", "", amounts)


def _too_short(context: Context, reading: Reading, __: Evidence) -> Iterator[Finding]:
    counted = reading.operations
    if context.work.workload == "oltp" and counted is not None and counted < FEWEST_TRANSACTIONS:
        yield _found("too-short", "transactions", {"n": counted, "fewest": FEWEST_TRANSACTIONS})
        return
    if reading.measured_s < SHORTEST_S - TIME_TOLERANCE_S:
        yield _found("too-short", "time", {"time": Amount(reading.measured_s, "s"), "shortest": SHORTEST_S})


def _compressible(context: Context, _: Reading, __: Evidence) -> Iterator[Finding]:
    if context.work.params.get("source") == "zero":
        yield _found("compressible")


def _thermal(context: Context, _: Reading, evidence: Evidence) -> Iterator[Finding]:
    limit, temperature = context.temperature_limit_c, evidence.temperature_c
    if limit is not None and temperature is not None and temperature >= limit:
        yield _found("thermal", "", {"temperature": temperature, "limit": limit})


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
        sizes = {"size": Amount(size, "B"), "memory": Amount(context.memory_bytes, "B")}
        yield _found("small-working-set", "buffered" if buffered else "loop", sizes)


def _small_tables(context: Context, evidence: Evidence) -> Iterator[Finding]:
    tables, pool = context.work.params.get("tables_size"), context.work.params.get("buffer_pool")
    hits = evidence.cache_hit_ratio
    private = context.passport.target.kind != "server"  # of a server that exists the pool is not ours to set
    fits = private and isinstance(tables, int) and isinstance(pool, int) and tables <= pool
    if not fits and (hits is None or hits < POOL_HITS):
        return
    sizes: dict[str, Figure] = {}
    sizes |= {"tables": Amount(tables, "B")} if isinstance(tables, int) else {}
    sizes |= {"pool": Amount(pool, "B")} if private and isinstance(pool, int) else {}
    fit = Phrase("-".join(("judged.small-working-set.fit", *sizes)), sizes)
    if hits is None:
        yield _found("small-working-set", "tables", {"fit": fit})
    else:
        yield _found("small-working-set", "tables-answered", {"fit": fit, "percent": hits * 100})


def _small_cached(context: Context, reading: Reading, evidence: Evidence) -> Iterator[Finding]:
    if context.work.params.get("cache") == "cached" and context.passport.device is not None:
        reads = evidence.device_reads
        if reads is None:
            yield _found("small-working-set", "cached")
        else:
            yield _found("small-working-set", "cached-reads", {"device": _device(evidence), "n": reads})


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
        yield _found("not-steady", "halves", {"first": Amount(a, unit), "second": Amount(b, unit)})


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
