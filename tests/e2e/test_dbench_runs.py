"""dbench on a real drive: its tree made and removed, its evidence, its failures, an interrupt."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import Drive, Iobench, Result, finish, programs, reasons, rows, wait_for

from iobench import proc
from iobench.servers import nfs

ONE = ("--repeats", "1", "--duration", "1s")


@pytest.fixture(autouse=True)
def _needs_dbench() -> None:
    if proc.find("dbench") is None:
        pytest.skip("needs dbench")


@pytest.fixture
def small(block_device: Drive) -> Iterator[Drive]:
    """A drive of 64 MiB with a file system."""
    subprocess.run(["mkfs.ext4", "-q", "-F", str(block_device.device)], check=True)
    subprocess.run(["mount", str(block_device.device), str(block_device.path)], check=True)
    yield block_device
    assert block_device.leftovers() == []


@pytest.mark.slow
def test_its_figures_evidence_and_operations_are_kept(
    inside: Callable[..., Result], iobench: Iobench, drive: Drive
) -> None:
    ran = inside("run", "dbench", "-t", f"one={drive.path}", "--clients", "1,2", *ONE, "--json")
    assert ran.code == 0, ran.err
    folder = iobench.folder()
    samples = {(r["load"], r["op"], r["metric"]): r["value"] for r in rows(folder.read("samples"))}
    for clients in (1, 2):
        assert samples[clients, "all", "throughput"] > 1e5
        assert samples[clients, "all", "latency_max"] >= samples[clients, "all", "latency_mean"] > 0
    evidence = rows(folder.read("evidence"))
    for row in evidence:
        operations = {o["op"]: o for o in folder.operations(row["step"])}
        assert operations["Flush"]["count"] > 0 and operations["Flush"]["latency_max"] > 0
        # Most of it is memory's, and the flushes reach the drive.
        assert row["tool_bytes_written"] is None and row["device_bytes_written"] > 4096 * operations["Flush"]["count"]
        assert row["device_name"] == drive.name
    assert {"page-cache", "errors", "no-device"} & set().union(*reasons(folder).values()) == set()
    assert {row["metric"] for row in rows(folder.read("series"))} >= {"throughput", "device_written_throughput"}
    explained = inside("explain", "latest", "1")
    assert "NTCreateX" in explained.out and "OPERATION" in explained.out
    assert not drive.leftovers()


def test_a_drive_that_is_too_small_is_refused_with_the_remedy(
    inside: Callable[..., Result], memory: Callable[[str], Path]
) -> None:
    folder = memory("size=100m")
    ran = inside("run", "dbench", "-t", f"one={folder}", "--clients", "1,64", *ONE)
    assert ran.code == 3
    assert "give fewer --clients (each takes 26 MB)" in ran.err


def test_a_drive_that_fills_up_is_told_and_left_empty(
    inside: Callable[..., Result], tmp_path: Path, small: Drive
) -> None:
    made = ["Deltree", "Mkdir", "NTCreateX"], ['"\\clients\\client1"', '"\\clients"', '"\\clients\\client1" 0x1 0x2 1']
    lines = [f"{op} {rest} NT_STATUS_OK" for op, rest in zip(*made, strict=True)]
    lines += ["Close 1 NT_STATUS_OK", 'NTCreateX "\\clients\\client1\\big" 0x40 0x2 2 NT_STATUS_OK']
    lines += [f"WriteX 2 {n * 65536} 65536 65536 NT_STATUS_OK" for n in range(2000)]  # 131 MB
    load = tmp_path / "large.load"
    load.write_text("\n".join(lines) + "\n")
    ran = inside("run", "dbench", "-t", f"one={small.path}", "--clients", "1", "--load-file", str(load), *ONE)
    assert ran.code == 4, ran.err
    assert "No space left on device" in ran.err and "exit code 1" in ran.err


def test_a_block_device_is_refused(inside: Callable[..., Result], block_device: Drive) -> None:
    ran = inside("run", "dbench", "-t", f"one={block_device.device}", *ONE)
    assert ran.code == 2 and "is a block device, and dbench needs a file system" in ran.err


@pytest.mark.slow
def test_an_interrupt_takes_the_clients_and_their_files_along_and_can_be_resumed(
    iobench: Iobench, drive: Drive
) -> None:
    process = iobench.start(
        "run", "dbench", "-t", f"one={drive.path}", "--clients", "3", "--repeats", "2", "--duration", "1s"
    )
    wait_for(lambda: any(path.name == "clients" for path in drive.path.glob(".iobench-*/dbench/*")))
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130, ended.err
    assert programs(drive.path, "dbench") == [] and drive.leftovers() == []
    resumed = iobench("resume", "latest", "--json")
    assert resumed.code == 0, resumed.err
    assert len(iobench.folder().finished()) == 2


def test_a_dbench_that_is_killed_gives_no_figure_and_leaves_nothing(iobench: Iobench, drive: Drive) -> None:
    process = iobench.start(
        "run", "dbench", "-t", f"one={drive.path}", "--clients", "2", "--repeats", "1", "--duration", "5s"
    )
    wait_for(lambda: any(path.name == "clients" for path in drive.path.glob(".iobench-*/dbench/*")))
    raw = iobench.folder().path / "raw"
    wait_for(lambda: any("releasing" in path.read_text() for path in raw.glob("*/stdout")))
    children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    named = []
    for pid in children:
        with contextlib.suppress(OSError):  # one that asked the drive for an answer has ended meanwhile
            named += [pid] * (Path(f"/proc/{pid}/comm").read_text().strip() == "dbench")
    assert named
    for pid in named:
        os.kill(pid, signal.SIGKILL)
    ended = finish(process)
    assert ended.code == 4, ended.err
    assert "has no result of dbench at its end" in ended.err and "exit code -9" in ended.err
    assert drive.leftovers() == []


def test_outputs_that_exist_are_imported(inside: Callable[..., Result], iobench: Iobench) -> None:
    fixtures = Path(__file__).parent.parent / "fixtures"
    files = [f"old={fixtures / 'dbench-4.00/clients-4.txt'}", f"new={fixtures / 'dbench-5.0/machine-readable.txt'}"]
    ran = inside("import", *files, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["measurements"] == 2
    found = {r["target"]: r for r in rows(iobench.folder().read("samples")) if r["metric"] == "throughput"}
    assert found["old"]["value"] == pytest.approx(482.64e6) and found["old"]["load"] == 4
    assert found["new"]["reasons"] == ["no-device"] and found["new"]["tool"] == "dbench 5.0.0"


def test_over_nfs_where_nothing_speaks_it_is_told_with_the_remedy(inside: Callable[..., Result], drive: Drive) -> None:
    if nfs.kernel_client():
        pytest.skip("the kernel speaks NFS")
    ran = inside("run", "dbench", "--nfs", "-t", f"one={drive.path}", "--clients", "1", *ONE)
    assert ran.code == 3
    assert "nothing here speaks NFS" in ran.err and "--dbench PATH" in ran.err
