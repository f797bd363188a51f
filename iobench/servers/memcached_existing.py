"""Key-value stores that exist and are not ours: keys of our own are stored in them, and expire after a day."""

from __future__ import annotations

import dataclasses
import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path

from iobench import proc
from iobench.errors import CannotRunError, InterruptedCampaign, IobenchError, ToolError, UsageError
from iobench.kvs.config import Server as Can
from iobench.kvs.dataset import Dataset
from iobench.kvs.result import Probe
from iobench.model import Facts, Service, Work, whole
from iobench.servers import Endpoint, Room
from iobench.servers.filling import Generator, ask_stats
from iobench.servers.memcached_counters import Counted, facts
from iobench.servers.outage import Outage, told
from iobench.texts import Told

SCHEME = "memcached://"


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
        self._before: Counted | None = None
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
            outage.begin()
            self._run("outage", outage.how)
        elif outage.over() and outage.restore:
            outage.restored_at = time.monotonic()
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

    def _counted(self) -> Counted:
        """The servers' counters together; nothing where one of them tells none."""
        sums: dict[str, float] = {}
        for server in self._servers if self._stats else ():
            try:
                for name, value in ask_stats(server).items():
                    sums[name] = sums.get(name, 0.0) + value
            except ToolError:
                return Counted(time.monotonic(), {})
        return Counted(time.monotonic(), sums)

    def watch(self, out: Path) -> None:
        """Learn where the load generator says when its window begins."""
        self._out = out

    def told(self) -> Mapping[str, str]:
        """Return what the probe found, and what became of an outage and of the keys after it."""
        return {"probe.json": self._probe, **told(self._outage, self._readback)}

    def problem(self) -> Told | None:
        """Return nothing: whether they answer is what is measured, and counted."""
        return None

    def close(self, kill: bool) -> None:
        """End our own commands; the servers are not ours."""
        outage = self._commands.pop("outage", None)
        if outage is not None:
            outage.kill()


def common(probes: tuple[Probe, ...]) -> Can:
    """Return what all of several servers can; None where it is not known of one."""
    names = [entry.name for entry in dataclasses.fields(Can)]

    def all_of(name: str) -> bool | None:
        values = [getattr(probe, name) for probe in probes]
        return None if not values or None in values else all(values)

    return Can(**{name: all_of(name) for name in names})
