"""What the machine counted while a program worked: `Watcher` collects, `gather` folds it into Evidence."""

from __future__ import annotations

import dataclasses
import math
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from iobench.drives.counters import CounterFile, Counters, CpuTimes, cpu_times
from iobench.drives.throttle import limits_of
from iobench.model import (
    EDGE_S,
    THROTTLE_NEAR,
    Emulation,
    Evidence,
    Facts,
    LimitedBy,
    Passport,
    Reading,
    SeriesPoint,
    Work,
)
from iobench.texts import Amount, Figure, Phrase

REACHED_LEAST = 0.9  # device bytes over the tool's
DEPTH_LEAST = 0.8  # achieved depth over asked
CLIENT_FULL = 0.9  # of a core, for each thread
CPU_FULL = 0.95  # of all cores
NO_FACTS = Facts()
_SNAPSHOTS_MOST, _SNAPSHOTS_EDGE = 12_000, 3_000  # 20 minutes; 5 of them at each end stay as they are
# The limits of an emulated drive, and what people call them.
FIGURES = {"read_bps": "read", "write_bps": "write", "read_iops": "read_iops", "write_iops": "write_iops"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the kernel had counted at a moment; `disk` is the whole drive where the device is a part of it.

    `limits` are those that stood on an emulated drive; None where it is none.
    """

    at: float
    device: Counters | None
    disk: Counters | None
    cpu: CpuTimes
    wall: float = 0.0  # the machine's clock (Unix time), which somebody may set meanwhile
    asleep: float = 0.0  # for how long the machine slept (was suspended) since it was started, seconds
    limits: Mapping[str, int] | None = None


class Watcher:
    """Takes snapshots while a program runs: the first before it starts, the last when it has ended.

    Of a program that runs for hours those in the middle are thinned out: a drive is written over for eight hours, too.
    """

    def __init__(
        self,
        device: CounterFile | None,
        disk: CounterFile | None,
        clock: Callable[[], float],
        limits: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        self._device, self._disk, self._clock, self._limits = device, disk, clock, limits
        self.snapshots: list[Snapshot] = []
        self.blind_s = 0.0  # the longest time without one
        self._since = 0.0

    def tick(self) -> None:
        """Take a snapshot."""
        device = self._device.read() if self._device else None
        disk = self._disk.read() if self._disk else None
        limits = self._limits() if self._limits else None
        at, wall = self._clock(), time.time()  # together: what is between them looks like a clock that was set
        if self.snapshots:
            self.blind_s = max(self.blind_s, at - self._since)
        self._since = at
        self.snapshots.append(Snapshot(at, device, disk, cpu_times(), wall, _asleep(), limits))
        if len(self.snapshots) > _SNAPSHOTS_MOST:
            self.snapshots = _thinned(self.snapshots)

    def back(self) -> None:
        """What we did since the last snapshot was due in the step: that none was taken meanwhile is no blindness."""
        self._since = self._clock()


def _thinned(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Half of them but at the ends, where windows begin and end: evenly in time, whatever was taken out before.

    The first of those under other limits than the one before stays.
    """
    first, last = snapshots[:_SNAPSHOTS_EDGE], snapshots[-_SNAPSHOTS_EDGE:]
    middle = snapshots[_SNAPSHOTS_EDGE:-_SNAPSHOTS_EDGE]
    apart = 2 * (middle[-1].at - middle[0].at) / len(middle)
    kept: list[Snapshot] = []
    for each in middle:
        if not kept or each.at - kept[-1].at >= apart or each.limits != kept[-1].limits:
            kept.append(each)
    return [*first, *kept, *last]


def _asleep() -> float:
    """For how long the machine slept since it was started: one of these clocks stands still meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted in a stretch of time. Bytes; busy and cpu are shares of 1."""

    seconds: float
    bytes_read: int | None
    bytes_written: int | None
    disk_read: int | None
    disk_written: int | None
    busy: float | None
    cpu: float | None
    reads: int | None = None  # requests that the device finished
    writes: int | None = None


def window(snapshots: Sequence[Snapshot], start: float, end: float) -> Window:
    """Return what was counted between two moments, interpolated between the snapshots around them."""
    a, b = _at(snapshots, start), _at(snapshots, end)
    seconds = max(end - start, 1e-9)

    def grown(of: Callable[[Snapshot], Counters | None], value: Callable[[Counters], float]) -> float | None:
        def total(weighted: tuple[Snapshot, Snapshot, float]) -> float | None:
            left, right, share = of(weighted[0]), of(weighted[1]), weighted[2]
            if left is None or right is None:
                return None
            return value(left) + share * (value(right) - value(left))

        first, last = total(a), total(b)
        return None if first is None or last is None else max(0.0, last - first)

    def whole(number: float | None) -> int | None:
        return None if number is None else round(number)

    busy = grown(lambda s: s.device, lambda c: c.busy_s)
    cpu_busy = snapshots[-1].cpu.busy_s - snapshots[0].cpu.busy_s
    cpu_total = snapshots[-1].cpu.total_s - snapshots[0].cpu.total_s
    return Window(
        seconds=seconds,
        bytes_read=whole(grown(lambda s: s.device, lambda c: c.bytes_read)),
        bytes_written=whole(grown(lambda s: s.device, lambda c: c.bytes_written)),
        disk_read=whole(grown(lambda s: s.disk or s.device, lambda c: c.bytes_read)),
        disk_written=whole(grown(lambda s: s.disk or s.device, lambda c: c.bytes_written)),
        busy=min(1.0, busy / seconds) if busy is not None else None,
        cpu=cpu_busy / cpu_total if cpu_total > 0 else None,
        reads=whole(grown(lambda s: s.device, lambda c: c.reads)),
        writes=whole(grown(lambda s: s.device, lambda c: c.writes)),
    )


def _at(snapshots: Sequence[Snapshot], moment: float) -> tuple[Snapshot, Snapshot, float]:
    """The snapshots around a moment and its place between them, 0 to 1."""
    i = bisect_left(snapshots, moment, key=lambda each: each.at)
    if i in (0, len(snapshots)):
        edge = snapshots[min(i, len(snapshots) - 1)]
        return edge, edge, 0.0
    left, right = snapshots[i - 1], snapshots[i]
    return left, right, (moment - left.at) / (right.at - left.at)


def device_series(snapshots: Sequence[Snapshot], start: float, end: float) -> tuple[SeriesPoint, ...]:
    """Return what reached the device each second of the window, in B/s, read and written apart."""
    points: list[SeriesPoint] = []
    seconds = end - start
    step = 1.0 if seconds >= 3 else 0.5
    for i in range(math.floor(seconds / step + 1e-6)):
        part = window(snapshots, start + i * step, start + (i + 1) * step)
        for metric, count in (("read", part.bytes_read), ("written", part.bytes_written)):
            if count is not None:
                points.append(SeriesPoint((i + 1) * step, f"device_{metric}_throughput", count / step))
    return tuple(points)


# --- gathering -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Context:
    """What a judgement needs to know besides the numbers."""

    work: Work
    passport: Passport
    memory_bytes: int
    temperature_limit_c: float | None = None
    unlimited: Phrase | None = None  # how an emulated drive was not what its record says


def unlimited(passport: Passport, snapshots: Sequence[Snapshot]) -> Phrase | None:
    """Return where the limits that stood on an emulated drive were not those of its record; None where they were."""
    if passport.emulation is None or passport.device is None:
        return None
    asked = limits_of(passport.emulation)
    for each in snapshots:
        if each.limits is None or each.limits == asked:
            continue
        key = next(key for key in FIGURES if each.limits.get(key) != asked.get(key))
        figures: dict[str, Figure] = {"device": passport.device.name, "figure": Phrase(f"lab.figure.{FIGURES[key]}")}
        found, wanted = (_limit(of.get(key), key) for of in (each.limits, asked))
        time = Amount(each.at - snapshots[0].at, "s")
        return Phrase("judged.errors.limits", {**figures, "time": time, "found": found, "asked": wanted})
    return None


def _limit(value: int | None, key: str) -> Amount | Phrase:
    return Phrase("lab.no-limit") if value is None else Amount(value, "B/s" if key.endswith("_bps") else "1/s")


def gather(
    context: Context,
    reading: Reading,
    counted: Window,
    series: Sequence[SeriesPoint],
    unwritten: int | None,
    temperature_c: float | None,
    facts: Facts = NO_FACTS,
) -> Evidence:
    """Fold a reading and what the machine counted into the evidence of a step."""
    device = context.passport.device
    cv, drift = spread(rates_over_time(context.work, reading, series))
    return Evidence(
        tool_bytes_read=reading.bytes_read,
        tool_bytes_written=reading.bytes_written,
        device_name=device.name if device else None,
        device_bytes_read=counted.bytes_read,
        device_bytes_written=counted.bytes_written,
        device_busy=counted.busy,
        client_cpu=reading.client_cpu,
        system_cpu=counted.cpu,
        queue_depth_asked=float(context.work.load),
        queue_depth_achieved=reading.depth_achieved,
        rate_cv=cv,
        rate_drift=drift,
        background_bytes=_background(reading, counted),
        unwritten_bytes=unwritten,
        limited_by=limited_by(context, reading, counted),
        temperature_c=temperature_c,
        device_reads=counted.reads,
        device_writes=counted.writes,
        device_reads_per_get=_reads_per_get(reading, counted),
        **dataclasses.asdict(facts),
    )


def _reads_per_get(reading: Reading, counted: Window) -> float | None:
    return counted.reads / reading.drive_reads if reading.drive_reads and counted.reads is not None else None


def _background(reading: Reading, counted: Window) -> int | None:
    """Bytes that were not ours on the same drive, each direction for itself."""
    pairs = ((counted.disk_read, reading.bytes_read), (counted.disk_written, reading.bytes_written))
    known = [max(0, disk - tool) for disk, tool in pairs if disk is not None and tool is not None]
    return sum(known) if len(known) == 2 else None


def rates_over_time(work: Work, reading: Reading, device: Sequence[SeriesPoint]) -> list[float]:
    """Return the rate of the work each second, all directions together, in B/s.

    The tool's own series where it has one; else the device's, but for reads only: a write with one flush
    at its end lets the drive idle while memory fills, and is not unsteady for that.
    """
    points = reading.series or (() if work.writes else device)
    sums: dict[float, float] = {}
    for point in points:
        sums[point.t_s] = sums.get(point.t_s, 0.0) + point.value
    return [sums[t] for t in sorted(sums)]


def spread(rates: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the coefficient of variation and the fitted line's rise over the window, both over the mean."""
    n = len(rates)
    mean = sum(rates) / n if n else 0.0
    if n < 3 or mean <= 0:
        return None, None
    variance = sum((rate - mean) ** 2 for rate in rates) / (n - 1)
    middle = (n - 1) / 2
    slope = sum((i - middle) * (rate - mean) for i, rate in enumerate(rates)) / sum((i - middle) ** 2 for i in range(n))
    return math.sqrt(variance) / mean, slope * (n - 1) / mean


def limited_by(context: Context, reading: Reading, counted: Window) -> LimitedBy:
    """Return who set the rate: decided from known limits, processors and outstanding I/O, never from busy."""
    here = reached(context.work, reading, counted)  # what memory answered met no limit, and no drive
    if context.passport.emulation and here and _at_limit(context.passport.emulation, reading, counted):
        return LimitedBy.THROTTLE
    if reading.client_cpu is not None and reading.client_cpu >= CLIENT_FULL * reading.client_threads:
        return LimitedBy.CLIENT
    if counted.cpu is not None and counted.cpu >= CPU_FULL:
        return LimitedBy.CPU
    depth = reading.depth_achieved
    waited = depth is not None and depth >= DEPTH_LEAST * context.work.load
    return LimitedBy.DEVICE if waited and here else LimitedBy.UNKNOWN


def reached_least(work: Work, reading: Reading) -> float:
    """Return the share of the tool's bytes that must be seen at the device.

    After a ramp the window is cut out of the program's life, and each end may lie a little aside.
    """
    edge = EDGE_S / reading.measured_s if work.ramp_s and reading.measured_s > 0 else 0.0
    return REACHED_LEAST * max(0.0, 1.0 - edge)


def reached(work: Work, reading: Reading, counted: Window) -> bool:
    """Whether the bytes that the tool claims were seen at a device, in both directions."""
    least = reached_least(work, reading)
    pairs = ((reading.bytes_read, counted.bytes_read), (reading.bytes_written, counted.bytes_written))
    return all(not tool or (device is not None and device >= least * tool) for tool, device in pairs)


def _at_limit(emulation: Emulation, reading: Reading, counted: Window) -> bool:
    """Whether the rate is at a limit; of a program that does not tell its bytes, what the device counted is taken."""
    seconds = reading.measured_s or math.inf  # fio counts milliseconds: what failed at once took none
    limits = {
        "read": (emulation.read_bps, emulation.read_iops),
        "write": (emulation.write_bps, emulation.write_iops),
    }
    values = {(s.op, s.metric): s.value for s in reading.samples}
    device = {"read": (counted.bytes_read, counted.reads), "write": (counted.bytes_written, counted.writes)}
    for op, told in (("read", reading.bytes_read), ("write", reading.bytes_written)):
        bps, iops = limits[op]
        count = told
        if (told is None or reading.drive_reads) and counted.seconds > 0:
            count, requests = device[op]
            values.setdefault((op, "iops"), (requests or 0) / counted.seconds)
        if bps and count and count / seconds >= (1 - THROTTLE_NEAR) * bps:
            return True
        if iops and values.get((op, "iops"), 0) >= (1 - THROTTLE_NEAR) * iops:
            return True
    return False
