"""A real private server: made in two ways, closed to everybody but us, and killed."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from iobench import proc, servers
from iobench.errors import CannotRunError, ToolError
from iobench.model import Service
from iobench.servers import mariadb as private
from iobench.servers import secrets
from iobench.servers.mysql_session import Session
from iobench.tools import mariadb

SERVICE = Service("mariadb", {"tables": 1, "rows": 200, "buffer_pool": mariadb.LEAST_POOL, "connections": 20})


@pytest.fixture
def room() -> Iterator[servers.Room]:
    for name in (mariadb.daemon(), "sysbench"):
        if proc.find(name) is None:
            pytest.skip(f"needs {name}")
    with tempfile.TemporaryDirectory(prefix="io-") as name:
        home = Path(name)
        for each in ("data", "shared", "private", "log"):
            (home / each).mkdir(mode=0o700)
        yield servers.Room(home / "data", home / "shared", home / "private", home / "log", proc.Stop())


def secret(room: servers.Room) -> str:
    lines = (room.private / "connect").read_text().splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("mysql-password="))


@pytest.mark.parametrize("script", [False, True], ids=["by statements", "by the package's script"])
def test_a_private_server_is_closed_to_others(
    room: servers.Room, script: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script:
        if proc.find("my_print_defaults") is None:  # of the client's package, and the script needs it
            pytest.skip("needs my_print_defaults")
        monkeypatch.setattr(mariadb, "system_tables", lambda: None)
    server = private.open(SERVICE, room)
    try:
        config = Path(str(server.start()["config"]))
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        socket = str(room.private / "sql")
        assert Session({"unix_socket": socket, "user": "root", "password": secret(room)}).answers()
        for user, password in (("root", ""), ("root", "guess"), ("", ""), ("anybody", "")):
            assert not Session({"unix_socket": socket, "user": user, "password": password}).answers()
        assert server.problem() is None
        argv = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _pids(room))
        assert argv and secret(room).encode() not in argv
        logs = b"".join(path.read_bytes() for path in room.log.iterdir())
        assert secret(room).encode() not in logs
    finally:
        server.close(True)
    assert _pids(room) == []
    server.close(True)


def _pids(room: servers.Room) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(room.data).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_data_directory_that_cannot_be_made_is_told(room: servers.Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb, "system_tables", lambda: "THIS IS NOT SQL;\n")
    server = private.open(SERVICE, room)
    with pytest.raises(ToolError, match="to initialise the database, ended with exit code 1"):
        server.start()
    server.close(True)


def test_a_path_that_is_too_long_for_a_socket(room: servers.Room) -> None:
    deep = room.private / ("x" * 100)
    deep.mkdir()
    server = private.open(SERVICE, servers.Room(room.data, room.shared, deep, room.log, room.stop))
    with pytest.raises(CannotRunError, match="set TMPDIR to a shorter folder"):
        server.start()


def test_a_password_is_read_from_an_option_file_and_told_to_nobody(tmp_path: Path) -> None:
    file = tmp_path / "x.cnf"
    file.touch(mode=0o600)
    for text, wanted in (
        ("[client]\npassword=a b\n", "a b"),
        ("# c\n!include /y\n[mysql]\npassword=no\n[client]\nuser=x\npassword='q=\"%'\n", 'q="%'),
        ("[client]\npassword=\n", ""),
    ):
        file.write_text(text)
        assert secrets.from_file(file) == wanted
    for text in ("password=s3cret\n", "[client]\nuser=s3cret\n", "[client\ns3cret", "[client]\npassword\ns3cret\n"):
        file.write_text(text)
        with pytest.raises(CannotRunError) as caught:
            secrets.from_file(file)
        assert "s3cret" not in str(caught.value)
