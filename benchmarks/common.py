"""What the benchmarks share: a drive to run on, iobench and its peers as processes, and a table to print."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # of which some take what they make
IOBENCH = (sys.executable, "-m", "iobench.cli.main")


def parser(about: str, **defaults: int) -> argparse.ArgumentParser:
    """Return a parser with --seed, --short, and each default as an option of its own."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--short", action="store_true", help="the short seeded part that CI runs")
    for name, value in defaults.items():
        made.add_argument(f"--{name}", type=int, default=value)
    return made


def arguments(about: str, **defaults: int) -> argparse.Namespace:
    """Return the command line that `parser` reads."""
    return parser(about, **defaults).parse_args()


def head(title: str) -> None:
    """Print the title with the date and the machine: a figure without them is worth little."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    print(f"## {title}\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {cpu}, Linux {platform.release()}\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def iobench(*args: str, results: Path, check: bool = True) -> dict[str, Any]:
    """Run iobench with --json and return its document."""
    done = subprocess.run(
        [*IOBENCH, *args, "--json", "--quiet", "--results", str(results)], capture_output=True, text=True, check=False
    )
    if check and done.returncode not in (0, 1):
        raise SystemExit(f"iobench {' '.join(args)} ended with {done.returncode}: {done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def medians(document: dict[str, Any], metric: str) -> dict[tuple[str, int, str], float]:
    """Return (workload, load, target) -> median of a metric from iobench's document."""
    return {
        (row["workload"], row["load"], target): figure["median"]
        for row in document["comparison"]["rows"]
        if row["metric"] == metric
        for target, figure in row["targets"].items()
    }


def fio(folder: Path, *args: str) -> dict[str, Any]:
    """Run bare fio in a folder and return its JSON."""
    done = subprocess.run(
        ["fio", "--name=bare", *args, "--output-format=json"], cwd=folder, capture_output=True, text=True, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return document


def lay_out(folder: Path, size: int) -> None:
    """Write a file `data` for bare fio, as iobench lays out its own."""
    fio(folder, "--filename=data", "--rw=write", "--bs=1M", f"--size={size}", "--ioengine=libaio", "--iodepth=8",
        "--direct=1", "--fallocate=none", "--refill_buffers", "--end_fsync=1")  # fmt: skip


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder on a real disk, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="iobench-benchmark-", dir="/var/tmp") as path:
        yield Path(path)


@contextmanager
def own_drive(size: int) -> Iterator[Path]:
    """Give a folder on a drive of its own, where there are loop devices: no other campaign has its turn there."""
    with scratch() as folder:
        if os.geteuid() != 0 or not os.access("/dev/loop-control", os.W_OK):
            yield folder
            return
        image, mounted = folder / "image", folder / "mounted"
        mounted.mkdir()
        with image.open("wb") as file:
            file.truncate(size)
        made = ("losetup", "--find", "--show", "--direct-io=on", str(image))
        device = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
        try:
            subprocess.run(("mkfs.ext4", "-q", "-F", device), check=True)
            subprocess.run(("mount", device, str(mounted)), check=True)
            (mounted / "lost+found").rmdir()
            try:
                yield mounted
            finally:
                for patience in range(50, -1, -1):  # somebody may look at a new drive for a moment
                    if (
                        subprocess.run(("umount", str(mounted)), check=not patience, capture_output=True).returncode
                        == 0
                    ):
                        break
                    time.sleep(0.1)
        finally:
            subprocess.run(("losetup", "--detach", device), check=True)


@contextmanager
def emulated(*profiles: Any, size: int) -> Iterator[dict[str, Path]]:
    """Give emulated drives as name -> mount point, taken down afterwards."""
    from iobench import lab

    with scratch() as folder:
        os.environ["IOBENCH_LAB_STATE"] = str(folder / "state")
        try:
            drives = lab.up(list(profiles), size, folder / "images", lambda line: print(line, file=sys.stderr))
            yield {drive.name: Path(str(drive.mount)) for drive in drives}
        finally:
            lab.down(None)
            del os.environ["IOBENCH_LAB_STATE"]


def conclude(missed: int, short: bool) -> None:
    """Exit with 1 when a bound was missed; CI's short part shows that it works, and its speeds are noise."""
    raise SystemExit(1 if missed and not short else 0)


def spread(values: Sequence[float]) -> str:
    """Return `median (least to most)`."""
    return f"{statistics.median(values):.4f} ({min(values):.4f} to {max(values):.4f})"
