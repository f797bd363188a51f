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
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from iobench import proc
from iobench.errors import CannotRunError, InterruptedCampaign, IobenchError, ToolError
from iobench.kvs.dataset import CONFIG, Dataset, argv
from iobench.model import Facts, Service, Work, whole
from iobench.servers import Endpoint, Room
from iobench.servers.filling import SAMPLE, Generator, ask_stats
from iobench.servers.memcached_counters import Counted, facts
from iobench.servers.memcached_existing import Existing, endpoints
from iobench.servers.memcached_sizes import EXTERNAL, command, filler, shared_processors
from iobench.servers.outage import Outage, told
from iobench.texts import Phrase, Told

TOOLS: tuple[str, ...] = ("memcached",)
SCHEMES = ("memcached",)
SOCKET = "sock"
EXAMPLE: Endpoint = {"servers": f"unix:{SOCKET}", "cpus": "", "can": "{}"}
_SOCKET_MOST = 107
_START_S = 10.0
_SETTLE_S = 10.0  # before a step: what a step of sets left in memory goes to the drive
_DROP_S = 0.02  # between two times that cached pages are dropped
_OUT_S = 30.0  # after the preload: for so long without any progress it is waited for
_OUT_SHARE = 0.999
_PRELOAD_TRIES = 3
AGE_S = 7.0  # about what it takes until the last values have gone to the drive, and a sample is read back


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
        self._before: Counted | None = None
        self._settled: float | None = None
        self._cold = False
        self._outage: Outage | None = None
        self._timer: threading.Timer | None = None
        self._dropper: _Dropper | None = None
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
                raise ToolError(Phrase("failed.memcached.start", {"said": self._running.last_lines()}))
            self._look_for_stop()
            time.sleep(0.02)

    def close(self, kill: bool) -> None:
        """End it; its values go with it."""
        self._let_go()
        self._wait_for_timer()
        if self._running is not None:
            if kill:
                self._running.kill()
            else:
                self._running.end()
            self._running = None

    def _let_go(self) -> None:
        self._drop_no_more()
        if self._external is not None:
            os.close(self._external)
            self._external = None

    def problem(self) -> Told | None:
        """Return what happened where it is dead or does not answer."""
        if self._running is None:
            return Phrase("failed.memcached.none")
        said = {"said": self._running.last_lines()}
        if not self._running.alive():
            return Phrase("failed.memcached.ended", {**said, "code": str(self._running.exit_code)})
        return None if self._answers() else Phrase("failed.memcached.hangs", said)

    def _look_for_stop(self) -> None:
        if self._room.stop.requested:
            raise InterruptedCampaign

    # --- preload ---------------------------------------------------------------------------------------

    def _fill(self) -> None:
        rate = self._data.preload_rate
        for attempt in range(1, _PRELOAD_TRIES + 1):
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
            if attempt == _PRELOAD_TRIES:
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
            if self._cold and self._external is not None:
                _drop_cached(self._external)
        self._settled = time.monotonic() - begin

    def _flush(self) -> None:
        if self._external is not None:
            os.fsync(self._external)

    def begin(self, work: Work) -> None:
        """Note its counters; from now on, where gets must reach the drive, drop the pages that they have read."""
        self._before = Counted(time.monotonic(), self.stats())
        self._drop_no_more()  # of a step that was given up
        if self._cold and self._external is not None:
            self._dropper = _Dropper(self._external)

    def _drop_no_more(self) -> None:
        if self._dropper is not None:
            self._dropper.end()
            self._dropper = None

    def tick(self, elapsed_s: float) -> None:
        """Fail on purpose, and come back, when it is time."""
        outage = self._outage
        if outage is None or self._running is None or self._out is None:
            return
        outage.look(self._out)
        if outage.due():
            outage.begin()
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
        outage.restored_at = time.monotonic()

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
            after = Counted(time.monotonic(), self.stats())
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
        return told(self._outage, self._readback)

    def _answers(self) -> bool:
        try:
            self.stats()
        except ToolError:
            return False
        return True

    def stats(self) -> Mapping[str, float]:
        """Return its counters. Raises ToolError where it does not answer."""
        return ask_stats(self.endpoint)


def _drop_cached(fd: int) -> None:
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


class _Dropper:
    """Drops the cached pages of an open file again and again, so that every read of it reaches the drive."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(_DROP_S):
            _drop_cached(self._fd)

    def end(self) -> None:
        """Return once it will drop nothing more."""
        self._ended.set()
        self._thread.join()
