"""Our own connection to a MariaDB or MySQL server: is it ready, does it rest, what did it count around a step."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iobench import proc
from iobench.errors import InterruptedCampaign, ToolError
from iobench.model import Facts, Work
from iobench.results import write_safely
from iobench.texts import Phrase
from iobench.tools import mariadb

if TYPE_CHECKING:
    from pymysql.connections import Connection

SETTLE_MOST_S = 15.0
ANSWER_S = 5  # a server that does not answer a simple question in this time is stuck
_READY_S = 300.0  # a slow drive makes a slow start
_REST_HISTORY = 10  # transactions left to purge: a resting server may keep a few
_HURRY = (
    "SET GLOBAL innodb_max_dirty_pages_pct = 0, GLOBAL innodb_io_capacity_max = 10000, GLOBAL innodb_io_capacity = 5000"
)
_NO_HURRY = (
    "SET GLOBAL innodb_max_dirty_pages_pct = 90, GLOBAL innodb_io_capacity = 200, GLOBAL innodb_io_capacity_max = 2000"
)


class Session:
    """A connection that is made when it is needed, and made again when it was lost."""

    def __init__(self, connect: Mapping[str, Any], answer_s: float | None = None) -> None:
        self._connect, self._answer_s = connect, answer_s or ANSWER_S
        self._connection: Connection[Any] | None = None
        self._before: dict[str, int] | None = None
        self._ramp_s: float | None = None
        self._pid: int | None = None
        self._cpu: tuple[float, float] | None = None
        self._settled_s: float | None = None

    def open(self) -> None:
        """Connect anew. Raises pymysql.err.Error, OSError."""
        import pymysql

        self.close()
        self._connection = pymysql.connect(
            **self._connect,
            connect_timeout=min(self._answer_s, ANSWER_S),
            read_timeout=self._answer_s,
            write_timeout=self._answer_s,
            autocommit=True,
        )

    def close(self) -> None:
        """Let go of the connection; may be called twice. A goodbye would wait for a server that is stuck."""
        if self._connection is not None:
            self._connection._force_close()
            self._connection = None

    def ask(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return a query's rows. Raises pymysql.err.Error, OSError."""
        if self._connection is None:
            self.open()
        assert self._connection is not None
        with self._connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return list(cursor.fetchall())

    def tried(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]] | None:
        """Return a query's rows; None where the server does not give them."""
        import pymysql

        try:
            return self.ask(query, values)
        except (pymysql.err.Error, OSError):
            self.close()
            return None

    def answers(self) -> bool:
        """Whether the server answers a new connection."""
        self.close()
        return self.tried("SELECT 1") is not None

    def wait_ready(self, running: proc.Running, stop: proc.Stop) -> None:
        """Wait until a server answers. Raises ToolError with its last lines where it does not, InterruptedCampaign."""
        deadline = time.monotonic() + _READY_S
        while not self.answers():
            if stop.requested:
                raise InterruptedCampaign
            if not running.alive() or time.monotonic() > deadline:
                why = "failed.server.late" if running.alive() else "failed.server.early"
                name = Path(running.argv[0]).name
                raise ToolError(Phrase(why, {"server": name, "said": running.last_lines()}))
            time.sleep(0.02)

    # --- before a step ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """Have dirty pages written and old versions purged, for 15 s at most; how long it took is a fact."""
        self._settled_s = self.rest(SETTLE_MOST_S)

    def settle_patiently(self) -> None:
        """Wait for that without asking for it: of a server that is not ours."""
        self._settled_s = self.rest(SETTLE_MOST_S, hurry=False)

    def rest(self, most_s: float, hurry: bool = True) -> float:
        """Wait for that, `most_s` seconds at most; return the seconds waited.

        Without `hurry` the server's settings are left as they are, and it takes the time that it takes.
        """
        begin = time.monotonic()
        hurried = False
        while (waited := time.monotonic() - begin) < most_s:
            now = self.counters((mariadb.DIRTY, mariadb.HISTORY))
            if now is None or (now.get(mariadb.DIRTY, 0) == 0 and now.get(mariadb.HISTORY, 0) <= _REST_HISTORY):
                break
            if hurry and not hurried:  # by itself it writes 200 pages a second, and only when nothing else is done
                self.tried(_HURRY)
                hurried = True
            time.sleep(0.05)
        if hurried:
            self.tried(_NO_HURRY)  # InnoDB's defaults
        return waited

    # --- around a step ---------------------------------------------------------------------------------

    def counters(self, names: tuple[str, ...]) -> dict[str, int] | None:
        """Return global status counters; None where the server does not answer."""
        marks = ", ".join(["%s"] * len(names))
        rows = self.tried(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({marks})", names)
        return None if rows is None else {str(name): int(value) for name, value in rows if str(value).isdigit()}

    def begin(self, work: Work, pid: int | None) -> None:
        """Note the counters before a step; `pid` is the server's process, where it is ours."""
        self._pid, self._ramp_s = pid, work.ramp_s or None
        self._note()

    def tick(self, elapsed_s: float) -> None:
        """Note them anew, once, when the first seconds are over: sysbench counts from there on too."""
        if self._ramp_s is not None and elapsed_s >= self._ramp_s:
            self._ramp_s = None
            self._note()

    def _note(self) -> None:
        self._before, self._cpu = self.counters(mariadb.COUNTERS), _cpu(self._pid)

    def end(self) -> Facts:
        """Return what was counted since; None for what the server no longer tells."""
        after, cpu = self.counters(mariadb.COUNTERS), _cpu(self._pid)
        cores = None
        if self._cpu is not None and cpu is not None and cpu[0] > self._cpu[0]:
            cores = (cpu[1] - self._cpu[1]) / (cpu[0] - self._cpu[0])
        before = self._before
        if before is None or after is None:
            return Facts(server_cpu=cores, settled_s=self._settled_s)
        grown = {name: after[name] - before[name] for name in after if name in before}
        return Facts(
            cache_hit_ratio=mariadb.hit_ratio(before, after),
            server_reads=grown.get("Innodb_data_reads"),
            server_writes=grown.get("Innodb_data_writes"),
            server_fsyncs=grown.get("Innodb_data_fsyncs"),
            server_cpu=cores,
            settled_s=self._settled_s,
        )

    def keep_variables(self, log: Path) -> None:
        """Write the settings that a result depends on into `log`, as JSON."""
        marks = ", ".join(["%s"] * len(mariadb.VARIABLES))
        rows = self.tried(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({marks})", mariadb.VARIABLES) or []
        write_safely(log / "variables.json", json.dumps(dict(sorted(rows)), ensure_ascii=False, indent=1))


def _cpu(pid: int | None) -> tuple[float, float] | None:
    """Monotonic seconds, and the processor seconds of a process so far; None where it is gone."""
    if pid is None:
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return time.monotonic(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, LookupError, ValueError):
        return None
