"""dbench: a recorded file server's load, replayed by a number of clients on the drive's file system.

Its throughput is the load's, mostly of metadata and memory, and stands on no axis with that of fio.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from iobench import profiles
from iobench.errors import ParseError, UsageError
from iobench.model import (
    Command,
    DataFile,
    OperationLatency,
    Output,
    Place,
    Reading,
    Sample,
    SeriesPoint,
    Service,
    Work,
)
from iobench.params import Kind, param
from iobench.runners import no_figures
from iobench.servers import nfs as server
from iobench.texts import Phrase
from iobench.tools import dbench

NAME = "dbench"
SUMMARY = "a file server's load by a number of clients, as dbench replays it"
TOOLS: tuple[str, ...] = ("dbench",)
TREE = "dbench"
# What the load of dbench 4 and 5 keeps on the drive for each client (22 to 23 MB were seen), and some room.
CLIENT_BYTES = 26 * 10**6
# Up to this line of its own load a client writes the 21 MB that it works on afterwards.
FILL_LINES = 620
_NFS_LOAD = "dbench-nfs.load"
_SHORTEST_S = 1.0
_LONGEST_S = 10**6


@dataclass(frozen=True)
class Params:
    """Parameters of dbench. Times in seconds."""

    clients: tuple[int, ...] = param((1, 4, 16, 64), Kind.COUNTS, "clients that work at the same time", least=1)
    duration: float = param(10.0, Kind.TIME, "measured time of a step, in whole seconds", least=0.1)
    sync: bool = param(False, Kind.FLAG, "open files with O_SYNC: every write waits for the drive")
    load_file: str | None = param(None, Kind.TEXT, "load to replay, if not the file server's that dbench brings")
    dbench: str | None = param(None, Kind.TEXT, "path of the dbench to use, if not the one that is installed")
    nfs: bool = param(False, Kind.FLAG, "over NFS: from a private server that exports a folder on the drive")
    version: int = 4  # the dbench that is here, as its banner says; resolved before planning
    over: str = server.LOCAL  # how the files are reached from here; resolved too


def plan(params: Params) -> tuple[Work, ...]:
    """Return a work for each number of clients. Raises UsageError for what cannot be done together."""
    if params.duration > _LONGEST_S:
        raise UsageError(f"a duration of {params.duration:g} s is too long; the most is {_LONGEST_S} s")
    if params.nfs and params.sync and params.over == server.CLIENT:
        raise UsageError(
            "--sync is unknown to dbench's own NFS client; leave it out, or give a --load-file that commits"
        )
    return tuple(_work(params, clients) for clients in params.clients)


def _work(params: Params, clients: int) -> Work:
    seconds = math.ceil(max(_SHORTEST_S, params.duration))
    own = _NFS_LOAD if params.nfs and params.over == server.CLIENT else "client.txt"
    work = Work(
        runner=NAME,
        workload="dbench",
        params={
            "clients": clients,
            "duration_s": float(seconds),
            "sync": params.sync,
            "version": params.version,
            "load_file": params.load_file or own,
            "over": params.over,
            **({"dbench": params.dbench} if params.dbench else {}),
        },
        load=clients,
        # One second is asked for beyond the measured ones: dbench prints no figure for its last.
        ramp_s=float(dbench.warm_up(seconds + 1) + 1),
        duration_s=float(seconds),
        writes=True,
    )
    if params.nfs:
        # One server for all loads: the room is that of the most clients.
        room = max(params.clients) * CLIENT_BYTES
        return dataclasses.replace(work, service=Service("nfs", {"over": params.over}, room))
    return dataclasses.replace(work, tree=DataFile(TREE, clients * CLIENT_BYTES))


def command(work: Work, place: Place) -> Command:
    """Return dbench's command; on a slow drive it may take long to end what it began, and to remove its files."""
    version, load = work.params["version"], str(work.params["load_file"])
    program = str(work.params.get("dbench") or "dbench")
    seconds = math.ceil(work.duration_s or _SHORTEST_S) + 1
    there, itself = place.service, work.params["over"] == server.CLIENT
    if itself:
        path = load if load.startswith("/") else str(profiles.shipped_file(f"loads/{load}"))
        argv = dbench.argv_nfs(
            program=program, clients=work.load, seconds=seconds, url=str(there["url"]), load_file=path
        )
    else:
        argv = dbench.argv(
            program=program,
            major=version if isinstance(version, int) else 4,
            clients=work.load,
            seconds=seconds,
            folder=str(there["folder"]) if "folder" in there else place.data[TREE],
            load_file=load if load.startswith("/") else None,
            sync=bool(work.params["sync"]),
        )
    # The server has a network of its own, and a mount of it is seen there only.
    kinds = (("net", "net"),) if itself else (("net", "net"), ("mount", "mnt"))
    inside = tuple(f"--{kind}={there[short]}" for kind, short in kinds if short in there)
    if inside:
        argv = ("nsenter", *inside, "--", *argv)
    return Command(program, argv, timeout_s=300 + 3.0 * seconds + 4.0 * work.load, wall_clock=True)


def read(work: Work, output: Output) -> Reading:
    """Return what dbench measured after its warm-up. Raises ParseError."""
    try:
        run = dbench.parse(output.stdout, "dbench's stdout")
    except ParseError as error:
        raise no_figures("dbench", error, output) from None
    failed = output.exit_code != 0 or bool(run.troubles)
    return dataclasses.replace(
        reading(run, bool(work.params["sync"])),
        client_cpu=output.cpu_s / output.wall_s if output.wall_s > 0 else None,
        errors=max(len(run.troubles), int(output.exit_code != 0)),
        error_text=(run.troubles or (Phrase("failed.exit", {"code": output.exit_code}),))[0] if failed else None,
        ended_at=output.when(run.offset),
    )


def reading(run: dbench.Run, sync: bool) -> Reading:
    """Return what a run says, nothing known of the machine that it ran on."""
    return Reading(
        samples=_samples(run),
        measured_s=run.measured_s,
        operations=sum(o.count for o in run.operations) or None,
        series=tuple(SeriesPoint(t, "throughput", rate) for t, rate in run.rates),
        client_threads=max(1, run.clients),
        operation_latencies=tuple(OperationLatency(o.name, o.count, o.mean_s, o.max_s) for o in run.operations),
        flushes=_flushes(run, sync),
        unsettled=_unsettled(run),
        errors=len(run.troubles),
        error_text=run.troubles[0] if run.troubles else None,
    )


def _unsettled(run: dbench.Run) -> Phrase | None:
    """Say where the clients of dbench's own load were still filling their folders when it was measured: 21 MB each.

    That part only writes, and a slower drive is in it for longer: two drives would be measured at different work.
    """
    first = next((s for s in run.seconds if s.phase == "measured"), None)
    if first is None or first.lines >= FILL_LINES or not (run.load_file or "").endswith("/client.txt"):
        return None
    return Phrase("judged.not-steady.filling", {"line": first.lines, "full": FILL_LINES})


def _samples(run: dbench.Run) -> tuple[Sample, ...]:
    """The load's rate, how long an operation took, and the operations of the two kinds that move data."""
    found = [Sample("all", "throughput", run.throughput)]
    kinds = {"all": run.operations}
    kinds["read"] = tuple(o for o in run.operations if o.name.upper() in ("READX", "READ3"))
    kinds["write"] = tuple(o for o in run.operations if o.name.upper() in ("WRITEX", "WRITE3"))
    for op, operations in kinds.items():
        count = sum(o.count for o in operations)
        if count:
            found.append(Sample(op, "latency_mean", sum(o.count * o.mean_s for o in operations) / count))
    if run.latency_max_s > 0:
        found.append(Sample("all", "latency_max", run.latency_max_s))
    return tuple(sample for sample in found if sample.value > 0)


def _flushes(run: dbench.Run, sync: bool) -> int | None:
    """How often the load asked for data to be on the drive: its flushes, and each write where files are O_SYNC."""
    wanted = ("FLUSH", "COMMIT3", *(("WRITEX",) if sync else ()))
    return sum(o.count for o in run.operations if o.name.upper() in wanted) if run.operations else None
