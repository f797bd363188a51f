"""Each reason that a machine can be brought to produce, produced; and the near miss beside it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running import ONCE, SHORT, SMALL, Drive, Iobench, Result, reasons, rows, wait_for

Run = Callable[..., Result]
READ = ("--ops", "read")
WRITE = ("--ops", "write")


def _only(iobench: Iobench) -> set[str]:
    (found,) = reasons(iobench.folder()).values()
    return found


@pytest.mark.parametrize(
    "command",
    [
        ("seq", *READ, "--buffered", *SHORT),
        ("seq", *WRITE, "--buffered", *SHORT),
        ("rand", *READ, "--loads", "1", "--buffered", *SHORT),
        ("dd", *WRITE, "--flush", "none", *ONCE),
        ("dd", *READ, "--buffered", *ONCE),
    ],
    ids=" ".join,
)
def test_memory_is_not_taken_for_a_drive(command: tuple[str, ...], inside: Run, drive: Drive, iobench: Iobench) -> None:
    said = inside("run", *command, *SMALL, "-t", f"one={drive.path}", "--json")
    assert said.code == 1, said.err
    assert "page-cache" in _only(iobench)
    (row,) = [row for row in said.json["comparison"]["rows"] if row["metric"] == "throughput"]
    assert row["targets"]["one"]["verdict"] == "invalid"
    explained = inside("explain", "latest", "1").out
    assert f"reached {drive.name}: the rest was memory" in explained
    assert re.search(r"but only [0-9.]+ .?B \(0\.[0-8][0-9]? of it\)", explained) is not None, explained


@pytest.mark.parametrize("flush", ["fdatasync", "direct"])
def test_a_flush_inside_the_timing_reaches_the_drive(flush: str, inside: Run, drive: Drive, iobench: Iobench) -> None:
    said = inside("run", "dd", *WRITE, "--flush", flush, *SMALL, *ONCE, "-t", f"one={drive.path}", "-q")
    assert said.code == 0, said.err
    assert _only(iobench) == {"too-short"}


def test_unwritten_blocks_are_found(inside: Run, drive: Drive, iobench: Iobench) -> None:
    said = inside(
        *("run", "rand", *READ, "--loads", "8", "--layout", "fallocate", *SMALL, *SHORT, "-t", f"one={drive.path}")
    )
    assert said.code == 1
    assert "unwritten-blocks" in _only(iobench)
    (evidence,) = rows(iobench.folder().read("evidence"))
    assert evidence["unwritten_bytes"] == 16 << 20
    assert "16.8 MB of the file's 16.8 MB were never written" in inside("explain", "latest", "1").out


@pytest.mark.parametrize(("load", "marked"), [("8", True), ("1", False)])
def test_a_synchronous_engine_does_not_reach_a_depth(
    load: str, marked: bool, inside: Run, drive: Drive, iobench: Iobench
) -> None:
    said = inside(
        *("run", "rand", *READ, "--engine", "psync", "--loads", load, *SMALL, *SHORT),
        *("-t", f"one={drive.path}", "-q"),
    )
    assert said.code == 0, said.err
    assert ("depth-not-reached" in _only(iobench)) is marked
    if marked:
        # One at a time; a little less is outstanding where fio itself is kept waiting.
        said = inside("explain", "latest", "1").out
        assert re.search(r"8 outstanding I/Os were asked for and (0\.[5-9]|1\.0) were achieved", said), said


def test_memory_has_no_device_and_measures_the_program(
    inside: Run, memory: Callable[[str], Path], iobench: Iobench
) -> None:
    options = ("--block-size", "512", "--engine", "psync", "--loads", "1", "--buffered")
    target = f"ram={memory('size=100M')}"
    for attempt in range(3):  # other work on the machine takes the processor that is to be used up here
        said = inside("run", "rand", *READ, *options, *SMALL, *SHORT, "-t", target)
        assert said.code == 0, said.err
        if "client-bound" in _only(iobench) or attempt == 2:
            break
        assert inside("rm", iobench.folder().id, "--yes").code == 0
    assert _only(iobench) == {"no-device", "client-bound", "small-working-set", "too-short"}
    assert "is on tmpfs: it is in memory" in said.out
    explained = inside("explain", "latest", "1").out
    assert "cores with 1 thread(s): it measured itself" in explained
    assert re.search(r"device bytes read +not known", explained) is not None, explained


def test_zeros_are_compressible(inside: Run, anywhere: Drive, iobench: Iobench) -> None:
    said = inside("run", "dd", *WRITE, "--source", "zero", *SMALL, *ONCE, "-t", f"one={anywhere.path}", "-q")
    assert said.code == 0, said.err
    assert {"compressible", "too-short"} <= _only(iobench)


def test_another_writer_on_the_same_drive_is_seen(inside: Run, drive: Drive, iobench: Iobench) -> None:
    # Slow work of our own (one 4 KiB read at a time), so that the other's 40 MB/s stand out.
    with _writer(drive.path):
        said = inside("run", "rand", *READ, "--loads", "1", *SMALL, *SHORT, "-t", f"one={drive.path}", "-q")
    assert said.code == 0, said.err
    assert "background-io" in _only(iobench)
    (evidence,) = rows(iobench.folder().read("evidence"))
    assert evidence["background_bytes"] > 1e6
    assert "that were not ours moved on the same drive" in inside("explain", "latest", "1").out


@contextmanager
def _writer(folder: Path) -> Iterator[None]:
    file = folder / "others-file"
    argv = ["fio", "--name=other", f"--filename={file}", "--rw=write", "--bs=256k", "--size=64M", "--direct=1"]
    argv += ["--ioengine=psync", "--time_based", "--runtime=60", "--rate=40M", "--fallocate=none", "--thread"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: file.exists() and file.stat().st_size > 1 << 20)
        yield
    finally:
        process.kill()
        process.wait()
        file.unlink(missing_ok=True)
