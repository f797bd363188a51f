"""Each reason from figures that produce it, and from near ones that do not; honest runs are not accused."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field

import numpy as np
import pytest

from iobench.campaign import verdict
from iobench.campaign.evidence import Context, Window, gather
from iobench.model import (
    INVALID_REASONS,
    DataFile,
    Device,
    Emulation,
    Finding,
    Passport,
    Reading,
    Sample,
    SeriesPoint,
    Target,
    Verdict,
    Work,
)
from iobench.texts import Amount, Phrase, Words, told_of

MB, MIB = 10**6, 1 << 20
STEADY = tuple([100.0 * MB, 101.0 * MB] * 6)


def series(rates: tuple[float, ...], step: float = 0.5) -> tuple[SeriesPoint, ...]:
    return tuple(SeriesPoint((i + 1) * step, "read_throughput", rate) for i, rate in enumerate(rates))


# An honest step: 4 KiB random reads at depth 8, 24,414 a second, for six seconds.
WORK = Work("rand", "rand-read", {"direct": True}, 8, duration_s=6.0, files=(DataFile("data", 256 * MIB),))
READING = Reading(
    samples=(Sample("read", "iops", 24_414.0), Sample("read", "throughput", 100.0 * MB)),
    measured_s=6.001,
    bytes_read=600 * MB,
    bytes_written=0,
    operations=146_484,
    series=series(STEADY),
    depth_achieved=7.97,
    client_cpu=0.31,
)
COUNTED = Window(6.001, 600 * MB, 40_960, 600 * MB, 40_960, 0.87, 0.35)
DRIVE = Passport(Target("A", "/mnt/a"), Device("sdb", 8, 16))
LIMITED = Passport(DRIVE.target, DRIVE.device, emulation=Emulation("disk", read_bps=96.5 * MB, write_bps=50.0 * MB))
NOWHERE = Passport(Target("A", "/dev/shm"), None, no_device_reason="tmpfs is memory")
WRITES = {"bytes_read": 0, "bytes_written": 600 * MB}


@dataclass(frozen=True)
class Case:
    """What is different from the honest step, and a word of the sentence that is to be said."""

    reason: str
    says: str = ""
    work: dict[str, object] = field(default_factory=dict)
    reading: dict[str, object] = field(default_factory=dict)
    counted: dict[str, object] = field(default_factory=dict)
    passport: Passport = DRIVE
    memory: int = 4 << 30
    limit_c: float | None = 70.0
    unwritten: int | None = 0
    temperature: float | None = 40.0
    unlimited: Phrase | None = None

    def judged(self) -> tuple[Verdict, tuple[Finding, ...]]:
        context = Context(
            dataclasses.replace(WORK, **self.work), self.passport, self.memory, self.limit_c, self.unlimited
        )
        reading = dataclasses.replace(READING, **self.reading)
        counted = dataclasses.replace(COUNTED, **self.counted)
        found = gather(context, reading, counted, (), self.unwritten, self.temperature)
        return verdict.judge(context, reading, found, ())


# 57 IOPS for six seconds: 342 reads, with the file system's journal beside them.
SLOW = {"bytes_read": 342 * 4096, "operations": 342, "series": ()}
SLOW_SEEN = {"bytes_read": 342 * 4096, "disk_read": 342 * 4096}

# dbench works in memory and flushes: it tells no bytes, but how often it asked for them to be on the drive.
FLUSHES = {"bytes_read": None, "bytes_written": None, "flushes": 10_000, "depth_achieved": None}

NO_LIMIT = Phrase(
    "judged.errors.limits",
    {
        "device": "sdb",
        "figure": Phrase("lab.figure.read"),
        "time": Amount(2.0, "s"),
        "found": Phrase("lab.no-limit"),
        "asked": Amount(60e6, "B/s"),
    },
)

PRODUCED = [
    Case("errors", "its limit read was none, not 60.0 MB/s", unlimited=NO_LIMIT),
    Case("page-cache", "asked 10,000 times for data to be on the drive, but only 40.9 MB reached sdb", reading=FLUSHES,
         counted={"bytes_written": 40_900_000}),
    Case("not-steady", "791 MB were written to sdb while the load read and wrote 125 MB in all",
         reading={**FLUSHES, "measured_s": 10.0, "samples": (Sample("all", "throughput", 12.52 * MB),)},
         counted={"bytes_written": 790_700_000}),
    Case("not-steady", "it still fills its folder", reading={"unsettled": "it still fills its folder"}),
    Case("client-bound", "0.95 cores with 1 thread(s): it measured itself, and the drive may be faster. Use --sync",
         reading={**FLUSHES, "client_cpu": 0.95}, counted={"bytes_written": 400 * MB}),
    Case("errors", "error: fio: io_u error", reading={"errors": 5, "error_text": "fio: io_u error"}),
    Case("errors", "sdb did 100 MB/s, which an emulated drive limited to 96.5 MB/s cannot do",
         passport=LIMITED),
    Case("errors", "sdb did 24.3k/s, which", counted={"reads": 146_000},
         passport=dataclasses.replace(LIMITED, emulation=Emulation("disk", read_iops=23_500.0))),
    Case("lost-data", "3 acknowledged", reading={"samples": (Sample("get", "lost", 3.0),)}),
    Case("page-cache", "wrote 600 MB, but only 120 MB (0.20 of it) reached sdb", reading=WRITES,
         counted={"bytes_written": 120 * MB, "disk_written": 120 * MB, "bytes_read": 0, "disk_read": 0}),
    Case("page-cache", "read 600 MB, but only 539 MB (0.90 of it)",
         counted={"bytes_read": 539 * MB, "disk_read": 539 * MB}),
    Case("page-cache", "read 600 MB, but only 0 B", counted={"bytes_read": 0, "disk_read": 0}),
    Case("page-cache", "10,000", reading={"bytes_read": None, "bytes_written": None, "drive_reads": 10_000},
         counted={"reads": 1_000}),
    Case("small-working-set", "", work={"params": {"direct": True, "cache": "cached"}}),
    Case("unwritten-blocks", "1.05 MB of the file's 268 MB", unwritten=MIB),
    Case("unwritten-blocks", "268 MB of the file's 268 MB", unwritten=256 * MIB),
    Case("no-device", "tmpfs is memory", passport=NOWHERE,
         counted=dict.fromkeys(("bytes_read", "bytes_written", "disk_read", "disk_written", "busy"))),
    Case("depth-not-reached", "8 outstanding I/Os were asked for and 1.0 were achieved",
         reading={"depth_achieved": 0.99}),
    Case("depth-not-reached", "6.3 were achieved", reading={"depth_achieved": 6.3}),
    Case("client-bound", "0.93 cores with 1 thread", reading={"client_cpu": 0.93}),
    Case("client-bound", "1.85 cores with 2 thread", reading={"client_cpu": 1.85, "client_threads": 2}),
    Case("background-io", "31.0 MB that were not ours moved on the same drive in 6.00 s, beside our 600 MB",
         counted={"disk_read": 631 * MB - 40_960}),
    Case("background-io", "6.10 MB that were not ours", reading=SLOW, counted={**SLOW_SEEN, "disk_written": 6_100_000}),
    Case("too-short", "It measured for 5.90 s", reading={"measured_s": 5.9}),
    Case("too-short", "It measured for 330 ms", reading={"measured_s": 0.33}),
    Case("compressible", "Zeros were written", work={"params": {"source": "zero"}}),
    Case("thermal", "stood at 70 °C after the step, and its limit is 70 °C", temperature=70.0),
    Case("small-working-set", "268 MB fits into the machine's 4.29 GB", work={"params": {"direct": False}}),
    Case("not-steady", "130 MB/s in the first half and 91.0 MB/s in the second",
         reading={"series": series((130.0 * MB,) * 6 + (91.0 * MB,) * 6)}),
    Case("not-steady", "the first half", reading={"series": series(tuple((60 + 8 * i) * MB for i in range(12)))}),
]  # fmt: skip

NEAR_MISSES = [
    Case("page-cache", reading=FLUSHES, counted={"bytes_written": 41_000_000}),
    Case("page-cache", reading=FLUSHES, counted={"bytes_written": None}),
    # The most that was seen of an honest load, and O_SYNC, where each small write has its journal.
    Case("not-steady", reading={**FLUSHES, "samples": (Sample("all", "throughput", 100.0 * MB),)},
         counted={"bytes_written": 200 * MB}),
    Case("not-steady", reading={**FLUSHES, "samples": (Sample("all", "throughput", 100.0 * MB),)},
         counted={"bytes_written": 900 * MB}, work={"params": {"sync": True}}),
    Case("page-cache", reading={**FLUSHES, "flushes": None}, counted={"bytes_written": 0}),
    Case("background-io", reading=FLUSHES, counted={"bytes_written": 400 * MB, "disk_written": 900 * MB}),
    Case("errors", reading={"errors": 0, "error_text": "note: only a notice"}),
    # A throttle lets a little more through, and most of all in a short step; and what memory answers is page-cache's.
    Case("errors", passport=dataclasses.replace(LIMITED, emulation=Emulation("disk", read_bps=97.2 * MB))),
    Case("errors", passport=dataclasses.replace(LIMITED, emulation=Emulation("disk", write_bps=1.0 * MB))),
    Case("errors", passport=dataclasses.replace(LIMITED, emulation=Emulation("disk", read_iops=23_500.0)),
         counted={"reads": 144_000}),
    # Of few operations one more than the time has room for is none too many: 31 of 1 MiB at 5 a second, in six seconds.
    Case("errors", work={"params": {"direct": True, "block_size": MIB}}, reading={"bytes_read": 31 * MIB},
         counted={"bytes_read": 31 * MIB, "disk_read": 31 * MIB},
         passport=dataclasses.replace(LIMITED, emulation=Emulation("disk", read_bps=5.0 * MIB))),
    Case("errors", passport=LIMITED, counted={"bytes_read": 580 * MB, "disk_read": 580 * MB}),
    Case("lost-data", reading={"samples": (Sample("get", "lost", 0.0), Sample("get", "misses", 9.0))}),
    Case("page-cache", counted={"bytes_read": 541 * MB, "disk_read": 541 * MB}),
    Case("page-cache", counted={"bytes_read": None, "disk_read": None}),
    Case("unwritten-blocks", unwritten=256 * MIB // 1000),
    Case("unwritten-blocks", unwritten=None),
    Case("unwritten-blocks", unwritten=256 * MIB, work={"writes": True}, reading=WRITES,
         counted={"bytes_read": 0, "bytes_written": 600 * MB, "disk_read": 0, "disk_written": 600 * MB}),
    Case("no-device"),
    Case("depth-not-reached", reading={"depth_achieved": 6.41}),
    Case("depth-not-reached", reading={"depth_achieved": 0.4}, work={"load": 1}),
    Case("depth-not-reached", reading={"depth_achieved": None}),
    Case("client-bound", reading={"client_cpu": 0.89}),
    Case("client-bound", reading={"client_cpu": 1.7, "client_threads": 2}),
    Case("client-bound", reading={"client_cpu": None}),
    Case("background-io", counted={"disk_read": 629 * MB}),
    Case("background-io", counted={"disk_read": None, "disk_written": None}),
    # The journal's 4.6 % at 57 IOPS, and others below 1 MB/s beside a drive that slow.
    Case("background-io", reading=SLOW, counted={**SLOW_SEEN, "disk_written": 64_000}),
    Case("background-io", reading=SLOW, counted={**SLOW_SEEN, "disk_written": 5_900_000}),
    Case("too-short", reading={"measured_s": 5.96}),
    Case("compressible", work={"params": {"source": "random"}}),
    Case("thermal", temperature=69.0),
    Case("thermal", temperature=90.0, limit_c=None),
    Case("thermal", temperature=None),
    Case("small-working-set", work={"params": {"direct": True}}),
    Case("small-working-set", work={"params": {"direct": False}}, memory=256 * MIB),
    Case("small-working-set", work={"params": {"direct": False}, "writes": True}, reading=WRITES,
         counted={"bytes_read": 0, "bytes_written": 600 * MB, "disk_read": 0, "disk_written": 600 * MB}),
    Case("not-steady", reading={"series": series((104.0 * MB,) * 6 + (95.0 * MB,) * 6)}),
    # One bad second, a stall, is no drift.
    Case("not-steady", reading={"series": series((100.0 * MB,) * 11 + (20.0 * MB,))}),
    # Too few points to tell.
    Case("not-steady", reading={"series": series((130.0 * MB,) * 3 + (91.0 * MB,) * 3)}),
]  # fmt: skip


def name(case: Case) -> str:
    return case.reason


def test_the_honest_step_is_valid() -> None:
    assert Case("").judged() == (Verdict.VALID, ())


@pytest.mark.parametrize("case", PRODUCED, ids=name)
def test_figures_that_produce_a_reason(case: Case) -> None:
    said, findings = case.judged()
    assert [f.reason for f in findings] == [case.reason]
    assert case.says in findings[0].sentence
    assert said is (Verdict.INVALID if case.reason in INVALID_REASONS else Verdict.SUSPECT)


@pytest.mark.parametrize("case", PRODUCED, ids=name)
def test_what_is_said_is_data_and_so_in_each_language(case: Case) -> None:
    if "unsettled" in case.reading:
        return  # its sentence is the runner's
    (finding,) = case.judged()[1]
    kept = json.loads(json.dumps(finding.said.as_json()))
    assert Words("en").tell(told_of(kept)) == finding.sentence
    said = Words("ja").tell(told_of(kept))
    assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", said) and "?" not in said and "{" not in said
    figures = re.findall(r"\d[\d.,]*\d [kMG]?B\b", finding.sentence)
    assert all(figure in said for figure in figures)


@pytest.mark.parametrize("case", NEAR_MISSES, ids=name)
def test_near_figures_that_do_not(case: Case) -> None:
    assert case.judged() == (Verdict.VALID, ())


def test_every_reason_of_the_contract_is_produced_and_has_a_near_miss() -> None:
    invalid = {"page-cache", "unwritten-blocks", "errors", "lost-data"}
    suspect = {"depth-not-reached", "client-bound", "not-steady", "background-io", "too-short", "compressible"}
    contract = invalid | suspect | {"no-device", "thermal", "small-working-set"}
    assert set(verdict.REASONS) == contract
    assert invalid == INVALID_REASONS
    assert {case.reason for case in PRODUCED} == contract
    assert {case.reason for case in NEAR_MISSES} == contract


def test_several_reasons_are_all_told_and_the_worst_counts() -> None:
    several = Case("", reading={"measured_s": 1.0, "depth_achieved": 1.0}, counted={"bytes_read": 0, "disk_read": 0})
    said, findings = several.judged()
    assert said is Verdict.INVALID
    assert [f.reason for f in findings] == ["page-cache", "depth-not-reached", "too-short"]


def test_both_directions_of_mixed_work_are_told_apart() -> None:
    mixed = Case("", reading={"bytes_written": 200 * MB}, counted={"bytes_read": 10, "bytes_written": 20})
    said, findings = mixed.judged()
    assert said is Verdict.INVALID
    assert [f.sentence.split(",")[0] for f in findings] == ["The program read 600 MB", "The program wrote 200 MB"]


# --- steadiness ------------------------------------------------------------------------------------------


def accused(rates: np.ndarray, operations: int) -> bool:
    reading = dataclasses.replace(READING, series=series(tuple(rates.tolist())), operations=operations)
    found = gather(Context(WORK, DRIVE, 4 << 30), reading, COUNTED, (), 0, None)
    _, findings = verdict.judge(Context(WORK, DRIVE, 4 << 30), reading, found, ())
    return [f.reason for f in findings] == ["not-steady"]


def honest(rng: np.random.Generator, number: int) -> tuple[np.ndarray, int]:
    points = (8, 12, 20, 60)[number % 4]
    if number % 8 < 4:  # counting noise: 57 I/Os a second, each point half a second
        counts = rng.poisson(28.5, points)
        return counts * 4096 * 2.0, int(counts.sum())
    return 100 * MB * rng.normal(1, 0.06, points), 146_484  # a drive whose rate scatters by 6 %


def test_of_2000_honest_series_at_most_ten_are_accused() -> None:
    rng = np.random.default_rng(2011)
    assert sum(accused(*honest(rng, number)) for number in range(2000)) <= 10


def test_of_2000_honest_series_of_six_seconds_that_scatter_by_a_tenth_at_most_ten_are_accused() -> None:
    rng = np.random.default_rng(2012)
    assert sum(accused(100 * MB * rng.normal(1, 0.10, 12), 146_484) for _ in range(2000)) <= 10


@pytest.mark.parametrize(("step", "scatter"), [(0.2, 0.02), (0.3, 0.06), (-0.3, 0.06), (1.0, 0.1)])
def test_a_step_in_the_rate_is_found(step: float, scatter: float) -> None:
    rng = np.random.default_rng(2011)
    found = 0
    for _ in range(100):
        rates = 100 * MB * rng.normal(1, scatter, 12)
        rates[6:] *= 1 + step
        found += accused(rates, 146_484)
    assert found >= 95


def test_a_step_at_57_iops_is_found_when_it_is_beyond_counting_noise() -> None:
    rng = np.random.default_rng(2011)
    found = 0
    for _ in range(100):
        counts = np.concatenate([rng.poisson(57, 10), rng.poisson(20, 10)])
        found += accused(counts * 4096.0, int(counts.sum()))
    assert found >= 95


@pytest.mark.parametrize("points", [8, 12, 20])
def test_a_drift_upwards_and_downwards_is_found(points: int) -> None:
    rng = np.random.default_rng(2011)
    found = 0
    for _ in range(50):
        ramp = 100 * MB * np.linspace(0.8, 1.2, points) * rng.normal(1, 0.02, points)
        found += accused(ramp, 146_484) + accused(ramp[::-1], 146_484)
    assert found >= 95


def test_a_cache_that_fills_is_found() -> None:
    rng = np.random.default_rng(2011)
    falling = 100 * MB * (1 + 1.5 * np.exp(-np.arange(12) / 3))
    assert sum(accused(falling * rng.normal(1, 0.02, 12), 146_484) for _ in range(100)) >= 95
