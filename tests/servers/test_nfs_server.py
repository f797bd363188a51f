"""The private NFS server with real clients: what it exports, who can reach it, what proves it, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iobench import proc
from iobench.campaign import evidence
from iobench.drives.counters import CounterFile
from iobench.drives.passport import passport
from iobench.errors import CannotRunError, ToolError
from iobench.model import Reading, Service, Target, Work
from iobench.runners import dbench
from iobench.servers import Endpoint, Room, nfs
from iobench.tools import ganesha

MIB = 1 << 20
WORK = Work("dbench", "dbench", {}, load=1)
NEEDED = (ganesha.PROGRAM, "rpcbind", "ip", "unshare", "nsenter", "nfs-ls", "nfs-cp")


def _needs() -> None:
    lacking = [name for name in NEEDED if proc.find(name) is None]
    if lacking or os.geteuid() != 0:
        pytest.skip(f"needs {', '.join(lacking) or 'root'}")
    if subprocess.run(["unshare", "--net", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("needs namespaces of its own")


def _room(base: Path) -> Room:
    folders = {name: base / name for name in ("data", "shared", "private", "log")}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    return Room(**folders, stop=proc.Stop())


def _server(room: Room, over: str = nfs.CLIENT) -> nfs.Private:
    return nfs.Private(over, room)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return _room(tmp_path)


@pytest.fixture
def served(room: Room) -> Iterator[tuple[nfs.Private, Endpoint, Room]]:
    _needs()
    server = _server(room)
    try:
        yield server, server.start(), room
    finally:
        server.close(kill=True)


def _inside(endpoint: Endpoint, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nsenter", f"--net={endpoint['net']}", "--", *argv], check=False, capture_output=True, text=True, timeout=30
    )


def test_what_it_exports_is_the_folder_on_the_drive(served: tuple[nfs.Private, Endpoint, Room], tmp_path: Path) -> None:
    _, endpoint, room = served
    (room.data / "here").write_text("on the drive")
    listed = _inside(endpoint, "nfs-ls", str(endpoint["url"]))
    assert listed.returncode == 0 and "here" in listed.stdout
    source = tmp_path / "source"
    source.write_bytes(os.urandom(MIB))
    assert _inside(endpoint, "nfs-cp", str(source), f"{endpoint['url']}/copied").returncode == 0
    assert (room.data / "copied").read_bytes() == source.read_bytes()
    assert _inside(endpoint, "nfs-cp", f"{endpoint['url']}/here", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_text() == "on the drive"


def test_nobody_else_can_reach_it(served: tuple[nfs.Private, Endpoint, Room]) -> None:
    server, endpoint, room = served
    own = Path("/proc/self/ns/net").readlink()
    assert Path(str(endpoint["net"])).readlink() != own
    # Its network has the loopback interface alone, and none of its sockets is on ours.
    inside = _inside(endpoint, "cat", "/proc/net/dev").stdout.splitlines()[2:]
    assert [line.split(":")[0].strip() for line in inside] == ["lo"]
    (room.data / "private").write_text("")
    outside = subprocess.run(["nfs-ls", str(endpoint["url"])], check=False, capture_output=True, text=True, timeout=30)
    assert "private" not in outside.stdout
    assert server.problem() is None


def test_the_bytes_are_seen_at_the_drive_that_it_exports_from(
    served: tuple[nfs.Private, Endpoint, Room], tmp_path: Path
) -> None:
    server, endpoint, room = served
    here = passport(Target("here", str(room.data)))
    if here.device is None:
        pytest.skip("no block device under the tests' folder")
    source = tmp_path / "source"
    source.write_bytes(os.urandom(16 * MIB))
    server.settle(WORK)
    server.begin(WORK)
    with CounterFile(here.device.number) as counters:
        watcher = evidence.Watcher(counters, None, time.monotonic)
        watcher.tick()
        assert _inside(endpoint, "nfs-cp", str(source), f"{endpoint['url']}/copied").returncode == 0
        subprocess.run(["sync", str(room.data / "copied")], check=True)
        watcher.tick()
    facts = server.end(WORK)
    first, last = watcher.snapshots[0].at, watcher.snapshots[-1].at
    found = evidence.gather(
        evidence.Context(WORK, here, 1 << 40),
        Reading(samples=(), measured_s=last - first, bytes_written=16 * MIB, bytes_read=0),
        evidence.window(watcher.snapshots, first, last),
        (),
        None,
        None,
        facts,
    )
    assert found.device_name == here.device.name
    assert found.device_bytes_written is not None and found.device_bytes_written >= 16 * MIB
    assert found.server_cpu is not None and found.server_cpu >= 0 and found.settled_s is not None


def test_one_that_hangs_is_told_after_it_was_asked(
    served: tuple[nfs.Private, Endpoint, Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, endpoint, _ = served
    assert server.problem() is None
    monkeypatch.setattr(nfs, "_ANSWER_S", 2.0)
    pid = _ganesha(endpoint)
    os.kill(pid, signal.SIGSTOP)
    server.tick(1.0)  # it has not ended: the time limit of who measures it holds
    begin = time.monotonic()
    problem = str(server.problem())
    assert "ganesha.nfsd runs but did not answer within 2 s; its last lines: " in problem
    assert time.monotonic() - begin >= 2
    # It is asked once: whoever drops it asks for its problem again.
    monkeypatch.setattr(nfs, "_ANSWER_S", 1000.0)
    assert str(server.problem()) == problem
    server.close(kill=True)
    assert not Path(f"/proc/{pid}").exists()


def test_one_that_hangs_while_it_is_measured_is_given_up(
    served: tuple[nfs.Private, Endpoint, Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the time limit of dbench, and with the server named; who answers is not accused."""
    server, endpoint, _ = served
    monkeypatch.setattr(nfs, "_ASK_EVERY_S", 0.2)
    monkeypatch.setattr(nfs, "_SILENT_S", 3.0)
    server.begin(WORK)
    for _ in range(20):
        server.tick(1.0)
        time.sleep(0.05)
    os.kill(_ganesha(endpoint), signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(ToolError, match="the step was ended, as the private NFS server does not answer"):
        while time.monotonic() < begin + 60:
            server.tick(1.0)
            time.sleep(0.05)
    assert time.monotonic() - begin >= 2
    assert re.search(r"ganesha.nfsd runs but did not answer within \d+ s; its last lines: ", str(server.problem()))


def test_one_that_dies_is_told_with_its_last_lines(served: tuple[nfs.Private, Endpoint, Room]) -> None:
    server, endpoint, room = served
    os.kill(_ganesha(endpoint), signal.SIGKILL)
    with pytest.raises(ToolError, match="the private NFS server ended while it was measured"):
        for _ in range(100):
            server.tick(1.0)
            time.sleep(0.02)
    problem = str(server.problem())
    assert "ganesha.nfsd ended with exit code -9; its last lines: " in problem
    # Which line is the last of its log depends on how far its threads had come.
    told = problem.partition("its last lines: ")[2].partition(" / ")[0]
    assert told.strip() and told in (room.log / "ganesha.log").read_text()


def _ganesha(endpoint: Endpoint) -> int:
    """The server's process, known by its network."""
    namespace = Path(str(endpoint["net"])).readlink()
    (mine,) = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _is(entry, "ganesha.nfsd", namespace)
    ]
    return mine


def _is(entry: Path, name: str, namespace: Path) -> bool:
    try:
        return (entry / "comm").read_text().strip() == name and (entry / "ns/net").readlink() == namespace
    except OSError:
        return False


def test_nothing_is_left_of_it_when_it_is_closed(room: Room) -> None:
    _needs()
    server = _server(room)
    endpoint = server.start()
    namespace = Path(str(endpoint["net"])).readlink()
    server.close(kill=False)
    server.close(kill=True)
    left = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and _in(entry, namespace)]
    assert left == []
    assert not Path(str(endpoint["net"])).exists()


def test_nothing_is_left_of_it_after_its_iobench_was_killed(room: Room, tmp_path: Path) -> None:
    """Its mounts, its network and its programs: the next start of any iobench, and `clean`, end what holds them."""
    _needs()
    code = (
        "import sys, time; from pathlib import Path; from iobench import proc; from iobench.servers import Room, nfs\n"
        "folders = [Path(name) for name in sys.argv[1:]]\n"
        "server = nfs.Private(nfs.CLIENT, Room(*folders, stop=proc.Stop()))\n"
        "print(server.start()['net'], flush=True); time.sleep(1000)\n"
    )
    folders = [str(folder) for folder in (room.data, room.shared, room.private, room.log)]
    started = subprocess.Popen([sys.executable, "-c", code, *folders], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    namespace = Path(started.stdout.readline().strip()).readlink()
    started.kill()
    started.wait()
    started.stdout.close()
    inside = [Path("/proc") / entry.name for entry in Path("/proc").iterdir() if _in(entry, namespace)]
    assert len(inside) >= 3  # the server, its port mapper, and what holds the namespaces
    assert proc.end_orphans() >= 3
    assert not [entry for entry in inside if _in(entry, namespace)]
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def _in(entry: Path, namespace: Path) -> bool:
    try:
        return (entry / "ns/net").readlink() == namespace
    except OSError:
        return False


def test_where_nothing_speaks_nfs_it_says_what_would(room: Room) -> None:
    with pytest.raises(CannotRunError, match=r"nothing here speaks NFS: .* with --dbench PATH, or measure without"):
        _server(room, nfs.NONE).start()


def test_the_server_is_one_for_all_loads_and_its_room_is_that_of_the_most_clients() -> None:
    works = dbench.plan(dbench.Params(clients=(1, 16), nfs=True, over=nfs.CLIENT))
    assert {work.service for work in works} == {
        Service("nfs", {"over": "nfs-client"}, 16 * dbench.CLIENT_BYTES),
    }
    assert {(work.params["over"], work.params["load_file"]) for work in works} == {("nfs-client", "dbench-nfs.load")}


def test_the_configuration_asks_nothing_of_the_machine() -> None:
    text = ganesha.config(ganesha.Setup("/x/data", "/x/state", "/x/log"))
    assert 'Path = "/x/data"' in text and "Enable_UDP = false" in text and 'RecoveryRoot = "/x/state"' in text
    for bad in ('/a"b', "/a\nb", "relative"):
        with pytest.raises(ValueError, match="cannot stand in a configuration"):
            ganesha.config(ganesha.Setup(bad, "/x", "/x"))


def test_the_ports_that_are_open() -> None:
    table = (
        "  sl  local_address rem_address   st\n"
        "   0: 0100007F:0801 00000000:0000 0A 00000000:00000000\n"
        "   1: 0100007F:0802 0100007F:0801 01 00000000:00000000\n"
        "   2: 00000000000000000000000000000000:006F 00000000000000000000000000000000:0000 0A\n"
        "cut"
    )
    assert ganesha.listening(table) == {2049, 111}
    assert ganesha.listening("") == frozenset()
