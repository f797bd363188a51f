"""The machine that measures: what campaign.json says of it, and the versions of the programs it drives."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from iobench import __version__, proc
from iobench.campaign.source import total_memory
from iobench.errors import CannotRunError, IobenchError
from iobench.model import Scalar
from iobench.tools import fio

_ASKED = {"ganesha.nfsd": "-v"}  # what makes a program tell its version, where it is not --version


def describe() -> dict[str, Scalar]:
    """Return the host's name, kernel, system, processor, cores and memory (bytes)."""
    name = platform.uname()
    return {
        "name": name.node,
        "kernel": f"{name.system} {name.release}",
        "system": _os_release(),
        "architecture": name.machine,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": total_memory(),
    }


def _os_release() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _processor() -> str | None:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.lower().startswith("model name"):
            return line.partition(":")[2].strip()
    return None


def tools(names: Iterable[str]) -> Mapping[str, str]:
    """Return `name version` of iobench and of each program, as the program itself says.

    Raises CannotRunError for one that is missing, or for an fio that is too old.
    """
    found = {"iobench": f"iobench {__version__}"}
    for name in names:
        found[name] = _version(name, *_identity(name))
    if "fio" in found:
        _check_fio(found["fio"])
    return found


@cache
def _version(name: str, path: str | None, changed_ns: int) -> str:
    """What a program calls itself; asked once for a program that does not change."""
    said = proc.capture([name, _ASKED.get(name, "--version")], check=False).stdout.strip().splitlines()
    return said[0].partition(" - Copyright")[0] if said else name


def _identity(name: str) -> tuple[str | None, int]:
    """Where a program is found, and when it was last changed (ns)."""
    path = proc.find(name)
    try:
        return path, Path(path).stat().st_mtime_ns if path else 0
    except OSError:
        return path, 0


def _check_fio(said: str) -> None:
    version = fio.version(said)
    if version is None:
        raise CannotRunError(f"`fio --version` says {said[:80]!r}: that is not the flexible I/O tester; install fio")
    if version < fio.OLDEST:
        oldest = ".".join(map(str, fio.OLDEST))
        raise CannotRunError(f"{said} is too old: its latency bins cannot be read; install fio {oldest} or newer")


def engine() -> str:
    """Return the I/O engine that works here: io_uring, else libaio.

    It is tried with one I/O on a file in memory: that fio was built with io_uring does not mean that the
    kernel, or a container's rules, allow it.
    """
    return _engine(*_identity("fio"))


@cache
def _engine(path: str | None, changed_ns: int) -> str:
    """The same, tried once with a program that does not change."""
    fd = os.memfd_create("iobench-engine")
    try:
        os.ftruncate(fd, 4096)
        argv = ["fio", "--name=probe", f"--filename=/dev/fd/{fd}", "--rw=read", "--bs=4k", "--size=4k"]
        argv += ["--ioengine=io_uring", "--thread", "--output-format=json", "--allow_file_create=0"]
        return "io_uring" if proc.capture(argv, check=False, pass_fds=(fd,)).exit_code == 0 else "libaio"
    except IobenchError:
        return "libaio"
    finally:
        os.close(fd)
