"""What the disk under an emulated drive can reach, and limits lowered to it."""

from __future__ import annotations

from collections.abc import Mapping

from iobench import proc
from iobench.errors import ToolError
from iobench.lab.profile import named, show
from iobench.texts import Phrase, Told
from iobench.tools import fio

# A limit holds a drive flat only where the disk below has something to spare.
_NEEDED = 1.1
_KEPT = 0.8
_SECONDS = 0.4
_BIG, _SMALL = 1 << 20, 1 << 12
_JOBS = {
    "read": ("read", _BIG, 8),
    "write": ("write", _BIG, 8),
    "read_iops": ("randread", _SMALL, 64),
    "write_iops": ("randwrite", _SMALL, 64),
}


def available() -> bool:
    """Whether this machine has what measuring needs (fio)."""
    return proc.find("fio") is not None


def reach(device: str, size: int, figure: str) -> float | None:
    """Return what a device of `size` bytes does of a figure (B/s or 1/s) in a short run; None when not told.

    The device is written to where the figure is a write: it must be empty. Takes about 0.6 s.
    """
    done = _run(device, size, *_JOBS[figure])
    if done is None:
        return None
    return done.iops if figure.endswith("_iops") else done.throughput


def best_reach(device: str, size: int, figure: str, wanted: float) -> float | None:
    """Return what a device reaches; looked at up to three times before it is said to fall short of `wanted`.

    The disk below may be busy with something else for a moment, and the drive would be lowered for good.
    """
    best: float | None = None
    for _ in range(3):
        top = reach(device, size, figure)
        if top is None:
            return best
        best = max(top, best or 0.0)
        if wanted * _NEEDED <= best:
            break
    return best


def latency(device: str, size: int) -> float | None:
    """Return the mean seconds of a 4 KiB random read with nothing else under way; None when not told."""
    done = _run(device, size, "randread", _SMALL, 1)
    return done.latency_mean if done else None


def lowered(asked: Mapping[str, float], reached: Mapping[str, float]) -> tuple[dict[str, float], list[Told]]:
    """Return the limits that can be held, and a sentence for each that had to be lowered.

    `asked` and `reached` map read, write (B/s), read_iops, write_iops (1/s); what was not measured is kept.
    """
    limits, notes = dict(asked), list[Told]()
    for key, value in asked.items():
        top = reached.get(key)
        if top is None or value * _NEEDED <= top:
            continue
        limits[key] = _two_digits(top * _KEPT)
        told = {"to": show(key, limits[key]), "reached": show(key, top)}
        notes.append(Phrase("lab.lowered", {**named(key, value), **told}))
    return limits, notes


def _two_digits(value: float) -> float:
    """Round down to two significant digits: a limit measured in half a second is no finer than that."""
    scale = 1
    while value / scale >= 100:
        scale *= 10
    return float(int(value / scale) * scale)


def _run(device: str, size: int, pattern: str, block: int, depth: int) -> fio.Direction | None:
    # libaio is had everywhere, and at these rates the engine is not the limit.
    command = fio.probe(fio.Job(pattern, device, size, block, depth, "libaio", runtime_s=_SECONDS))
    try:
        report = fio.parse(proc.capture(command.argv, timeout_s=command.timeout_s).stdout)
    except ToolError:
        return None
    return next((done for job in report.jobs for done in job.directions if done.throughput > 0), None)
