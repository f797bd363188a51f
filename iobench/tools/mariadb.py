"""MariaDB's or MySQL's daemon: how a data directory is made, how a server is started on it, what it counts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from iobench import proc

DAEMONS = ("mariadbd", "mysqld")  # the first that is installed is used
_STATEMENTS = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"), Path("/usr/local/share/mysql"))
LEAST_POOL = 6 << 20  # the smallest buffer pool that InnoDB takes, bytes
# Small enough to be copied to a slow drive in a second or two, and for checkpoints to come within a step.
LOG_BYTES = 64 << 20
# What is asked of `SHOW GLOBAL STATUS`.
COUNTERS = (
    "Innodb_buffer_pool_read_requests",
    "Innodb_buffer_pool_reads",
    "Innodb_data_reads",
    "Innodb_data_writes",
    "Innodb_data_fsyncs",
)
DIRTY, HISTORY = "Innodb_buffer_pool_pages_dirty", "Innodb_history_list_length"
# What decides whether a commit reaches the drive, and how much is answered from memory: kept with the results.
VARIABLES = (
    "version",
    "version_comment",
    "innodb_buffer_pool_size",
    "innodb_doublewrite",
    "innodb_flush_log_at_trx_commit",
    "innodb_flush_method",
    "innodb_io_capacity",
    "innodb_log_file_size",
    "innodb_page_size",
    "log_bin",
    "skip_networking",
    "sync_binlog",
)


@dataclass(frozen=True, slots=True)
class Setup:
    """A server to start: absolute paths, and its buffer pool in bytes. `fast` gives up durability (for filling)."""

    datadir: str
    socket: str
    tmpdir: str
    buffer_pool: int
    connections: int
    fast: bool = False


def daemon() -> str:
    """Return the daemon's name: the installed one, else MariaDB's."""
    return next((name for name in DAEMONS if proc.find(name)), DAEMONS[0])


def is_mariadb(version: str) -> bool:
    """Whether what `--version` printed is MariaDB's: older ones are called mysqld too."""
    return "mariadb" in version.lower()


def initialise(program: str, mariadb: bool, datadir: str) -> tuple[str, ...]:
    """Return the command that makes a data directory; its root user has no password yet."""
    if not mariadb:
        return (program, "--no-defaults", "--initialize-insecure", f"--datadir={datadir}", f"--user={_user()}")
    script = "mariadb-install-db" if proc.find("mariadb-install-db") else "mysql_install_db"
    return (
        script,
        "--no-defaults",
        f"--datadir={datadir}",
        f"--user={_user()}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        f"--innodb-log-file-size={LOG_BYTES}",
        "--innodb-flush-method=nosync",  # it is copied to the drives, each file brought there, afterwards
    )


def system_tables() -> str | None:
    """Return the statements that make the system tables, as the package has them; None where it does not.

    Its script does the same and fills tables of help besides, which takes as long again.
    """
    for folder in _STATEMENTS:
        parts = [folder / f"mysql_{name}.sql" for name in ("system_tables", "performance_tables", "system_tables_data")]
        if all(part.is_file() for part in parts):
            head = "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
            return head + "\n".join(part.read_text(encoding="utf-8", errors="replace") for part in parts)
    return None


def bootstrap(program: str, datadir: str) -> tuple[str, ...]:
    """Return the command that makes a data directory by the statements that it reads."""
    return (
        program,
        "--no-defaults",
        "--bootstrap",
        f"--datadir={datadir}",
        f"--user={_user()}",
        f"--innodb-log-file-size={LOG_BYTES}",
        "--innodb-flush-method=nosync",
        "--silent-startup",
        "--log-warnings=0",
        "--enforce-storage-engine=",
        "--max-allowed-packet=8M",
        "--net-buffer-length=16K",
    )


def serve(program: str, mariadb: bool, setup: Setup) -> tuple[str, ...]:
    """Return the command of a server: on its own socket only, as durable as InnoDB is unless asked to be fast."""
    commit, doublewrite, flush = ("0", "OFF", "nosync") if setup.fast else ("1", "ON", "O_DIRECT")
    return (
        program,
        "--no-defaults",  # nothing of a server that the machine runs already
        f"--datadir={setup.datadir}",
        f"--socket={setup.socket}",
        f"--pid-file={setup.socket}.pid",
        f"--tmpdir={setup.tmpdir}",
        f"--user={_user()}",
        "--skip-networking",
        "--skip-log-bin",
        "--skip-name-resolve",
        "--performance-schema=OFF",
        f"--innodb-flush-log-at-trx-commit={commit}",
        f"--innodb-flush-method={flush}",
        f"--innodb-doublewrite={doublewrite}",
        f"--innodb-buffer-pool-size={setup.buffer_pool}",
        "--innodb-buffer-pool-dump-at-shutdown=OFF",
        "--innodb-buffer-pool-load-at-startup=OFF",
        f"--max-connections={setup.connections}",
        "--max-prepared-stmt-count=1048576",
        *((f"--innodb-log-file-size={LOG_BYTES}",) if mariadb else ("--mysqlx=OFF",)),
    )


def _user() -> str:
    """The daemon refuses to run as root unless it is told to."""
    import pwd  # only Linux has it, and only where a server runs

    return pwd.getpwuid(os.geteuid()).pw_name


def hit_ratio(before: dict[str, int], after: dict[str, int]) -> float | None:
    """Return the share of page requests that the buffer pool answered without the drive; None for no requests."""
    asked, read = (after.get(key, 0) - before.get(key, 0) for key in COUNTERS[:2])
    return max(0.0, 1 - read / asked) if asked > 0 else None
