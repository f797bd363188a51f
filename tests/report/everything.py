"""Campaigns that together show all that a report can: suites before and after an update, a search, an outage.

Rates and times are invented; the outage is one that was kept from a real server.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stored import Measured, make_campaign

from iobench.analysis import loadpoints
from iobench.analysis.capacity import Asked
from iobench.analysis.slo import parse
from iobench.model import (
    Campaign,
    Device,
    Emulation,
    Evidence,
    Finding,
    LimitedBy,
    Output,
    Passport,
    Step,
    StepResult,
    Target,
    Verdict,
)
from iobench.report import Options, Several
from iobench.results import CampaignFolder, Store
from iobench.runners import kvs

FIXTURES = Path(__file__).parent.parent / "fixtures" / "kvs-1"
_FILES = {"result.json": "", "readback.json": "-readback", "outage.json": "-outage"}
# A drive of each kind: its sequential rate in B/s, and its small reads in 1/s.
SPEEDS = {"iodrive": (5.0e8, 42_000.0), "Samsung MZ7WD240HAFV-00003": (2.5e8, 9_300.0), "sas": (1.48e8, 990.0)}
LOADS = (1, 8, 64)
PRICES = {"iodrive": 980_000, "Samsung MZ7WD240HAFV-00003": 60_000, "sas": 480_000}


def suite(
    root: Path,
    id: str = "20250101-000000",
    speeds: Mapping[str, tuple[float, float]] = SPEEDS,
    *,
    faster: float = 1.0,
    rounds: int = 5,
    loads: Sequence[int] = LOADS,
    lot: str = "A",
) -> CampaignFolder:
    """What the suite `deck` keeps of a `lot` of drives: the second has no OLTP, the last is emulated."""
    works = [
        work
        for place, (name, (rate, iops)) in enumerate(speeds.items())
        for work in _works(name, place, rate * faster, iops * faster, rounds, loads)
    ]
    return make_campaign(root, *works, id=id, **_lot(speeds, lot))


def _lot(names: Iterable[str], lot: str | None) -> Mapping[str, Any]:
    """The serials of a lot's drives, and how its last one is emulated; of no lot, nothing."""
    if lot is None:
        return {}
    *_, last = names
    rate = 1.5e8 if lot == "A" else 1.8e8
    emulation = Emulation("sas", read_bps=rate, write_bps=rate, latency_s=0.005, parallel=8)
    return {"serials": {name: f"{lot}-{name}" for name in names}, "emulated": {last: emulation}}


def _works(name: str, place: int, rate: float, iops: float, rounds: int, loads: Sequence[int]) -> Iterator[Measured]:
    def near(value: float) -> list[float]:
        return [value * (1 + 0.01 * ((i * 7 + place) % 5 - 2)) for i in range(rounds)]

    every = range(1, rounds + 1)
    counted = {i: Evidence(int(rate * 6), 0, "sda", int(rate * 6.01), 8192, limited_by=LimitedBy.DEVICE) for i in every}
    cached = dict.fromkeys(every, (Verdict.INVALID, "page-cache")) if place == 1 else {}
    wavering = dict.fromkeys(every, (Verdict.SUSPECT, "not-steady")) if place == 0 else {}
    yield Measured(name, {"throughput": near(rate)}, evidence=counted)
    yield Measured(name, {"throughput": near(rate / 3 if place == 0 else rate)}, "seq-write", "write", unsound=cached)
    dd = {"elapsed": near(2.6e8 / rate), "throughput": near(rate)}
    yield Measured(name, dd, "dd-write", "write", load=1, params={"block_size": 1 << 20})
    for load in loads:
        speed = iops * load / (load + iops**0.35 / 8)
        figures = {"iops": near(speed), "latency_p50": near(load / speed), "latency_p99": near(1.8 * load / speed)}
        unsound = wavering if load > 16 else {}
        yield Measured(name, figures, "rand-read", "read", load, params={"depth": load}, unsound=unsound)
    for load in loads[::2]:
        speed = rate / 500 * load / (load + 3)
        yield Measured(name, {"throughput": near(speed * 300)}, "dbench", "all", load)
        if place != 1:
            figures = {"transactions": near(speed / 500), "latency_p95": near(500 * load / speed)}
            yield Measured(name, figures, "oltp", "all", load)


def searched(
    root: Path, limits: Mapping[str, float], id: str = "20250101-000000", lot: str | None = None
) -> CampaignFolder:
    """A search of each drive, whose `limits` are in 1/s, with its closed loops."""
    steps: list[Measured] = []
    for name, limit in limits.items():
        steps += [_searched(name, limit, None, load=1), _searched(name, limit, None)]
        steps += [_searched(name, limit, limit * x) for x in (0.4, 0.75, 0.98, 0.995, 1.004, 1.02)]
        steps += [_searched(name, limit, round(1.004 * limit) + 0.0)]  # the failure is tried twice
        steps += [_searched(name, limit, limit * x, "poisson") for x in (0.995, 0.9751)]
    made = make_campaign(root, *steps, id=id, **_lot(limits, lot))
    director = Asked((parse("rand-read p99<10ms", loadpoints.WORKLOADS),), curve=False).as_director()
    made.replan(dataclasses.replace(made.campaign(), director=director))
    return made


def _searched(target: str, limit: float, rate: float | None, arrival: str = "even", load: int = 64) -> Measured:
    achieved = min(limit, rate) if rate is not None else min(limit, load * limit / 4)
    over = rate is None or rate > limit
    figures = {"iops": [achieved], "latency_mean": [0.02 if over else 0.001], "latency_p99": [0.06 if over else 0.002]}
    params = {"arrival": arrival} if rate is not None else {}
    return Measured(target, figures, workload="rand-read", load=load, rate=rate, params=params)  # type: ignore[arg-type]


def killed(root: Path, passports: Mapping[str, Passport] | None = None, id: str = "20250101-000000") -> CampaignFolder:
    """Two rounds of the same real outage on each drive, the second a little later in its window."""
    passports = passports or {"sas": Passport(Target("sas", "/mnt/sas"), Device("sda", 8, 0, kind="SAS"))}
    (work,) = kvs.plan(kvs.Params(size=8 << 20, loads=(8,), rate=800.0, outage="kill", duration=6.0))
    files = {name: (FIXTURES / f"killed{part}.json").read_text() for name, part in _FILES.items()}
    steps = tuple(Step(f"000{i}-r{i}-kvs-8-{n}", drive, i, work) for i in (1, 2) for n, drive in enumerate(passports))
    now = datetime(2025, 1, 1, tzinfo=UTC)
    campaign = Campaign(id, now, None, "outage", 2, steps, passports, {"name": "host"}, {})
    folder = Store(root).create(campaign)
    for step in steps:
        told, later = json.loads(files["outage.json"]), (step.repeat - 1) * 0.1
        told = {**told, "began_at": told["began_at"] + later, "restored_at": told["restored_at"] + later}
        reading = kvs.read(work, Output((), 0, "", "", {**files, "outage.json": json.dumps(told)}, 8.0, 1.0))
        lost = Finding("lost-data", "keys were gone")
        folder.save(campaign, StepResult(step, reading, Evidence(), Verdict.INVALID, (lost,), now, "memcached 1.6.18"))
    return folder


CALLED = ("lot A", "lot B", "search A", "search B", "outage")


def everything(root: Path) -> list[CampaignFolder]:
    """Suites of two lots of three drives, searches of both, an outage on two drives of the first."""
    limits = {name: iops for name, (_, iops) in SPEEDS.items()}
    first = suite(root, "20260901-100000")
    own = first.campaign().passports
    first_and_last = {name: own[name] for name in (*list(own)[:1], *list(own)[-1:])}
    return [
        first,
        suite(root, "20260908-100000", faster=1.2, lot="B"),
        searched(root, limits, "20260901-180000", "A"),
        searched(root, {name: 1.2 * limit for name, limit in limits.items()}, "20260908-180000", "B"),
        killed(root, first_and_last, "20260909-100000"),
    ]


def options(root: Path, formats: Sequence[str], lang: str) -> Options:
    """How the report of everything is asked for: drives known by their serials, prices, published figures."""
    drives = []
    for number, (name, price) in enumerate(PRICES.items()):
        path = root / f"drive{number}.toml"
        path.write_text(f'price = {price}\ncurrency = "JPY"\n', encoding="utf-8")
        drives.append((name, str(path)))
    return Options(formats, lang, several=Several(pool=True, called=CALLED), published="2011", drives=drives)
