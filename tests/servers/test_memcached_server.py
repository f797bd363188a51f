"""The private memcached and servers that exist, with the real program and the real load generator."""

from __future__ import annotations

import json
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from iobench import proc
from iobench.errors import ToolError
from iobench.kvs import result
from iobench.model import Service, Work
from iobench.runners import kvs
from iobench.servers import Room, memcached, memcached_sizes
from iobench.servers.filling import ask_stats

MIB = 1 << 20
pytestmark = pytest.mark.skipif(proc.find("memcached") is None, reason="needs memcached")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with tempfile.TemporaryDirectory() as short:
        for name in ("data", "log"):
            (tmp_path / name).mkdir(mode=0o700)
        yield Room(tmp_path / "data", Path(short), Path(short), tmp_path / "log", proc.Stop())


def work(**asked: object) -> Work:
    params = {"size": 4 * MIB, "loads": (4,), "ratio": "1:0", "duration": 2.0, "ramp": 0.0, **asked}
    return kvs.plan(kvs.Params(**params))[0]  # type: ignore[arg-type]


def service(of: Work) -> Service:
    assert of.service is not None
    return of.service


@pytest.fixture
def port() -> Iterator[int]:
    """A memcached of the test's own on a loopback port, as one that exists."""
    with ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            number = probe.getsockname()[1]
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log"
        argv = ("memcached", "-l", "127.0.0.1", "-p", str(number), "-U", "0", "-m", "64", "-u", "root")
        running = proc.serve(argv, log=log)
        stack.callback(running.end)
        for _ in range(200):
            try:
                ask_stats(f"127.0.0.1:{number}")
                break
            except ToolError:
                time.sleep(0.05)
        yield number


def test_every_value_lies_on_the_drive_before_the_first_step(room: Room) -> None:
    server = memcached.open(service(work()), room)
    try:
        endpoint = server.start()
        stats = server.stats()
        beside = memcached_sizes.filler(memcached.Dataset.of(service(work()).params)).keys
        assert stats["curr_items"] == 1024 + beside and stats["evictions"] == 0
        assert stats["extstore_objects_used"] >= 0.99 * (1024 + beside)
        assert (room.data / memcached.EXTERNAL).stat().st_blocks * 512 >= 4 * MIB
        assert str(endpoint["servers"]).startswith("unix:/")
        assert (room.private / memcached.SOCKET).stat().st_mode & 0o077 == 0, "nobody else reaches it"
        assert server.problem() is None
    finally:
        server.close(kill=False)
        server.close(kill=True)
    assert str(server.problem()) == "memcached is not running"


def test_a_server_that_dies_is_told_with_its_last_words(room: Room) -> None:
    server = memcached.open(service(work()), room)
    try:
        server.start()
        assert server._running is not None
        server._running.kill()
        assert "memcached ended with exit code -9" in str(server.problem())
        assert server.end(work()).server_reads is None
    finally:
        server.close(kill=True)


def test_a_server_that_hangs_is_told_and_ended(room: Room) -> None:
    server = memcached.open(service(work()), room)
    try:
        server.start()
        assert server._running is not None and server.problem() is None
        server._running.signal(signal.SIGSTOP)
        assert "memcached does not answer" in str(server.problem())
        running = server._running
    finally:
        server.close(kill=True)
    assert not running.alive()


def test_what_does_not_fit_is_refused_and_not_measured(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the values in memory that is too small for them, memcached evicts: fast misses would be measured."""
    monkeypatch.setattr(memcached_sizes, "_HEADER_BYTES", 0)
    settings = {**service(work(size=40 * MIB)).params, "memory": 16 * MIB, "preload_rate": 10**9}
    started = memcached.open(Service("memcached", settings, 0), room)
    started._params = {**settings, "drive": False}
    monkeypatch.setattr(memcached.Dataset, "bytes", 0)
    try:
        with pytest.raises(ToolError, match=r"evicted .* of 10,240 values .* Use a lower --preload-rate"):
            started.start()
    finally:
        started.close(kill=True)


def test_a_killed_server_comes_back_empty_and_is_filled_before_the_next_step(room: Room) -> None:
    asked = work(rate=100.0, outage="kill", outage_time=0.2)
    server = memcached.open(service(asked), room)
    try:
        server.start()
        server.settle(asked)
        server.begin(asked)
        server.watch(room.log)
        server.tick(0.0)
        assert server.problem() is None, "the window has not begun"
        (room.log / "began").write_text(f"{time.monotonic() - 10:.3f}")
        server.tick(0.1)
        assert "ended with exit code" in str(server.problem())
        time.sleep(0.2)
        server.tick(0.3)
        server.end(asked)
        told = server.told()
        lost = result.from_json(told["readback.json"]).counts.lost
        assert lost == 1024 and json.loads(told["outage.json"])["problem"] is None
        server.settle(work())
        assert server.stats()["curr_items"] > 1024 and server.told() == {}
    finally:
        server.close(kill=True)


def test_a_frozen_server_loses_nothing(room: Room) -> None:
    asked = work(rate=100.0, outage="freeze", outage_time=0.3)
    server = memcached.open(service(asked), room)
    try:
        server.start()
        server.settle(asked)
        server.begin(asked)
        server.watch(room.log)
        (room.log / "began").write_text("1.0")
        server.tick(0.1)
        server.end(asked)
        told = server.told()
        moments = json.loads(told["outage.json"])
        assert moments["restored_at"] - moments["began_at"] >= 0.29
        counts = result.from_json(told["readback.json"]).counts
        assert (counts.hits, counts.lost, counts.corrupt) == (1024, 0, 0)
    finally:
        server.close(kill=True)


def test_a_server_that_exists_is_probed_filled_and_left_running(room: Room, port: int) -> None:
    server = memcached.attach(f"memcached://127.0.0.1:{port}", service(work()), room)
    try:
        endpoint = server.start()
        assert endpoint["servers"] == f"127.0.0.1:{port}"
        assert json.loads(str(endpoint["can"]))["stats"] is True
        server.settle(work())
        server.begin(work())
        facts = server.end(work())
        assert facts.server_cpu is not None and facts.server_cpu >= 0
        assert "1.6" in json.loads(server.told()["probe.json"])["probes"][0]["version"]
    finally:
        server.close(kill=True)
    assert ask_stats(f"127.0.0.1:{port}")["curr_items"] == 1024


def test_the_commands_of_an_outage_run_without_a_shell(room: Room, port: int, tmp_path: Path) -> None:
    stopped, again = tmp_path / "stopped $HOME", tmp_path / "again"
    asked = work(rate=100.0, outage=f"touch '{stopped}'", restore=f"cp /nowhere {again}", outage_time=0.2)
    server = memcached.attach(f"memcached://127.0.0.1:{port}", service(asked), room)
    try:
        server.start()
        server.settle(asked)
        server.begin(asked)
        server.watch(room.log)
        (room.log / "began").write_text("1.0")
        for elapsed in (0.1, 0.4):
            time.sleep(0.2)
            server.tick(elapsed)
            deadline = time.monotonic() + 10
            while any(c.alive() for c in server._commands.values()) and time.monotonic() < deadline:
                time.sleep(0.02)
        server.end(asked)
        told = json.loads(server.told()["outage.json"])
        assert stopped.exists() and (told["outage_exit"], told["restore_exit"]) == (0, 1)
        assert told["restored_at"] >= told["began_at"]
    finally:
        server.close(kill=True)


def test_no_server_there_is_an_error_that_names_it(room: Room) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number = probe.getsockname()[1]
    server = memcached.attach(f"memcached://127.0.0.1:{number}", service(work()), room)
    with pytest.raises(ToolError, match=f"127.0.0.1:{number}"):
        server.start()
