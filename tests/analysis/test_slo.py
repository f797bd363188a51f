"""SLOs as they are typed: what is read, what is refused and how, and what they say of latencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench.analysis.slo import Limit, Slo, parse
from iobench.errors import UsageError

WORKLOADS = ("rand-read", "rand-write", "oltp", "kvs")


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("rand-read p99<1ms", [("latency_p99", 1e-3)]),
        ("rand-read p99 < 1 ms", [("latency_p99", 1e-3)]),
        ("oltp p95<=100ms", [("latency_p95", 0.1)]),
        ("kvs P99.9<5ms", [("latency_p999", 5e-3)]),
        ("kvs p50<500us, p99<5ms", [("latency_p50", 5e-4), ("latency_p99", 5e-3)]),
        ("kvs p50<500us p99<5ms", [("latency_p50", 5e-4), ("latency_p99", 5e-3)]),
        ("kvs mean<1ms and max<1s", [("latency_mean", 1e-3), ("latency_max", 1.0)]),
    ],
)
def test_what_is_typed_is_read(text: str, limits: list[tuple[str, float]]) -> None:
    slo = parse(text, WORKLOADS)
    assert slo.workload == text.split()[0]
    assert [(limit.metric, pytest.approx(limit.seconds)) for limit in slo.limits] == limits
    assert parse(slo.text, WORKLOADS) == slo, "the normal form reads back"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("rand-raed p99<1ms", "rand-read"),
        ("seq-read p99<1ms", "no load can be searched"),
        ("rand-read", "no latency"),
        ("rand-read p99", "not a limit"),
        ("rand-read p98<1ms", "p99"),
        ("rand-read p99<1parsec", "unit of time"),
        ("rand-read p99<0ms", "below 0ms"),
        ("rand-read p99>1ms", "not a limit"),
        ("rand-read p99<1ms p99<2ms", "twice"),
        ("rand-read p99<", "not a limit"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text, WORKLOADS)


@given(st.text(max_size=40))
def test_any_text_is_an_objective_or_refused(text: str) -> None:
    try:
        assert parse(text, WORKLOADS).limits
    except UsageError as error:
        assert str(error)


def test_latencies_are_held_against_every_limit() -> None:
    slo = Slo("kvs", (Limit("latency_p50", 1e-3), Limit("latency_p99", 5e-3)))
    assert slo.broken({"latency_p50": 0.9e-3, "latency_p99": 4.9e-3}) is None
    assert slo.broken({"latency_p50": 0.9e-3, "latency_p99": 5e-3}) == slo.limits[1]
    assert slo.broken({"latency_p50": 2e-3, "latency_p99": 9e-3}) == slo.limits[0]
    assert slo.missing({"latency_p50": 1.0}) == "latency_p99"


def test_a_percentile_asks_for_operations() -> None:
    assert parse("kvs p99<1ms", WORKLOADS).least_operations == 500
    assert parse("kvs p999<1ms", WORKLOADS).least_operations == 5000
    assert parse("kvs max<1ms", WORKLOADS).least_operations == 1
