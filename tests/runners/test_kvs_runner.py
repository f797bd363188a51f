"""kvs: what is planned and asked, and what is read from real results of the load generator."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench.errors import ParseError, UsageError
from iobench.kvs import result
from iobench.kvs.config import from_json
from iobench.kvs.dataset import parse_values
from iobench.model import METRICS, Output, Place, Reading, Work
from iobench.runners import kvs
from iobench.servers import memcached, memcached_counters, memcached_existing

MIB = 1 << 20
FIXTURES = Path(__file__).parent.parent / "fixtures" / "kvs-1"
CLOSED = (FIXTURES / "closed-2000.json").read_text()
KILLED = {
    "result.json": (FIXTURES / "killed.json").read_text(),
    "readback.json": (FIXTURES / "killed-readback.json").read_text(),
    "outage.json": (FIXTURES / "killed-outage.json").read_text(),
}


def planned(**asked: Any) -> tuple[Work, ...]:
    return kvs.plan(kvs.Params(**{"size": 8 * MIB, **asked}))


def read(work: Work, files: dict[str, str]) -> Reading:
    return kvs.read(work, Output(("python",), 0, "", "", files, 5.0, 1.0))


def values(reading: Reading) -> dict[tuple[str, str], float]:
    return {(s.op, s.metric): s.value for s in reading.samples}


# --- planning --------------------------------------------------------------------------------------------


def test_each_load_and_cache_is_a_work_on_one_server() -> None:
    works = planned(loads=(1, 16), cache=("cold", "cached"))
    assert [(w.load, w.params["cache"], w.rate) for w in works] == [
        (1, "cold", None),
        (16, "cold", None),
        (1, "cached", None),
        (16, "cached", None),
    ]
    assert len({w.service for w in works}) == 1, "one preload serves them all"
    service = works[0].service
    assert service is not None and service.params["keys"] == 2048
    assert service.room > 2 * 8 * MIB
    assert all(w.writes for w in works)


def test_rates_are_offered_over_the_most_connections() -> None:
    works = planned(loads=(1, 16), rate=500.0, rates=(100, 1000))
    assert [(w.load, w.rate) for w in works] == [(16, 100.0), (16, 500.0), (16, 1000.0)]


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"ratio": "9"}, "ratio '9' is not gets to sets; write 9:1"),
        ({"ratio": "0:0"}, "asks for nothing"),
        ({"outage": "kill"}, "give --rate"),
        ({"restore": "true"}, "--restore belongs to --outage"),
        ({"outage": "stop 'it", "rate": 10.0}, "is no command"),
        ({"outage": "kill", "rate": 10.0, "outage_time": 8.0}, "leaves nothing"),
        ({"pipeline": 4, "rate": 10.0}, "exclude each other"),
        ({"processes": 2}, "cannot be shared by 2 processes"),
        ({"value_size": "4Ki:x"}, "write 4Ki, or 100:9,4Ki:1"),
        ({"size": 100}, "not one value"),
        ({"ratio": "0:1", "cache": ("cached",)}, "sets alone"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_to_do(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        planned(**asked)
    assert said in str(refused.value)


def test_sizes_with_weights() -> None:
    assert parse_values("4Ki") == ((4096, 1.0),)
    assert parse_values("100:9, 4Ki:1") == ((100, 9.0), (4096, 1.0))


# --- asking ----------------------------------------------------------------------------------------------


def test_the_generator_is_asked_what_the_work_says(tmp_path: Path) -> None:
    (work,) = planned(loads=(8,), rate=200.0, ratio="1:0", keys="zipf", outage="freeze", seed=7)
    endpoint = {"servers": "h:1,h:2", "cpus": "1,3", "can": json.dumps({"noreply": False})}
    command = kvs.command(work, Place({}, {}, str(tmp_path), service=endpoint))
    asked = from_json(command.inputs["config.json"])
    assert command.argv[-2:] == (f"{tmp_path}/config.json", str(tmp_path))
    assert (asked.endpoints, asked.cpus, asked.connections) == (("h:1", "h:2"), (1, 3), 8)
    assert (asked.rate, asked.ratio, asked.keys.distribution, asked.keys.count) == (200.0, (1, 0), "zipf", 2048)
    assert (asked.acknowledged, asked.outage, asked.server.noreply, asked.seed) == ("all", True, False, 7)


def test_values_that_expire_are_not_taken_for_lost() -> None:
    (work,) = planned(loads=(1,), ttl=60.0)
    command = kvs.command(work, Place({}, {}, "out", service=memcached.EXAMPLE))
    asked = from_json(command.inputs["config.json"])
    assert (asked.ttl_s, asked.expires) == (60, True)
    there = kvs.command(work, Place({}, {}, "out", service={**memcached.EXAMPLE, "ttl_s": 86_400}))
    assert not from_json(there.inputs["config.json"]).expires


# --- reading ---------------------------------------------------------------------------------------------


def test_a_real_result_becomes_hits_latencies_and_counts() -> None:
    (work,) = planned(loads=(16,), ratio="1:0")
    reading = read(work, {"result.json": CLOSED})
    found = values(reading)
    told = result.from_json(CLOSED)
    assert found["get", "hits"] == pytest.approx(told.counts.hits / told.window_s)
    assert 0 < found["get", "latency_p50"] <= found["get", "latency_p99"] <= found["get", "latency_max"]
    assert found["get", "latency_service_p50"] <= found["get", "latency_p50"]
    assert [found["all", name] for name in ("misses", "lost", "corrupt", "errors", "timeouts")] == [0] * 5
    assert ("all", "outage") not in found and ("set", "ops") not in found
    assert reading.drive_reads == told.counts.hits and reading.ended_at == told.ended_at
    assert {metric for _, metric in found} <= set(METRICS)
    assert {point.metric for point in reading.series} == {"hits", "sets"}
    assert reading.errors == 0


def test_what_was_answered_after_the_window_is_in_no_rate() -> None:
    """At a rate past its limit a store answers on after the window: those replies are late, and not more a second."""
    found = json.loads(CLOSED)
    inside = {name: count // 2 for name, count in found["counts"].items() if not name.startswith("bytes")}
    whole, half = (
        read(planned()[0], {"result.json": json.dumps({**found, "inside": given})}) for given in (None, inside)
    )
    for key in (("get", "hits"), ("all", "ops")):
        assert values(half)[key] == pytest.approx(values(whole)[key] / 2, rel=1e-3)
    assert half.drive_reads == inside["hits"] and half.bytes_read == pytest.approx(
        (whole.bytes_read or 0) / 2, rel=1e-3
    )
    assert half.latencies == whole.latencies


def test_a_cached_step_claims_nothing_of_the_drive() -> None:
    (work,) = planned(loads=(16,), cache=("cached",))
    reading = read(work, {"result.json": CLOSED})
    assert (reading.drive_reads, reading.bytes_read) == (None, None)


def test_a_killed_server_shows_its_gap_and_what_was_lost() -> None:
    (work,) = planned(loads=(8,), rate=800.0, outage="kill", duration=6.0)
    reading = read(work, KILLED)
    found = values(reading)
    assert 1.0 < found["all", "outage"] < 3.0
    assert found["all", "lost"] == 4574, "every key that is gone once, as it was read back"
    assert reading.errors == 0, "errors are what an outage is about"
    moments = {p.metric: p.t_s for p in reading.series if p.metric.startswith("outage_")}
    assert moments["outage_restored"] - moments["outage_began"] == pytest.approx(1.04, abs=0.01)
    assert reading.drive_reads is None


def test_a_failed_command_makes_an_outage_no_figure() -> None:
    (work,) = planned(loads=(8,), rate=800.0, outage="false", duration=6.0)
    told = {**json.loads(KILLED["outage.json"]), "outage_exit": 1}
    reading = read(work, {**KILLED, "outage.json": json.dumps(told)})
    assert (reading.errors, reading.error_text) == (1, "the outage command ended with exit code 1")


def _changed(text: str, **counts: int) -> str:
    told = json.loads(text)
    told["counts"] |= counts
    return json.dumps(told)


@pytest.mark.parametrize(
    "counts, said",
    [
        ({"errors": 3}, "3 request(s) failed"),
        ({"timeouts": 2}, "2 got no answer in time"),
        ({"corrupt": 1}, "1 value(s) came back changed"),
    ],
)
def test_what_makes_a_number_no_figure(counts: dict[str, int], said: str) -> None:
    (work,) = planned(loads=(16,))
    reading = read(work, {"result.json": _changed(CLOSED, **counts)})
    assert reading.errors and reading.error_text and said in reading.error_text


def test_what_cannot_be_read_is_told() -> None:
    (work,) = planned(loads=(16,))
    failure = json.dumps({**json.loads(CLOSED), "failure": "no server at h:1"})
    for files, said in (({}, "iobench.kvs wrote no result"), ({"result.json": failure}, "no server at h:1")):
        with pytest.raises(ParseError, match=said):
            read(work, files)
    (outage,) = planned(loads=(8,), rate=800.0, outage="kill")
    with pytest.raises(ParseError, match=r"outage\.json is not there"):
        read(outage, {"result.json": KILLED["result.json"]})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(sorted(KILLED)))
def test_spoilt_results_give_an_error_of_ours_or_a_reading(at: int, sign: int, name: str) -> None:
    (work,) = planned(loads=(8,), rate=800.0, outage="kill", duration=6.0)
    text = KILLED[name]
    for spoilt in (text[: at % len(text)], text[: at % len(text)] + chr(sign) + text[at % len(text) + 1 :]):
        try:
            reading = read(work, {**KILLED, name: spoilt})
        except ParseError:
            continue
        assert reading.measured_s > 0


# --- servers ---------------------------------------------------------------------------------------------


def test_addresses_of_servers() -> None:
    assert memcached_existing.endpoints("memcached://a:1,b:11211") == ("a:1", "b:11211")
    for wrong in ("memcached://a", "memcached://a:0", "memcached://a:1,a:1", "redis://a:1", "memcached://a:1:x"):
        with pytest.raises(UsageError):
            memcached_existing.endpoints(wrong)


def test_a_server_started_anew_counts_from_nothing() -> None:
    before = memcached_counters.Counted(10.0, {"get_hits": 100, "get_extstore": 90, "extstore_objects_read": 90})
    after = memcached_counters.Counted(20.0, {"get_hits": 10, "get_extstore": 5, "extstore_objects_read": 5})
    assert memcached_counters.facts(before, after, None).server_reads == 5
    grown = dataclasses.replace(after, stats={"get_hits": 200, "get_extstore": 180, "extstore_objects_read": 181})
    facts = memcached_counters.facts(before, grown, 0.5)
    assert (facts.server_reads, facts.cache_hit_ratio, facts.settled_s) == (91, pytest.approx(0.1), 0.5)
    assert facts.server_cpu is None
