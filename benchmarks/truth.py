"""Truth: iobench prints the speed that a drive is known to have.

Emulated drives of speeds drawn at random; seq, rand and dd-read against the set speed, dd-write against
bare dd, alternating. The claim: 0.98 to 1.02 of the set speed, and 0.97 to 1.03 of bare dd.
"""

from __future__ import annotations

import random
import re
import statistics
import subprocess
from pathlib import Path

import common

from iobench import lab

BOUND = (0.98, 1.02)
DD_BOUND = (0.97, 1.03)


def main() -> None:
    options = common.arguments(__doc__ or "", drives=3)
    drawn = random.Random(options.seed)
    common.head("Truth")
    rows = []
    for number in range(1 if options.short else options.drives):
        rate, iops = round(drawn.uniform(60, 300)) * 10**6, round(drawn.uniform(300, 3000))
        rows += _drive(number, rate, iops, short=options.short)
    common.table(["drive", "workload", "depth", "set", "measured", "ratio", "within"], rows)
    missed = sum(row[-1] == "no" for row in rows)
    print(f"{len(rows) - missed} of {len(rows)} within the bounds")
    common.conclude(missed, options.short)


def _drive(number: int, rate: int, iops: int, short: bool) -> list[tuple[object, ...]]:
    profile = lab.custom(f"truth{number}", read=rate, write=rate, read_iops=iops, write_iops=iops)
    size = round(rate * 6.5) >> 20 << 20  # dd reads it in more than six seconds
    image = 2 * size + (256 << 20)
    with common.emulated(profile, size=image) as drives, common.scratch() as results:
        mount = next(iter(drives.values()))
        target = ("-t", f"d={mount}", "--repeats", "1")
        rows: list[tuple[object, ...]] = []
        for depth in (8,) if short else (1, 8, 64):
            seq = ("run", "seq", "--depth", str(depth), "--size", "256Mi", "--duration", "6s")
            found = common.medians(common.iobench(*seq, *target, results=results), "throughput")
            rows += [_row(f"{rate / 1e6:.0f} MB/s", w, depth, rate, v) for (w, _, _), v in found.items()]
        loads = "8" if short else "1,8,64"
        rand = ("run", "rand", "--loads", loads, "--ops", "read,write", "--size", "256Mi", "--duration", "6s")
        found = common.medians(common.iobench(*rand, *target, results=results), "iops")
        rows += [_row(f"{iops} IOPS", w, load, iops, v) for (w, load, _), v in found.items()]
        found = common.medians(
            common.iobench("run", "dd", "--ops", "read", "--size", str(size), *target, results=results), "throughput"
        )
        rows += [_row(f"{rate / 1e6:.0f} MB/s", w, load, rate, v) for (w, load, _), v in found.items()]
        return [*rows, _dd_write(mount, results, size, rate, pairs=1 if short else 5)]


def _row(drive: str, workload: str, depth: int, wanted: float, got: float) -> tuple[object, ...]:
    ratio = got / wanted
    within = BOUND[0] <= ratio <= BOUND[1]
    return drive, workload, depth, f"{wanted:.4g}", f"{got:.4g}", f"{ratio:.4f}", "yes" if within else "no"


def _dd_write(mount: Path, results: Path, size: int, rate: int, pairs: int) -> tuple[object, ...]:
    ours: list[float] = []
    bare: list[float] = []
    source = results / "source"
    subprocess.run(["dd", "if=/dev/urandom", f"of={source}", "bs=1M", f"count={size >> 20}", "status=none"], check=True)
    _bare_dd(source, mount / "bare", size)  # iobench warms up too
    for number in range(pairs):
        for mine in (False, True) if number % 2 else (True, False):  # each goes first in turn: drift falls on both
            if mine:
                ours.append(_our_dd(mount, results, size))
            else:
                bare.append(_bare_dd(source, mount / "bare", size))
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    within = DD_BOUND[0] <= ratio <= DD_BOUND[1]
    wanted, got = statistics.median(bare), statistics.median(ours)
    drive = f"{rate / 1e6:.0f} MB/s"
    return drive, "dd-write (bare dd)", 1, f"{wanted:.4g}", f"{got:.4g}", f"{ratio:.4f}", "yes" if within else "no"


def _our_dd(mount: Path, results: Path, size: int) -> float:
    args = ("run", "dd", "--ops", "write", "--size", str(size), "-t", f"d={mount}", "--repeats", "1")
    return next(iter(common.medians(common.iobench(*args, results=results), "throughput").values()))


def _bare_dd(source: Path, to: Path, size: int) -> float:
    """Bare dd's rate, its source in the page cache."""
    subprocess.run(["cat", str(source)], stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run(
        ["dd", f"if={source}", f"of={to}", "bs=1048576", f"count={size >> 20}", "conv=fdatasync"],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    to.unlink()
    match = re.search(r"copied, ([0-9.]+) s", done.stderr)
    assert match is not None
    return size / float(match[1])


if __name__ == "__main__":
    main()
