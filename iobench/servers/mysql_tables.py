"""The filled data directory that every target of a campaign gets a copy of, and what filling it needs."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from iobench import proc
from iobench.errors import CannotRunError, InterruptedCampaign, ToolError
from iobench.model import Service, whole
from iobench.servers import Room
from iobench.servers.mysql_session import Session
from iobench.tools import mariadb, sysbench

DATABASE = "iobench"
_INITIALISE_S = 900.0
FILL_S = 4 * 3600.0
_SHUTDOWN_S = 900.0
_FILLING_POOL = 256 << 20
_COPY_BYTES = 16 << 20
_SOCKET_MOST = 107  # bytes of a socket's path, by the kernel


class Filled:
    """A data directory with our tables, off the targets: made once per campaign."""

    def __init__(self, service: Service, room: Room, program: str) -> None:
        self._room, self._program = room, program
        self._rows, self._tables = whole(service.params, "rows"), whole(service.params, "tables")
        self._folder = room.shared / f"tables-{self._tables}-{self._rows}"
        self.data = self._folder / "data"
        self.mariadb = mariadb.is_mariadb(proc.capture((program, "--version"), check=False).stdout)

    def make(self) -> str:
        """Make and fill it where that was not done yet; return its root's password. Raises ToolError."""
        kept = self._folder / "password"  # written last: where it is, the rest is whole
        if kept.exists():
            return kept.read_text(encoding="ascii")
        if self._folder.exists():  # a try that failed
            shutil.rmtree(self._folder)
        for folder in (self._folder, self.data, self._folder / "tmp"):
            folder.mkdir(mode=0o700)
        self._initialise()
        password = secrets.token_urlsafe(24)
        self._fill(password)
        write_private(kept, password)
        return password

    def _initialise(self) -> None:
        statements = mariadb.system_tables() if self.mariadb else None
        if statements is None:
            argv = mariadb.initialise(self._program, self.mariadb, str(self.data))
            return run(argv, self._room, "initialise", _INITIALISE_S)
        source = self._folder / "system.sql"
        source.write_text(statements, encoding="utf-8")
        return run(mariadb.bootstrap(self._program, str(self.data)), self._room, "initialise", _INITIALISE_S, source)

    def _fill(self, password: str) -> None:
        socket = str(self._room.private / "fill")
        check_socket(socket)
        setup = mariadb.Setup(str(self.data), socket, str(self._folder / "tmp"), _FILLING_POOL, 64, fast=True)
        argv = mariadb.serve(self._program, self.mariadb, setup)
        running = proc.serve(argv, log=self._room.log / "filling-server.log")
        session = Session({"unix_socket": socket, "user": "root", "password": ""})
        try:
            session.wait_ready(running, self._room.stop)
            session.ask(f"CREATE DATABASE {DATABASE}")
            session.ask("ALTER USER root@localhost IDENTIFIED BY %s", (password,))
            connect = {"socket": socket, "user": "root", "password": password, "db": DATABASE}
            config = write_config(self._folder, connect)
            threads = min(self._tables, os.cpu_count() or 1)
            run(sysbench.prepare(config, self._tables, self._rows, threads), self._room, "fill", FILL_S)
            session.ask("SET GLOBAL innodb_fast_shutdown = 0")  # nothing is left to be purged on each target
            session.close()
            running.end(_SHUTDOWN_S)
        finally:
            session.close()
            running.kill()


def run(argv: tuple[str, ...], room: Room, name: str, timeout_s: float, stdin: Path | None = None) -> None:
    """Run a program to its end, its output into the server's log folder. Raises ToolError, InterruptedCampaign."""
    out, err = room.log / f"{name}.stdout", room.log / f"{name}.stderr"
    ended = proc.watch(argv, stdout=out, stderr=err, timeout_s=timeout_s, stop=room.stop, stdin=stdin)
    if ended.reason == "stopped":
        raise InterruptedCampaign
    if ended.exit_code != 0:
        text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
        said = sysbench.fatal(text) or (text.strip().splitlines() or ["it said nothing"])[-1]
        why = "did not end in time" if ended.reason else f"ended with exit code {ended.exit_code}"
        raise ToolError(f"{Path(argv[0]).name}, to {name} the database, {why}: {said}")


def copy_tree(source: Path, to: Path, stop: proc.Stop) -> None:
    """Copy folders and plain files, each brought to the drive. Raises OSError, InterruptedCampaign."""
    to.mkdir(mode=0o700)
    for entry in sorted(source.iterdir()):
        if entry.is_dir():
            copy_tree(entry, to / entry.name, stop)
        elif entry.is_file():
            _copy_file(entry, to / entry.name, stop)
    fd = os.open(to, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _copy_file(source: Path, to: Path, stop: proc.Stop) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with source.open("rb", buffering=0) as read, open(os.open(to, flags, 0o600), "wb", buffering=0) as write:
        while block := read.read(_COPY_BYTES):
            if stop.requested:
                raise InterruptedCampaign
            write.write(block)
            # Little by little: one flush of everything could not be stopped.
            os.fdatasync(write.fileno())
        os.fsync(write.fileno())


def write_config(folder: Path, connection: Mapping[str, str | int]) -> str:
    """Write what sysbench needs to connect into a file of mode 0600; return its path."""
    path = folder / "connect"
    try:
        write_private(path, sysbench.config(connection))
    except ValueError as error:
        raise CannotRunError(f"{error}: a line break, both kinds of quotes, or more than 200 bytes") from None
    return str(path)


def write_private(path: Path, text: str) -> None:
    """Write a file that is its owner's alone, from the first byte on."""
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)


def check_socket(path: str) -> None:
    """Raise CannotRunError for a path that the kernel does not take for a socket."""
    if len(os.fsencode(path)) > _SOCKET_MOST:
        raise CannotRunError(
            f"the socket's path {path} is longer than {_SOCKET_MOST} bytes; set TMPDIR to a shorter folder"
        )
