"""memcached: a private one whose values lie on the drive under test (extstore), or servers that exist.

What was tried with 1.6.18 and values of 4 KiB in 64 MB: at full speed 25,083 of 50,000 were evicted, at 100 MB/s
32,510 of 100,000 (6,102 where every key was made beforehand), at 50 MB/s none. Without an age limit a quarter of
the values stayed in memory; with `ext_item_age=1` all 50,000 went to the drive within 5 s, and a get was 0.98
reads of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iobench import proc
from iobench.errors import CannotRunError, InterruptedCampaign, IobenchError, ToolError, UsageError
from iobench.kvs.config import Server as Can
from iobench.kvs.dataset import CONFIG, Dataset, argv
from iobench.kvs.result import Probe
from iobench.model import Facts, Params, Service, Work, whole
from iobench.servers import Endpoint, Room
from iobench.servers.filling import SAMPLE, Generator, ask_stats
from iobench.servers.outage import OUTAGE, READBACK, Outage

TOOLS: tuple[str, ...] = ("memcached",)
SCHEMES = ("memcached",)
SCHEME = "memcached://"
PRIVATE_OUTAGES = ("kill", "freeze")
SOCKET, EXTERNAL = "sock", "ext"
EXAMPLE: Endpoint = {"servers": f"unix:{SOCKET}", "cpus": "", "can": "{}"}
_MIB = 1 << 20
_SOCKET_MOST = 107
_START_S = 10.0
_SETTLE_S = 10.0  # before a step: what a step of sets left in memory goes to the drive
_DROP_S = 0.02  # between two times that cached pages are dropped
_OUT_S = 30.0  # after the preload: for so long without any progress it is waited for
_OUT_SHARE = 0.999
HEADER_BYTES = 160  # what a value on the drive costs in memory: its header, its key, its place in the hash table
ITEM_BYTES = 80  # what it takes on the drive beside its bytes
PRELOAD_TRIES = 3
AGE_S = 7.0  # about what it takes until the last values have gone to the drive, and a sample is read back
_SPARE_PAGES = 8


def page_bytes(data: int) -> int:
    """Return the size of extstore's pages for so many bytes of values: small data gets small pages."""
    return (8 if data < 512 * _MIB else 64) * _MIB


def buffer_bytes(data: int) -> int:
    """Return the size of extstore's write buffers."""
    return (2 if page_bytes(data) < 64 * _MIB else 4) * _MIB


def filler(data: Dataset) -> Dataset:
    """Return values that are never asked for: they push the others out of the last write buffer, which is memory."""
    size = 4096
    return dataclasses.replace(
        data, keys=3 * buffer_bytes(data.bytes) // (2 * size), values=((size, 1.0),), prefix="iobench-filler:"
    )


def room_bytes(data: Dataset) -> int:
    """Return what extstore's file may take: twice the values, so that nothing is dropped to make room."""
    page = page_bytes(data.bytes)
    return -(-2 * (data.bytes + data.keys * ITEM_BYTES) // page) * page + _SPARE_PAGES * page


def planned(service: Service) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the commands of a dry run: the server and its preload, in a private folder."""
    data = Dataset.of(service.params)
    rate = f"{data.preload_rate / 1e6:g} MB/s"
    return (
        ("start memcached", command(service.params, data, SOCKET, service.room)),
        (f"store {data.keys:,} values at {rate}", argv(f"preload/{CONFIG}", "preload")),
        (f"read {min(SAMPLE, data.keys):,} of them back", argv(f"readback/{CONFIG}", "readback")),
    )


def open(service: Service, room: Room) -> Memcached:
    """Return a memcached that is not started yet."""
    return Memcached(service, room)


def attach(url: str, service: Service, room: Room) -> Existing:
    """Return the servers that exist at memcached://HOST:PORT[,HOST:PORT…]. Raises UsageError for another URL."""
    return Existing(endpoints(url), service, room)


def endpoints(url: str) -> tuple[str, ...]:
    """Return the servers that a URL names, as HOST:PORT. Raises UsageError."""
    if not url.startswith(SCHEME):
        raise UsageError(f"{url} is not an address of key-value stores; write memcached://HOST:PORT[,HOST:PORT…]")
    found = tuple(part.strip() for part in url.removeprefix(SCHEME).rstrip("/").split(","))
    for part in found:
        host, _, port = part.rpartition(":")
        if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            raise UsageError(f"{part!r} is no HOST:PORT, as 127.0.0.1:11211")
    if len(set(found)) != len(found):
        raise UsageError(f"{url} names a server twice")
    return found


class Memcached:
    """memcached on a Unix socket that nobody else can reach, its values on the target.

    The service's keys are stored in it before the first step, and none may be evicted.
    """

    def __init__(self, service: Service, room: Room) -> None:
        self._params = service.params
        self._data = Dataset.of(service.params)
        self._space = service.room
        self._room = room
        self._drive = bool(service.params.get("drive", True))
        self._running: proc.Running | None = None
        self._external: int | None = None
        self._before: _Counted | None = None
        self._settled: float | None = None
        self._cold = False
        self._outage: Outage | None = None
        self._timer: threading.Timer | None = None
        self._dropper: threading.Thread | None = None
        self._dropping = threading.Event()
        self._readback: str | None = None
        self._out: Path | None = None
        self._emptied = False
        self._cpus, self._client_cpus = shared_processors(whole(self._params, "processes"))
        self._generator = Generator(self._data, (self.endpoint,), room.private, room.log, room.stop)

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return f"unix:{self._room.private / SOCKET}"

    # --- life ------------------------------------------------------------------------------------------

    def start(self) -> Endpoint:
        """Start it, store every key, and bring all values to the drive.

        Raises CannotRunError where memcached is not installed, ToolError where values were evicted or do not
        come back.
        """
        self._launch()
        self._fill()
        cpus = ",".join(map(str, self._client_cpus))
        return {"servers": self.endpoint, "cpus": cpus, "can": json.dumps({"stats": True, "multi_get": True})}

    def _launch(self) -> None:
        socket = str(self._room.private / SOCKET)
        if len(os.fsencode(socket)) > _SOCKET_MOST:
            raise CannotRunError(
                f"{socket} is too long for a socket's path, which has {_SOCKET_MOST} bytes at most; set TMPDIR to a "
                "shorter one"
            )
        asked = command(self._params, self._data, socket, self._space)
        pinned = ("taskset", "-c", ",".join(map(str, self._cpus))) if self._cpus and proc.find("taskset") else ()
        log = self._room.log / "memcached.log"
        self._running = proc.serve((*pinned, *asked), log=log, cwd=str(self._room.data), group=self._room.group)
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if not self._running.alive() or time.monotonic() > deadline:
                raise ToolError(f"memcached did not start: {self._running.last_lines()}")
            self._look_for_stop()
            time.sleep(0.02)

    def close(self, kill: bool) -> None:
        """End it; its values go with it."""
        self._drop_no_more()
        self._let_go()
        self._wait_for_timer()
        if self._running is not None:
            if kill:
                self._running.kill()
            else:
                self._running.end()
            self._running = None

    def _let_go(self) -> None:
        if self._external is not None:
            os.close(self._external)
            self._external = None

    def problem(self) -> str | None:
        """Return what happened where it is dead or does not answer."""
        if self._running is None:
            return "memcached is not running"
        if not self._running.alive():
            code = self._running.exit_code
            return f"memcached ended with exit code {code} while it was measured: {self._running.last_lines()}"
        return None if self._answers() else f"memcached does not answer: {self._running.last_lines()}"

    def _look_for_stop(self) -> None:
        if self._room.stop.requested:
            raise InterruptedCampaign

    # --- preload ---------------------------------------------------------------------------------------

    def _fill(self) -> None:
        rate = self._data.preload_rate
        for attempt in range(1, PRELOAD_TRIES + 1):
            self._generator.preload(rate)
            keys = self._data.keys
            if self._drive:
                beside = filler(self._data)
                dataclasses.replace(self._generator, data=beside).preload(rate)
                keys += beside.keys
            stats = self.stats()
            gone = max(stats.get("evictions", 0), keys - stats.get("curr_items", 0))
            if not gone:
                break
            if attempt == PRELOAD_TRIES:
                raise ToolError(
                    f"memcached evicted {gone:,.0f} of {self._data.keys:,} values while they were stored at "
                    f"{rate / 1e6:,.1f} MB/s: the drive did not take them fast enough. Use a lower --preload-rate, "
                    "or a larger --memory"
                )
            rate /= 2
            self._begin_anew()
        if self._drive:
            self._external = os.open(self._room.data / EXTERNAL, os.O_RDONLY | os.O_CLOEXEC)
            self._wait_for_drive()
        self._generator.check()
        self._emptied = False

    def _begin_anew(self) -> None:
        """Start with nothing: what was evicted cannot be told from what was not."""
        self._let_go()
        if self._running is not None:
            self._running.kill()
        with contextlib.suppress(FileNotFoundError):
            (self._room.data / EXTERNAL).unlink()
        self._launch()

    def _wait_for_drive(self) -> None:
        """Wait until the values lie on the drive: gets of those in memory would prove nothing of it."""
        most, since = -1.0, time.monotonic()
        while (out := self._on_drive()) < _OUT_SHARE:
            self._look_for_stop()
            if out > most:
                most, since = out, time.monotonic()
            elif time.monotonic() - since > _OUT_S:
                break  # the evidence will tell
            time.sleep(0.1)
        self._flush()

    def _on_drive(self) -> float:
        """The share of the values that is on the drive."""
        stats = self.stats()
        return stats.get("extstore_objects_used", 0.0) / max(1.0, stats.get("curr_items", 0.0))

    # --- around a step ---------------------------------------------------------------------------------

    def settle(self, work: Work) -> None:
        """Bring to the drive what earlier sets left in memory; for a cold step, empty the page cache of it.

        After an outage that lost the values they are stored anew.
        """
        begin = time.monotonic()
        self._cold = self._drive and work.params.get("cache") == "cold"
        self._outage, self._readback = Outage.of(work.params), None
        if self._emptied:
            self._begin_anew()
            self._fill()
        if self._drive:
            while self._on_drive() < _OUT_SHARE and time.monotonic() - begin < _SETTLE_S:
                self._look_for_stop()
                time.sleep(0.1)
            self._flush()
            if self._cold:
                self._drop_cached()
        self._settled = time.monotonic() - begin

    def _flush(self) -> None:
        if self._external is not None:
            os.fsync(self._external)

    def _drop_cached(self) -> None:
        if self._external is not None:
            os.posix_fadvise(self._external, 0, 0, os.POSIX_FADV_DONTNEED)

    def begin(self, work: Work) -> None:
        """Note its counters; from now on, where gets must reach the drive, drop the pages that they have read."""
        self._before = _Counted(time.monotonic(), self.stats())
        if self._cold:
            self._dropping = threading.Event()
            self._dropper = threading.Thread(target=self._drop_often, args=(self._dropping,), daemon=True)
            self._dropper.start()

    def _drop_often(self, ended: threading.Event) -> None:
        while not ended.wait(_DROP_S):
            self._drop_cached()

    def _drop_no_more(self) -> None:
        if self._dropper is not None:
            self._dropping.set()
            self._dropper.join()
            self._dropper = None

    def tick(self, elapsed_s: float) -> None:
        """Fail on purpose, and come back, when it is time."""
        outage = self._outage
        if outage is None or self._running is None or self._out is None:
            return
        outage.look(self._out)
        if outage.due():
            outage.began_at = time.time()
            if outage.how == "freeze":
                self._running.signal(signal.SIGSTOP)
                # Ticks are a tenth of a second apart: the length of a stall is kept better than that.
                self._timer = threading.Timer(outage.lasts_s, self._come_back, (outage, self._running))
                self._timer.start()
            else:
                self._running.kill()
                self._emptied = True
        elif outage.how != "freeze" and outage.over():
            self._come_back(outage, self._running)

    def _come_back(self, outage: Outage, running: proc.Running) -> None:
        if outage.how == "freeze":
            running.signal(signal.SIGCONT)
        else:
            self._launch()  # what it held is gone: its index was in memory
        outage.restored_at = time.time()

    def end(self, work: Work) -> Facts:
        """Return what it counted since `begin`; after an outage every key is read back."""
        self._drop_no_more()
        self._wait_for_timer()
        if self._outage is not None and self._running is not None:
            try:
                if self._outage.began_at is not None and self._outage.restored_at is None:
                    self._come_back(self._outage, self._running)
                self._readback = self._generator.readback()[1]
            except (InterruptedCampaign, OSError):
                raise
            except IobenchError as error:
                self._outage.problem = str(error)
        try:
            after = _Counted(time.monotonic(), self.stats())
        except ToolError:
            return Facts(settled_s=self._settled)
        return facts(self._before, after, self._settled)

    def _wait_for_timer(self) -> None:
        if self._timer is not None:
            self._timer.join()
            self._timer = None

    def watch(self, out: Path) -> None:
        """Learn where the load generator says when its window begins."""
        self._out = out

    def told(self) -> Mapping[str, str]:
        """Return what became of an outage, and of the keys after it."""
        return _told(self._outage, self._readback)

    def _answers(self) -> bool:
        try:
            self.stats()
        except ToolError:
            return False
        return True

    def stats(self) -> Mapping[str, float]:
        """Return its counters. Raises ToolError where it does not answer."""
        return ask_stats(self.endpoint)


class Existing:
    """Servers that exist and are not ours: keys of our own are stored in them, and expire after a day."""

    def __init__(self, servers: tuple[str, ...], service: Service, room: Room) -> None:
        self._servers = servers
        self._params = service.params
        ttl = whole(service.params, "ttl_s") or 86_400
        self._data = dataclasses.replace(Dataset.of(service.params), ttl_s=ttl)
        self._room = room
        self._outage: Outage | None = None
        self._commands: dict[str, proc.Running] = {}
        self._readback: str | None = None
        self._out: Path | None = None
        self._probe = ""
        self._stats = False
        self._before: _Counted | None = None
        self._generator = Generator(self._data, servers, room.private, room.log, room.stop)

    def start(self) -> Endpoint:
        """Find out what they can, store every key, and read a sample back. Raises ToolError."""
        found, self._probe = self._generator.probe()
        can = common(found.probes)
        self._stats = bool(can.stats)
        self._generator.preload(self._data.preload_rate)
        self._generator.check()
        told = json.dumps(dataclasses.asdict(can))
        return {"servers": ",".join(self._servers), "cpus": "", "can": told, "ttl_s": self._data.ttl_s}

    def settle(self, work: Work) -> None:
        """Nothing of theirs can be waited for; keys that an outage lost are stored anew."""
        lost = self._readback is not None
        self._outage, self._readback = Outage.of(work.params), None
        if lost:
            self._generator.preload(self._data.preload_rate)

    def begin(self, work: Work) -> None:
        """Note their counters, where they tell any."""
        self._before = self._counted()

    def tick(self, elapsed_s: float) -> None:
        """Run the command that stops a server, and later the one that starts it, when it is time."""
        outage = self._outage
        if outage is None or self._out is None:
            return
        outage.look(self._out)
        if outage.due():
            outage.began_at = time.time()
            self._run("outage", outage.how)
        elif outage.over() and outage.restore:
            outage.restored_at = time.time()
            self._run("restore", outage.restore)

    def _run(self, name: str, text: str) -> None:
        assert self._outage is not None
        try:
            self._commands[name] = proc.serve(
                shlex.split(text), log=self._room.log / f"{name}.log", cwd="/", mark=name != "restore"
            )
        except CannotRunError as error:
            self._outage.problem = f"the {name} command could not be started: {error}"

    def end(self, work: Work) -> Facts:
        """Return what they counted since `begin`; after an outage every key is read back."""
        if self._outage is not None:
            self._outage.outage_exit = self._exit("outage")
            self._outage.restore_exit = self._exit("restore")
            self._commands.clear()
            try:
                self._readback = self._generator.readback()[1]
            except InterruptedCampaign:
                raise
            except IobenchError as error:
                self._outage.problem = self._outage.problem or str(error)
        return facts(self._before, self._counted(), None)

    def _exit(self, name: str) -> int | None:
        """The exit code of a command; one that still runs (a server that was started) is left alone."""
        command = self._commands.get(name)
        return command.exit_code if command is not None else None

    def _counted(self) -> _Counted:
        """The servers' counters together; nothing where one of them tells none."""
        sums: dict[str, float] = {}
        for server in self._servers if self._stats else ():
            try:
                for name, value in ask_stats(server).items():
                    sums[name] = sums.get(name, 0.0) + value
            except ToolError:
                return _Counted(time.monotonic(), {})
        return _Counted(time.monotonic(), sums)

    def watch(self, out: Path) -> None:
        """Learn where the load generator says when its window begins."""
        self._out = out

    def told(self) -> Mapping[str, str]:
        """Return what the probe found, and what became of an outage and of the keys after it."""
        return {"probe.json": self._probe, **_told(self._outage, self._readback)}

    def problem(self) -> str | None:
        """Return nothing: whether they answer is what is measured, and counted."""
        return None

    def close(self, kill: bool) -> None:
        """End our own commands; the servers are not ours."""
        outage = self._commands.pop("outage", None)
        if outage is not None:
            outage.kill()


def _told(outage: Outage | None, readback: str | None) -> Mapping[str, str]:
    found = {OUTAGE: outage.text()} if outage is not None else {}
    return {**found, READBACK: readback} if readback is not None else found


def common(probes: tuple[Probe, ...]) -> Can:
    """Return what all of several servers can; None where it is not known of one."""
    names = [entry.name for entry in dataclasses.fields(Can)]

    def all_of(name: str) -> bool | None:
        values = [getattr(probe, name) for probe in probes]
        return None if not values or None in values else all(values)

    return Can(**{name: all_of(name) for name in names})


# --- counters ------------------------------------------------------------------------------------------


@dataclass
class _Counted:
    """A server's counters at a moment."""

    at: float
    stats: Mapping[str, float]


def facts(before: _Counted | None, after: _Counted, settled_s: float | None) -> Facts:
    """Return what was counted between two moments; a server that was started anew between them counts from 0."""
    first = before.stats if before is not None else {}

    def grown(name: str) -> float | None:
        if name not in first or name not in after.stats:
            return None
        last = after.stats[name]
        return last - first[name] if last >= first[name] else last

    hits, external = grown("get_hits"), grown("get_extstore")
    reads, writes = grown("extstore_objects_read"), grown("extstore_objects_written")
    user, system = grown("rusage_user"), grown("rusage_system")
    seconds = after.at - before.at if before is not None else 0.0
    return Facts(
        cache_hit_ratio=max(0.0, 1 - external / hits) if hits and external is not None else None,
        server_reads=round(reads) if reads is not None else None,
        server_writes=round(writes) if writes is not None else None,
        server_cpu=(user + system) / seconds if user is not None and system is not None and seconds > 0 else None,
        settled_s=settled_s,
    )


# --- how it is started ---------------------------------------------------------------------------------


def command(params: Params, data: Dataset, socket: str, space: int) -> tuple[str, ...]:
    """Return memcached's command; the external file lies in the folder that it is started in."""
    memory = whole(params, "memory") + data.keys * HEADER_BYTES
    drive = bool(params.get("drive", True))
    if not drive:  # all values stay in memory, with the room that slabs of their sizes waste
        memory += 2 * data.bytes
    words = ["memcached", "-s", socket, "-a", "0700", "-m", str(-(-memory // _MIB))]
    words += ["-c", "4096", "-t", str(whole(params, "threads")), "-I", str(max(_MIB, 2 * data.most))]
    if os.geteuid() == 0:
        words += ["-u", "root"]  # it refuses to run as root without being told so
    if drive:
        page = page_bytes(data.bytes) // _MIB
        options = {
            "ext_page_size": page,  # memcached wants this and the next before the path
            "ext_wbuf_size": buffer_bytes(data.bytes) // _MIB,
            "ext_threads": whole(params, "io_threads"),
            "ext_item_size": 64,
            "ext_item_age": 1,
            "ext_recache_rate": 0,  # no value goes back into memory because it was read often
            "slab_automove_window": 3,
            "ext_path": f"{EXTERNAL}:{max(1, space // _MIB)}M",
        }
        words += ["-o", ",".join(f"{name}={value}" for name, value in options.items())]
    return tuple(words)


def shared_processors(processes: int) -> tuple[list[int], list[int]]:
    """Return the processors of the server and those of the generator: apart, where there are enough."""
    there = sorted(os.sched_getaffinity(0))
    if len(there) < 2:
        return [], []
    client = there[-min(processes, len(there) - 1) :]
    return [cpu for cpu in there if cpu not in client], client
