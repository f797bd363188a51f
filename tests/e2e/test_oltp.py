"""Transactions on a real private server: its figures, its death, its end; and on a server that exists."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Drive, Iobench, Result, finish, journal, programs, rows, wait_for

from iobench import proc, redact
from iobench.drives import marker
from iobench.servers import secrets
from iobench.tools import mariadb, sysbench

Run = Callable[..., Result]
DAEMON = mariadb.daemon()
QUICK = ("run", "oltp", "--size", "8Mi", "--tables", "2", "--ramp", "1s", "--duration", "1s", "--repeats", "1")
STEP = "0001-r1-oltp-2-one"
LONG = ("--duration", "8s")  # to be met in the middle of a step, also on a machine that is busy
PATIENCE_S = 240.0


@pytest.fixture(autouse=True)
def _needs_a_database() -> None:
    missing = [name for name in ("sysbench", DAEMON) if proc.find(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


@pytest.fixture
def scratch(scratch: Path) -> Iterator[Path]:
    """The same, and no server of ours runs in it any more."""
    yield scratch
    assert servers(scratch) == []


def servers(folder: Path) -> list[int]:
    return programs(folder, DAEMON)


def soon(folder: Path, seconds: float, do: Callable[[int], None]) -> threading.Thread:
    """Do something to the server on the drive some time after sysbench has begun its work there."""

    def later() -> None:
        wait_for(lambda: any("run" in _argv(pid) for pid in programs(folder, "sysbench")), PATIENCE_S)
        time.sleep(seconds)
        for pid in servers(folder):
            do(pid)

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    return thread


def _argv(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def everything(folder: Path) -> bytes:
    """All that was kept, and the names of the files."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in files)


# --- a private server --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_figures_and_evidence_of_a_private_server(iobench: Iobench, inside: Run, drive: Drive, scratch: Path) -> None:
    said = inside(*QUICK, "--threads", "1,4", "-t", f"one={drive.path}", "--json")
    assert said.code == 0, said.err
    folder = iobench.folder()
    kept = rows(folder.read("samples"))
    assert {row["workload"] for row in kept} == {"oltp"} and {row["load"] for row in kept} == {1, 4}
    values = {(row["load"], row["metric"]): row["value"] for row in kept}
    for load in (1, 4):
        assert values[load, "queries"] == pytest.approx(20 * values[load, "transactions"], rel=0.2)
        assert 0 < values[load, "latency_mean"] <= values[load, "latency_max"]
        assert values[load, "errors"] >= 0
    for row in rows(folder.read("evidence")):
        assert 0 < row["cache_hit_ratio"] < 1
        assert row["server_reads"] > 0 and row["server_writes"] > 0 and row["server_fsyncs"] > 0
        assert row["device_reads"] > 0 and row["device_bytes_written"] > 0
        assert 0 <= row["settled_s"] < 20
    assert {row["metric"] for row in rows(folder.read("series"))} >= {"transactions", "device_written_throughput"}
    assert folder.read("latency").num_rows == 2
    settings = json.loads((folder.path / "raw" / "server-mariadb-1" / "variables.json").read_text())
    assert settings["innodb_flush_log_at_trx_commit"] == "1" and settings["innodb_flush_method"] == "O_DIRECT"
    assert settings["innodb_doublewrite"] == "ON" and settings["skip_networking"] == "ON"
    assert settings["innodb_buffer_pool_size"] == str(mariadb.LEAST_POOL)


@pytest.mark.slow
def test_a_server_that_dies_costs_its_step_and_its_last_lines_are_told(
    iobench: Iobench, inside: Run, anywhere: Drive, scratch: Path
) -> None:
    killer = soon(scratch, 0.3, lambda pid: os.kill(pid, signal.SIGKILL))
    said = inside(*QUICK, *LONG, "--threads", "2,4", "-t", f"one={anywhere.path}")
    killer.join(PATIENCE_S)
    assert said.code == 4
    assert f"step {STEP} gave no number: the private {DAEMON}" in said.err
    assert "was ended by SIGKILL; its last lines: " in said.err and "ready for connections" in said.err
    folder = iobench.folder()
    assert (
        '"report":' in (folder.raw(STEP) / "stdout").read_text() or "FATAL" in (folder.raw(STEP) / "stdout").read_text()
    )
    assert folder.finished() == {"0002-r1-oltp-4-one"}, "the campaign goes on with a new server"


@pytest.mark.slow
def test_a_server_that_hangs_is_named(
    iobench: Iobench, inside: Run, anywhere: Drive, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysbench, "SHUTDOWN_S", 1)
    monkeypatch.setattr("iobench.servers.mysql_session.ANSWER_S", 1)
    freezer = soon(scratch, 0.3, lambda pid: os.kill(pid, signal.SIGSTOP))
    said = inside(*QUICK, *LONG, "--threads", "2", "-t", f"one={anywhere.path}")
    freezer.join(PATIENCE_S)
    assert said.code == 4
    assert f"step {STEP} gave no number" in said.err
    assert f"the private {DAEMON} (process " in said.err and "did not answer within" in said.err


@pytest.mark.slow
def test_an_interrupt_kills_the_server_and_leaves_nothing(iobench: Iobench, anywhere: Drive, scratch: Path) -> None:
    more = (*LONG, "--threads", "2", "-t", f"one={anywhere.path}")
    process = iobench.start(*QUICK, *more, env={"TMPDIR": str(scratch)})
    folder = iobench.folder_soon()
    wait_for(lambda: ("started", STEP) in journal(folder) and servers(scratch), PATIENCE_S)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert said.code == 130 and "0 of 1 steps are kept" in said.err
    assert servers(scratch) == [] and list(scratch.iterdir()) == []


@pytest.mark.slow
def test_clean_removes_the_server_that_a_killed_iobench_left(
    iobench: Iobench, inside: Run, anywhere: Drive, scratch: Path
) -> None:
    more = ("--threads", "2", "--duration", "60s", "-t", f"one={anywhere.path}")
    process = iobench.start(*QUICK, *more, env={"TMPDIR": str(scratch)})
    folder = iobench.folder_soon()
    wait_for(lambda: ("started", STEP) in journal(folder) and servers(scratch), PATIENCE_S)
    process.kill()
    finish(process)
    assert servers(scratch) != [] and anywhere.leftovers() != []
    said = inside("clean")
    assert said.code == 0, said.err
    wait_for(lambda: servers(scratch) == [])
    assert anywhere.leftovers() == [] and list(scratch.iterdir()) == []


@pytest.mark.slow
def test_tables_that_fit_the_pool_are_told(iobench: Iobench, inside: Run, anywhere: Drive, scratch: Path) -> None:
    said = inside(
        *QUICK, "--threads", "2", "--profiles", "point_select", "--buffer-pool", "64Mi", "-t", f"one={anywhere.path}"
    )
    assert said.code == 0, said.err
    assert "small-working-set" in {
        reason for row in rows(iobench.folder().read("samples")) for reason in row["reasons"]
    }


# --- a server that exists ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def existing() -> Iterator[Path]:
    """A server on a socket, as if it were somebody's: user bench with a password, databases bench and taken."""
    with tempfile.TemporaryDirectory(prefix="io-") as name:
        home = Path(name)
        (home / "data").mkdir(mode=0o700)
        (home / "tmp").mkdir(mode=0o700)
        said = subprocess.run((DAEMON, "--version"), check=True, capture_output=True, text=True, env=_path()).stdout
        kind = mariadb.is_mariadb(said)
        subprocess.run(
            mariadb.initialise(DAEMON, kind, str(home / "data")), check=True, capture_output=True, env=_path()
        )
        setup = mariadb.Setup(str(home / "data"), str(home / "sql"), str(home / "tmp"), 16 << 20, 100)
        server = subprocess.Popen(
            mariadb.serve(DAEMON, kind, setup),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_path(),
        )
        try:
            wait_for(lambda: _try_query(home / "sql"), PATIENCE_S)
            query(home / "sql", "CREATE DATABASE bench", "CREATE DATABASE taken")
            query(home / "sql", "CREATE TABLE bench.theirs (a INT)", "INSERT INTO bench.theirs VALUES (7)")
            query(home / "sql", "CREATE TABLE taken.sbtest1 (a INT)", "INSERT INTO taken.sbtest1 VALUES (7)")
            query(home / "sql", f"CREATE USER bench@localhost IDENTIFIED BY '{PASSWORD}'")
            query(home / "sql", "GRANT ALL ON bench.* TO bench@localhost", "GRANT ALL ON taken.* TO bench@localhost")
            yield home / "sql"
        finally:
            server.kill()
            server.wait()


PASSWORD = "s3cret #pass=word"


def _path() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"}


def query(socket: Path, *queries: str) -> list[tuple[Any, ...]]:
    import pymysql

    with pymysql.connect(unix_socket=str(socket), user="root", autocommit=True) as connection:
        cursor = connection.cursor()
        for each in queries:
            cursor.execute(each)
        return list(cursor.fetchall())


def _try_query(socket: Path) -> bool:
    try:
        return bool(query(socket, "SELECT 1"))
    except Exception:
        return False


def test_a_server_that_exists_is_measured_in_tables_of_our_own(
    iobench: Iobench, inside: Run, existing: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(secrets.VARIABLE, PASSWORD)
    url = f"mysql://bench@localhost/bench?socket={existing}"
    log = tmp_path / "log"
    said = inside(*QUICK, "--threads", "2", "--dsn", url, "--log-file", str(log))
    assert said.code == 0, said.err
    kept = rows(iobench.folder().read("samples"))
    assert {row["target"] for row in kept} == {"server"}
    assert all("no-device" in row["reasons"] for row in kept)
    assert {row["value"] for row in kept if row["metric"] == "transactions"} > {0.0} or kept
    assert PASSWORD.encode() not in everything(iobench.results) + log.read_bytes()
    assert PASSWORD not in said.out + said.err and secrets.VARIABLE not in os.environ
    assert query(existing, "SHOW TABLES FROM bench") == [("theirs",)]
    assert query(existing, "SELECT a FROM bench.theirs") == [(7,)]


@pytest.mark.slow
@pytest.mark.parametrize("given", ["environment", "file"])
def test_a_password_is_nowhere_while_it_runs_and_in_nothing_that_is_left(
    given: str, iobench: Iobench, inside: Run, existing: Path, scratch: Path, tmp_path: Path
) -> None:
    """Looked for in the arguments and environments of all processes, and in every report and archive afterwards."""
    url, file = f"mysql://bench@localhost/bench?socket={existing}", tmp_path / "bench.cnf"
    file.touch(mode=0o600)
    file.write_text(f'[client]\npassword="{PASSWORD}"\n')
    more = ("--dsn-file", str(file)) if given == "file" else ()
    asked = {"TMPDIR": str(scratch), **({secrets.VARIABLE: PASSWORD} if given == "environment" else {})}
    process = iobench.start(*QUICK, "--duration", "4s", "--threads", "2", "--dsn", url, *more, env=asked)
    try:
        wait_for(lambda: any("run" in _argv(pid) for pid in programs(scratch, "sysbench")), PATIENCE_S)
        # Its own environment is as the user made it, and only he and root can read it.
        own = {process.pid} if given == "environment" else set()
        for entry in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    seen = (entry / name).read_bytes()
                except OSError:
                    continue
                assert PASSWORD.encode() not in seen or (int(entry.name) in own and name == "environ"), entry
        configs = [path for path in scratch.rglob("connect") if PASSWORD in path.read_text()]
        assert configs and all(path.stat().st_mode & 0o077 == 0 for path in configs)
    finally:
        if given == "environment":
            process.send_signal(signal.SIGINT)  # what is left is looked at once
        said = finish(process)
    told, out = [said.out, said.err], tmp_path / "out"
    assert PASSWORD.encode() not in everything(iobench.home) + "".join(told).encode()
    if given == "environment":
        return
    assert said.code == 0, said.err
    for words in (
        ("report", "-o", str(out), "--format", "html,csv,pptx"),
        ("export", "latest", "-o", str(tmp_path / "all.tar.gz")),
        ("export", "latest", "-o", str(tmp_path / "hidden.tar.gz"), "--redact"),
        ("show", "latest", "--json"),
        ("explain", "latest", "1"),
    ):
        ran = inside(*words)
        told += [ran.out, ran.err]
    for name in ("all", "hidden"):
        with tarfile.open(tmp_path / f"{name}.tar.gz") as archive:
            archive.extractall(out / ("archive" if name == "all" else name), filter="data")
    hidden = b"\n".join(path.read_bytes() for path in (out / "hidden").rglob("*") if path.is_file())
    named = platform.node()  # a short or a common one ("debian") stands in programs' own words, too
    names = (named,) if len(named) >= 6 and named.casefold() not in redact.COMMON else ()
    for secret in (str(existing), str(scratch), str(iobench.home), "bench@localhost", *names):
        assert secret.encode() not in hidden, secret
    for deck in out.glob("*.pptx"):
        zipfile.ZipFile(deck).extractall(out / "slides")
    assert list(out.glob("*.html")) and list(out.glob("archive/*/export.json")) and list(out.glob("slides/ppt/*"))
    assert PASSWORD.encode() not in everything(iobench.home) + everything(out) + "".join(told).encode()


def test_a_login_that_fails_does_not_repeat_the_password(
    inside: Run, iobench: Iobench, existing: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for url in (
        f"mysql://bench@localhost/bench?socket={existing}",
        f"mysql://nobody@localhost/bench?socket={existing}",
        f"mysql://bench@localhost/none?socket={existing}",
        "mysql://bench@127.0.0.1:1/bench",
    ):
        monkeypatch.setenv(secrets.VARIABLE, "wr0ng #pass")
        said = inside(*QUICK, "--threads", "2", "--dsn", url, "--log-file", str(tmp_path / "log"))
        assert said.code in (3, 4) and said.err.strip(), (url, said.err)
        assert "wr0ng" not in said.out + said.err + (tmp_path / "log").read_text(), url
        assert "should not have happened" not in said.err, said.err
    assert b"wr0ng" not in everything(iobench.results) + everything(scratch)


def test_a_password_in_another_place_of_the_address_is_refused_and_not_repeated(inside: Run, iobench: Iobench) -> None:
    for url in ("mysql://bench@localhost/bench?password=hunter2", "mysql://bench@localhost/bench?socket=/s&pw=hunter2"):
        said = inside(*QUICK, "--dsn", url)
        assert said.code == 2 and "hunter2" not in said.err + said.out, said.err
    assert not list(iobench.results.glob("*"))


def test_a_database_with_somebodys_tables_is_refused_and_left_alone(
    inside: Run, existing: Path, scratch: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bench.cnf"
    file.touch(mode=0o600)
    file.write_text(f'[client]\npassword="{PASSWORD}"\n')
    url = f"mysql://bench@localhost/taken?socket={existing}"
    said = inside(*QUICK, "--threads", "2", "--dsn", url, "--dsn-file", str(file))
    assert said.code == 3
    assert "holds the table sbtest1, which iobench did not make" in said.err
    assert query(existing, "SELECT a FROM taken.sbtest1") == [(7,)]
    file.chmod(0o644)
    said = inside(*QUICK, "--threads", "2", "--dsn", url, "--dsn-file", str(file))
    assert said.code == 3 and "can be read by others" in said.err


def test_what_a_killed_run_left_in_a_database_is_dropped_by_the_next(
    iobench: Iobench, inside: Run, existing: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = marker.as_text(marker.of_process("sbtest", proc.ProcessId(4194305, 1)))
    query(
        existing,
        "USE bench",
        "CREATE TABLE iobench_marker (owner TEXT, tables BIGINT)",
        f"INSERT INTO iobench_marker VALUES ('{killed}', 1)",
        "CREATE TABLE sbtest1 (a INT)",
    )
    monkeypatch.setenv(secrets.VARIABLE, PASSWORD)
    said = inside(*QUICK, "--threads", "2", "--dsn", f"mysql://bench@localhost/bench?socket={existing}")
    assert said.code == 0, said.err
    assert query(existing, "SHOW TABLES FROM bench") == [("theirs",)]


def test_a_wrong_password_and_a_password_in_the_address(
    inside: Run, existing: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(secrets.VARIABLE, "wrong-one")
    said = inside(*QUICK, "--threads", "2", "--dsn", f"mysql://bench@localhost/bench?socket={existing}")
    assert said.code == 3 and "Access denied" in said.err and "wrong-one" not in said.err
    said = inside(*QUICK, "--dsn", "mysql://bench:hunter2@localhost/bench")
    assert said.code == 2 and "hunter2" not in said.err + said.out


def test_without_a_password_and_without_a_terminal(inside: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(secrets.VARIABLE, raising=False)
    said = inside(*QUICK, "--dsn", "mysql://bench@nowhere.invalid")
    assert said.code == 2 and "lacks a user, a host or a database" in said.err
    said = inside(*QUICK, "--dsn", "memcached://bench@nowhere.invalid/unknown")
    assert said.code == 2 and "it takes mysql://" in said.err
    said = inside(*QUICK, "--dsn", "mysql://bench@nowhere.invalid/unknown")
    assert said.code == 3 and secrets.VARIABLE in said.err
    said = inside("run", "seq", "-t", "x=mysql://bench@localhost/bench")
    assert said.code == 2 and "is a server" in said.err
