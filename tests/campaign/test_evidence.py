"""What the machine counted: windows between snapshots, spread, background, and who set the rate."""

from __future__ import annotations

import dataclasses
import time
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench.campaign import evidence
from iobench.campaign.evidence import Context, Snapshot, Window
from iobench.drives.counters import Counters, CpuTimes
from iobench.model import (
    DataFile,
    Device,
    Emulation,
    LimitedBy,
    Passport,
    Reading,
    Sample,
    SeriesPoint,
    Target,
    Work,
)

MB = 10**6


def counters(at: float, read: float, written: float) -> Counters:
    return Counters(at, round(read * at), round(written * at), 0.5 * at)


def linear(
    read: float = 100 * MB, written: float = 10 * MB, others: float = 0.0, parts: bool = False
) -> list[Snapshot]:
    """Ten seconds of a device that moves as many bytes each second, seen ten times a second."""
    return [
        Snapshot(
            i / 10,
            counters(i / 10, read, written),
            counters(i / 10, read + others, written) if parts else None,
            CpuTimes(0.3 * i / 10, 2 * i / 10),
        )
        for i in range(101)
    ]


WORK = Work("rand", "rand-read", {"direct": True}, 8, duration_s=6.0, files=(DataFile("data", 1 << 28),))
DRIVE = Passport(Target("A", "/mnt/a"), Device("sdb", 8, 16))
READING = Reading(
    (Sample("read", "iops", 10_000.0),), 6.0, bytes_read=600 * MB, bytes_written=0, depth_achieved=8.0, client_cpu=0.1
)


# --- windows ---------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.floats(0, 10), st.floats(0, 10))
def test_counters_that_rise_evenly_are_counted_exactly_anywhere(a: float, b: float) -> None:
    start, end = sorted((a, b))
    got = evidence.window(linear(), start, end)
    assert got.bytes_read == pytest.approx((end - start) * 100 * MB, abs=2)
    assert got.bytes_written == pytest.approx((end - start) * 10 * MB, abs=2)


def test_a_window_between_snapshots() -> None:
    got = evidence.window(linear(), 2.05, 7.33)
    assert (got.bytes_read, got.bytes_written) == (528 * MB, 52_800_000)
    assert (got.seconds, got.busy) == (pytest.approx(5.28), pytest.approx(0.5))


def test_a_window_on_snapshots_and_the_whole_of_them() -> None:
    assert evidence.window(linear(), 2.0, 3.0).bytes_read == 100 * MB
    assert evidence.window(linear(), 0.0, 10.0).bytes_read == 1000 * MB


def test_a_window_beyond_the_snapshots_counts_what_was_seen() -> None:
    assert evidence.window(linear(), -5.0, 15.0).bytes_read == 1000 * MB
    assert evidence.window(linear(), 9.5, 99.0).bytes_read == 50 * MB
    assert evidence.window(linear(), 20.0, 30.0).bytes_read == 0


def test_a_window_without_length_counts_nothing() -> None:
    assert evidence.window(linear(), 5.05, 5.05).bytes_read == 0


def test_two_snapshots_of_one_moment_do_no_harm() -> None:
    twice = [linear()[0], linear()[0], linear()[-1], linear()[-1]]
    assert evidence.window(twice, 0.0, 10.0).bytes_read == 1000 * MB


def test_a_single_snapshot_counts_nothing() -> None:
    got = evidence.window(linear()[:1], 0.0, 1.0)
    assert (got.bytes_read, got.cpu) == (0, None)


def test_no_device_is_not_known_and_not_zero() -> None:
    unseen = [dataclasses.replace(s, device=None) for s in linear()]
    got = evidence.window(unseen, 0.0, 10.0)
    assert (got.bytes_read, got.bytes_written, got.disk_read, got.disk_written, got.busy) == (None,) * 5
    assert got.cpu == pytest.approx(0.15)


def test_a_device_that_did_nothing_is_zero() -> None:
    got = evidence.window(linear(read=0, written=0), 0.0, 10.0)
    assert (got.bytes_read, got.bytes_written) == (0, 0)


def test_the_whole_disk_of_a_partition_is_counted_beside_it() -> None:
    got = evidence.window(linear(others=30 * MB, parts=True), 1.0, 7.0)
    assert (got.bytes_read, got.disk_read) == (600 * MB, 780 * MB)
    assert (got.bytes_written, got.disk_written) == (60 * MB, 60 * MB)


def test_a_whole_disk_is_its_own_disk() -> None:
    got = evidence.window(linear(), 1.0, 7.0)
    assert (got.disk_read, got.disk_written) == (got.bytes_read, got.bytes_written)


def test_the_watcher_keeps_what_it_saw_with_its_clock() -> None:
    ticks = count(5)
    watcher = evidence.Watcher(None, None, lambda: float(next(ticks)))
    watcher.tick()
    watcher.tick()
    first, last = watcher.snapshots
    assert (first.at, last.at, first.device, first.disk) == (5.0, 6.0, None, None)
    assert last.cpu.total_s >= first.cpu.total_s > 0


def test_eight_hours_are_kept_in_little_and_counted_as_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive that is written over: its ends stay as they were seen, and so does a moment without its limits."""
    monkeypatch.setattr(evidence, "cpu_times", lambda: CpuTimes(0, 0))
    ticks, limits = count(), [{"read_bps": 1}]
    watcher = evidence.Watcher(None, None, lambda: next(ticks) / 10, lambda: limits[0])
    for i in range(288_000):
        limits[0] = {"read_bps": 0 if i == 100_001 else 1}
        watcher.tick()
    seen = watcher.snapshots
    assert len(seen) <= 12_000 and watcher.blind_s == pytest.approx(0.1)
    assert (seen[0].at, seen[-1].at) == (0.0, 28_799.9)
    assert [each.at for each in seen if each.limits == {"read_bps": 0}] == [10_000.1]
    assert [round(b.at - a.at, 6) for a, b in pairwise(seen[-3000:])] == [0.1] * 2999
    assert max(b.at - a.at for a, b in pairwise(seen)) < 30, "what is long ago is as well known as what is not"
    moved = [dataclasses.replace(each, device=counters(each.at, 100 * MB, 10 * MB)) for each in seen]
    begin = time.monotonic()
    series = evidence.device_series(moved, 300.0, 28_799.0)
    assert time.monotonic() - begin < 30, "as long as the square of its length"
    assert len(series) == 2 * 28_499
    assert {round(point.value / MB) for point in series} == {100, 10}


def test_an_emulated_drive_is_one_only_while_its_limits_stand() -> None:
    limited = dataclasses.replace(DRIVE, emulation=Emulation("disk", read_bps=60e6, write_iops=733.4))
    limits = {"read_bps": 60_000_000, "write_iops": 733}
    good = [dataclasses.replace(each, limits=limits) for each in linear()]
    assert evidence.unlimited(limited, good) is None
    assert evidence.unlimited(limited, linear()) is None  # what cannot be read proves nothing
    assert evidence.unlimited(DRIVE, good) is None
    for changed, says in (
        ({"write_iops": 733}, "2.00 s after the start its limit read was none, not 60.0 MB/s"),
        ({**limits, "read_bps": 63_000_000}, "its limit read was 63.0 MB/s, not 60.0 MB/s"),
        ({**limits, "write_bps": 9_000_000}, "its limit write was 9.00 MB/s, not none"),
    ):
        bad = [*good[:20], dataclasses.replace(good[20], limits=changed), *good[21:]]
        assert says in str(evidence.unlimited(limited, bad))


# --- series and spread -----------------------------------------------------------------------------------


def test_what_reached_the_device_each_second() -> None:
    points = evidence.device_series(linear(), 1.0, 7.0)
    reads = [p for p in points if p.metric == "device_read_throughput"]
    assert [p.t_s for p in reads] == [1, 2, 3, 4, 5, 6]
    assert [p.value for p in reads] == pytest.approx([100 * MB] * 6)
    written = [p.value for p in points if p.metric == "device_written_throughput"]
    assert written == pytest.approx([10 * MB] * 6)


def test_a_short_window_is_seen_each_half_second() -> None:
    points = evidence.device_series(linear(), 1.0, 2.7)
    assert [p.t_s for p in points if "read" in p.metric] == [0.5, 1.0, 1.5]


def test_no_device_has_no_series() -> None:
    assert evidence.device_series([dataclasses.replace(s, device=None) for s in linear()], 1.0, 7.0) == ()


@pytest.mark.parametrize(
    ("rates", "cv", "drift"),
    [
        ([100.0] * 8, 0.0, 0.0),
        ([1.0, 2.0, 3.0], 0.5, 1.0),
        ([3.0, 2.0, 1.0], 0.5, -1.0),
        ([90.0, 110.0, 90.0, 110.0], 0.11547, 0.12),
        ([1.0, 2.0], None, None),
        ([0.0, 0.0, 0.0], None, None),
        ([], None, None),
    ],
)
def test_spread_and_drift(rates: list[float], cv: float | None, drift: float | None) -> None:
    got = evidence.spread(rates)
    assert got == (None, None) if cv is None else got == pytest.approx((cv, drift), rel=1e-4)


def test_the_tools_own_series_goes_before_the_devices_and_directions_are_summed() -> None:
    own = (
        SeriesPoint(1.0, "read_throughput", 70.0),
        SeriesPoint(1.0, "write_throughput", 30.0),
        SeriesPoint(0.5, "read_throughput", 60.0),
    )
    device = (SeriesPoint(1.0, "device_read_throughput", 5.0),)
    assert evidence.rates_over_time(WORK, dataclasses.replace(READING, series=own), device) == [60.0, 100.0]
    assert evidence.rates_over_time(WORK, READING, device) == [5.0]


def test_a_write_with_a_flush_at_its_end_has_no_rate_over_time() -> None:
    made = Work("dd", "dd-write", {}, 1, fixed_bytes=1, writes=True)
    assert evidence.rates_over_time(made, READING, (SeriesPoint(1.0, "device_written_throughput", 5.0),)) == []


# --- gathering -------------------------------------------------------------------------------------------


def gather(reading: Reading = READING, passport: Passport = DRIVE, **seen: object) -> evidence.Evidence:
    counted = Window(6.0, 600 * MB, 0, 600 * MB, 0, 0.9, 0.3)
    context = Context(WORK, passport, 4 << 30)
    return evidence.gather(context, reading, dataclasses.replace(counted, **seen), (), None, None)


def test_what_is_gathered() -> None:
    got = gather()
    assert (got.tool_bytes_read, got.device_bytes_read, got.device_name) == (600 * MB, 600 * MB, "sdb")
    assert (got.queue_depth_asked, got.queue_depth_achieved, got.system_cpu) == (8.0, 8.0, 0.3)
    assert (got.background_bytes, got.limited_by) == (0, LimitedBy.DEVICE)
    assert (got.unwritten_bytes, got.temperature_c, got.rate_cv) == (None, None, None)


@pytest.mark.parametrize(
    ("seen", "background"),
    [
        ({"disk_read": 630 * MB}, 30 * MB),
        ({"disk_read": 630 * MB, "disk_written": 5 * MB}, 35 * MB),
        # Each direction for itself: reads that the cache answered do not pay for the writes of others.
        ({"disk_read": 100 * MB, "disk_written": 5 * MB}, 5 * MB),
        ({"disk_read": None, "disk_written": None}, None),
        ({"disk_read": None}, None),
    ],
)
def test_what_was_not_ours_on_the_same_disk(seen: dict[str, int | None], background: int | None) -> None:
    assert gather(**seen).background_bytes == background


def test_background_is_not_known_where_the_tool_does_not_say_its_bytes() -> None:
    assert gather(dataclasses.replace(READING, bytes_written=None)).background_bytes is None


def emulated(**limits: float) -> Passport:
    return dataclasses.replace(DRIVE, emulation=Emulation("sas", **limits))


@pytest.mark.parametrize(
    ("reading", "passport", "seen", "who"),
    [
        ({}, DRIVE, {}, LimitedBy.DEVICE),
        ({"depth_achieved": 6.3}, DRIVE, {}, LimitedBy.UNKNOWN),
        ({"depth_achieved": None}, DRIVE, {}, LimitedBy.UNKNOWN),
        ({}, DRIVE, {"bytes_read": 500 * MB}, LimitedBy.UNKNOWN),
        ({}, DRIVE, {"bytes_read": None}, LimitedBy.UNKNOWN),
        ({"client_cpu": 0.93}, DRIVE, {}, LimitedBy.CLIENT),
        ({"client_cpu": 0.93, "client_threads": 2}, DRIVE, {}, LimitedBy.DEVICE),
        ({}, DRIVE, {"cpu": 0.97}, LimitedBy.CPU),
        # At a known limit it is the limit, whatever else is busy.
        ({"client_cpu": 0.95}, emulated(read_bps=100 * MB), {}, LimitedBy.THROTTLE),
        ({}, emulated(read_bps=102.9 * MB), {}, LimitedBy.THROTTLE),
        ({}, emulated(read_bps=104 * MB), {}, LimitedBy.DEVICE),
        ({}, emulated(read_bps=50 * MB), {"bytes_read": 0.0}, LimitedBy.UNKNOWN),  # from memory, past every limit
        ({}, emulated(read_iops=10_200), {}, LimitedBy.THROTTLE),
        ({}, emulated(read_iops=10_400), {}, LimitedBy.DEVICE),
        ({}, emulated(write_bps=1.0, write_iops=1.0), {}, LimitedBy.DEVICE),
        ({"measured_s": 0.0}, emulated(read_bps=100 * MB), {}, LimitedBy.DEVICE),
        # A program that tells no bytes: what the device counted is held against the limit.
        ({"bytes_written": None}, emulated(write_bps=50 * MB), {"bytes_written": 299 * MB}, LimitedBy.THROTTLE),
        ({"bytes_written": None}, emulated(write_bps=50 * MB), {"bytes_written": 280 * MB}, LimitedBy.DEVICE),
        ({"bytes_written": None}, emulated(write_iops=400), {"writes": 2395}, LimitedBy.THROTTLE),
        ({"bytes_written": None}, emulated(write_iops=400), {"writes": 2000}, LimitedBy.DEVICE),
    ],
)  # fmt: skip
def test_who_set_the_rate(
    reading: dict[str, float], passport: Passport, seen: dict[str, float | None], who: LimitedBy
) -> None:
    assert gather(dataclasses.replace(READING, **reading), passport, **seen).limited_by is who
