"""dd: the talk's file creation (one flush inside the timing), and reading a file back."""

from __future__ import annotations

from dataclasses import dataclass

from iobench.errors import ParseError, UsageError
from iobench.model import Command, DataFile, Output, Place, Reading, Sample, Work, whole
from iobench.params import Kind, param
from iobench.runners import no_figures
from iobench.texts import last_said
from iobench.tools import dd

NAME = "dd"
SUMMARY = "create a file with dd, and read it back"
TOOLS: tuple[str, ...] = ("dd", "fio")
FLUSHES = ("fdatasync", "fsync", "direct", "dsync", "none")
_DATA, _MADE = "data", "dd"
_MIB = 1 << 20


@dataclass(frozen=True)
class Params:
    """Parameters of dd. Sizes in bytes."""

    ops: tuple[str, ...] = param(("write", "read"), Kind.CHOICES, "what is measured", ("write", "read"))
    size: int | None = param(None, Kind.SIZE, "size of the file (default: 4G or a tenth of the room)", least=1)
    block_size: int = param(1 << 20, Kind.SIZE, "bytes of one read or write", least=512)
    source: str = param("random", Kind.CHOICE, "what is written; zero is the talk's own command", ("random", "zero"))
    flush: str = param("fdatasync", Kind.CHOICE, "how a write reaches the drive; none shows the page cache", FLUSHES)
    buffered: bool = param(False, Kind.FLAG, "read through the page cache, to see what it does to a number")


def plan(params: Params) -> tuple[Work, ...]:
    """Return a work for each direction. Raises UsageError for a file smaller than a block."""
    if params.size is None:
        raise ValueError("the size is resolved before planning")
    count = params.size // params.block_size
    if count == 0:
        raise UsageError(f"size {params.size} is less than one block of {params.block_size} bytes")
    # Whole blocks only: GNU dd drops O_DIRECT for a short last one.
    size = count * params.block_size
    return tuple(_write(params, size) if op == "write" else _read(params, size) for op in params.ops)


def _write(params: Params, size: int) -> Work:
    source = DataFile("random", size) if params.source == "random" else None
    return Work(
        runner=NAME,
        workload="dd-write",
        params={
            "block_size": params.block_size,
            "size": size,
            "source": params.source,
            "flush": params.flush,
            "direct": params.flush == "direct",
        },
        load=1,
        source=source,
        fresh=(_MADE,),
        fixed_bytes=size,
        writes=True,
        # The first one pays for memory that was never touched (a virtual machine has to get it from its host)
        # while the drive idles: 0.6 to 0.9 of the later ones' rate was seen.
        warm_up=True,
    )


def _read(params: Params, size: int) -> Work:
    return Work(
        runner=NAME,
        workload="dd-read",
        params={"block_size": params.block_size, "size": size, "direct": not params.buffered},
        load=1,
        # Laid out in whole MiB, so at least as long as what is read.
        files=(DataFile(_DATA, -(-size // _MIB) * _MIB),),
        fixed_bytes=size,
    )


def command(work: Work, place: Place) -> Command:
    """Return dd's command; a tool that needs longer than 1 MB/s would is ended."""
    block, size = whole(work.params, "block_size"), work.fixed_bytes
    if work.workload == "dd-read":
        flags = ("direct",) if work.params["direct"] else ()
        argv = dd.argv(source=place.data[_DATA], to="/dev/null", block_size=block, count=size // block, iflag=flags)
    else:
        argv = _write_argv(work, place, block, size)
    return Command("dd", argv, timeout_s=60 + size / 1e6)


def _write_argv(work: Work, place: Place, block: int, size: int) -> tuple[str, ...]:
    flush = str(work.params["flush"])
    conv = (flush,) if flush in ("fdatasync", "fsync") else ()
    if place.block_device:
        conv = (*conv, "nocreat", "notrunc")
    return dd.argv(
        source=place.source or "/dev/zero",
        to=place.data[_MADE],
        block_size=block,
        count=size // block,
        conv=conv,
        oflag=(flush,) if flush in ("direct", "dsync") else (),
    )


def read(work: Work, output: Output) -> Reading:
    """Return dd's time and rate. Raises ParseError."""
    try:
        copied = dd.parse(output.stderr, "dd's stderr")
    except ParseError as error:
        raise no_figures("dd", error, output) from None
    op = work.workload.removeprefix("dd-")
    short = copied.bytes != work.fixed_bytes
    return Reading(
        samples=(
            Sample(op, "elapsed", copied.seconds),
            Sample(op, "throughput", copied.bytes / copied.seconds),
        ),
        measured_s=copied.seconds,
        bytes_read=copied.bytes if op == "read" else 0,
        bytes_written=copied.bytes if op == "write" else 0,
        operations=max(1, copied.bytes // whole(work.params, "block_size")),
        depth_achieved=1.0,
        client_cpu=output.cpu_s / output.wall_s if output.wall_s > 0 else None,
        errors=int(output.exit_code != 0 or short),
        error_text=last_said(output.stderr) if output.exit_code or short else None,
    )
