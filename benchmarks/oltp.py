"""oltp: from nothing to the first transaction; a drive of 4 times the write IOPS; sysbench through iobench and bare.

The claims: under 3 s from the start of iobench to the first transaction measured, the tables being tiny; a ratio of
at least 2.5 for transactions that are bound by writes, with device bytes per transaction within 20 % of each
other; and through iobench over bare sysbench, on the same server, a median of 7 alternating pairs in 0.97 to 1.03.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import common

from iobench import lab, proc, servers
from iobench.model import Service
from iobench.servers import mariadb, secrets
from iobench.servers.mysql_session import Session
from iobench.tools import sysbench

FIRST_S, RATIO_LEAST, BYTES_APART = 3.0, 2.5, 0.20
SIZE, TABLES = 8 << 20, 2
ROWS = SIZE // 240 // TABLES


def main() -> None:
    options = common.arguments(__doc__ or "", pairs=7, seconds=20)
    common.head("OLTP")
    missed = _first(1 if options.short else 3)
    missed += _ratio(2 if options.short else options.seconds, 1 if options.short else 3, 400 if options.short else 1000)
    if not options.short:
        missed += _overhead(options.pairs, 4)
    common.conclude(missed, options.short)


# --- from nothing to the first transaction -----------------------------------------------------------------


def _first(times: int) -> int:
    with common.scratch() as folder, common.scratch() as results:
        took = [_once(folder, results) for _ in range(times)]
    within = statistics.median(took) < FIRST_S
    print(f"from nothing to the first transaction, two tables of 100 rows: {common.spread(took)} s "
          f"({'under' if within else 'over'} {FIRST_S:g} s)\n")  # fmt: skip
    return int(not within)


def _once(folder: Path, results: Path) -> float:
    """Seconds from the start of iobench to the start of the measured window."""
    args = ("run", "oltp", "--size", "48Ki", "--tables", "2", "--threads", "1", "--ramp", "0", "--duration", "1s")
    begin = time.time()
    document = common.iobench(*args, "--repeats", "1", "-t", f"d={folder}", results=results)
    said = (next(Path(document["path"]).glob("raw/0001-*/stdout"))).read_text()
    run = sysbench.parse(said, 0)
    assert run.measured.at is not None
    return run.measured.at - run.measured.seconds - begin


# --- a drive of 4 times the write IOPS ---------------------------------------------------------------------


def _ratio(seconds: int, rounds: int, megabytes: int) -> int:
    slow, fast = lab.custom("slow", write_iops=400), lab.custom("fast", write_iops=1600)
    with common.emulated(slow, fast, size=megabytes * 10**6) as drives, common.scratch() as results:
        args = ["run", "oltp", "--profiles", "write_only", "--threads", "1,16", "--size", "32Mi", "--ramp", "5s"]
        args += ["--duration", f"{seconds}s", "--repeats", str(rounds), "--baseline", "slow"]
        args += [word for name, path in drives.items() for word in ("-t", f"{name}={path}")]
        document = common.iobench(*args, results=results)
        moved = _bytes_each(Path(document["path"]))
    rates = common.medians(document, "transactions")
    rows, missed = [], 0
    for load in (1, 16):
        ratio = rates["oltp", load, "fast"] / rates["oltp", load, "slow"]
        a, b = moved[load, "slow"], moved[load, "fast"]
        apart = abs(a - b) / min(a, b)
        good = ratio >= RATIO_LEAST and apart <= BYTES_APART
        missed += not good
        rows.append((load, f"{rates['oltp', load, 'slow']:.1f}", f"{rates['oltp', load, 'fast']:.1f}", f"{ratio:.2f}",
                     f"{a / 1e3:.0f} kB", f"{b / 1e3:.0f} kB", f"{apart:.0%}", "yes" if good else "no"))  # fmt: skip
    common.table(
        ["threads", "at 400 writes/s", "at 1600 writes/s", "ratio", "written each, slow", "fast", "apart", "holds"],
        rows,
    )
    return missed


def _bytes_each(campaign: Path) -> dict[tuple[int, str], float]:
    """Bytes that reached the device for each transaction: the median of the rounds."""
    import pandas as pd

    samples = pd.read_parquet(campaign / "samples").query("metric == 'transactions'")
    joined = samples.merge(pd.read_parquet(campaign / "evidence"), on="step")
    joined["each"] = joined.device_bytes_written / (joined.value * joined.duration_s)
    each = joined.groupby(["load", "target"], as_index=False)["each"].median()
    return {(int(row["load"]), str(row["target"])): float(row["each"]) for _, row in each.iterrows()}


# --- through iobench, and bare -----------------------------------------------------------------------------


def _overhead(pairs: int, seconds: int) -> int:
    rows, missed = [], 0
    drive = lab.custom("still", read=400e6, write=400e6, write_iops=1600)
    with common.emulated(drive, size=400 * 10**6) as drives, common.scratch() as results:
        path = next(iter(drives.values()))
        for profile, threads, pool in (("write_only", 16, 6 << 20), ("read_only", 1, 64 << 20)):
            with _server(path, pool) as (config, url):
                ratios = [_pair(config, url, results, profile, threads, seconds, n) for n in range(pairs)]
            within = 0.97 <= statistics.median(ratios) <= 1.03
            missed += not within
            what = "bound by the drive" if profile == "write_only" else "in memory"
            rows.append((profile, threads, what, pairs, common.spread(ratios), "yes" if within else "no"))
    common.table(["profile", "threads", "", "pairs", "through iobench over bare sysbench", "within 0.97 to 1.03"], rows)
    return missed


@contextmanager
def _server(drive: Path, pool: int) -> Iterator[tuple[str, str]]:
    """A server with filled tables for bare sysbench, and an empty database for iobench; config file, and address."""
    settings = {"tables": TABLES, "rows": ROWS, "buffer_pool": pool, "connections": 64}
    with tempfile.TemporaryDirectory() as short, tempfile.TemporaryDirectory(dir=drive) as data:
        for name in ("shared", "private", "log"):
            (Path(short) / name).mkdir(mode=0o700)
        room = servers.Room(
            Path(data), Path(short) / "shared", Path(short) / "private", Path(short) / "log", proc.Stop()
        )
        server = mariadb.open(Service("mariadb", settings), room)
        try:
            config = str(server.start()["config"])
            found = dict(line.split("=", 1) for line in Path(config).read_text().splitlines())
            values = {key.removeprefix("mysql-"): value.strip("\"'") for key, value in found.items()}
            os.environ[secrets.VARIABLE] = values["password"]
            session = Session({"unix_socket": values["socket"], "user": "root", "password": values["password"]})
            session.ask("CREATE DATABASE ours")
            session.close()
            yield config, f"mysql://root@localhost/ours?socket={values['socket']}"
        finally:
            server.close(True)


def _pair(config: str, url: str, results: Path, profile: str, threads: int, seconds: int, number: int) -> float:
    def ours() -> float:
        args = ("run", "oltp", "--dsn", url, "--profiles", profile, "--threads", str(threads), "--tables", str(TABLES))
        more = ("--size", str(SIZE), "--ramp", "2s", "--duration", f"{seconds}s", "--repeats", "1")
        document: dict[str, Any] = common.iobench(*args, *more, results=results)
        return next(iter(common.medians(document, "transactions").values()))

    def bare() -> float:
        argv = ["sysbench", f"--config-file={config}", "--db-driver=mysql", f"--tables={TABLES}"]
        argv += [f"--table-size={ROWS}", f"--threads={threads}", f"--time={seconds + 2}", "--events=0"]
        argv += ["--rand-type=uniform", "--report-checkpoints=2", f"oltp_{profile}", "run"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        report = sysbench.parse_text(done.stdout).report
        return report.transactions / report.seconds

    # Each side goes first in turn, so that drift falls on both.
    if number % 2:
        b, a = bare(), ours()
    else:
        a, b = ours(), bare()
    return a / b


if __name__ == "__main__":
    main()
