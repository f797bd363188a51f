"""verify: checksummed blocks written over a file or a drive, all read back, and those that differ counted."""

from __future__ import annotations

from dataclasses import dataclass

from iobench.errors import ParseError
from iobench.model import Command, Output, ParamValue, Place, Reading, Sample, Work, whole
from iobench.params import Kind, param
from iobench.runners import fio_work
from iobench.tools import fio

NAME = "verify"
SUMMARY = "integrity: checksummed blocks written and read back, those that differ counted"
TOOLS: tuple[str, ...] = ("fio",)
DATA = "verify"
CHECKSUMS = ("crc32c", "sha256", "xxhash", "md5")


@dataclass(frozen=True)
class Params:
    """Parameters of the integrity pass. Sizes in bytes."""

    block_size: int = param(64 << 10, Kind.SIZE, "bytes of one checked block", least=512)
    depth: int = param(8, Kind.COUNT, "outstanding I/O", least=1)
    checksum: str = param("crc32c", Kind.CHOICE, "what each block carries", CHECKSUMS)
    size: int | None = param(None, Kind.SIZE, "what is written and read (default: 4G or a tenth of the room)", least=1)
    max_rate: int | None = param(None, Kind.SIZE, "bytes a second at most, each direction (default: no cap)", least=1)
    engine: str = param("auto", Kind.CHOICE, "fio's I/O engine (auto: io_uring, else libaio)", fio_work.ENGINES)


def plan(params: Params) -> tuple[Work, ...]:
    """Return the one pass."""
    if params.size is None:
        raise ValueError("the size is resolved before planning")
    size = max(1, params.size // params.block_size) * params.block_size
    asked: dict[str, ParamValue] = {"block_size": params.block_size, "depth": params.depth, "checksum": params.checksum}
    if params.max_rate:
        asked["max_rate"] = params.max_rate
    work = Work(
        runner=NAME,
        workload=NAME,
        params={**asked, "jobs": 1, "engine": params.engine, "size": size, "direct": True},
        load=params.depth,
        fresh=(DATA,),
        fixed_bytes=size,
        reads_back=True,
        writes=True,
    )
    return (work,)


def command(work: Work, place: Place) -> Command:
    """Return fio's command."""
    job = fio.Job(
        rw="write",
        filename=place.data[DATA],
        size=work.fixed_bytes,
        block_size=whole(work.params, "block_size"),
        iodepth=whole(work.params, "depth"),
        engine=str(work.params["engine"]),
        max_rate=whole(work.params, "max_rate") if work.params.get("max_rate") else None,
    )
    return fio.verify(job, str(work.params["checksum"]), place.out)


def read(work: Work, output: Output) -> Reading:
    """Return the rates, how many blocks were read back wrong, and how many were not read. Raises ParseError."""
    report = fio_work.report_of(output)
    if len(report.jobs) != 1:
        raise ParseError(f"{fio.RESULT} holds {len(report.jobs)} jobs; one was asked for")
    job = report.jobs[0]
    done = {d.op: d for d in job.directions}
    if "write" not in done or done["write"].bytes < work.fixed_bytes:
        raise ParseError(
            f"fio wrote {done['write'].bytes if 'write' in done else 0} of {work.fixed_bytes} bytes: "
            f"{fio_work.last_words(output)}"
        )
    checked = done["read"].bytes if "read" in done else 0
    # A block that differs is fio's EILSEQ; any other error is the drive's or fio's own, and no count of blocks.
    strange = job.error not in (0, fio.EILSEQ)
    unread = max(0, work.fixed_bytes - checked) // whole(work.params, "block_size")
    counts = (Sample("read", "corrupt", float(job.mismatches)), Sample("read", "lost", float(unread)))
    return Reading(
        samples=(*fio_work.samples(job.directions), *counts),
        measured_s=sum(d.runtime_s for d in job.directions),
        bytes_read=checked,
        bytes_written=done["write"].bytes,
        operations=sum(d.operations for d in job.directions),
        latencies=fio_work.latencies(job.directions),
        client_cpu=job.cpu,
        errors=int(strange or (output.exit_code != 0 and not job.mismatches)),
        error_text=fio_work.last_words(output) if output.exit_code or strange else None,
    )
