"""The generator: reads CONFIG.json, asks the servers what they can, shares the load among processes, adds up.

The processes share nothing but the table of acknowledged keys, which needs no lock: a key's word is written whole.
Raw times come through a pipe and are folded here, beside the load and not in it.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import random
import resource
import select
import struct
import sys
import traceback
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iobench.errors import EXIT_OK, EXIT_TOOL, IobenchError
from iobench.kvs import config as asked
from iobench.kvs import result as answered
from iobench.kvs.config import Config
from iobench.kvs.fold import Histograms
from iobench.kvs.items import Items
from iobench.kvs.links import SECOND, Endpoint, Failed, clock
from iobench.kvs.probe import probe
from iobench.kvs.ring import owners
from iobench.kvs.worker import Worker

_HEAD = struct.Struct("<BI")  # of a message: the length of its name and of what it holds
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
_START_NS = 20_000_000  # from the last process's readiness to the first request


def main(arguments: Sequence[str]) -> int:
    """Run `CONFIG.json OUT_DIR`; return the exit code."""
    if len(arguments) != 2:
        print("usage: python -m iobench.kvs CONFIG.json OUT_DIR", file=sys.stderr)
        return EXIT_TOOL
    out = Path(arguments[1])
    try:
        result = run(asked.from_json(Path(arguments[0]).read_text(encoding="utf-8")), out)
    except (Failed, IobenchError, OSError) as error:
        result = answered.Result(answered.Counts(), failure=str(error))
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / answered.RESULT).write_text(answered.to_json(result), encoding="utf-8")
    except OSError as error:
        print(f"the result cannot be written: {error}", file=sys.stderr)
        return EXIT_TOOL
    if result.failure is not None:
        print(result.failure, file=sys.stderr)
        return EXIT_TOOL
    return EXIT_OK


def run(config: Config, out: Path) -> answered.Result:
    """Make one run and return its result. Raises Failed, IobenchError and OSError when nothing could be measured."""
    out.mkdir(parents=True, exist_ok=True)
    endpoints = [Endpoint.of(name) for name in config.endpoints]
    probes = tuple(probe(each, config.timeouts.connect_s, config.flush) for each in endpoints)
    if config.mode == "probe":
        return answered.Result(answered.Counts(), probes=probes)
    config, adapted = _adapt(config, probes)
    names = [endpoint.name.removeprefix("unix:") for endpoint in endpoints]
    items = Items(config)
    owned = owners(names, [items.key(k) for k in range(config.keys.count)] if len(names) > 1 else [])
    table = mmap.mmap(-1, 8 * config.keys.count)
    acknowledged = memoryview(table).cast("Q")
    _recall(config, acknowledged)
    wanted = _wanted(config, acknowledged)
    parts = _Parts(config, out)
    for index in range(config.processes):
        parts.start(index, endpoints, owned, acknowledged, wanted)
    parts.collect()
    result = parts.result(probes, adapted)
    (out / answered.ACKNOWLEDGED).write_bytes(bytes(map(bool, acknowledged)))
    return result


def _adapt(config: Config, probes: Sequence[answered.Probe]) -> tuple[Config, tuple[str, ...]]:
    """What was asked, without what a server cannot do; and sentences that say so."""
    said: list[str] = []
    told = config.server
    if config.noreply and not (told.noreply is not False and all(each.noreply for each in probes)):
        said.append("noreply was asked; a server does not store with it, so each set waits for its reply")
        config = dataclasses.replace(config, noreply=False)
    if config.noreply and not config.ratio[0]:
        said.append("noreply was asked; without gets nothing shows when sets are done, so each waits for its reply")
        config = dataclasses.replace(config, noreply=False)
    if config.multi_get > 1 and not (told.multi_get is not False and all(each.multi_get for each in probes)):
        said.append(f"gets of {config.multi_get} keys were asked; a server does not answer them, so each get has one")
        config = dataclasses.replace(config, multi_get=1)
    return config, tuple(said)


def _recall(config: Config, acknowledged: memoryview) -> None:
    """Mark the keys that servers have confirmed before this run. Keys that expire are never called lost."""
    if config.acknowledged == "none" or config.expires:
        return
    if config.acknowledged == "all":
        known = b"\1" * config.keys.count
    else:
        known = Path(config.acknowledged).read_bytes()
        if len(known) != config.keys.count:
            raise Failed(f"{config.acknowledged} is of {len(known)} keys, this run of {config.keys.count}")
    acknowledged[:] = array("Q", list(known))  # of bytes themselves, an array would take the memory


def _wanted(config: Config, acknowledged: memoryview) -> array[int]:
    """The keys that a preload stores, or that a readback reads."""
    if config.mode == "load":
        return array("L")
    keys = array("L", range(config.keys.count))
    if config.mode == "preload":
        return keys
    keys = array("L", [key for key in keys if acknowledged[key]])
    if config.sample is not None and config.sample < len(keys):
        keys = array("L", sorted(random.Random(config.seed).sample(keys, config.sample)))
    if not keys:
        raise Failed('no key to read back: no set was confirmed; say "all" where an earlier run stored every key')
    return keys


@dataclass(slots=True)
class _Part:
    """One process: its pipes, and what it has told."""

    pid: int
    told: int
    go: int
    buffer: bytearray = field(default_factory=bytearray)
    ready: bool = False
    report: dict[str, Any] | None = None


class _Parts:
    """The processes of a run."""

    def __init__(self, config: Config, out: Path) -> None:
        self._out = out
        self._config = config
        self._parts: list[_Part] = []
        self._histograms = Histograms()
        self._begin = 0

    def start(self, index: int, *share: Any) -> None:
        """Fork a process."""
        told, tell = os.pipe()
        hear, go = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(told)
            os.close(go)
            code = EXIT_TOOL
            try:
                _child(self._config, index, share, tell, hear)
                code = EXIT_OK
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(tell)
        os.close(hear)
        self._parts.append(_Part(pid, told, go))

    def collect(self) -> None:
        """Let all begin at once, take what they tell until they have ended."""
        if self._config.cpus:
            # Folding is done where no load is made, if there is such a place.
            elsewhere = os.sched_getaffinity(0) - set(self._config.cpus)
            os.sched_setaffinity(0, elsewhere or os.sched_getaffinity(0))
        poll = select.epoll()
        by_fd = {part.told: part for part in self._parts}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        while by_fd:
            for fd, _ in poll.poll():
                part, data = by_fd[fd], os.read(fd, _PIPE_BYTES)
                if not data:
                    poll.unregister(fd)
                    os.close(fd)
                    del by_fd[fd]
                    continue
                part.buffer += data
                self._take(part)
            if not self._begin and all(part.ready or part.report for part in self._parts):
                self._begin = clock() + _START_NS
                # Who makes an outage on purpose has to know when the measured window begins.
                window = self._begin / SECOND + self._config.ramp_s
                (self._out / answered.BEGAN).write_text(f"{window:.6f}", encoding="ascii")
                for part in self._parts:
                    if part.report is None:
                        os.write(part.go, self._begin.to_bytes(8, "little"))
        for part in self._parts:
            os.close(part.go)
            _, status = os.waitpid(part.pid, 0)
            if part.report is None:
                raise Failed(f"a process of the generator ended with {os.waitstatus_to_exitcode(status)}; see stderr")

    def _take(self, part: _Part) -> None:
        buffer, at = part.buffer, 0
        while len(buffer) >= at + _HEAD.size:
            name_size, size = _HEAD.unpack_from(buffer, at)
            end = at + _HEAD.size + name_size + size
            if len(buffer) < end:
                break
            name = buffer[at + _HEAD.size : at + _HEAD.size + name_size].decode()
            payload = bytes(buffer[end - size : end])
            at = end
            if name == "ready":
                part.ready = True
            elif name == "report":
                part.report = json.loads(payload)
            else:
                self._fold(name, payload)
        del buffer[:at]

    def _fold(self, name: str, raw: bytes) -> None:
        kind, _, what = name.partition(".")
        after = ".service" if what == "service" else ""
        if ":" not in kind:
            self._histograms.add(kind + after, raw)
            return
        gets, sets = map(int, kind.split(":"))
        self._histograms.add("get" + after, raw, gets)
        self._histograms.add("set" + after, raw, sets)

    def result(self, probes: tuple[answered.Probe, ...], adapted: tuple[str, ...]) -> answered.Result:
        """Add up what the processes have told."""
        reports = [part.report for part in self._parts if part.report is not None]
        failures = [each["failure"] for each in reports if each["failure"]]
        begun = [each for each in reports if "began" in each]
        if not begun:
            raise Failed(failures[0] if failures else "no process of the generator could begin")
        began, ended = min(each["began"] for each in begun), max(each["ended"] for each in begun)
        window = max(1, ended - began) / SECOND
        counts = answered.Counts(**_sum([each["counts"] for each in begun]))
        at_end = _sum([each["at_end"] for each in begun])
        cpu = sum(each["cpu_s"] for each in begun) / window
        spun = sum(each["spun_s"] for each in begun) / window
        firsts = [(each["first_error_at"], each["first_error"]) for each in begun if each["first_error"]]
        # Without a good reply anywhere is at most as long as in the process that had the shortest such time.
        gap_from, gap_to = min((each["gap"] for each in begun), key=lambda gap: gap[1] - gap[0])
        middles = [each["backlog_middle"] for each in begun if "backlog_middle" in each]
        return answered.Result(
            counts=counts,
            inside=answered.Counts(**at_end),
            latency=self._histograms.encoded(),
            series=_series([each["series"] for each in begun]),
            started_at=began / SECOND,
            ended_at=ended / SECOND,
            window_s=window,
            offered_rate=self._config.rate if self._config.mode == "load" else None,
            achieved_rate=(at_end["requests"] + at_end["unconfirmed"]) / window,
            backlog=sum(each.get("backlog", 0) for each in begun),
            backlog_middle=sum(middles) if middles else None,
            cpu_cores=cpu,
            busy_cores=max(0.0, cpu - spun),
            processes=len(reports),
            first_error=min(firsts)[1] if firsts else None,
            first_error_s=(min(firsts)[0] - began) / SECOND if firsts else None,
            longest_gap_s=(gap_to - gap_from) / SECOND,
            gap_began_s=(gap_from - began) / SECOND,
            probes=probes,
            adapted=adapted,
            failure=failures[0] if failures else None,
        )


def _child(config: Config, index: int, share: Sequence[Any], tell: int, hear: int) -> None:
    """What a forked process does: make ready, wait for the start, run, tell."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a file descriptor is needed for each connection
    try:
        import fcntl

        fcntl.fcntl(tell, _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:  # a user's pipes may be limited; a smaller one is slower
        pass

    def emit(name: str, payload: bytes) -> None:
        data = memoryview(_HEAD.pack(len(name), len(payload)) + name.encode() + payload)
        while data:
            data = data[os.write(tell, data) :]

    endpoints, owned, acknowledged, wanted = share
    try:
        worker = Worker(config, index, endpoints, owned, acknowledged, wanted, emit)
        worker.prepare()
    except Failed as error:
        emit("report", json.dumps({"failure": str(error)}).encode())
        return
    emit("ready", b"")
    begin = os.read(hear, 8)
    if len(begin) == 8:  # else the parent is gone
        emit("report", json.dumps(worker.run(int.from_bytes(begin, "little"))).encode())


def _sum(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    return {name: sum(each[name] for each in counts) for name in counts[0]}


def _series(parts: Sequence[Sequence[tuple[float, dict[str, int]]]]) -> tuple[answered.Point, ...]:
    """The processes' running totals, added and made into what was answered in each tick."""
    points: list[answered.Point] = []
    before: dict[str, int] = {}
    for ticks in zip(*parts, strict=False):
        totals = _sum([counts for _, counts in ticks])
        names = ("hits", "sets", "misses", "errors", "timeouts")
        points.append(answered.Point(ticks[0][0], **{name: totals[name] - before.get(name, 0) for name in names}))
        before = totals
    return tuple(points)
