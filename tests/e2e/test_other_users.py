"""Private servers and our folders, seen by another user of the machine: nothing can be read, nothing reached."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import opened
from running import Drive, Iobench, Result, journal, wait_for

from iobench import proc

Run = Callable[..., Result]
NOBODY = 65534
LISTEN = "0A"
LOOPBACK = ("0100007F", "00000000000000000000000001000000")

CAMPAIGNS = {
    "oltp": ("--threads", "2", "--size", "8Mi", "--tables", "1", "--ramp", "1s", "--duration", "30s"),
    "kvs": ("--loads", "2", "--size", "16Mi", "--ramp", "0", "--duration", "30s"),
}
PROGRAMS = {"oltp": ("sysbench", "mariadbd"), "kvs": ("memcached",)}

# Reads every file and lists every folder below the arguments; connects to every socket. Prints what succeeded.
INTRUDER = """
import os, socket, stat, sys
def visit(path):
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    try:
        if stat.S_ISDIR(mode):
            for name in os.listdir(path):
                visit(os.path.join(path, name))
            print("listed", path)
        elif stat.S_ISSOCK(mode):
            with socket.socket(socket.AF_UNIX) as end:
                end.connect(path)
            print("reached", path)
        elif stat.S_ISREG(mode):
            with open(path, "rb") as file:
                file.read(1)
            print("read", path)
    except OSError:
        pass
for path in sys.argv[1:]:
    visit(path)
"""


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch, iobench: Iobench) -> Iterator[Path]:
    """A folder for temporary files that anybody may look into, as /tmp is; a test leaves it empty."""
    with tempfile.TemporaryDirectory(prefix="io-", dir="/tmp") as folder:
        Path(folder).chmod(0o1777)
        iobench.environment["TMPDIR"] = folder
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []


def _ours(of: int) -> list[int]:
    """The programs that an iobench has started, by its mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"{proc.OWNER_MARK}={of}:".encode() in environment:
            found.append(int(entry.name))
    return found


def _listening(pids: list[int]) -> list[str]:
    """The local addresses (hexadecimal) of the TCP sockets on which programs wait for connections."""
    inodes = set()
    for pid in pids:
        for target in opened(pid):
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return [fields[1].partition(":")[0] for fields in lines if fields[3] == LISTEN and fields[9] in inodes]


def _password_is_random_and_nowhere(scratch: Path, results: Path, pids: list[int]) -> None:
    """That of the private server stands in files that only its owner reads, and nowhere else."""
    (config,) = scratch.glob(".iobench-*/mariadb-*/connect")
    found = re.search(r"^mysql-password=[\"'](.*)[\"']$", config.read_text(), re.MULTILINE)
    assert found is not None and len(found[1]) >= 24 and config.stat().st_mode & 0o077 == 0
    secret = found[1].encode()
    seen = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            seen.append(Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes())
    assert seen, "the server at least"
    assert not [text for text in seen if secret in text]
    assert not [path for path in results.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("workload", list(CAMPAIGNS))
def test_another_user_reads_nothing_and_reaches_no_server(
    workload: str, iobench: Iobench, drive: Drive, scratch: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to be another user")
    if lacking := [name for name in PROGRAMS[workload] if proc.find(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("needs a python3 that any user may run")
    drive.path.chmod(0o755)
    process = iobench.start("run", workload, *CAMPAIGNS[workload], "--repeats", "1", "-t", f"one={drive.path}")
    try:
        folder = iobench.folder_soon()
        wait_for(lambda: any(event == "started" for event, _ in journal(folder)) or process.poll() is not None, 90)
        assert process.poll() is None, process.communicate()
        pids = _ours(process.pid)
        assert pids, "no program carries our mark"
        assert all(address in LOOPBACK for address in _listening(pids))
        places = [str(entry) for base in (drive.path, scratch) for entry in base.glob(".iobench-*")]
        assert len(places) == 2, places
        seen = subprocess.run(
            [python, "-c", INTRUDER, *places],
            check=True,
            capture_output=True,
            text=True,
            user=NOBODY,
            group=NOBODY,
            extra_groups=(),
            cwd="/",
        )
        assert seen.stdout == "", seen.stdout
        if workload == "oltp":
            _password_is_random_and_nowhere(scratch, iobench.results, pids)
        # Root, by contrast, sees all of it: the intruder can see what is to be seen.
        known = subprocess.run([sys.executable, "-c", INTRUDER, *places], check=True, capture_output=True, text=True)
        assert "listed" in known.stdout and "read" in known.stdout
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert drive.leftovers() == []
