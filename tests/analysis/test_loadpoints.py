"""Stored steps as points, and what makes a point hold: the SLO, the rate that was achieved, the backlog."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from stored import Measured, make_campaign

from iobench.analysis import loadpoints
from iobench.analysis.loadpoints import CLOSED, EVEN, FEWEST, POISSON, LoadPoint, duration_s, judge, surely_failed
from iobench.analysis.slo import parse
from iobench.campaign.verdict import FEWEST_TRANSACTIONS
from iobench.model import LimitedBy, Verdict

SLO = parse("rand-read p99<10ms", loadpoints.WORKLOADS)
POINT = LoadPoint(
    target="d",
    workload="rand-read",
    step="s",
    op="read",
    arrival=EVEN,
    load=64,
    params={},
    offered=1000.0,
    achieved=1000.0,
    latency_op="read",
    latencies={"latency_p99": 0.005},
    operations=10_000,
    duration_s=10.0,
    backlog=0.0,
    growth=0.0,
    verdict=Verdict.VALID,
    reasons=(),
    limited_by=LimitedBy.UNKNOWN,
)


def _of(**changes: object) -> LoadPoint:
    return dataclasses.replace(POINT, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("point", "why"),
    [
        (POINT, ()),
        (_of(latencies={"latency_p99": 0.0101}), ("slo",)),
        (_of(achieved=981.0), ()),
        (_of(achieved=979.0), ("rate",)),
        (_of(growth=9.0), ()),
        (_of(growth=11.0), ("backlog",)),
        (_of(growth=None, backlog=None), ()),
        (_of(verdict=Verdict.INVALID, reasons=("page-cache",)), ("invalid",)),
        # Memory answered for some of them, and still it was too slow: the drive alone would have been slower.
        (_of(verdict=Verdict.INVALID, reasons=("not-steady", "page-cache"), achieved=900.0), ("rate",)),
        (_of(verdict=Verdict.INVALID, reasons=("page-cache",), latencies={"latency_p99": 0.0101}), ("slo",)),
        (_of(verdict=Verdict.INVALID, reasons=("page-cache", "errors"), achieved=900.0), ("invalid",)),
        (_of(verdict=Verdict.INVALID, reasons=("lost-data",), achieved=900.0), ("invalid",)),
        (_of(verdict=Verdict.SUSPECT, reasons=("background-io",)), ()),
        (_of(latencies={"latency_p50": 0.001}), ("too-few",)),
        (_of(achieved=900.0, growth=100.0, latencies={"latency_p99": 1.0}), ("slo", "rate", "backlog")),
        (_of(offered=None, growth=None, backlog=None, arrival=CLOSED, achieved=5.0), ()),
    ],
)
def test_what_makes_a_point_hold(point: LoadPoint, why: tuple[str, ...]) -> None:
    said = judge(point, SLO)
    assert said.why == why and said.holds == (not why)


def test_random_arrivals_are_allowed_their_counting_noise() -> None:
    """10,000 arrivals are 1 % about their mean; two of those are allowed, and no more."""
    assert judge(_of(arrival=POISSON, achieved=965.0), SLO).holds
    assert judge(_of(arrival=POISSON, achieved=955.0), SLO).why == ("rate",)
    few = _of(arrival=POISSON, offered=20.0, operations=200.0)
    assert judge(dataclasses.replace(few, achieved=18.9), SLO).holds
    assert judge(dataclasses.replace(few, achieved=18.7), SLO).why == ("rate",), "never more than four per cent beyond"
    assert judge(_of(arrival=POISSON, growth=35.0), SLO).holds
    assert judge(_of(arrival=POISSON, growth=45.0), SLO).why == ("backlog",)


@pytest.mark.parametrize(
    ("point", "most", "sure"),
    [
        (_of(achieved=900.0, growth=100.0), 905.0, True),  # the drive did its most, and that was too little
        (_of(achieved=900.0, growth=100.0), 950.0, False),  # it has done more: something was in its way
        (_of(achieved=1000.0, latencies={"latency_p99": 0.02}), 1000.0, False),  # it kept up: perhaps a hiccup
        (_of(achieved=900.0, growth=100.0, limited_by=LimitedBy.CPU), 900.0, False),
        (POINT, 1000.0, False),
    ],
)
def test_a_failure_beyond_doubt_is_one_of_a_drive_that_did_its_most(point: LoadPoint, most: float, sure: bool) -> None:
    assert surely_failed(point, SLO, most) is sure


@pytest.mark.parametrize(
    ("rate", "text", "seconds"),
    [
        (100_000, "rand-read p99<1ms", 6.0),  # 10,000 operations are done sooner, and a burst would be in them
        (1250, "rand-read p99<1ms", 8.0),
        (700, "rand-read p99<1ms", 10.0),
        (40, "rand-read p99<1ms", 15.7),  # 500 operations for a p99, and some
        (1, "rand-read p99<1ms", 30.0),
        (40, "rand-read mean<1ms", 10.0),
        (50, "oltp p95<1s", 25.0),  # so many transactions as a verdict wants
    ],
)
def test_how_long_a_point_is_measured(rate: float, text: str, seconds: float) -> None:
    assert duration_s(rate, parse(text, loadpoints.WORKLOADS)) == pytest.approx(seconds)


def test_a_point_of_a_database_is_not_too_short_for_its_verdict() -> None:
    assert FEWEST["oltp"] == FEWEST_TRANSACTIONS


def _campaign(tmp_path: Path) -> list[LoadPoint]:
    figures = {"iops": [990.0], "latency_p50": [0.001], "latency_p99": [0.004]}
    folder = make_campaign(
        tmp_path,
        Measured("d", figures, workload="rand-read", rate=1000.0, load=64),
        Measured("d", {**figures, "iops": [2000.0]}, workload="rand-read", load=64),
        Measured("d", {"hits": [90.0], "latency_p50": [0.01]}, workload="kvs", op="get", rate=100.0, load=4),
        Measured("d", {"throughput": [5e8]}, workload="seq-read"),
    )
    return list(loadpoints.read(folder))


def test_stored_steps_become_points(tmp_path: Path) -> None:
    paced, closed, kvs = _campaign(tmp_path)
    assert (paced.offered, paced.achieved, paced.share, paced.arrival) == (1000.0, 990.0, 0.99, POISSON)
    assert paced.latencies == {"latency_p50": 0.001, "latency_p99": 0.004}
    assert paced.backlog == pytest.approx(60.0), "ten a second for six seconds"
    assert (closed.offered, closed.share, closed.x, closed.arrival) == (None, None, 64.0, CLOSED)
    assert (kvs.workload, kvs.achieved, kvs.latency_op) == ("kvs", 90.0, "get")


def test_the_backlog_grows_by_what_is_missing_in_the_second_half() -> None:
    block = {"block_size": 4096}
    steady = [(float(i), 1000.0 * 4096) for i in range(1, 11)]
    filling = [(float(i), (1000.0 if i <= 5 else 900.0) * 4096) for i in range(1, 11)]
    growth = [
        loadpoints._growth(1000.0, loadpoints._done_a_second({"read_throughput": series}, block))
        for series in (steady, filling)
    ]
    assert growth == [pytest.approx(0.0), pytest.approx(100.0)]
    assert loadpoints._growth(1000.0, [1000.0]) is None, "too few seconds say nothing"


def test_a_key_value_stores_requests_are_its_hits_misses_and_sets() -> None:
    series = {"hits": [(1.0, 80.0), (2.0, 90.0)], "misses": [(1.0, 10.0)], "sets": [(1.0, 10.0), (2.0, 10.0)]}
    assert loadpoints._done_a_second(series, {}) == [100.0, 100.0]
    assert loadpoints._done_a_second(series, {"multi_get": 4}) == [], "keys of one get are not requests"


def test_a_campaign_of_other_work_has_no_points(tmp_path: Path) -> None:
    assert loadpoints.read(make_campaign(tmp_path, Measured("d", {"throughput": [1.0]}))) == ()
