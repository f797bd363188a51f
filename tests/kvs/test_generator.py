"""The load generator as a whole, against real memcached and against a server that misbehaves in each way we know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kvsservers import Odd, free_port, memcached, when_busy

from iobench.campaign.evidence import CLIENT_FULL
from iobench.errors import EXIT_OK, EXIT_TOOL
from iobench.kvs import config as asked
from iobench.kvs import result as answered
from iobench.kvs.config import Config, Keys, Preload, Timeouts
from iobench.kvs.generator import main, run
from iobench.kvs.links import Failed
from iobench.kvs.result import Result
from iobench.results import decode_bins

KEYS = Keys(count=500)


def load(endpoint: str, out: Path, **more: Any) -> Result:
    given: dict[str, Any] = {"connections": 8, "keys": KEYS, "ramp_s": 0.0, "duration_s": 0.4, "tick_s": 0.1}
    return run(Config((endpoint,), **{**given, **more}), out)


def preload(endpoint: str, out: Path, **more: Any) -> Result:
    return load(endpoint, out, mode="preload", preload=Preload(rate=None), **more)


def as_program(config: Config, folder: Path) -> Result:
    path = folder / "config.json"
    path.write_text(asked.to_json(config))
    done = subprocess.run(
        [sys.executable, "-m", "iobench.kvs", str(path), str(folder / "out")],
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == EXIT_OK and done.stderr == ""
    return answered.from_json((folder / "out" / answered.RESULT).read_text())


def counted(result: Result, name: str) -> int:
    return sum(decode_bins(result.latency[name]).values())


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with memcached(tmp_path_factory.mktemp("memcached"), "-I", "4m") as (name, _):
        yield name


# --- real memcached ------------------------------------------------------------------------------------


def test_load_preload_and_readback(endpoint: str, tmp_path: Path) -> None:
    stored = preload(endpoint, tmp_path)
    assert stored.counts.sets == KEYS.count and stored.counts.bytes_written == 100 * KEYS.count
    assert (tmp_path / answered.ACKNOWLEDGED).read_bytes() == b"\1" * KEYS.count

    result = load(endpoint, tmp_path, acknowledged=str(tmp_path / answered.ACKNOWLEDGED), processes=2)
    counts = result.counts
    assert counts.hits == counts.gets > 100 and counts.sets > 10 and counts.requests == counts.gets + counts.sets
    wrong = (counts.misses, counts.lost, counts.corrupt, counts.errors, counts.timeouts, counts.reconnects)
    assert wrong == (0, 0, 0, 0, 0, 0) and result.first_error is None and result.failure is None
    assert counted(result, "get") == counted(result, "get.service") == counts.gets
    assert counted(result, "set") == counts.sets
    assert result.processes == 2 and 0 < result.busy_cores < 3
    assert len(result.series) == 4
    assert 0 < sum(point.hits + point.sets for point in result.series) <= counts.requests
    assert result.probes[0].multi_get and result.probes[0].noreply and result.probes[0].line_end == "\r\n"
    assert result.probes[0].flush_all is None  # it would empty the server

    back = load(endpoint, tmp_path, mode="readback", acknowledged="all")
    assert back.counts.hits == back.counts.gets == KEYS.count
    some = load(endpoint, tmp_path, mode="readback", acknowledged="all", sample=20, keys=Keys(count=500))
    assert some.counts.hits == 20


@pytest.mark.parametrize(
    "more",
    [
        {"pipeline": 16},
        {"multi_get": 10},
        {"noreply": True},
        {"pipeline": 4, "multi_get": 3, "keys": Keys(count=500, distribution="zipf")},
        {"ratio": (0, 1)},
        {"ratio": (1, 0), "keys": Keys(count=500, distribution="hot")},
        {"rate": 2000.0, "multi_get": 2, "arrival": "even"},
    ],
)
def test_every_shape_of_load_hits(endpoint: str, tmp_path: Path, more: dict[str, Any]) -> None:
    preload(endpoint, tmp_path)
    result = load(endpoint, tmp_path, acknowledged="all", **more)
    counts = result.counts
    assert counts.misses == counts.errors == counts.corrupt == counts.lost == 0, result.first_error
    assert counts.requests == counts.gets + counts.sets > 10
    assert counts.hits >= counts.gets * (2 if more.get("multi_get") == 2 else 1) * 0.9
    assert bool(counts.unconfirmed) == bool(more.get("noreply")) and not result.adapted
    assert counted(result, "get") if counts.gets else counted(result, "set")


def test_large_values_are_sent_and_read_in_parts(endpoint: str, tmp_path: Path) -> None:
    more: dict[str, Any] = {"values": ((3_000_000, 1.0), (10, 1.0)), "keys": Keys(count=6, prefix="large:")}
    assert preload(endpoint, tmp_path, **more).counts.sets == 6
    result = load(endpoint, tmp_path, acknowledged="all", ratio=(1, 1), **more)
    assert result.counts.hits == result.counts.gets > 0 and result.counts.sets > 0
    assert result.counts.errors == result.counts.corrupt == 0


def test_a_preload_keeps_its_rate_and_makes_room_first(endpoint: str, tmp_path: Path) -> None:
    result = load(endpoint, tmp_path, mode="preload", preload=Preload(rate=200_000.0, passes=2))
    assert result.counts.sets == KEYS.count
    assert result.window_s > 0.9 * KEYS.count * 100 / 200_000  # never faster
    back = load(endpoint, tmp_path, mode="readback", acknowledged="all")
    assert back.counts.hits == KEYS.count  # the values, not the single bytes


def test_a_miss_is_no_hit_and_only_what_was_confirmed_is_lost(endpoint: str, tmp_path: Path) -> None:
    more: dict[str, Any] = {"keys": Keys(count=100, prefix="never:"), "ratio": (1, 0)}
    never = load(endpoint, tmp_path, **more)
    assert never.counts.hits == never.counts.lost == 0 and never.counts.misses > 100
    assert counted(never, "miss") == never.counts.misses and "get" not in never.latency
    gone = load(endpoint, tmp_path, acknowledged="all", **more)
    assert gone.counts.lost == 100  # each key once, however often it is asked
    assert gone.counts.misses > 100
    expired = load(endpoint, tmp_path, acknowledged="all", ttl_s=60, **more)
    assert expired.counts.lost == 0


def test_a_value_that_another_wrote_is_corrupt(endpoint: str, tmp_path: Path) -> None:
    preload(endpoint, tmp_path, keys=Keys(count=20, prefix="other:"), values=((50, 1.0),))
    result = load(endpoint, tmp_path, keys=Keys(count=20, prefix="other:"), ratio=(1, 0))
    assert result.counts.corrupt == result.counts.gets > 0 and result.counts.hits == 0
    assert "another value of other:" in str(result.first_error)


def test_an_overloaded_generator_tells_its_backlog(endpoint: str, tmp_path: Path) -> None:
    preload(endpoint, tmp_path)
    more: dict[str, Any] = {"rate": 5e6, "timeouts": Timeouts(reply_s=0.5), "acknowledged": "all"}
    result = load(endpoint, tmp_path, **more)
    assert result.offered_rate == 5e6 and result.achieved_rate < 2.5e6
    assert result.backlog > result.backlog_middle > 10_000  # type: ignore[operator]
    assert result.inside is not None and result.inside.requests == pytest.approx(result.achieved_rate * result.window_s)
    assert result.inside.requests <= result.counts.requests
    assert result.busy_cores > 0.5 * result.cpu_cores > 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="generator and server need a processor each")
def test_a_generator_at_its_end_is_known_as_client_bound(endpoint: str, tmp_path: Path) -> None:
    preload(endpoint, tmp_path)
    given = Config(
        (endpoint,), keys=KEYS, rate=1e6, ramp_s=0.2, duration_s=1.0, acknowledged="all",
        timeouts=Timeouts(reply_s=0.5), cpus=(max(os.sched_getaffinity(0)),),
    )  # fmt: skip
    for _ in range(3):
        result = as_program(given, tmp_path)
        if result.busy_cores >= CLIENT_FULL * result.processes:
            return
        if os.getloadavg()[0] > 1.5 * len(os.sched_getaffinity(0)):
            pytest.skip("other programs take the processors, so that the generator never has one to itself")
    pytest.fail(f"offered {given.rate:,.0f}/s, it used {result.busy_cores:.2f} cores")


def test_a_rate_is_kept_and_waiting_for_the_clock_is_not_work(endpoint: str, tmp_path: Path) -> None:
    preload(endpoint, tmp_path)
    for _ in range(3):  # on a busy machine a try may be late
        result = load(endpoint, tmp_path, rate=1000.0, duration_s=1.0, acknowledged="all")
        if result.achieved_rate == pytest.approx(1000, rel=0.15) and result.busy_cores < 0.5 * result.cpu_cores:
            break
    assert result.achieved_rate == pytest.approx(1000, rel=0.15)
    assert counted(result, "lateness") == pytest.approx(result.counts.requests, abs=20)
    assert result.busy_cores < 0.5 * result.cpu_cores  # it spun


def test_a_server_that_stands_still_is_seen_by_the_schedule(tmp_path: Path) -> None:
    with memcached(tmp_path) as (endpoint, process):
        preload(endpoint, tmp_path)

        def stall() -> None:
            when_busy(endpoint)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.6)
            process.send_signal(signal.SIGCONT)

        thread = threading.Thread(target=stall)
        thread.start()
        result = load(endpoint, tmp_path, rate=2000.0, duration_s=2.5, acknowledged="all")
        thread.join()
    bins = decode_bins(result.latency["get"])
    late = sum(count for edge, count in bins.items() if edge > 0.1e9)
    # A sixth or more of a second's requests were due while nothing answered; a closed loop would show 8.
    assert late > 500 and max(bins) > 0.5e9
    assert result.longest_gap_s is not None and result.longest_gap_s > 0.5
    assert result.counts.errors == 0


def test_an_outage_is_waited_for_and_what_was_lost_is_found(tmp_path: Path) -> None:
    port = str(free_port())
    tcp = ("-U", "0", "-l", "127.0.0.1", "-p", port)
    servers: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        user = ("-u", "root") if os.getuid() == 0 else ()
        servers.append(subprocess.Popen(["memcached", *user, *tcp]))

    def restart() -> None:
        when_busy(f"127.0.0.1:{port}", 300)
        servers[0].kill()
        servers[0].wait()
        time.sleep(0.4)
        start()

    start()
    try:
        time.sleep(0.3)
        endpoint = f"127.0.0.1:{port}"
        preload(endpoint, tmp_path)
        thread = threading.Thread(target=restart)
        thread.start()
        result = load(endpoint, tmp_path, rate=1000.0, duration_s=3.0, tick_s=0.01, outage=True, acknowledged="all")
        thread.join()
        counts = result.counts
        assert counts.errors > 100 and counts.reconnects >= 8 and counts.hits > 100
        assert counts.lost > 0 and counts.lost <= counts.misses  # the new server is empty
        assert result.longest_gap_s is not None and result.longest_gap_s > 0.35
        assert result.first_error is not None and result.first_error_s is not None and result.first_error_s > 0.1
        assert any(point.errors for point in result.series) and len(result.series) > 150
        known = (tmp_path / answered.ACKNOWLEDGED).read_bytes()
        assert 0 < known.count(1) <= KEYS.count
    finally:
        for server in servers:
            server.kill()
            server.wait()


def test_several_servers_share_the_keys(endpoint: str, tmp_path: Path) -> None:
    with memcached(tmp_path) as (other, _):
        config = Config((endpoint, other), connections=6, processes=2, keys=Keys(count=300, prefix="s:"), ramp_s=0.0,
                        duration_s=0.3, mode="preload", preload=Preload(rate=None))  # fmt: skip
        assert run(config, tmp_path).counts.sets == 300
        one = load(endpoint, tmp_path, mode="readback", acknowledged="all", keys=Keys(count=300, prefix="s:"))
        two = load(other, tmp_path, mode="readback", acknowledged="all", keys=Keys(count=300, prefix="s:"))
        assert one.counts.hits + two.counts.hits == 300 and one.counts.hits > 50 and two.counts.hits > 50
        for rate in (None, 2000.0):
            both = run(Config(config.endpoints, connections=6, processes=2, keys=config.keys, ramp_s=0.0,
                              duration_s=0.4, acknowledged="all", rate=rate), tmp_path)  # fmt: skip
            assert both.counts.misses == both.counts.errors == 0 and both.counts.hits > 100


# --- a server that misbehaves --------------------------------------------------------------------------


@pytest.fixture
def odd(request: pytest.FixtureRequest) -> Iterator[Odd]:
    server = Odd(*request.param)
    yield server
    server.close()


SHORT: dict[str, Any] = {"connections": 4, "keys": Keys(count=40)}


@pytest.mark.parametrize("odd", [("in pieces",)], indirect=True)
def test_replies_that_come_in_pieces(odd: Odd, tmp_path: Path) -> None:
    assert preload(odd.endpoint, tmp_path, **SHORT).counts.sets == 40
    result = load(odd.endpoint, tmp_path, acknowledged="all", **SHORT)
    assert result.counts.hits == result.counts.gets > 0 and result.counts.errors == 0


@pytest.mark.parametrize("odd", [("no noreply",)], indirect=True)
def test_noreply_is_given_up_where_the_server_lacks_it(odd: Odd, tmp_path: Path) -> None:
    preload(odd.endpoint, tmp_path, **SHORT)
    result = load(odd.endpoint, tmp_path, noreply=True, acknowledged="all", **SHORT)
    assert result.probes[0].noreply is False and "noreply" in result.adapted[0]
    assert result.counts.unconfirmed == result.counts.errors == 0 and result.counts.sets > 0


@pytest.mark.parametrize("odd", [("one key a get",)], indirect=True)
def test_gets_of_several_keys_are_given_up_where_the_server_lacks_them(odd: Odd, tmp_path: Path) -> None:
    preload(odd.endpoint, tmp_path, **SHORT)
    result = load(odd.endpoint, tmp_path, multi_get=5, acknowledged="all", **SHORT)
    assert result.probes[0].multi_get is False and "5 keys" in result.adapted[0]
    assert result.counts.hits == result.counts.gets > 0 and result.counts.errors == 0


@pytest.mark.parametrize("odd", [("another order",)], indirect=True)
def test_keys_of_a_multi_get_may_come_in_any_order(odd: Odd, tmp_path: Path) -> None:
    preload(odd.endpoint, tmp_path, **SHORT)
    result = load(odd.endpoint, tmp_path, multi_get=4, ratio=(1, 0), acknowledged="all", **SHORT)
    assert result.counts.hits > 2 * result.counts.gets > 0 and result.counts.corrupt == result.counts.misses == 0


@pytest.mark.parametrize("odd", [("bare newline", 5)], indirect=True)
def test_an_error_line_may_end_with_a_bare_newline(odd: Odd, tmp_path: Path) -> None:
    result = load(odd.endpoint, tmp_path, ratio=(0, 1), **SHORT)
    assert result.counts.sets == 4 * 5 and result.counts.errors > 0 and result.failure is None
    assert "SERVER_ERROR full" in str(result.first_error)
    probe = result.probes[0]
    assert probe.line_end == "\n" and probe.stats is False and probe.touch is False


@pytest.mark.parametrize("odd", [("errors", 3)], indirect=True)
def test_error_replies_are_errors_and_the_connection_stays(odd: Odd, tmp_path: Path) -> None:
    result = load(odd.endpoint, tmp_path, **SHORT)
    assert result.counts.errors > 5 and result.counts.reconnects == 0 and result.failure is None


@pytest.mark.parametrize("odd", [("forgets",)], indirect=True)
def test_a_confirmed_key_that_is_not_there_is_lost(odd: Odd, tmp_path: Path) -> None:
    result = load(odd.endpoint, tmp_path, ratio=(1, 1), **SHORT)
    assert result.counts.hits == 0 and 0 < result.counts.lost <= result.counts.misses


@pytest.mark.parametrize("odd", [("corrupt",), ("another key",)], indirect=True)
def test_what_is_not_what_was_set_is_corrupt(odd: Odd, tmp_path: Path) -> None:
    preload(odd.endpoint, tmp_path, **SHORT)
    result = load(odd.endpoint, tmp_path, ratio=(1, 0), **SHORT)
    assert result.counts.hits == 0 and result.counts.corrupt == result.counts.gets > 0


@pytest.mark.parametrize("odd", [("hangs", 5)], indirect=True)
def test_a_server_that_falls_silent_is_timed_out(odd: Odd, tmp_path: Path) -> None:
    begin = time.monotonic()
    result = load(odd.endpoint, tmp_path, **{**SHORT, "duration_s": 1.0, "timeouts": Timeouts(reply_s=0.3)})
    assert result.counts.timeouts >= 4 and result.counts.reconnects >= 4
    assert "no reply within 0.3 s" in str(result.first_error) and time.monotonic() - begin < 20


@pytest.mark.parametrize("odd", [("closes", 3)], indirect=True)
def test_connections_that_are_closed_are_made_again(odd: Odd, tmp_path: Path) -> None:
    result = load(odd.endpoint, tmp_path, **SHORT)
    assert result.counts.reconnects >= 4 and result.counts.errors >= 4 and result.counts.requests >= 12
    assert "closed a connection" in str(result.first_error) or "broke a connection" in str(result.first_error)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (("nonsense", 10), "HTTP/1.1"),
        (("no line", 10), "no line ends"),
        (("wrong length", 10), "does not end there"),
        (("huge length", 10), "1000000000000000 bytes"),
        (("says it twice", 10), "nobody asked for|more was answered|answered a get with"),
    ],
    indirect=["odd"],
)
@pytest.mark.parametrize("rate", [None, 2000.0])
def test_a_reply_that_cannot_be_read_ends_the_connection(
    odd: Odd, said: str, rate: float | None, tmp_path: Path
) -> None:
    begin = time.monotonic()
    preload(odd.endpoint, tmp_path, **SHORT)
    result = load(odd.endpoint, tmp_path, ratio=(1, 1), rate=rate, **SHORT)
    assert result.failure is not None and "no connection is left" in result.failure
    assert result.counts.errors >= 1 and result.counts.reconnects == 0
    assert any(part in str(result.first_error) for part in said.split("|")), result.first_error
    assert time.monotonic() - begin < 20


# --- as a program --------------------------------------------------------------------------------------


def test_the_program_writes_its_result_and_exits_with_0(endpoint: str, tmp_path: Path) -> None:
    given = Config((endpoint,), connections=2, keys=KEYS, ramp_s=0.0, duration_s=0.2, cpus=(0,))
    assert as_program(given, tmp_path).counts.requests > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"endpoints": ["127.0.0.1:1"]}, "cannot be reached"),
        ({"endpoints": ["unix:/nowhere/at/all"]}, "cannot be reached"),
        ({"endpoints": ["nothing"]}, "no address"),
        ({"endpoints": ["127.0.0.1:1"], "mode": "lode"}, "mode is 'lode'"),
        ({"endpoints": ["ENDPOINT"], "cpus": [4095]}, "processor 4095 cannot be used"),
    ],
)
def test_what_cannot_be_run_exits_with_4(
    given: dict[str, Any], said: str, endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(given).replace("ENDPOINT", endpoint))
    assert main([str(tmp_path / "config.json"), str(tmp_path / "out")]) == EXIT_TOOL
    assert said in capsys.readouterr().err
    assert said in str(answered.from_json((tmp_path / "out" / answered.RESULT).read_text()).failure)


@pytest.mark.parametrize("odd", [("nonsense",)], indirect=True)
def test_a_probe_tells_what_a_server_can(odd: Odd, endpoint: str, tmp_path: Path) -> None:
    for name in (odd.endpoint, endpoint):
        found = load(name, tmp_path, mode="probe").probes[0]
        assert found.noreply and found.multi_get
    assert found.version is not None and found.touch and found.stats and found.gets


def test_a_server_of_another_kind_is_told(tmp_path: Path) -> None:
    server = Odd("nonsense")
    server._answer = lambda *_: b"220 mail ready\r\n"  # type: ignore[method-assign]
    try:
        with pytest.raises(Failed, match="does not speak the memcached text protocol"):
            load(server.endpoint, tmp_path, mode="probe")
    finally:
        server.close()
