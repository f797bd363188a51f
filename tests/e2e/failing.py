"""A drive that fails or hangs when a test wants it to: nbdkit's error filter under a loop device, through nbdfuse."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from running import Drive, wait_for

from iobench import proc

MIB = 1 << 20


@dataclass(frozen=True)
class Failing:
    """A drive with ext4 whose reads and writes fail while the file `switch` is there; the process `server` answers."""

    drive: Drive
    switch: Path
    server: int


def quietly(*argv: str) -> None:
    subprocess.run(argv, check=False, capture_output=True)


@contextmanager
def made(tmp_path: Path) -> Iterator[Failing]:
    """Make such a drive, and take it away."""
    image, served, socket = tmp_path / "image", tmp_path / "served", tmp_path / "nbd.sock"
    switch, pid = tmp_path / "fail-now", tmp_path / "pid"
    image.write_bytes(os.urandom(96 * MIB))
    served.touch()
    with ExitStack() as stack:
        argv = ["nbdkit", "--pidfile", str(pid), "--unix", str(socket), "--filter=error", "file", str(image)]
        subprocess.run([*argv, "error=EIO", "error-rate=100%", f"error-file={switch}"], check=True)
        wait_for(pid.exists)
        stack.callback(lambda: proc.end(proc.identify(int(pid.read_text())) or proc.ProcessId(0, 0)))
        fuse = subprocess.Popen(["nbdfuse", str(served), "--unix", str(socket)], stdout=subprocess.DEVNULL)
        stack.callback(fuse.wait)
        stack.callback(quietly, "umount", "--lazy", str(served))
        wait_for(lambda: served.stat().st_size == 96 * MIB)
        done = subprocess.run(
            ["losetup", "--find", "--show", "--direct-io=on", str(served)], check=True, capture_output=True, text=True
        )
        device = done.stdout.strip()
        stack.callback(quietly, "losetup", "--detach", device)
        options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", options, device], check=True)
        (tmp_path / "mounted").mkdir()
        subprocess.run(["mount", "-o", "noatime,errors=remount-ro", device, str(tmp_path / "mounted")], check=True)
        stack.callback(quietly, "umount", "--lazy", str(tmp_path / "mounted"))
        # First of all: the rest waits for it, whatever a test did to it.
        stack.callback(quietly, "kill", "-CONT", pid.read_text().strip())
        yield Failing(Drive(tmp_path / "mounted", device), switch, int(pid.read_text()))
        switch.unlink(missing_ok=True)
