"""dbench: how to ask its versions 4 (Debian's) and 5 (upstream's), and a pure parser of what both print.

Either can print for a person; 5 also prints `@R@…@` lines with --machine-readable. A line stands for each second:
the mean rate since the measured time began, not that second's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from iobench.errors import ParseError

Phase = Literal["warm-up", "measured", "clean-up"]

# Where each version's package or source puts the file-server load that it is known for.
LOADS = (
    "/usr/share/dbench/client.txt",
    "/usr/local/share/dbench/client.txt",
    "/usr/local/share/doc/dbench/loadfiles/client.load",
    "/usr/local/share/client.txt",
)
# Asked so, a dbench that speaks NFS answers that it was told no server; another does not know the word.
NFS_PROBE = ("-B", "nfs", "-c", "/dev/null", "-t", "1", "1")
NFS_LACKS = "--nfs target was not specified"
WARM_UP_SHARE = 5  # version 4 warms up for a fifth of its time, and takes no other
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?(?:e[+-]?[0-9]{1,2})?)"
_LINE = re.compile(
    rf"^ *([0-9]{{1,9}}) +([0-9]{{1,12}}) +{_NUMBER} MB/sec +(warmup|execute)"
    rf" +([0-9]{{1,9}}) sec +latency {_NUMBER} ms$",
    re.ASCII,
)
_MACHINE_LINE = re.compile(rf"^@([WRC])@([0-9]{{1,9}})@([0-9]{{1,12}})@{_NUMBER}@([0-9]{{1,9}})@{_NUMBER}@$", re.ASCII)
_OPERATION = re.compile(rf"^ ([A-Za-z][A-Za-z0-9_]{{0,31}}) +([0-9]{{1,12}}) +{_NUMBER} +{_NUMBER}$", re.ASCII)
_MACHINE_OPERATION = re.compile(rf"^:([A-Za-z][A-Za-z0-9_]{{0,31}}):([0-9]{{1,12}}):{_NUMBER}:{_NUMBER}:$", re.ASCII)
_END = re.compile(
    rf"^Throughput {_NUMBER} MB/sec( \(sync open\))?(?: \(sync dirs\))? +([0-9]{{1,9}}) clients +([0-9]{{1,9}}) procs"
    rf" +max_latency={_NUMBER} ms$",
    re.ASCII,
)
_MACHINE_END = re.compile(rf"^;{_NUMBER};([0-9]{{1,9}});([0-9]{{1,9}});{_NUMBER};$", re.ASCII)
_VERSION = re.compile(r"^dbench version ([0-9]{1,3})\.([0-9.]{1,20})(?=\s|$)", re.MULTILINE | re.ASCII)
_LOAD = re.compile(r"^Running for [0-9]{1,9} seconds with load '([^'\n]{1,400})'", re.MULTILINE)
# What it prints of an operation that did not go as the load file says; `Child failed` ends the run.
_TROUBLE = re.compile(r"^(?:\[[0-9]+\] |\([0-9]+\) |ERROR: |Child failed |Failed to |failed to (?!create barrier))")


# RFC 1813, of nfsstat3 what a drive or a server that fails may answer.
_NFS_STATUS = {
    5: "I/O error",
    13: "permission denied",
    28: "no space left on the drive",
    30: "read-only file system",
    69: "quota exceeded",
    70: "stale file handle",
}


@dataclass(frozen=True, slots=True)
class Second:
    """A line of progress: `mean` is B/s since the phase began, `t_s` seconds since then, `offset` where it ends."""

    phase: Phase
    t_s: float
    clients: int
    lines: int
    mean: float
    latency_s: float
    offset: int


@dataclass(frozen=True, slots=True)
class Operation:
    """How often an operation was done, all clients together, and how long it took (seconds)."""

    name: str
    count: int
    mean_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """What dbench says it did. `throughput` is B/s over `measured_s` seconds after the warm-up."""

    version: str | None
    throughput: float
    measured_s: float
    latency_max_s: float
    clients: int
    sync: bool | None  # None: version 5 does not say it to a machine
    load_file: str | None
    seconds: tuple[Second, ...]
    operations: tuple[Operation, ...]
    troubles: tuple[str, ...]
    offset: int  # where the line ends, in characters, whose figure the throughput is

    @property
    def rates(self) -> tuple[tuple[float, float], ...]:
        """The rate of each measured second (time, B/s): the means' differences."""
        points: list[tuple[float, float]] = []
        done = 0.0
        for second in (s for s in self.seconds if s.phase == "measured"):
            moved = second.mean * second.t_s
            before = points[-1][0] if points else 0.0
            if second.t_s > before:
                points.append((second.t_s, max(0.0, moved - done) / (second.t_s - before)))
                done = moved
        return tuple(points)


def version(said: str) -> tuple[int, int] | None:
    """Return the version that dbench's banner tells (it has no --version); None where it is not dbench's."""
    found = _VERSION.search(said)
    return (int(found[1]), int(re.sub(r"\D.*", "", found[2]) or 0)) if found else None


def argv(
    *,
    program: str,
    major: int,
    clients: int,
    seconds: int,
    folder: str,
    load_file: str | None,
    sync: bool,
) -> tuple[str, ...]:
    """Return the command that replays a load in a folder for `seconds` after the warm-up."""
    own = ("-B", "fileio", f"--warmup={warm_up(seconds)}") if major >= 5 else ()
    load = ("-c", load_file) if load_file else ()
    return (program, *own, "-t", str(seconds), *load, *(("-s",) if sync else ()), "-D", folder, str(clients))


def argv_nfs(*, program: str, clients: int, seconds: int, url: str, load_file: str) -> tuple[str, ...]:
    """Return the command of a version 5 that talks NFS itself, to the export of `url` (nfs://HOST/PATH)."""
    own = ("-B", "nfs", f"--nfs={url}", f"--warmup={warm_up(seconds)}")
    return (program, *own, "-t", str(seconds), "-c", load_file, str(clients))


def warm_up(seconds: int) -> int:
    """Return the seconds of warm-up before `seconds` of work, as version 4 takes them by itself."""
    return seconds // WARM_UP_SHARE


def parse(text: str, name: str = "dbench's output") -> Run:
    """Return what a whole output says.

    Raises ParseError, naming the file, for one that ends before the result, that measured nothing, or that is
    not dbench's.
    """
    seconds: list[Second] = []
    operations: list[Operation] = []
    troubles: list[str] = []
    end: tuple[str | None, str, str] | None = None
    offset = 0
    for line in text.split("\n"):
        offset += len(line) + 1
        if second := _second(line, offset):
            seconds.append(second)
        elif found := _OPERATION.match(line) or _MACHINE_OPERATION.match(line):
            operations.append(Operation(found[1], int(found[2]), _ms(found[3]), _ms(found[4])))
        elif found := _END.match(line):
            end = (found[2] or "", found[3], found[5])
        elif found := _MACHINE_END.match(line):
            end = (None, found[2], found[4])
        elif _TROUBLE.match(line):
            troubles.append(_plainly(line.strip()[:200]))
    if end is None:
        raise ParseError(f"{name} has no result of dbench at its end{_said(troubles)}")
    last = _last(seconds)
    if last is None:
        raise ParseError(
            f"{name}: dbench never left its warm-up{_said(troubles)}: it lasts until every client has moved data, so "
            "give a longer --duration or fewer clients"
        )
    if not 0 < last.mean < math.inf:
        raise ParseError(f"{name} says {last.mean:g} B/s after {last.t_s:g} s: no client moved data")
    found_version, found_load = _VERSION.search(text), _LOAD.search(text)
    return Run(
        version=f"{found_version[1]}.{found_version[2]}" if found_version else None,
        throughput=last.mean,
        measured_s=last.t_s,
        latency_max_s=_ms(end[2]),
        clients=int(end[1]),
        sync=None if end[0] is None else bool(end[0]),
        load_file=found_load[1] if found_load else None,
        seconds=tuple(seconds),
        operations=tuple(operations),
        troubles=tuple(troubles),
        offset=last.offset,
    )


def _last(seconds: list[Second]) -> Second | None:
    """The line whose mean is the result.

    For a machine, version 5 prints it on its first clean-up line (`@C@`, whose clock has stopped by then), and 0
    as its result; for a person both print it on the last line of the work, once more at the end.
    """
    measured = [s for s in seconds if s.phase == "measured" and s.t_s > 0]
    stopped = next((s for s in seconds if s.phase == "clean-up" and s.t_s > 0), None)
    if not measured:
        return None
    return measured[-1] if stopped is None else stopped


_PHASES: Mapping[str, Phase] = {"W": "warm-up", "R": "measured", "C": "clean-up"}


def _second(line: str, offset: int) -> Second | None:
    if found := _LINE.match(line):
        phase: Phase = "warm-up" if found[4] == "warmup" else "measured"
        values = (found[1], found[2], found[3], found[5], found[6])
    elif found := _MACHINE_LINE.match(line):
        phase = _PHASES[found[1]]
        values = (found[2], found[3], found[4], found[5], found[6])
    else:
        return None
    clients, lines, rate, t_s, latency = values
    return Second(phase, float(t_s), int(clients), int(lines), float(rate) * 1e6, _ms(latency), offset)


def _plainly(trouble: str) -> str:
    """Add what a status of NFS means: dbench prints its number, in hexadecimal."""
    found = re.search(r"failed \(([0-9a-f]{1,8})\) - expected", trouble)
    meaning = _NFS_STATUS.get(int(found[1], 16)) if found else None
    return f"{trouble}: {meaning}" if meaning else trouble


def _ms(text: str) -> float:
    return float(text) / 1000


def _said(troubles: list[str]) -> str:
    return f" (it said: {troubles[0]})" if troubles else ""
