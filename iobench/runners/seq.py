"""seq: large sequential reads and writes on fio."""

from __future__ import annotations

from dataclasses import dataclass

from iobench.model import Command, Output, Place, Reading, Work
from iobench.params import Kind, param
from iobench.runners import fio_work

NAME = "seq"
SUMMARY = "large sequential reads and writes"
TOOLS: tuple[str, ...] = ("fio",)


@dataclass(frozen=True)
class Params(fio_work.CommonParams):
    """Parameters of sequential I/O. The load is jobs x depth."""

    ops: tuple[str, ...] = param(("read", "write"), Kind.CHOICES, "what is measured", ("read", "write"))
    block_size: int = param(1 << 20, Kind.SIZE, "bytes of one I/O", least=512)
    depth: int = param(8, Kind.COUNT, "outstanding I/O of a job", least=1)


def plan(params: Params) -> tuple[Work, ...]:
    """Return a work for each direction."""
    return tuple(
        Work(
            runner=NAME,
            workload=f"seq-{op}",
            params=fio_work.asked(params, params.block_size, params.depth),
            load=params.jobs * params.depth,
            ramp_s=params.ramp,
            duration_s=params.duration,
            files=(fio_work.data_file(params),),
            writes=op == "write",
        )
        for op in params.ops
    )


def command(work: Work, place: Place) -> Command:
    """Return fio's command."""
    return fio_work.command(work, place, work.workload.removeprefix("seq-"))


def read(work: Work, output: Output) -> Reading:
    """Return what fio measured. Raises ParseError."""
    return fio_work.read(work, output)
