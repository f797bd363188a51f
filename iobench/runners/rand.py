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


def plan(params: Params) -> tuple[Work, ...]:
    """Return a work for each kind and load. Raises UsageError for a load that the jobs cannot share."""
    uneven = [load for load in params.loads if load % params.jobs]
    if uneven:
        raise UsageError(f"load {uneven[0]} cannot be shared by {params.jobs} jobs; use multiples of {params.jobs}")
    return tuple(_work(params, op, load) for op in params.ops for load in params.loads)


def _work(params: Params, op: str, load: int) -> Work:
    asked = fio_work.asked(params, params.block_size, load // params.jobs)
    mixed = {"read_share": params.read_share} if op == "mixed" else {}
    return Work(
        runner=NAME,
        workload=f"rand-{op}",
        params={**asked, **mixed},
        load=load,
        ramp_s=params.ramp,
        duration_s=params.duration,
        files=(fio_work.data_file(params),),
        writes=op != "read",
    )


def command(work: Work, place: Place) -> Command:
    """Return fio's command."""
    return fio_work.command(work, place, _RW[work.workload])


def read(work: Work, output: Output) -> Reading:
    """Return what fio measured. Raises ParseError."""
    return fio_work.read(work, output)
