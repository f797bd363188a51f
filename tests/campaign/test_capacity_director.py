"""The director of a capacity campaign, against models of drives: what it asks for next, and when it ends."""

from __future__ import annotations

import dataclasses
import json

import pytest

from iobench.analysis import capacity as analysis
from iobench.analysis import loadpoints
from iobench.analysis.capacity import Asked, State, Wanted
from iobench.analysis.loadpoints import CLOSED, EVEN, POISSON, LoadPoint
from iobench.analysis.search import End
from iobench.analysis.slo import parse
from iobench.campaign import capacity, plan
from iobench.campaign.director import Progress
from iobench.errors import UsageError
from iobench.model import Device, LimitedBy, Passport, Step, Target, Verdict, Work

SLO = parse("rand-read p99<10ms", loadpoints.WORKLOADS)
LIMIT = 1000.0


def point(wanted: Wanted, queue_from: float, limited_by: LimitedBy = LimitedBy.UNKNOWN) -> LoadPoint:
    """A drive of 1 ms, that does LIMIT and no more; from `queue_from` on its queue is long."""
    offered = wanted.rate
    achieved = min(LIMIT, offered if offered is not None else wanted.load * 1000.0)
    slow = (offered is None and wanted.load > 1) or (offered is not None and offered > queue_from)
    return LoadPoint(
        target="d",
        workload="rand-read",
        step=f"{wanted}",
        op="read",
        arrival=wanted.arrival or CLOSED,
        load=wanted.load,
        params={"jobs": 1},
        offered=offered,
        achieved=achieved,
        latency_op="read",
        latencies={"latency_mean": 0.02 if slow else 0.001, "latency_p99": 0.06 if slow else 0.002},
        operations=achieved * wanted.seconds,
        duration_s=wanted.seconds,
        backlog=None if offered is None else (offered - achieved) * wanted.seconds,
        growth=None if offered is None else offered - achieved,
        verdict=Verdict.VALID,
        reasons=(),
        limited_by=limited_by,
    )


def run(asked: Asked, even: float, random: float, limited_by: LimitedBy = LimitedBy.UNKNOWN) -> list[LoadPoint]:
    points = [point(Wanted(1), even), point(Wanted(asked.load), even)]
    while (wanted := State.of(asked, SLO, "d", points, EVEN).wanted()) is not None:
        points.append(point(wanted, random if wanted.arrival == POISSON else even, limited_by))
        assert len(points) < 40
    return points


def test_a_search_is_confirmed_and_gets_its_curve() -> None:
    asked = Asked((SLO,))
    points = run(asked, even=LIMIT, random=940.0)
    state = State.of(asked, SLO, "d", points, EVEN)
    found = analysis._result(state, "d")
    assert found.end is End.FOUND and found.confirmed
    assert found.even is not None and found.best is not None and found.failed is not None
    assert 990 <= (found.even.offered or 0) <= LIMIT < (found.failed.point.offered or 0) <= 1011
    assert 890 <= (found.best.offered or 0) <= 940 and found.best.arrival == POISSON
    assert [p.offered for p in points[-2:]] == [round(0.4 * found.even.offered), round(0.75 * found.even.offered)]  # type: ignore[operator]
    assert found.knee is not None and found.curve[found.knee].achieved == max(
        p.achieved for p in found.curve if p.latencies["latency_mean"] < 0.01
    )


def test_what_is_left_out_is_not_asked_for() -> None:
    points = run(Asked((SLO,), confirm=False, curve=False), even=LIMIT, random=0.0)
    assert {p.arrival for p in points} == {CLOSED, EVEN}


def test_an_idle_drive_that_breaks_the_slo_is_asked_for_the_lowest_rate_at_once() -> None:
    slo = parse("rand-read p99<1ms", loadpoints.WORKLOADS)
    alone = dataclasses.replace(point(Wanted(1), LIMIT), achieved=300.0)
    state = State.of(Asked((slo,)), slo, "d", [alone, point(Wanted(64), LIMIT)], EVEN)
    wanted = state.wanted()
    assert wanted is not None and wanted.rate == pytest.approx(loadpoints.lowest_rate(slo), abs=1)


def test_a_limit_that_one_operation_reaches_says_nothing_of_fewer() -> None:
    slow = dataclasses.replace(point(Wanted(1), LIMIT), latencies={"latency_mean": 0.02, "latency_p99": 0.06})
    wanted = State.of(Asked((SLO,)), SLO, "d", [slow, point(Wanted(64), LIMIT)], EVEN).wanted()
    assert wanted is not None and wanted.rate == 980


def test_a_point_of_a_search_over_loads_lasts_as_long_as_one_over_rates() -> None:
    asked = Asked((SLO,), by="load", most=64)
    (request,) = capacity.first_suite(asked).requests
    assert request.values["duration"] == f"{loadpoints.POINT_SECONDS}s"
    slow, fast = (dataclasses.replace(point(Wanted(1), LIMIT), achieved=rate) for rate in (300.0, 5000.0))
    far = point(Wanted(64), LIMIT)
    asks = [State.of(asked, SLO, "d", [first, far], EVEN).wanted() for first in (slow, fast)]
    assert [(w.load, w.seconds) for w in asks if w is not None] == [(32, 10.0), (32, 6.0)]


def test_nothing_follows_from_an_invalid_point() -> None:
    points = [point(Wanted(1), LIMIT), point(Wanted(64), LIMIT)]
    state = State.of(Asked((SLO,)), SLO, "d", points, EVEN)
    wanted = state.wanted()
    assert wanted is not None
    bad = dataclasses.replace(point(wanted, LIMIT), verdict=Verdict.INVALID, reasons=("errors",))
    assert State.of(Asked((SLO,)), SLO, "d", [*points, bad], EVEN).wanted() == wanted


def test_a_failure_that_memory_could_only_help_ends_a_search_like_any_other() -> None:
    asked, points = Asked((SLO,), confirm=False, curve=False), [point(Wanted(1), LIMIT), point(Wanted(64), LIMIT)]
    while (wanted := State.of(asked, SLO, "d", points, EVEN).wanted()) is not None:
        tried = point(wanted, LIMIT)
        if tried.offered is not None and tried.offered > LIMIT:
            tried = dataclasses.replace(tried, verdict=Verdict.INVALID, reasons=("page-cache",))
        points.append(tried)
        assert len(points) < 40
    found = analysis._result(State.of(asked, SLO, "d", points, EVEN), "d")
    assert found.end is End.FOUND and found.failed is not None and found.failed.point.verdict is Verdict.INVALID
    assert found.best is not None and found.best.x == pytest.approx(LIMIT, rel=0.03)
    assert all(p.verdict is Verdict.VALID for p in found.curve)


def test_a_machine_at_its_end_gives_a_least_value() -> None:
    points = run(Asked((SLO,), confirm=False, curve=False), even=1e9, random=1e9, limited_by=LimitedBy.CLIENT)
    found = analysis._result(State.of(Asked((SLO,)), SLO, "d", points, EVEN), "d")
    assert found.end is End.HOLDS_AT_MOST


def test_a_target_whose_steps_give_no_number_is_given_up() -> None:
    work = Work("rand", "rand-read", {}, 64)
    steps = tuple(Step(f"s{n}", "d", n, work) for n in range(capacity.MOST_FAILURES))
    campaign = dataclasses.replace(_campaign(), steps=steps)
    progress = Progress(campaign, None, frozenset(), dict.fromkeys(("s0",), "gone"), {}, None)  # type: ignore[arg-type]
    assert not capacity.given_up(progress, "d", (SLO,), ())
    invalid = dataclasses.replace(point(Wanted(1), LIMIT), verdict=Verdict.INVALID, reasons=("errors",))
    assert capacity.given_up(progress, "d", (SLO,), (invalid,))
    slow = {"latency_p99": 1.0}
    told = dataclasses.replace(invalid, reasons=("page-cache",), latencies=slow)
    assert not capacity.given_up(progress, "d", (SLO,), (told, told))
    gone = dataclasses.replace(progress, failed={step.id: "gone" for step in steps})
    assert capacity.given_up(gone, "d", (SLO,), ()) and not capacity.given_up(gone, "other", (SLO,), ())


def _campaign() -> analysis.Campaign:
    from datetime import UTC, datetime

    return analysis.Campaign("c", datetime(2026, 1, 1, tzinfo=UTC), None, "t", 1, (), {}, {}, {})


def test_what_was_asked_survives_json() -> None:
    asked = Asked((SLO, parse("kvs p50<1ms p99<5ms", loadpoints.WORKLOADS)), "rate", 32, 5e4, 0.02, False, True, {
        "oltp.tables": "8", "size": "4Gi",
    }, 7.0)  # fmt: skip
    assert analysis.asked_of(json.loads(json.dumps(asked.as_director()))) == asked


@pytest.mark.parametrize("kept", [{}, {"name": "capacity"}, {**Asked((SLO,)).as_director(), "slo": ["rand-read"]}])
def test_a_campaign_that_says_nothing_sensible_is_refused_in_a_sentence(kept: dict[str, object]) -> None:
    campaign = dataclasses.replace(_campaign(), director={"name": "capacity", **kept})  # type: ignore[dict-item]
    with pytest.raises(UsageError):
        capacity.director(campaign)
    assert analysis.asked_in(campaign) is None


def test_a_setting_reaches_its_workload_only() -> None:
    asked = Asked((SLO,), settings={"rand.block_size": "8Ki", "oltp.tables": "8", "size": "64Mi"})
    (request,) = capacity.first_suite(asked).requests
    assert request.values["block_size"] == "8Ki" and request.values["size"] == "64Mi" and "tables" not in request.values


@pytest.mark.parametrize(("text", "rate", "arrival"), [("kvs p99<5ms", 123.4, EVEN), ("oltp p95<1s", 20.0, None)])
def test_stores_and_databases_are_asked_alike_and_keep_their_server(
    text: str, rate: float, arrival: str | None
) -> None:
    """The points of a search share the server of its closed loops, or it would be filled anew for each."""
    slo = parse(text, loadpoints.WORKLOADS)
    asked = Asked((slo,), settings={"size": "64Mi"})
    passports = {"d": Passport(Target("d", "/mnt/d"), Device("sda", 8, 0, 10**11), free_bytes=10**11)}
    first = plan.works(capacity.first_suite(asked), passports, "libaio", {})
    assert [work.load for work in first] == [1, 64] and all(work.rate is None for work in first)
    director = capacity.CapacityDirector(capacity.pinned(asked, first))
    work = director._work(slo, Wanted(64, rate, arrival, 7.0), passports)
    assert (work.workload, work.rate, work.load) == (slo.workload, rate, 64)
    assert work.params.get("arrival") == arrival
    assert work.service is not None and work.service == first[1].service
