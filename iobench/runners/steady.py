"""steady: a drive prepared by writing it over, then rounds of small random writes until they are level (SNIA PTS)."""

from __future__ import annotations

from dataclasses import dataclass

from iobench.model import Command, DataFile, Output, ParamValue, Place, Reading, Work, whole
from iobench.params import Kind, param
from iobench.runners import fio_work
from iobench.tools import fio

NAME = "steady"
SUMMARY = "preparation, and rounds of random writes until steady state"
TOOLS: tuple[str, ...] = ("fio",)
DIRECTOR = "steady"  # how many rounds it takes is known only while it runs
PREPARE, ROUND = "precondition", "steady-write"


@dataclass(frozen=True)
class Params:
    """Parameters of preparation and steady state. Sizes in bytes, times in seconds; defaults as in the PTS."""

    passes: int = param(2, Kind.COUNT, "times the file or drive is written over before", least=0)
    fill_block: int = param(128 << 10, Kind.SIZE, "bytes of one I/O of these writes", least=512)
    block_size: int = param(4096, Kind.SIZE, "bytes of one I/O of a round", least=512)
    depth: int = param(32, Kind.COUNT, "outstanding I/O of a round", least=1)
    duration: float = param(60.0, Kind.TIME, "length of a round", least=0.1)
    size: int | None = param(None, Kind.SIZE, "what is written over (default: 4G or a tenth of the room)", least=1)
    max_rate: int | None = param(None, Kind.SIZE, "bytes a second at most, each direction (default: no cap)", least=1)
    engine: str = param("auto", Kind.CHOICE, "fio's I/O engine (auto: io_uring, else libaio)", fio_work.ENGINES)


def plan(params: Params) -> tuple[Work, ...]:
    """Return the preparation, where one is asked for, and one round."""
    if params.size is None:
        raise ValueError("the size is resolved before planning")
    file = DataFile(fio_work.DATA, params.size)
    common: dict[str, ParamValue] = {
        "jobs": 1,
        "engine": params.engine,
        "size": params.size,
        "direct": True,
        "layout": "write",
    }
    if params.max_rate:
        common["max_rate"] = params.max_rate
    fill = Work(
        runner=NAME,
        workload=PREPARE,
        params={**common, "block_size": params.fill_block, "depth": 8, "passes": params.passes},
        load=8,
        files=(file,),
        fixed_bytes=params.size,
        passes=params.passes,
        writes=True,
        once=True,
    )
    round_ = Work(
        runner=NAME,
        workload=ROUND,
        params={**common, "block_size": params.block_size, "depth": params.depth, "duration_s": params.duration},
        load=params.depth,
        duration_s=params.duration,
        files=(file,),
        writes=True,
        once=True,
    )
    return (fill, round_) if params.passes else (round_,)


def command(work: Work, place: Place) -> Command:
    """Return fio's command."""
    if work.workload == ROUND:
        return fio_work.command(work, place, "randwrite")
    job = fio.Job(
        rw="write",
        filename=place.data[fio_work.DATA],
        size=place.size[fio_work.DATA],
        block_size=whole(work.params, "block_size"),
        iodepth=whole(work.params, "depth"),
        engine=str(work.params["engine"]),
        max_rate=whole(work.params, "max_rate") if work.params.get("max_rate") else None,
    )
    return fio.fill(job, work.passes, place.out)


def read(work: Work, output: Output) -> Reading:
    """Return what fio measured. Raises ParseError."""
    return fio_work.read(work, output)
