"""What the disk under an emulated drive can reach, and limits lowered to it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from iobench import proc
from iobench.errors import ToolError
from iobench.lab.profile import show

# A limit holds a drive flat only where the disk below has something to spare.
_NEEDED = 1.1
_KEPT = 0.8
_SECONDS = 0.4
_JOBS = {
    "read": ("read", "1M", 8, "bw_bytes"),
    "write": ("write", "1M", 8, "bw_bytes"),
    "read_iops": ("randread", "4k", 64, "iops"),
    "write_iops": ("randwrite", "4k", 64, "iops"),
}


def available() -> bool:
    """Whether this machine has what measuring needs (fio)."""
    return proc.find("fio") is not None


def reach(device: str, figure: str) -> float | None:
    """Return what a device does of a figure (B/s or 1/s) in a short run; None when it could not be told.

    The device is written to where the figure is a write: it must be empty. Takes about 0.6 s.
    """
    pattern, block, depth, key = _JOBS[figure]
    return _fio(device, pattern, block, depth, key)


def latency(device: str) -> float | None:
    """Return the mean seconds of a 4 KiB random read with nothing else under way; None when not told."""
    iops = _fio(device, "randread", "4k", 1, "iops")
    return 1 / iops if iops else None


def lowered(asked: Mapping[str, float], reached: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Return the limits that can be held, and a sentence for each that had to be lowered.

    `asked` and `reached` map read, write (B/s), read_iops, write_iops (1/s); what was not measured is kept.
    """
    limits, notes = dict(asked), []
    for key, value in asked.items():
        top = reached.get(key)
        if top is None or value * _NEEDED <= top:
            continue
        limits[key] = _two_digits(top * _KEPT)
        notes.append(
            f"{key} lowered from {show(key, value)} to {show(key, limits[key])}: the disk below reached "
            f"{show(key, top)}"
        )
    return limits, notes


def _two_digits(value: float) -> float:
    """Round down to two significant digits: a limit measured in half a second is no finer than that."""
    scale = 1
    while value / scale >= 100:
        scale *= 10
    return float(int(value / scale) * scale)


def _fio(device: str, pattern: str, block: str, depth: int, key: str) -> float | None:
    argv = [
        "fio",
        "--name=reach",
        f"--filename={device}",
        f"--rw={pattern}",
        f"--bs={block}",
        f"--iodepth={depth}",
    ]
    argv += ["--direct=1", "--ioengine=libaio", "--time_based", f"--runtime={round(_SECONDS * 1000)}ms"]
    try:
        said = proc.capture([*argv, "--output-format=json"], timeout_s=20).stdout
        job = json.loads(said[said.index("{") :])["jobs"][0]
        value = float(job["write" if "write" in pattern else "read"][key])
    except (ToolError, ValueError, KeyError, IndexError, TypeError):
        return None
    return value if value > 0 else None
