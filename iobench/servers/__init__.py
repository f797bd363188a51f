"""Private servers on the drive under test: one file a server, each of which meets `Module` and `Server`.

A work names a `Service`; the engine opens one server for each distinct service of a target, on the first step
that needs it, keeps it for all loads and repeats, and closes it at the end: killed where the campaign was
interrupted, for its data is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from iobench import proc
from iobench.errors import UsageError, near_miss
from iobench.model import Facts, Service, Work
from iobench.texts import Told

Endpoint = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Room:
    """Where a server may put things; all of it is removed when the campaign ends.

    `data` is a folder on the target for this server alone. `shared` is a folder off the target that all
    targets of the campaign share: what is made once stands there. `private` is off the target too, with a short
    path (a socket's has at most 107 bytes), for this server alone. All are of mode 0700.
    """

    data: Path
    shared: Path
    private: Path
    log: Path
    stop: proc.Stop
    group: Path | None = None  # the cgroup (v2) in which an emulated drive's limits hold


class Server(Protocol):
    """A server that may be started once and is then used by many steps."""

    def start(self) -> Endpoint:
        """Start it and return where it is reached. Raises ToolError, with its last log lines, CannotRunError."""

    def settle(self, work: Work) -> None:
        """Wait, before a step, until what an earlier one left to be done is done; bounded in time."""

    def begin(self, work: Work) -> None:
        """Note the server's own counters before a step."""

    def tick(self, elapsed_s: float) -> None:
        """Called ten times a second while a step runs, with the seconds since its program was started."""

    def end(self, work: Work) -> Facts:
        """Return what the server counted since `begin`. Never raises for a server that has died."""

    def problem(self) -> Told | None:
        """Return what happened, with the last log lines, where the server is dead or does not answer; else None."""

    def close(self, kill: bool) -> None:
        """End it: in order, or at once with `kill`. May be called twice, and after a failed start."""


class Module(Protocol):
    """What a file of this room offers."""

    TOOLS: tuple[str, ...]  # programs that it needs
    EXAMPLE: Endpoint  # an endpoint as a dry run shows it

    def open(self, service: Service, room: Room) -> Server:
        """Return a server that is not started yet; nothing is made before `start`."""


def registry() -> Mapping[str, Module]:
    """Return the servers' modules by kind."""
    from iobench.servers import mariadb, memcached, nfs

    return {"mariadb": mariadb, "memcached": memcached, "nfs": nfs}


def module(kind: str) -> Module:
    """Return a server's module. Raises UsageError with the nearest kind."""
    known = registry()
    if kind not in known:
        raise UsageError(f"unknown server {kind!r}; {near_miss(kind, known)}")
    return known[kind]


def planned(service: Service) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the commands that make a private server ready, each with what it is for, where its module tells them."""
    found: tuple[tuple[str, tuple[str, ...]], ...] = getattr(module(service.kind), "planned", lambda _: ())(service)
    return found


def attach(url: str, service: Service, room: Room) -> Server:
    """Return the server that exists at a URL, as a work's module reaches it (its function `attach`); not ours to end.

    Raises UsageError for a kind of server that is only ever a private one.
    """
    found = getattr(module(service.kind), "attach", None)
    if found is None:
        raise UsageError(
            f"{url} is a server that exists, and this work can only start a {service.kind} of its own; give a folder "
            "on the drive"
        )
    server: Server = found(url, service, room)
    return server


@runtime_checkable
class Witness(Protocol):
    """A server that has more to tell of a step than counters: what it did on purpose, what it found afterwards."""

    def watch(self, out: Path) -> None:
        """Learn the folder in which the step's program leaves its files."""

    def told(self) -> Mapping[str, str]:
        """Return texts by file name; kept beside the program's own output, where the runner reads them."""
