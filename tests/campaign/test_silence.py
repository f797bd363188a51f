"""Which drive is called silent: one that has requests and finishes none, and no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from iobench import proc
from iobench.campaign import silence
from iobench.campaign.silence import Silence, TargetSilent
from iobench.drives import asking
from iobench.drives.counters import Counters
from iobench.errors import ToolError
from iobench.model import Device, Passport, Target

HERE = Passport(Target("one", "/dev/sdz", "block"), Device("sdz", 8, 0))


class Drive:
    """The counters of a drive."""

    def __init__(self) -> None:
        self.now = Counters(0.0, 0, 0, 0.0)
        self.gone = False

    def read(self) -> Counters:
        if self.gone:
            raise ToolError("the device 8:0 went away")
        return self.now

    def set(self, finished: int, in_flight: int) -> None:
        self.now = dataclasses.replace(self.now, finished=finished, in_flight=in_flight)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now[0]

        @staticmethod
        def sleep(seconds: float) -> None:
            now[0] += seconds

    monkeypatch.setattr(asking, "time", Time)
    monkeypatch.setattr(silence, "time", Time)
    return now


@pytest.fixture
def watched(clock: list[float]) -> tuple[Silence, Drive]:
    found, drive = Silence(HERE), Drive()
    found.count(drive)  # type: ignore[arg-type]
    return found, drive


def _for(seconds: float, found: Silence, clock: list[float]) -> None:
    end = clock[0] + seconds
    while clock[0] < end:
        clock[0] += 0.5
        found.look()


def test_a_drive_that_finishes_nothing_of_what_it_has_is_silent_after_a_minute(
    watched: tuple[Silence, Drive], clock: list[float]
) -> None:
    found, drive = watched
    drive.set(finished=7, in_flight=3)
    _for(59, found, clock)
    with pytest.raises(TargetSilent, match=r"the drive sdz has 3 requests and has finished none for 6\d s"):
        _for(3, found, clock)
    with pytest.raises(TargetSilent):
        found.expect(proc.Stop())
    assert found.gone()
    drive.set(finished=8, in_flight=3)
    found.expect(proc.Stop())


def test_a_slow_drive_an_idle_one_and_one_that_is_gone_are_not_silent(
    watched: tuple[Silence, Drive], clock: list[float]
) -> None:
    found, drive = watched
    for number in range(20):  # one request in 50 s
        drive.set(finished=number, in_flight=32)
        _for(50, found, clock)
    drive.set(finished=20, in_flight=0)
    _for(3600, found, clock)
    assert not found.gone()
    drive.gone = True
    assert not found.gone()


def test_a_request_that_the_kernel_counts_for_ever_is_none(clock: list[float]) -> None:
    """As with some versions of its RAID: a drive that is idle, and left, has one."""
    found, drive = Silence(HERE), Drive()
    drive.set(finished=7, in_flight=1)
    found.count(drive)  # type: ignore[arg-type]
    _for(3600, found, clock)
    assert not found.gone()
    drive.set(finished=7, in_flight=2)
    with pytest.raises(TargetSilent):
        _for(62, found, clock)


def test_time_in_which_iobench_did_not_run_is_no_silence(watched: tuple[Silence, Drive], clock: list[float]) -> None:
    found, drive = watched
    drive.set(finished=7, in_flight=3)
    found.look()
    for _ in range(20):
        clock[0] += 3600
        found.look()


def test_a_file_system_that_does_not_answer_is_silent_after_forty_seconds(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "room", lambda _: ("sleep", "1000"))
    found = Silence(Passport(Target("one", str(tmp_path)), None, filesystem="nfs4"))
    _for(39, found, clock)
    with pytest.raises(TargetSilent, match=r"target one: its file system \(nfs4 from .*\) has not answered for 4\d s"):
        _for(3, found, clock)
    assert found.gone()
    found.close()


def test_a_file_system_that_answers_tells_its_room(tmp_path: Path) -> None:
    found = Silence(Passport(Target("one", str(tmp_path)), None))
    assert found.room is None
    found.expect(proc.Stop())
    assert found.room is not None and 0 <= found.room[0] <= found.room[1]
    assert not found.gone()
    found.close()
    gone = Silence(Passport(Target("one", str(tmp_path / "nowhere")), None))
    gone.expect(proc.Stop())  # an error is an answer
    assert gone.room is None
    gone.close()
