"""dbench: two drives of which one writes four times as many blocks a second, and bare dbench beside it.

The claims: written with O_SYNC, the ratio of the two is at least 2.5; the bytes that reach the drives for a byte of
the load agree within 20 %; no step is accused; through iobench it is as fast as bare dbench, 0.97 to 1.03.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
from collections import Counter
from pathlib import Path

import common

from iobench import lab
from iobench.results import Store
from iobench.tools import dbench

SLOW, FAST = 400, 1600
DRIVE = """\
title = "{n} writes a second"
kind = "drive"
order = 1
[figures]
read = {{ value = 500, assumed = "for a benchmark" }}
write = {{ value = 150, assumed = "for a benchmark" }}
write_iops = {{ value = {n}, assumed = "for a benchmark" }}
"""


def main() -> None:
    options = common.arguments(__doc__ or "", pairs=7, rounds=2)
    missed = 0
    with common.scratch() as folder:
        common.head("dbench on drives of 400 and 1,600 writes a second, O_SYNC")
        missed += _ratio(folder, 1 if options.short else 60, 1 if options.short else options.rounds)
        common.head("dbench through iobench against bare dbench")
        missed += _beside(folder, 1 if options.short else 10, 1 if options.short else options.pairs)
    common.conclude(missed, options.short)


def _ratio(folder: Path, seconds: int, rounds: int) -> int:
    profiles = []
    for n in (SLOW, FAST):
        path = folder / f"writes{n}.toml"
        path.write_text(DRIVE.format(n=n))
        profiles.append(lab.read_profile(str(path)))
    results = folder / "ratio"
    with common.emulated(*profiles, size=192 << 20) as drives:
        targets = [part for name, mount in drives.items() for part in ("-t", f"{name}={mount}")]
        command = ("run", "dbench", "--sync", "--clients", "1", "--duration", f"{seconds}s", *targets)
        document = common.iobench(*command, "--repeats", str(rounds), results=results)
    rates, shares = common.medians(document, "throughput"), _shares(results)
    rows, missed = [], 0
    for clients in (1,):
        slow, fast = (rates["dbench", clients, f"writes{n}"] for n in (SLOW, FAST))
        share = [statistics.median(shares[clients, f"writes{n}"]) for n in (SLOW, FAST)]
        agree = share[1] / share[0]
        missed += fast / slow < 2.5 or not 0.8 <= agree <= 1.25
        rows.append((clients, f"{slow / 1e6:.2f} MB/s", f"{fast / 1e6:.2f} MB/s", f"{fast / slow:.2f}", f"{agree:.3f}"))
    common.table(["clients", "400 writes/s", "1,600 writes/s", "ratio", "device bytes per byte, 1,600 to 400"], rows)
    accused = _accused(results)
    print(f"verdicts: {dict(accused)}\n")
    return missed + (0 if set(accused) <= {"valid"} else 1)


def _shares(results: Path) -> dict[tuple[int, str], list[float]]:
    """Bytes that reached the drive for each byte of the load, by clients and target."""
    folder = Store(results).open("latest")
    evidence = {row["step"]: row for row in folder.read("evidence").to_pylist()}
    found: dict[tuple[int, str], list[float]] = {}
    for row in folder.read("samples").to_pylist():
        if row["metric"] == "throughput":
            device = evidence[row["step"]]["device_bytes_written"]
            found.setdefault((row["load"], row["target"]), []).append(device / (row["value"] * row["duration_s"]))
    return found


def _accused(results: Path) -> Counter[str]:
    rows = Store(results).open("latest").read("samples").to_pylist()
    return Counter({row["step"]: row["verdict"] for row in rows}.values())


def _beside(folder: Path, seconds: int, pairs: int) -> int:
    profile = lab.read_profile("sas")
    ratios = []
    with common.emulated(profile, size=384 << 20) as drives:
        mount = next(iter(drives.values()))
        for pair in range(pairs):
            # Which of the two is first changes, so that drift falls on both alike.
            for ours in ((True, False), (False, True))[pair % 2]:
                if ours:
                    command = ("run", "dbench", "--clients", "4", "--duration", f"{seconds}s", "--repeats", "1")
                    document = common.iobench(*command, "-t", f"sas={mount}", results=folder / "beside")
                    mine = common.medians(document, "throughput")["dbench", 4, "sas"]
                else:
                    bare = _bare(mount, seconds)
            ratios.append(mine / bare)
    middle = statistics.median(ratios)
    common.table(["pairs", "iobench over bare dbench: median (least to most)"], [(pairs, common.spread(ratios))])
    return int(not 0.97 <= middle <= 1.03)


def _bare(mount: Path, seconds: int) -> float:
    home = mount / "bare"
    home.mkdir()
    try:
        argv = ["dbench", "-t", str(seconds + 1), "-D", str(home), "4"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return dbench.parse(done.stdout).throughput
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
