"""The shared nouns: what a workload is looked at by, verdicts in order, what an emulated drive can show."""

from __future__ import annotations

import pytest

from iobench.model import MAIN_METRICS, METRICS, Better, Emulation, Verdict, main_metrics, worst


def test_every_main_metric_is_one_and_one_of_them_is_a_rate() -> None:
    for workload, metrics in MAIN_METRICS.items():
        assert set(metrics) <= METRICS.keys(), workload
        assert any(METRICS[metric].better is Better.HIGHER for metric in metrics), "claims are held against a rate"


@pytest.mark.parametrize(
    ("workload", "there", "main"),
    [
        ("rand-read", ["throughput", "latency_p99", "iops"], ("iops", "latency_p99")),
        ("dd-write", ["throughput"], ("throughput",)),
        ("unheard-of", ["misses", "latency_p99", "throughput"], ("throughput", "latency_p99")),
        ("unheard-of", ["misses", "lost"], ("misses", "lost")),
        ("seq-read", [], ()),
    ],
)
def test_main_metrics_are_of_those_that_are_there(workload: str, there: list[str], main: tuple[str, ...]) -> None:
    assert main_metrics(workload, there) == main


def test_the_worst_verdict_counts() -> None:
    assert worst([Verdict.SUSPECT, Verdict.INVALID, Verdict.VALID]) is Verdict.INVALID
    assert worst([Verdict.VALID, Verdict.SUSPECT]) is Verdict.SUSPECT
    assert worst([]) is Verdict.VALID
    assert [verdict.mark for verdict in Verdict] == ["", "~", "✗"]


def test_only_an_emulated_latency_makes_more_than_a_rate() -> None:
    assert Emulation("x", read_iops=1.0).rate_only
    assert Emulation("x", latency_s=0.001, throttle_only=True).rate_only
    assert not Emulation("x", latency_s=0.001, parallel=4).rate_only
