"""rand: small random reads, writes or both on fio, over a list of loads."""

from __future__ import annotations

from dataclasses import dataclass

from iobench.errors import UsageError
from iobench.model import Command, Output, Place, Reading, Work
from iobench.params import Kind, param
from iobench.runners import fio_work

NAME = "rand"
SUMMARY = "small random reads, writes or 70:30, over rising concurrency"
TOOLS: tuple[str, ...] = ("fio",)
ARRIVALS = ("even", "poisson")
_RW = {"rand-read": "randread", "rand-write": "randwrite", "rand-mixed": "randrw"}


@dataclass(frozen=True)
class Params(fio_work.CommonParams):
    """Parameters of random I/O. A load is jobs x depth."""

    ops: tuple[str, ...] = param(
        ("read", "write", "mixed"), Kind.CHOICES, "what is measured", ("read", "write", "mixed")
    )
    block_size: int = param(4096, Kind.SIZE, "bytes of one I/O", least=512)
    loads: tuple[int, ...] = param((1, 2, 4, 8, 16, 32, 64), Kind.COUNTS, "outstanding I/O, all jobs", least=1)
    read_share: int = param(70, Kind.PERCENT, "percent of reads in mixed work")
    rate: float | None = param(None, Kind.RATE, "operations offered a second, all jobs (default: as many as it takes)")
    arrival: str = param("even", Kind.CHOICE, "how offered operations arrive", ARRIVALS)


def plan(params: Params) -> tuple[Work, ...]:
    """Return a work for each kind and load. Raises UsageError for a load that the jobs cannot share."""
    uneven = [load for load in params.loads if load % params.jobs]
    if uneven:
        raise UsageError(f"load {uneven[0]} cannot be shared by {params.jobs} jobs; use multiples of {params.jobs}")
    return tuple(_work(params, op, load) for op in params.ops for load in params.loads)


def _work(params: Params, op: str, load: int) -> Work:
    asked = fio_work.asked(params, params.block_size, load // params.jobs)
    mixed = {"read_share": params.read_share} if op == "mixed" else {}
    paced = {"arrival": params.arrival} if params.rate is not None else {}
    return Work(
        runner=NAME,
        workload=f"rand-{op}",
        params={**asked, **mixed, **paced},
        load=load,
        rate=None if params.rate is None else float(params.jobs * sum(_rates(params, op))),
        ramp_s=params.ramp,
        duration_s=params.duration,
        files=(fio_work.data_file(params),),
        writes=op != "read",
    )


def _rates(params: Params, op: str) -> tuple[int, ...]:
    """Return what each job is offered a second, of mixed work the reads and the writes apart: fio takes whole numbers.

    Raises UsageError for less than one.
    """
    each = round((params.rate or 0) / params.jobs)
    parts = _shared(each, params.read_share) if op == "mixed" else (each,)
    if min(parts) < 1:
        raise UsageError(
            f"rate {params.rate:g} leaves less than one operation a second for each of {params.jobs} job(s)"
            f"{' and direction' if len(parts) > 1 else ''}; give a higher rate"
        )
    return parts


def _shared(rate: int, read_share: int) -> tuple[int, int]:
    reads = round(rate * read_share / 100)
    return reads, rate - reads


def command(work: Work, place: Place) -> Command:
    """Return fio's command."""
    return fio_work.command(work, place, _RW[work.workload], _offered(work))


def _offered(work: Work) -> tuple[int, ...]:
    if work.rate is None:
        return ()
    jobs, share = work.params["jobs"], work.params.get("read_share")
    each = round(work.rate / jobs) if isinstance(jobs, int) else round(work.rate)
    return _shared(each, share) if isinstance(share, int) else (each,)


def read(work: Work, output: Output) -> Reading:
    """Return what fio measured. Raises ParseError."""
    return fio_work.read(work, output)
