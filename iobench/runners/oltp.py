"""oltp: transactions on a private MariaDB or MySQL whose data are on the drive, by sysbench, over rising threads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from iobench.errors import ParseError, UsageError
from iobench.model import Command, LatencyBins, Output, Place, Reading, Sample, SeriesPoint, Service, Work, whole
from iobench.params import Kind, param
from iobench.runners import Address, fio_work, no_figures
from iobench.tools import mariadb, sysbench

NAME = "oltp"
SUMMARY = "transactions on a private MariaDB or MySQL, over rising threads"
TOOLS: tuple[str, ...] = ("sysbench",)
ENDPOINT = Address(
    "dsn", "mysql://USER@HOST[:PORT]/DATABASE", "a server that exists, measured in tables of our own", "mysql", True
)

ROW_BYTES = 240  # of a row of sbtest with its index, as InnoDB lays it out
POOL_SHARE = 4  # the buffer pool is a quarter of the tables
_CONNECTIONS = 16  # besides the threads'
# Besides the tables: InnoDB's log, its system tables, and what the tables grow by while they are written.
_BESIDES = mariadb.LOG_BYTES + (100 << 20)
_INITIALISE_S, _FILL_RATE = 3.0, 8e6  # seconds, and B/s of rows, as seen on a 2-core virtual machine
_MOST_ROWS = 2**31 - 1


@dataclass(frozen=True)
class Params:
    """Parameters of transactions. Sizes in bytes, times in seconds."""

    # A larger one is filled for minutes before the first figure, and shows no more: a quarter of it is in memory.
    SIZE_MOST: ClassVar[int] = 1 << 30

    profiles: tuple[str, ...] = param(("read_write",), Kind.CHOICES, "sysbench's transactions", sysbench.PROFILES)
    threads: tuple[int, ...] = param((1, 4, 16, 64), Kind.COUNTS, "connections that work at a time", least=1)
    rate: float | None = param(
        None, Kind.RATE, "transactions per second that are begun, whether earlier ones have ended or not (open loop)"
    )
    tables: int = param(4, Kind.COUNT, "tables that the rows are in", least=1)
    size: int | None = param(None, Kind.SIZE, "size of all tables (default: 1Gi or a tenth of the room)", least=1)
    buffer_pool: int | None = param(None, Kind.SIZE, "InnoDB's cache (default: a quarter of the tables)", least=1)
    ramp: float = param(2.0, Kind.TIME, "time before the measured one, not counted, in whole seconds")
    duration: float = param(10.0, Kind.TIME, "measured time of a step, in whole seconds", least=0.1)


def plan(params: Params) -> tuple[Work, ...]:
    """Return a work for each kind of transaction and number of threads. Raises UsageError for tables without rows."""
    if params.size is None:
        raise ValueError("the size is resolved before planning")
    rows = params.size // ROW_BYTES // params.tables
    if not 100 <= rows <= _MOST_ROWS:
        raise UsageError(
            f"size {params.size} in {params.tables} table(s) gives {rows} rows each, of {ROW_BYTES} bytes; they need "
            f"100 to {_MOST_ROWS}: give another --size or --tables"
        )
    if params.rate is not None and params.rate != round(params.rate):
        raise UsageError(f"rate {params.rate:g}: sysbench takes whole transactions per second; give a whole number")
    pool = max(mariadb.LEAST_POOL, params.buffer_pool or params.size // POOL_SHARE)
    settings = {
        "tables": params.tables,
        "rows": rows,
        "buffer_pool": pool,
        "connections": max(params.threads) + _CONNECTIONS,
    }
    once_s = _INITIALISE_S + params.size / _FILL_RATE
    service = Service("mariadb", settings, room=params.size * 3 // 2 + _BESIDES, once_s=once_s)
    return tuple(_work(params, profile, threads, service) for profile in params.profiles for threads in params.threads)


def _work(params: Params, profile: str, threads: int, service: Service) -> Work:
    ramp, duration = math.ceil(params.ramp), math.ceil(params.duration)
    return Work(
        runner=NAME,
        workload="oltp",
        params={
            "profile": profile,
            "tables": params.tables,
            "rows": service.params["rows"],
            "tables_size": params.size,
            "buffer_pool": service.params["buffer_pool"],
            "keys": "uniform",
            "duration_s": duration,
            "ramp_s": ramp,
        },
        load=threads,
        ramp_s=float(ramp),
        duration_s=float(duration),
        rate=params.rate,
        writes=profile in ("read_write", "write_only"),
        service=service,
    )


def command(work: Work, place: Place) -> Command:
    """Return sysbench's command; what connects it to the server is in a private file that it reads."""
    load = sysbench.Load(
        profile=str(work.params["profile"]),
        tables=whole(work.params, "tables"),
        rows=whole(work.params, "rows"),
        threads=work.load,
        ramp_s=whole(work.params, "ramp_s"),
        duration_s=whole(work.params, "duration_s"),
        rate=work.rate or 0.0,
    )
    timeout_s = load.ramp_s + load.duration_s + sysbench.SHUTDOWN_S + 30
    return Command("sysbench", sysbench.argv(load, str(place.service["config"])), timeout_s)


def read(work: Work, output: Output) -> Reading:
    """Return what sysbench counted after the first seconds. Raises ParseError."""
    # What stops it from outside of its own words (the C library, say) is the last that it says.
    last = output.stderr.strip().splitlines()[-1:]
    said = sysbench.fatal(f"{output.stdout}\n{output.stderr}") or (last[0] if last else None)
    try:
        run = sysbench.parse(output.stdout, whole(work.params, "ramp_s"), "sysbench's output")
    except ParseError as error:
        raise no_figures("sysbench", error, output, said) from None
    measured = run.measured
    begin = (measured.at or 0.0) - measured.seconds
    series = (
        SeriesPoint(max(0.001, (second.at or 0.0) - begin), "transactions", second.transactions / second.seconds)
        for second in run.seconds
    )
    return Reading(
        samples=tuple(samples(measured, run.bins)),
        measured_s=measured.seconds,
        operations=measured.transactions,
        latencies=(LatencyBins("all", run.bins),) if run.bins else (),
        series=tuple(series),
        client_cpu=output.cpu_s / output.wall_s if output.wall_s > 0 else None,
        client_threads=work.load,
        errors=int(output.exit_code != 0),
        error_text=said if output.exit_code else None,
        ended_at=measured.at,
    )


def samples(measured: sysbench.Report, bins: dict[int, int] | None = None) -> list[Sample]:
    """Return the numbers of a run. `errors` are transactions that were begun anew, as after a deadlock."""
    found = [
        Sample("all", "transactions", measured.transactions / measured.seconds),
        Sample("all", "queries", measured.queries / measured.seconds),
        Sample("all", "errors", float(measured.errors)),
        Sample("all", "reconnects", float(measured.reconnects)),
    ]
    for metric, value in (("latency_mean", measured.latency_mean), ("latency_max", measured.latency_max)):
        if value is not None:
            found.append(Sample("all", metric, value))
    return [*found, *fio_work.percentiles("all", bins or {})]
