"""A MariaDB or MySQL server that exists and is not ours: only our own tables are made, used and dropped there."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from iobench.drives import marker
from iobench.errors import CannotRunError, ToolError, UsageError
from iobench.model import Facts, Service, Work, whole
from iobench.servers import Endpoint, Room, secrets
from iobench.servers.mysql_session import ANSWER_S, Session
from iobench.servers.mysql_tables import FILL_S, run, write_config
from iobench.texts import Phrase, Told
from iobench.tools import sysbench

# Whose tables sbtest1, sbtest2, … in the database are. Where it is not there, they are not ours.
MARKER = "iobench_marker"
_PORT = 3306
_DROP_S = 300.0


class Existing:
    """The server at an address mysql://USER@HOST[:PORT]/DATABASE[?socket=PATH]."""

    def __init__(self, service: Service, room: Room, url: str) -> None:
        self._service, self._room, self._url = service, room, url
        self._session = self._patient = Session({})
        self._config: str | None = None
        self._made = self._settled = False

    def start(self) -> Endpoint:
        """Connect, remove what a killed run of ours left, and fill our tables. Raises ToolError, CannotRunError."""
        import pymysql

        connect = address(self._url)
        password = secrets.password(self._url)
        self._config = write_config(self._room.private, {**connect, "password": password})
        names = {"socket": "unix_socket", "db": "database"}
        how = {**{names.get(k, k): v for k, v in connect.items()}, "password": password}
        self._session, self._patient = Session(how), Session(how, _DROP_S)
        try:
            self._take_over()
            self._session.keep_variables(self._room.log)
            self._mark()
        except (pymysql.err.Error, OSError) as error:
            raise CannotRunError(f"{self._url} cannot be used: {_said(error)}") from None
        tables, rows = (whole(self._service.params, name) for name in ("tables", "rows"))
        threads = min(tables, os.cpu_count() or 1)
        run(sysbench.prepare(self._config, tables, rows, threads), self._room, "fill", FILL_S)
        return {"config": self._config}

    def _take_over(self) -> None:
        """Drop the tables of a run of ours that was killed. Raises CannotRunError where they are another's."""
        there = {str(row[0]) for row in self._session.ask("SHOW TABLES")}
        theirs = sorted(name for name in there if name.startswith("sbtest"))
        if MARKER not in there:
            if theirs:
                raise CannotRunError(
                    f"{self._url} holds the table {theirs[0]}, which iobench did not make; give a database without "
                    "tables of sysbench"
                )
            return
        rows = self._session.ask(f"SELECT owner, tables FROM {MARKER}")
        if not rows and not theirs:  # killed between making the marker and filling it in
            self._session.ask(f"DROP TABLE {MARKER}")
            return
        if not rows:
            raise CannotRunError(
                f"{self._url} holds {theirs[0]} and an empty {MARKER}; drop them, if nobody needs them"
            )
        owner, tables = marker.parse(str(rows[0][0])), rows[0][1]
        if owner is None or not owner.owner_gone:
            whose = f"process {owner.pid} on {owner.host}, or in a container there" if owner else "nobody knows whose"
            raise CannotRunError(
                f"{self._url} is in use by an iobench, {whose}; wait for it. If it no longer runs, drop the tables "
                f"sbtest1 to sbtest{tables} and {MARKER}"
            )
        self._drop(int(tables))

    def _mark(self) -> None:
        own = marker.as_text(marker.of_process("sbtest"))
        self._session.ask(f"CREATE TABLE {MARKER} (owner TEXT, tables BIGINT)")
        self._session.ask(f"INSERT INTO {MARKER} VALUES (%s, %s)", (own, whole(self._service.params, "tables")))
        self._made = True

    def _drop(self, tables: int) -> None:
        for number in range(1, tables + 1):
            self._patient.ask(f"DROP TABLE IF EXISTS sbtest{number}")
        self._patient.ask(f"DROP TABLE {MARKER}")

    def settle(self, work: Work) -> None:
        """Wait once until it has written what filling our tables left, 15 s at most; its settings are left alone."""
        if not self._settled:
            self._settled = True
            self._session.settle_patiently()

    def begin(self, work: Work) -> None:
        """Note the server's counters: those of all who use it."""
        self._session.begin(work, None)

    def tick(self, elapsed_s: float) -> None:
        """Note them anew when the first seconds are over."""
        self._session.tick(elapsed_s)

    def end(self, work: Work) -> Facts:
        """Return what the server counted, for all who use it."""
        return self._session.end()

    def problem(self) -> Told | None:
        """Return that it does not answer, where that is so. Its log is not ours to read."""
        if self._session.answers():
            return None
        return Phrase("failed.server.silent", {"server": self._url, "seconds": ANSWER_S})

    def close(self, kill: bool) -> None:
        """Drop our tables; what cannot be dropped now is dropped by the next run that uses the database."""
        import pymysql

        if self._made:
            self._made = False
            try:
                self._drop(whole(self._service.params, "tables"))
            except (pymysql.err.Error, OSError) as error:
                raise ToolError(
                    f"our tables in {self._url} could not be dropped ({_said(error)}); the next run drops them"
                ) from None
        self._session.close()
        self._patient.close()
        if self._config is not None:
            Path(self._config).unlink(missing_ok=True)


def address(url: str) -> dict[str, str | int]:
    """Return the parts of an address as sysbench names them. Raises UsageError for one that is not whole."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise UsageError(f"{url!r} is not an address; write mysql://USER@HOST[:PORT]/DATABASE") from None
    database = unquote(parts.path.removeprefix("/"))
    if not parts.username or not database or "/" in database or not (parts.hostname or parts.query):
        raise UsageError(f"{url!r} lacks a user, a host or a database; write mysql://USER@HOST[:PORT]/DATABASE")
    asked = parse_qs(parts.query, keep_blank_values=True)
    if unknown := sorted(set(asked) - {"socket"}):  # its value is not repeated: it may be a password
        raise UsageError(f"an address takes ?socket=PATH and nothing else behind the database, not {unknown[0][:20]!r}")
    socket = asked.get("socket", [None])[0]
    where: dict[str, str | int] = {"socket": socket} if socket else {"host": parts.hostname or "", "port": port}
    return {**where, "user": unquote(parts.username), "db": database}


def _said(error: Exception) -> str:
    """What pymysql says, without the number."""
    return str(error.args[-1] if error.args else error)
