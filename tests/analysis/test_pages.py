"""Pages: what is typed, and shares against distributions whose answer is known."""

from __future__ import annotations

import pytest

from iobench.analysis.pages import Measured, parse, shares
from iobench.errors import UsageError

WORKLOADS = ("oltp", "kvs")
MS = 1_000_000


def test_what_is_typed_is_read() -> None:
    assert parse("oltp=3 kvs=20", WORKLOADS) == parse("oltp=3, kvs=20", WORKLOADS) == {"oltp": 3, "kvs": 20}


@pytest.mark.parametrize("text", ["", "oltp", "oltp=0", "oltp=x", "otlp=3", "oltp=3 oltp=4", "oltp=999999"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, WORKLOADS)


def test_a_sum_of_fixed_latencies_is_exact() -> None:
    measured = {"oltp": [Measured(300.0, {1000 * MS: 5})], "kvs": [Measured(4000.0, {100 * MS: 7})]}
    (one,) = shares({"oltp": 3, "kvs": 20}, measured, 5.0)
    assert one.pages == pytest.approx(100.0), "three transactions each: 300/s are 100 pages"
    assert one.share == 1.0 and one.p99 == pytest.approx(5.0)
    (late,) = shares({"oltp": 3, "kvs": 20}, measured, 4.999)
    assert late.share == 0.0


def test_a_rare_slow_request_shows_in_the_share() -> None:
    """One request in a hundred is slow: of pages with ten, 0.99^10 are in time."""
    measured = {"kvs": [Measured(1000.0, {MS: 99, 6000 * MS: 1})]}
    (one,) = shares({"kvs": 10}, measured, 5.0)
    assert one.share == pytest.approx(0.99**10, abs=0.005)


def test_a_page_takes_the_latencies_of_no_less_load_than_it_needs() -> None:
    fast, slow = Measured(100.0, {MS: 1}), Measured(200.0, {9000 * MS: 1})
    found = shares({"kvs": 1}, {"kvs": [slow, fast]}, 5.0)
    assert [(one.pages, one.share) for one in found] == [(100.0, 1.0), (200.0, 0.0)]
    both = shares({"kvs": 1, "oltp": 1}, {"kvs": [slow, fast], "oltp": [Measured(150.0, {MS: 1})]}, 5.0)
    assert [(one.pages, one.share) for one in both] == [(100.0, 1.0), (150.0, 0.0)], "150/s of kvs has those of 200/s"


def test_a_workload_that_was_not_measured_gives_nothing() -> None:
    assert shares({"kvs": 1, "oltp": 1}, {"kvs": [Measured(1.0, {MS: 1})]}, 5.0) == []


def test_points_about_the_end_of_a_search_are_one_line() -> None:
    measured = {"kvs": [Measured(rate, {MS: 1}) for rate in (100.0, 700.0, 705.0, 710.0)]}
    assert [one.pages for one in shares({"kvs": 1}, measured, 5.0)] == [100.0, 710.0]
