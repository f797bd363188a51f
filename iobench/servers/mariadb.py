"""A private MariaDB (or MySQL) whose data lie on the drive under test; or a server that exists, by its address.

The data directory is made and filled once per campaign, off the targets, and copied to each: on a drive of 197
requests per second, making it takes 22 s and filling two small tables 30 s. A private server has a socket of its
own in a folder of mode 0700, no TCP port, and a random password. Its data are thrown away, so it is always
killed and never shut down.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

from iobench import proc
from iobench.model import Facts, Service, Work, whole
from iobench.servers import Endpoint, Room, Server, mysql_session
from iobench.servers.mysql_session import Session
from iobench.servers.mysql_tables import DATABASE, Filled, check_socket, copy_tree, write_config
from iobench.texts import Figure, Phrase, Told
from iobench.tools import mariadb

TOOLS: tuple[str, ...] = (mariadb.daemon(),)
EXAMPLE: Endpoint = {"config": "(a private file with socket, user and password)"}
SCHEMES = ("mysql", "mariadb")  # of the address of a server that exists


def open(service: Service, room: Room) -> Server:
    """Return a private server that is not started yet."""
    return Private(service, room)


def attach(url: str, service: Service, room: Room) -> Server:
    """Return the server that exists at an address."""
    from iobench.servers.mysql_existing import Existing

    return Existing(service, room, url)


def check(url: str) -> None:
    """Raise UsageError for an address that is not whole, before anything is run."""
    from iobench.servers.mysql_existing import address

    address(url)


class Private:
    """A server of ours on the drive under test."""

    def __init__(self, service: Service, room: Room) -> None:
        self._service, self._room = service, room
        self._program = mariadb.daemon()
        self._socket = str(room.private / "sql")
        self._running: proc.Running | None = None
        self._session = Session({})
        self._trouble: Told | None = None

    def start(self) -> Endpoint:
        """Fill the tables where that was not done yet, copy them to the drive, and start a server on them."""
        check_socket(self._socket)
        filled = Filled(self._service, self._room, self._program)
        password = filled.make()
        data, tmp = self._room.data / "data", self._room.data / "tmp"
        copy_tree(filled.data, data, self._room.stop)
        tmp.mkdir(mode=0o700)
        pool, connections = (whole(self._service.params, name) for name in ("buffer_pool", "connections"))
        setup = mariadb.Setup(str(data), self._socket, str(tmp), pool, connections)
        argv = mariadb.serve(self._program, filled.mariadb, setup)
        self._running = proc.serve(argv, log=self._room.log / "server.log", group=self._room.group)
        self._session = Session({"unix_socket": self._socket, "user": "root", "password": password})
        self._session.wait_ready(self._running, self._room.stop)
        self._session.keep_variables(self._room.log)
        connect = {"socket": self._socket, "user": "root", "password": password, "db": DATABASE}
        return {"config": write_config(self._room.private, connect)}

    def settle(self, work: Work) -> None:
        """Wait until purge and dirty pages rest, 15 s at most."""
        self._session.settle()

    def begin(self, work: Work) -> None:
        """Note the counters."""
        self._session.begin(work, self._running.pid if self._running else None)

    def tick(self, elapsed_s: float) -> None:
        """Note them anew when the first seconds are over."""
        self._session.tick(elapsed_s)

    def end(self, work: Work) -> Facts:
        """Return what was counted."""
        return self._session.end()

    def problem(self) -> Told | None:
        """Return how the server died, or that it does not answer, with its last lines."""
        running = self._running
        if running is None or self._trouble is not None:  # to ask one that hangs takes its time
            return self._trouble
        name: dict[str, Figure] = {"server": Path(self._program).name, "pid": running.pid}
        if not running.alive():
            self._trouble = _ended(running, name)
        elif not self._session.answers():
            name |= {"seconds": mysql_session.ANSWER_S, "said": running.last_lines()}
            self._trouble = Phrase("failed.server.hangs", name)
        return self._trouble

    def close(self, kill: bool) -> None:
        """Kill it: a shutdown would first write to the drive what is thrown away afterwards."""
        self._session.close()
        if self._running is not None:
            self._running.kill()


def _ended(running: proc.Running, name: Mapping[str, Figure]) -> Phrase:
    said, code = running.last_lines(), running.exit_code
    if code is not None and code < 0:
        return Phrase("failed.server.signal", {**name, "signal": signal.Signals(-code).name, "said": said})
    return Phrase("failed.server.code", {**name, "code": "?" if code is None else code, "said": said})
