"""Gets and sets on real drives and servers: what the drive sees, deaths and interrupts, outages, the proof."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from running import Drive, Iobench, Result, finish, journal, programs, reasons, rows, wait_for

from iobench import lab, proc
from iobench.campaign import proof
from iobench.drives.throttle import find_throttle
from iobench.errors import CannotRunError
from iobench.servers.filling import ask_stats

Run = Callable[..., Result]
N = 300
SMALL = ("--size", "8M", "--ramp", "500ms", "--repeats", "1", "--ratio", "1:0")


@pytest.fixture(autouse=True)
def _needs_memcached() -> None:
    if proc.find("memcached") is None:
        pytest.skip("needs memcached")


@pytest.fixture
def scratch(scratch: Path) -> Iterator[Path]:
    """The same, and no server of ours runs in it any more."""
    yield scratch
    assert programs(scratch, "memcached") == []


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch, drive: Drive, tmp_path: Path) -> Iterator[Path]:
    """The folder of an emulated drive of N reads a second."""
    monkeypatch.setenv("IOBENCH_LAB_STATE", str(tmp_path / "state"))
    try:
        find_throttle().prepare()
        (made,) = lab.up((lab.custom("limited", read_iops=N),), 256 << 20, tmp_path / "images")
    except CannotRunError as error:
        pytest.skip(str(error))
    try:
        yield Path(str(made.mount))
    finally:
        monkeypatch.setenv("IOBENCH_LAB_STATE", str(tmp_path / "state"))  # `inside` has one of its own
        lab.down()
        assert not (tmp_path / "images").exists() or not any((tmp_path / "images").rglob("*.img"))


@pytest.fixture
def port() -> Iterator[int]:
    """A memcached of the test's own on a loopback port."""
    with ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            number = int(probe.getsockname()[1])
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log"
        user = ("-u", "root") if os.geteuid() == 0 else ()
        running = proc.serve(("memcached", "-l", "127.0.0.1", "-p", str(number), "-m", "64", *user), log=log)
        stack.callback(running.end)
        time.sleep(0.5)
        yield number


@pytest.mark.slow
@pytest.mark.root
def test_gets_are_reads_of_the_drive_or_say_that_they_are_not(
    limited: Path, iobench: Iobench, inside: Run, scratch: Path
) -> None:
    """On a drive of N reads a second gets agree with the device; from the page cache they do not, and say so."""
    said = inside(
        *("run", "kvs", "-t", f"slow={limited}", "--loads", "8", "--cache", "cold,cached", "--duration", "2s", *SMALL),
        *("--size", "24M", "--json"),
    )
    assert said.code == 0, said.err
    folder = iobench.folder()
    evidence = {row["step"]: row for row in rows(folder.read("evidence"))}
    cold, cached = sorted(evidence)
    hits = {row["step"]: row["value"] for row in rows(folder.read("samples")) if row["metric"] == "hits"}
    # A value lies in two pages: that is one request or two, as the kernel puts them together.
    assert 0.9 <= evidence[cold]["device_reads_per_get"] <= 2.2
    assert 0 < hits[cold] < 1.5 * N, "no faster than the drive, but for what a throttle lets through at first"
    assert evidence[cold]["server_reads"] >= hits[cold] and evidence[cold]["cache_hit_ratio"] < 0.1
    assert evidence[cold]["settled_s"] is not None and evidence[cold]["server_cpu"] > 0
    assert evidence[cached]["device_reads_per_get"] is None
    marked = reasons(folder)
    assert "page-cache" not in marked[cold] and "small-working-set" not in marked[cold]
    assert "small-working-set" in marked[cached]
    lost = [row["value"] for row in rows(folder.read("samples")) if row["metric"] in ("lost", "misses", "corrupt")]
    assert set(lost) == {0.0}


@pytest.mark.slow
def test_a_server_that_dies_an_interrupt_and_what_resumes(iobench: Iobench, drive: Drive, scratch: Path) -> None:
    """The step whose server is killed fails and names it, the next has a new one; Ctrl-C leaves nothing behind."""
    process = iobench.start(
        *("run", "kvs", "-t", f"one={drive.path}", "--loads", "1,2", "--duration", "4s", *SMALL),
        env={"TMPDIR": str(scratch)},
    )
    folder = iobench.folder_soon()
    first, second = "0001-r1-kvs-1-one", "0002-r1-kvs-2-one"
    wait_for(lambda: (folder.path / "raw" / first / "config.json").exists(), 60)
    time.sleep(0.5)
    (server,) = programs(scratch, "memcached")
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: ("failed", first) in journal(folder), 60)
    wait_for(lambda: (folder.path / "raw" / second / "config.json").exists(), 60)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert said.code == 130 and "0 of 2 steps are kept" in said.err
    assert "memcached ended with exit code -9 while it was measured" in said.err
    assert programs(scratch, "memcached") == [] and drive.leftovers() == [] and list(scratch.iterdir()) == []
    again = iobench("resume", "--quiet", env={"TMPDIR": str(scratch)})
    assert again.code == 0, again.err
    assert folder.finished() == {first, second}
    assert drive.leftovers() == []


@pytest.mark.slow
def test_servers_that_exist_and_an_outage_of_one(
    iobench: Iobench, inside: Run, port: int, scratch: Path, tmp_path: Path
) -> None:
    """A command stops the server at a rate: what is counted, that every key is read back, and the report's curve."""
    said = inside(
        *("run", "kvs", "--endpoint", f"127.0.0.1:{port}", "--loads", "4", "--rate", "200", "--duration", "4s"),
        *("--ramp", "0", "--repeats", "1", "--size", "1M", "--value-size", "500", "--ratio", "1:0", "--json"),
        *("--outage", f"pkill -STOP -f 'memcached -l 127.0.0.1 -p {port} '"),
        *("--restore", f"pkill -CONT -f 'memcached -l 127.0.0.1 -p {port} '"),
    )
    folder = iobench.folder()
    assert said.code == 0, said.err
    (step,) = folder.finished()
    values = {(r["op"], r["metric"]): r["value"] for r in rows(folder.read("samples"))}
    assert values["all", "outage"] >= 0.8 and values["all", "late"] > 0
    assert values["all", "lost"] == values["all", "corrupt"] == 0, "a stopped server that goes on has all its keys"
    assert values["get", "latency_max"] >= 0.8 > values["get", "latency_service_p50"]
    assert reasons(folder)[step] >= {"no-device"} and not reasons(folder)[step] & {"errors", "lost-data"}
    told = json.loads((folder.path / "raw" / step / "outage.json").read_text())
    assert (told["outage_exit"], told["restore_exit"], told["problem"]) == (0, 0, None)
    assert json.loads((folder.path / "raw" / step / "probe.json").read_text())["probes"][0]["stats"] is True
    report = inside("report", "--format", "csv", "--lang", "ja", "-o", str(tmp_path / "report"))
    assert report.code == 0, report.err
    assert any("recovery" in path.name for path in (tmp_path / "report").iterdir())
    assert ask_stats(f"127.0.0.1:{port}")["curr_items"] >= 1000


def test_what_cannot_be_asked_is_refused(inside: Run, port: int) -> None:
    for argv, why in (
        (("--endpoint", "nowhere"), "is no HOST:PORT"),
        (("--endpoint", "h:1", "--outage", "kill"), "give --rate"),
        (("--prove", "--loads", "3"), "only --rate and --duration"),
    ):
        said = inside("run", "kvs", *argv)
        assert (said.code, why in said.err) == (2, True), said.err


def test_a_dry_run_tells_the_server_and_its_preload(inside: Run, tmp_path: Path) -> None:
    said = inside("run", "kvs", "-t", f"here={tmp_path}", "--size", "1M", "--dry-run")
    assert said.code == 0
    assert "memcached -s sock" in said.out and "store 244 values at 50 MB/s" in said.out
    assert not any(path.name.startswith(".iobench") for path in tmp_path.iterdir())


@pytest.mark.slow
def test_the_proof_sees_a_stall_that_a_closed_loop_hides(scratch: Path) -> None:
    """A busy machine delays everybody, so it is tried three times: that it can be seen is what is tested."""
    for _ in range(3):
        found = proof.prove(proc.Stop(), rate=200.0, duration_s=3.0, stall_s=0.5)
        assert found.lost == 0 and found.paced_p99 is not None
        assert found.paced_p99 >= 0.4, "the stall is in the response times, whatever else is slow"
        if found.closed_p99 is not None and found.closed_p99 < found.paced_p99:
            break
    else:
        pytest.fail(f"the closed loop showed as much of the stall: {found}")
