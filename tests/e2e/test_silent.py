"""A target that stops answering in mid-step: a file system whose server hangs, a drive that finishes nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from failing import Failing
from running import ONCE, Drive, Iobench, Result, journal, programs, wait_for

from iobench import proc
from iobench.campaign import silence
from iobench.drives import asking

Run = Callable[..., Result]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder that a program of ours serves (bindfs), and that program's number."""
    if proc.find("bindfs") is None or os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("needs bindfs, and root")
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    process = subprocess.Popen(["bindfs", "-f", str(there), str(here)], stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(subprocess.run, ["umount", "--lazy", str(here)], check=False)
        stack.callback(lambda: process.poll() is None and process.send_signal(signal.SIGCONT))
        wait_for(lambda: here.is_mount() or process.poll() is not None)
        if process.poll() is not None:
            pytest.skip("needs the right to mount with FUSE")
        yield here, process.pid


def _strike_when_it_runs(monkeypatch: pytest.MonkeyPatch, step: str, pid: int) -> None:
    """Stop a process as soon as a program of that step has been started."""
    watch = proc.watch

    def watched(argv: Any, *, stdout: Path, tick: Callable[[], None], **named: Any) -> proc.Ended:
        def struck() -> None:
            if stdout.parent.name.startswith(step):
                os.kill(pid, signal.SIGSTOP)
            tick()

        return watch(argv, stdout=stdout, tick=struck, **named)

    monkeypatch.setattr(proc, "watch", watched)


TWO = ("run", "rand", "--loads", "1", "--duration", "1s", "--ramp", "0", "--size", "8Mi", "-q")


@pytest.mark.slow
def test_a_file_system_that_stops_answering_costs_its_own_steps_and_is_named(
    inside: Run, iobench: Iobench, anywhere: Drive, served: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network drive whose server hangs: fio cannot even be killed until it answers again."""
    here, pid = served
    monkeypatch.setattr(silence, "FILES_S", 3.0)
    monkeypatch.setattr(silence, "ASK_EVERY_S", 0.5)
    monkeypatch.setattr(silence, "_AGAIN_S", 0.2)
    _strike_when_it_runs(monkeypatch, "0001-", pid)
    targets = ("-t", f"hung={here}", "-t", f"sound={anywhere.path}")
    said = inside(*TWO, "--ops", "write", "--repeats", "2", *targets)
    assert said.code == 4 and "Traceback" not in said.err, said.err
    folder = iobench.folder()
    first, *_ = [step.id for step in folder.campaign().steps]
    assert first.endswith("-hung")
    (told,) = [line for line in said.err.splitlines() if f"step {first} gave no number: " in line]
    assert re.search(r"target hung: its file system \(fuse\S* from \S+\) has not answered for \d s, so", told), told
    assert f"on hung, which does not answer: {here}/.iobench-" in said.err
    finished = {step.target for step in folder.campaign().steps if step.id in folder.finished()}
    assert finished == {"sound"} and len(folder.finished()) == 2
    assert [event for event, _ in journal(folder)].count("failed") == 2
    assert folder.command(first)["ended_by_iobench"] == "given up"
    monkeypatch.setattr(asking, "ANSWER_S", 1.0)
    for again in (("run", "dd", "--size", "1Mi", "-t", f"hung={here}"), ("resume", folder.id)):
        said = inside(*again)
        assert said.code == 3 and f"{here} has not answered for 1 s: what serves it, or the drive, hangs" in said.err
    assert f"{here} does not answer and was not looked at" in inside("clean").out
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: programs(iobench.results) == [])  # the one that could not be killed
    (left,) = [entry.name for entry in here.iterdir()]
    assert left.startswith(".iobench-")  # whose owner, this very process, still runs: `clean` lets it be


@pytest.mark.slow
def test_a_drive_that_finishes_nothing_costs_its_own_steps_and_is_named(
    inside: Run, iobench: Iobench, anywhere: Drive, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "DRIVE_S", 4.0)
    monkeypatch.setattr(silence, "LEAVING_S", 2.0)
    monkeypatch.setattr(silence, "_AGAIN_S", 0.2)
    _strike_when_it_runs(monkeypatch, "0001-", failing.server)
    targets = ("-t", f"hung={failing.drive.path}", "-t", f"sound={anywhere.path}")
    said = inside(*TWO, "--ops", "read", *ONCE, *targets)
    os.kill(failing.server, signal.SIGCONT)
    assert said.code == 4 and "Traceback" not in said.err, said.err
    what = rf"target hung: the drive {failing.drive.name} has \d+ requests and has finished none for \d s, so"
    assert re.search(what, said.err), said.err
    folder = iobench.folder()
    finished = {step.target for step in folder.campaign().steps if step.id in folder.finished()}
    assert finished == {"sound"}
