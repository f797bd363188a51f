"""Servers that the generator's tests talk to: real memcached, and a small one of ours that misbehaves as it is told."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def memcached(folder: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start memcached on a Unix socket in the folder; give its endpoint and its process."""
    program = shutil.which("memcached")
    assert program, "memcached is not installed"
    path = folder / f"m{time.monotonic_ns()}.sock"
    user = ("-u", "root") if os.getuid() == 0 else ()
    process = subprocess.Popen([program, *user, "-s", str(path), "-m", "64", "-t", "1", *more])
    try:
        _answers(path)
        yield f"unix:{path}", process
    finally:
        process.kill()
        process.wait()


def _answers(path: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as trial:
                trial.connect(str(path))
                return
        except OSError:
            assert time.monotonic() < deadline, "memcached did not start"
            time.sleep(0.01)


def when_busy(endpoint: str, gets: int = 100) -> None:
    """Wait until a memcached has been asked so many gets from now on: the load has begun."""
    name = endpoint.removeprefix("unix:")
    family, address = (socket.AF_UNIX, name) if name != endpoint else (socket.AF_INET, ("127.0.0.1", int(name[10:])))
    with socket.socket(family) as talk:
        talk.connect(address)
        lines = talk.makefile("rb")

        def asked() -> int:
            talk.sendall(b"stats\r\n")
            found = 0
            while (line := lines.readline()) != b"END\r\n":
                if line.startswith(b"STAT cmd_get "):
                    found = int(line.split()[2])
            return found

        goal, deadline = asked() + gets, time.monotonic() + 60
        while asked() < goal:
            assert time.monotonic() < deadline, "no load came"
            time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


class Odd:
    """A server that stores in a dict and has one bad habit. `begins_after` requests of each connection it is good."""

    def __init__(self, habit: str = "", begins_after: int = 0) -> None:
        self.habit, self.begins_after = habit, begins_after
        self.stored: dict[bytes, bytes] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._ended = True
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection, connection.makefile("rb") as lines:
                count = 0
                while line := lines.readline():
                    words = line.split()
                    asked_by_probe = b"iobench:probe" in line
                    bad = count >= self.begins_after and not asked_by_probe
                    count += not asked_by_probe
                    body = lines.read(int(words[4]) + 2)[:-2] if words[0] == b"set" else b""
                    reply = self._answer(words, body, bad)
                    if reply is None:
                        return
                    if bad and self.habit == "in pieces":
                        for at in range(0, len(reply), 7):
                            connection.sendall(reply[at : at + 7])
                            time.sleep(0.0005)
                    else:
                        connection.sendall(reply)
        except OSError:
            return

    def _answer(self, words: list[bytes], body: bytes, bad: bool) -> bytes | None:
        habit, command = self.habit, words[0]
        end = b"\n" if habit == "bare newline" else b"\r\n"
        if bad and habit == "closes":
            return None
        if bad and habit == "hangs":
            return b""
        if bad and habit == "nonsense":
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        if bad and habit == "no line":
            return b"x" * 5000
        if bad and habit == "errors":
            return b"SERVER_ERROR out of memory" + end
        if bad and habit == "bare newline" and command == b"set":
            return b"SERVER_ERROR full\n"
        if command == b"set":
            if words[-1] == b"noreply":
                if habit == "no noreply":
                    return b"ERROR\r\n"
                self.stored[words[1]] = body
                return b""
            if not (bad and habit == "forgets"):
                self.stored[words[1]] = body
            return b"STORED\r\n" + (b"STORED\r\n" if bad and habit == "says it twice" else b"")
        if command == b"get":
            return self._get(words[1:], bad)
        if command == b"delete":
            return b"DELETED\r\n" if self.stored.pop(words[1], None) is not None else b"NOT_FOUND\r\n"
        if command == b"version":
            return b"VERSION odd\r\n"
        return b"ERROR" + end

    def _get(self, keys: list[bytes], bad: bool) -> bytes:
        habit = self.habit
        if habit == "one key a get" and len(keys) > 1:
            return b"ERROR\r\n"
        if bad and habit == "another order":
            keys = keys[::-1]
        said = b""
        for key in keys:
            value = self.stored.get(key)
            if value is None:
                continue
            size = len(value)
            if bad and habit == "corrupt":
                value = value[:-1] + bytes([value[-1] ^ 1])
            if bad and habit == "another key":
                key = key + b"x"
            if bad and habit == "wrong length":
                size -= 3
            if bad and habit == "huge length":
                size = 10**15
            said += b"VALUE %b 0 %d\r\n%b\r\n" % (key, size, value)
        return said + b"END\r\n"
