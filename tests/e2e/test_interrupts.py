"""Stopped and killed in mid-step: nothing finished is lost or run twice, and nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from promptness import Promptness
from running import Drive, Iobench, Result, finish, journal, programs, wait_for

from iobench.results import CampaignFolder

LONG = ("run", "rand", "--ops", "read", "--loads", "1,2,4", "--duration", "500ms", "--ramp", "0", "--repeats", "1")
Run = Callable[..., Result]
STEPS = ["0001-r1-rand-read-1-one", "0002-r1-rand-read-2-one", "0003-r1-rand-read-4-one"]


def _start(iobench: Iobench, drive: Drive, *more: str) -> tuple[subprocess.Popen[str], CampaignFolder]:
    process = iobench.start(*LONG, "--size", "32Mi", "-t", f"one={drive.path}", *more)
    return process, iobench.folder_soon()


def _whole(iobench: Iobench, drive: Drive, before: set[str]) -> None:
    """Every step is there, what was finished was not run again, and nothing is left."""
    folder = iobench.folder()
    assert folder.finished() == set(STEPS)
    started = Counter(step for event, step in journal(folder) if event == "started")
    finished = Counter(step for event, step in journal(folder) if event == "finished")
    assert all(started[step] == 1 for step in before)
    assert set(finished.values()) == {1}
    assert folder.read("samples").num_rows > 0
    assert programs(iobench.results) == [] and drive.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_in_mid_step_keeps_what_is_done(
    number: signal.Signals, iobench: Iobench, inside: Run, anywhere: Drive
) -> None:
    process, folder = _start(iobench, anywhere, "--json")
    wait_for(lambda: ("started", STEPS[1]) in journal(folder) and programs(iobench.results))
    asked = Promptness()
    process.send_signal(number)
    said = finish(process)
    assert asked.within(2.0)
    assert said.code == 130 and said.out == ""
    assert f"1 of 3 steps are kept; `iobench resume {folder.id}` goes on" in said.err
    assert programs(iobench.results) == [] and anywhere.leftovers() == []
    assert folder.finished() == {STEPS[0]}
    assert journal(folder)[-1] == ("interrupted", "")
    (listed,) = inside("list", "--json").json["campaigns"]
    assert (listed["status"], listed["finished"], listed["steps"]) == ("interrupted", 1, 3)
    again = inside("resume", folder.id)
    assert again.code == 0, again.err
    assert "1 of 3 steps are kept, 2 are left" in again.out
    _whole(iobench, anywhere, {STEPS[0]})


def test_a_signal_while_the_file_is_laid_out(iobench: Iobench, drive: Drive) -> None:
    # 256 MiB: long enough to be met in the middle.
    process = iobench.start("run", "seq", "--size", "256Mi", "--repeats", "1", "-t", f"one={drive.path}")
    wait_for(lambda: programs(iobench.results))
    process.send_signal(signal.SIGTERM)
    said = finish(process)
    assert said.code == 130
    assert "0 of 2 steps are kept" in said.err
    assert programs(iobench.results) == [] and drive.leftovers() == []


def _laying_out(folder: CampaignFolder, results: Path) -> object:
    return programs(results)


def _in_a_step(folder: CampaignFolder, results: Path) -> object:
    return ("started", STEPS[1]) in journal(folder) and programs(results)


def _just_saved(folder: CampaignFolder, results: Path) -> object:
    return STEPS[0] in folder.finished()


@pytest.mark.parametrize("moment", [_laying_out, _in_a_step, _just_saved])
def test_a_killed_iobench_loses_nothing_that_was_finished(
    moment: Callable[[CampaignFolder, Path], object], iobench: Iobench, inside: Run, anywhere: Drive
) -> None:
    process, folder = _start(iobench, anywhere)
    wait_for(lambda: moment(folder, iobench.results))
    process.kill()
    finish(process)
    kept = folder.finished()
    assert len(anywhere.leftovers()) == 1  # nobody could remove it
    said = inside("resume")
    assert said.code == 0, said.err
    assert f"{len(kept)} of 3 steps are kept" in said.out
    _whole(iobench, anywhere, kept)


def test_what_a_killed_iobench_left_running_is_ended_before_the_next_step(iobench: Iobench, anywhere: Drive) -> None:
    process, folder = _start(iobench, anywhere, "--duration", "20s")
    wait_for(lambda: ("started", STEPS[0]) in journal(folder) and programs(iobench.results))
    (orphan,) = programs(iobench.results)
    process.kill()
    finish(process)
    assert Path(f"/proc/{orphan}").exists()
    second = iobench.start("resume", folder.id)
    try:
        wait_for(lambda: journal(folder).count(("started", STEPS[0])) == 2 and programs(iobench.results))
        assert orphan not in programs(iobench.results)
        assert len(anywhere.leftovers()) == 1
    finally:
        second.send_signal(signal.SIGINT)
        said = finish(second)
    assert said.code == 130
    assert anywhere.leftovers() == [] and programs(iobench.results) == []


def test_clean_removes_what_a_killed_iobench_left(iobench: Iobench, inside: Run, anywhere: Drive) -> None:
    process, folder = _start(iobench, anywhere, "--duration", "20s")
    wait_for(lambda: journal(folder) and programs(iobench.results))
    foreign = anywhere.path / ".iobench-mine"
    foreign.mkdir()
    try:
        (foreign / "data").write_text("not iobench's: it carries no marker")
        running = inside("clean")
        assert running.code == 0 and programs(iobench.results) != []  # it is in use
        assert str(anywhere.path) not in running.out
        process.kill()
        finish(process)
        said = inside("clean")
        assert said.code == 0, said.err
        assert f"removed {anywhere.path}/.iobench-{folder.id}-1" in said.out and "ended 1 program" in said.out
        assert programs(iobench.results) == [] and anywhere.leftovers() == [".iobench-mine"]
        assert (foreign / "data").read_text().startswith("not iobench's")
    finally:
        (foreign / "data").unlink(missing_ok=True)
        foreign.rmdir()


def test_a_tool_that_is_killed_costs_its_step_only(iobench: Iobench, inside: Run, anywhere: Drive) -> None:
    process, folder = _start(iobench, anywhere)
    wait_for(lambda: ("started", STEPS[1]) in journal(folder) and programs(iobench.results))
    (fio,) = programs(iobench.results)
    os.kill(fio, signal.SIGKILL)
    said = finish(process)
    assert said.code == 4
    assert f"step {STEPS[1]} gave no number" in said.err and str(folder.raw(STEPS[1])) in said.err
    assert folder.finished() == {STEPS[0], STEPS[2]}
    assert ("failed", STEPS[1]) in journal(folder)
    assert f"{STEPS[1]} has no number" in inside("explain", "latest", "2").out
    assert inside("list", "--json").json["campaigns"][0]["status"] == "failed"
    assert inside("resume").code == 0
    assert folder.finished() == set(STEPS)


def test_a_campaign_that_is_done_is_shown_and_not_run_again(iobench: Iobench, inside: Run, anywhere: Drive) -> None:
    once = ("run", "dd", "--ops", "write", "--size", "4Mi", "--repeats", "1", "-t", f"one={anywhere.path}")
    assert inside(*once).code == 0
    before = journal(iobench.folder())
    said = inside("resume")
    assert said.code == 0 and "1 of 1 steps are kept, 0 are left" in said.out
    assert journal(iobench.folder())[len(before) :] == [("began", ""), ("ended", "")]
