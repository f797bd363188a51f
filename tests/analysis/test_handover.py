"""Criteria judged with figures alone: the interval decides, failed evidence and what is not known never pass."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from stored import Measured as StoredWork
from stored import make_campaign

from iobench.analysis import handover
from iobench.analysis.handover import Circumstances, Known, Measured, Outcome
from iobench.analysis.order import Fact, Speed
from iobench.analysis.steady import judge as steady
from iobench.analysis.types import Estimate
from iobench.model import Evidence, Verdict
from iobench.texts import Phrase

QUICK = Circumstances("quick")
KEY = ("a", "rand-read", "read", "iops", 8)


def _speed(**changes: Any) -> Speed:
    fields: dict[str, Any] = {
        **{"id": "x", "workload": "rand-read", "op": "read", "metric": "iops", "load": 8, "look": "quick"},
        **{"source": "s", "conditions": None},
    }
    return Speed(**(fields | (changes or {"at_least": 100.0})))


def _figures(*values: float, ci95: tuple[float, float] | None = None, **more: Any) -> Measured:
    estimates = {KEY: _estimate(values, ci95)} if values else {}
    fields: dict[str, Any] = {"estimates": estimates, "dropped": {}, "steady": {}, "errors": {}, "integrity": {}}
    return Measured(**(fields | more))


def _estimate(values: tuple[float, ...], ci95: tuple[float, float] | None = None) -> Estimate:
    rounds = tuple(range(1, len(values) + 1))
    middle = sorted(values)[len(values) // 2]
    ends = ci95 or (min(values), max(values))
    return Estimate(len(values), middle, ends, Verdict.VALID, (), values, rounds)


@pytest.mark.parametrize(
    ("interval", "least", "most"),
    [
        ((102.1, 110.0), Outcome.PASS, Outcome.FAIL),
        ((101.9, 110.0), Outcome.PASS, Outcome.UNDECIDED),  # beyond the limit, within what can be told
        ((100.0, 110.0), Outcome.PASS, Outcome.UNDECIDED),
        ((90.0, 97.9), Outcome.FAIL, Outcome.PASS),
        ((90.0, 98.1), Outcome.UNDECIDED, Outcome.PASS),
        ((90.0, 100.0), Outcome.UNDECIDED, Outcome.PASS),
        ((90.0, 110.0), Outcome.UNDECIDED, Outcome.UNDECIDED),
    ],
)
def test_only_the_whole_interval_decides(interval: tuple[float, float], least: Outcome, most: Outcome) -> None:
    assert handover.decide(interval, 100.0, None) is least
    assert handover.decide(interval, None, 100.0) is most


def test_a_repeat_of_which_memory_answered_a_part_decides_nothing(tmp_path: Path) -> None:
    """A twentieth of the bytes is within what `page-cache` allows, and would be a pass of a drive that is 5 % short."""
    seen = {1: Evidence(tool_bytes_read=1000, device_bytes_read=979), 2: Evidence(tool_bytes_read=1000)}
    seen |= {3: Evidence(tool_bytes_read=1000, device_bytes_read=981, tool_bytes_written=0, device_bytes_written=0)}
    rates: list[float | None] = [105.0, 100, 101, 102]
    folder = make_campaign(tmp_path, StoredWork("a", {"iops": rates}, workload="rand-read", evidence=seen))
    found = handover.measured(folder, {})
    assert found.estimates[KEY].values == (100.0, 101.0, 102.0)
    assert found.dropped[KEY] == Counter(["page-cache"])


def test_the_ends_of_a_window_and_the_nature_of_a_store_are_no_such_part(tmp_path: Path) -> None:
    seen = {1: Evidence(tool_bytes_read=1000, device_bytes_read=975), 2: Evidence(tool_bytes_read=1000)}
    rates: list[float | None] = [105.0, 100, 101, 102]
    ramped = make_campaign(
        tmp_path / "ramped", StoredWork("a", {"iops": rates}, workload="rand-read", evidence=seen, ramp_s=1.0)
    )
    assert handover.measured(ramped, {}).estimates[KEY].n == 4
    store = make_campaign(tmp_path / "store", StoredWork("a", {"ops": rates}, workload="kvs", evidence=seen))
    assert [e.n for e in handover.measured(store, {}).estimates.values()] == [4]


def test_a_figure_is_judged_and_says_what_it_is() -> None:
    item = handover.judge_speed(_speed(), "a", _figures(105, 106, 107), QUICK)
    assert (item.outcome, item.value, item.interval, item.limit, item.repeats) == (
        Outcome.PASS,
        106,
        (105, 107),
        100,
        3,
    )
    assert handover.judge_speed(_speed(), "a", _figures(95, 96, 97), QUICK).outcome is Outcome.FAIL
    between = handover.judge_speed(_speed(), "a", _figures(95, 100, 105), QUICK)
    assert between.outcome is Outcome.UNDECIDED
    assert between.why is not None and between.why.key == "handover.why.between"


@pytest.mark.parametrize("values", [(), (200.0,), (200.0, 201.0)])
def test_too_few_repeats_never_pass(values: tuple[float, ...]) -> None:
    assert handover.judge_speed(_speed(), "a", _figures(*values), QUICK).outcome is Outcome.UNDECIDED


def test_repeats_whose_evidence_failed_are_named() -> None:
    figures = _figures(200, 201, dropped={KEY: Counter({"page-cache": 3})})
    item = handover.judge_speed(_speed(), "a", figures, QUICK)
    assert item.outcome is Outcome.UNDECIDED and item.why is not None
    assert item.why.figures["reasons"] == ("page-cache",)


def test_what_was_left_out_or_is_for_the_full_look() -> None:
    figures = _figures(200, 201, 202)
    cut = Circumstances("quick", left_out=frozenset({"x"}))
    assert handover.judge_speed(_speed(), "a", figures, cut).outcome is Outcome.UNDECIDED
    full = _speed(at_least=100.0, look="full")
    assert handover.judge_speed(full, "a", figures, QUICK).outcome is Outcome.SKIPPED
    assert handover.judge_speed(full, "a", figures, Circumstances("full")).outcome is Outcome.PASS


def test_under_a_cap_of_ours_a_rate_is_not_decided() -> None:
    capped = Circumstances("quick", max_rate=1e6)
    for speed in (_speed(), _speed(of_best=0.9), _speed(metric="throughput", at_least=2e6)):
        figures = _figures(estimates={(*KEY[:3], speed.metric, 8): _estimate((5e6, 5e6, 5e6))})
        assert handover.judge_speed(speed, "a", figures, capped).outcome is Outcome.UNDECIDED
    latency = _speed(metric="latency_p99", at_most=0.01)
    figures = _figures(estimates={(*KEY[:3], "latency_p99", 8): _estimate((0.001, 0.001, 0.002))})
    assert handover.judge_speed(latency, "a", figures, capped).outcome is Outcome.PASS


@pytest.mark.parametrize(("at_8", "outcome"), [(95.0, Outcome.PASS), (80.0, Outcome.FAIL), (90.0, Outcome.UNDECIDED)])
def test_the_share_of_the_best(at_8: float, outcome: Outcome) -> None:
    spread = (0.995, 1.0, 1.005)
    estimates = {
        KEY: _estimate(tuple(at_8 * s for s in spread)),
        (*KEY[:4], 1): _estimate(tuple(100.0 * s for s in reversed(spread))),
    }
    item = handover.judge_speed(_speed(of_best=0.9), "a", _figures(estimates=estimates), QUICK)
    assert item.outcome is outcome and item.value == pytest.approx(at_8 / 100)
    # A load that was planned and has no sound figure might have been the best.
    for lacking in (
        {"dropped": {(*KEY[:4], 64): Counter({"not-steady": 2})}},
        {"errors": {("a", "rand-read", 64): "x"}},
    ):
        figures = _figures(estimates=estimates, loads={KEY[:2]: frozenset({1, 8, 64})}, **lacking)
        item = handover.judge_speed(_speed(of_best=0.9), "a", figures, QUICK)
        assert item.outcome is Outcome.UNDECIDED and "at load 64" in str(item.why)


def test_steady_state_not_reached_is_not_decided() -> None:
    speed = _speed(workload="steady-write", op="write", at_least=100.0)
    key = ("a", "steady-write", "write", "iops", 8)
    estimates = {key: _estimate((200.0, 200.0, 200.0))}
    falling = steady([1000.0, 700, 500, 300, 200])
    for state in ({}, {"a": falling}):
        item = handover.judge_speed(speed, "a", _figures(estimates=estimates, steady=state), QUICK)
        assert item.outcome is Outcome.UNDECIDED
    level = {"a": steady([200.0] * 5)}
    assert handover.judge_speed(speed, "a", _figures(estimates=estimates, steady=level), QUICK).outcome is Outcome.PASS


def test_steady_state_is_judged_by_its_window_alone() -> None:
    speed = _speed(workload="steady-write", op="write", at_least=100.0)
    key = ("a", "steady-write", "write", "iops", 8)
    rounds = (1000.0, 700.0, 500.0, 90.0, 90.0, 90.0, 90.0, 90.0)
    figures = _figures(estimates={key: _estimate(rounds)}, steady={"a": steady(rounds)})
    item = handover.judge_speed(speed, "a", figures, QUICK)
    assert item.outcome is Outcome.FAIL and item.value == 90


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ((0.0, frozenset[str](), 1), Outcome.PASS),
        ((0.0, frozenset({"too-short", "background-io"}), 1), Outcome.PASS),
        ((0.0, frozenset({"page-cache"}), 1), Outcome.UNDECIDED),
        ((0.0, frozenset({"no-device"}), 1), Outcome.UNDECIDED),
        ((2.0, frozenset({"lost-data"}), 1), Outcome.FAIL),
        ((0.0, frozenset[str](), 0), Outcome.UNDECIDED),
    ],
)
def test_integrity(found: tuple[float, frozenset[str], int], outcome: Outcome) -> None:
    assert handover.judge_integrity("a", _figures(integrity={"a": found}), QUICK).outcome is outcome


# --- facts ---------------------------------------------------------------------------------------------


def _fact(what: str, unit: str | None, **test: Any) -> Fact:
    return Fact(what, unit, "health", "s", None, **test)


@pytest.mark.parametrize(
    ("fact", "value", "outcome"),
    [
        (_fact("model", None, matches="(?i)iodrive"), "Fusion ioDrive 160", Outcome.PASS),
        (_fact("model", None, matches="(?i)iodrive"), "X25-E", Outcome.FAIL),
        (_fact("firmware", None, at_least="5.0.9"), "5.0.10", Outcome.PASS),
        (_fact("firmware", None, at_least="5.0.9"), "5.0.8", Outcome.FAIL),
        (_fact("passed", "flag", equals=True), False, Outcome.FAIL),
        (_fact("reserve", "%", at_least=0.9), 0.95, Outcome.PASS),
        (_fact("temperature", "°C", at_most=75.0), 80.0, Outcome.FAIL),
    ],
)
def test_a_fact(fact: Fact, value: Any, outcome: Outcome) -> None:
    assert handover.judge_fact(fact, "a", Known({fact.what: value}), None).outcome is outcome


def test_a_figure_that_a_workload_never_gives_says_which_it_gives() -> None:
    figures = _figures(100, 101, 102, dropped={KEY: Counter()})
    item = handover.judge_speed(_speed(metric="transactions", at_least=1.0), "a", figures, QUICK)
    assert (item.outcome, item.why and item.why.key) == (Outcome.UNDECIDED, handover.NO_SUCH_FIGURE)
    assert str(item.why) == "it gives no read transactions; it gives read iops"


def test_what_did_not_fit_in_the_time_says_so() -> None:
    figures = _figures(left_out=frozenset({("a", "rand-read", 8), ("a", "verify", 8)}))
    for item in (handover.judge_speed(_speed(), "a", figures, QUICK), handover.judge_integrity("a", figures, QUICK)):
        assert (item.outcome, item.why) == (Outcome.UNDECIDED, Phrase("handover.why.time"))


@pytest.mark.parametrize(
    ("fact", "value", "outcome"),
    [
        (_fact("serial", None, equals="1234"), "1235", Outcome.FAIL),
        (_fact("firmware", None, at_least="5.0.5"), "rubbish", Outcome.UNDECIDED),
        (_fact("firmware", None, at_most="7"), "rubbish", Outcome.UNDECIDED),
        (_fact("firmware", None, at_least="5.0.5"), "5.0.10", Outcome.PASS),
    ],
)
def test_another_serial_fails_and_rubbish_is_no_version(fact: Fact, value: str, outcome: Outcome) -> None:
    assert handover.judge_fact(fact, "a", Known({fact.what: value}), None).outcome is outcome


def test_health_that_is_gone_after_the_test_is_no_pass() -> None:
    fact = _fact("passed", "flag", equals=True)
    item = handover.judge_fact(fact, "a", Known({"passed": True}), Known({}, {"": "the device is gone"}))
    assert item.outcome is Outcome.UNDECIDED and item.found.figures["why"] == "the device is gone"


def test_what_is_not_known_is_not_a_pass_and_says_why() -> None:
    fact = _fact("passed", "flag", equals=True)
    for known in (None, Known({}, {"passed": "it needs root"})):
        item = handover.judge_fact(fact, "a", known, None)
        assert item.outcome is Outcome.UNDECIDED
    assert item.found.figures["why"] == "it needs root"


@pytest.mark.parametrize(("after", "outcome"), [(3.0, Outcome.PASS), (4.0, Outcome.FAIL), (None, Outcome.UNDECIDED)])
def test_growth(after: float | None, outcome: Outcome) -> None:
    fact = _fact("media_errors", "1", grows_at_most=0.0)
    later = Known({"media_errors": after} if after is not None else {})
    assert handover.judge_fact(fact, "a", Known({"media_errors": 3.0}), later).outcome is outcome


def test_the_whole_is_as_bad_as_its_worst() -> None:
    assert handover.worst([Outcome.PASS, Outcome.SKIPPED]) is Outcome.PASS
    assert handover.worst([Outcome.PASS, Outcome.UNDECIDED]) is Outcome.UNDECIDED
    assert handover.worst([Outcome.UNDECIDED, Outcome.FAIL]) is Outcome.FAIL
    assert handover.worst([Outcome.SKIPPED]) is handover.worst([]) is Outcome.UNDECIDED
