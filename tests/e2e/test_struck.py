"""The program that a step runs is killed, or hangs, for each such program: the step alone is lost, all else goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from running import ONCE, SHORT, Drive, Iobench, Result, journal, programs

from iobench import proc
from iobench.tools import mariadb

Run = Callable[..., Result]
SERVED = ("--duration", "1s", "--ramp", "0", *ONCE)
# Three steps each: options, what else it needs, and the name of the program that measures.
WORKLOADS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "rand": (("--ops", "read", "--loads", "1,2,4", "--size", "8Mi", *SHORT), (), "fio"),
    "seq": (("--ops", "read", "--size", "8Mi", *SHORT[:4], "--repeats", "3"), (), "fio"),
    "verify": (("--size", "8Mi", "--repeats", "3"), (), "fio"),
    "dd": (("--ops", "read", "--size", "8Mi", "--repeats", "3"), (), "dd"),
    "dbench": (("--clients", "1,2,3", "--duration", "1s", *ONCE), (), "dbench"),
    "kvs": (("--loads", "1,2,3", "--size", "4Mi", *SERVED), ("memcached",), "python"),
    "oltp": (("--threads", "1,2,3", "--tables", "1", "--size", "8Mi", *SERVED), (mariadb.daemon(),), "sysbench"),
}
# Its rounds are asked for as it goes, and none without a preparation.
STEADY = ("--size", "8Mi", "--passes", "1", "--duration", "300ms")
STRIKES = {"0001-": signal.SIGKILL, "0002-": signal.SIGSTOP}


def _strike(out: object, strikes: Mapping[str, signal.Signals]) -> signal.Signals | None:
    """What befalls the program that writes its standard output there."""
    path = Path(f"/proc/self/fd/{out}").readlink() if isinstance(out, int) and out >= 0 else Path(str(out))
    return strikes.get(path.parent.name[:5]) if path.name == "stdout" else None


def _struck(monkeypatch: pytest.MonkeyPatch, strikes: Mapping[str, signal.Signals]) -> list[int]:
    """Let programs of steps be struck as soon as they are started; return the numbers of those that were."""
    popen, watch = proc._popen, proc.watch
    struck: list[int] = []

    def strike(argv: Any, out: Any, *rest: Any, **named: Any) -> Any:
        process = popen(argv, out, *rest, **named)
        if (number := _strike(out, strikes)) is not None:
            os.kill(process.pid, number)
            struck.append(process.pid)
        return process

    def watched(argv: Any, *, timeout_s: float, stdout: Path, **named: Any) -> proc.Ended:
        """With a time limit that a test can wait for, where it hangs."""
        hangs = _strike(stdout, strikes) == signal.SIGSTOP
        return watch(argv, timeout_s=1.5 if hangs else timeout_s, stdout=stdout, **named)

    monkeypatch.setattr(proc, "_popen", strike)
    monkeypatch.setattr(proc, "watch", watched)
    return struck


@pytest.mark.slow
@pytest.mark.parametrize("workload", list(WORKLOADS))
def test_a_program_that_is_killed_and_one_that_hangs_cost_their_steps(
    workload: str, inside: Run, iobench: Iobench, anywhere: Drive, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first step it is killed as soon as it has been started, of the second it is stopped."""
    options, needs, program = WORKLOADS[workload]
    if lacking := [name for name in (program, *needs) if name != "python" and proc.find(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    struck = _struck(monkeypatch, STRIKES)
    said = inside("run", workload, *options, "-t", f"one={anywhere.path}", "-q")
    assert said.code == 4 and "Traceback" not in said.err, said.err
    folder = iobench.folder()
    killed, hung, sound = (step.id for step in folder.campaign().steps)
    told = {line.split()[2]: line for line in said.err.splitlines() if " gave no number: " in line}
    assert set(told) == {killed, hung}
    assert "did not end within" in told[hung] and "and was stopped" in told[hung]
    for step in (killed, hung):
        assert str(folder.raw(step)) in told[step]
        assert folder.command(step)["argv"], "what was run is kept, with what it said"
        assert (folder.raw(step) / "stdout").is_file() and (folder.raw(step) / "stderr").is_file()
    assert len(struck) == 2 and not any(Path(f"/proc/{pid}").exists() for pid in struck)
    assert folder.finished() == {sound} and journal(folder)[-1] == ("ended", "")
    assert {step for event, step in journal(folder) if event == "failed"} == {killed, hung}
    assert anywhere.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_preparation_that_is_struck_leaves_no_round_to_measure(
    number: signal.Signals, inside: Run, iobench: Iobench, anywhere: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds on a drive as it was found would be steady, and say nothing of a drive in use."""
    _struck(monkeypatch, {"0001-": number})
    said = inside("run", "steady", *STEADY, "-t", f"one={anywhere.path}", "-q")
    assert said.code == 4 and "Traceback" not in said.err, said.err
    folder = iobench.folder()
    prepared, *rounds = (step.id for step in folder.campaign().steps)
    assert folder.finished() == set() and len(rounds) == 1
    assert f"target one was not prepared, as step {prepared} gave no number" in said.err
    assert anywhere.leftovers() == []
    monkeypatch.undo()


def test_a_round_that_is_struck_ends_the_rounds_of_its_drive(
    inside: Run, iobench: Iobench, anywhere: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    _struck(monkeypatch, {"0003-": signal.SIGKILL})
    said = inside("run", "steady", *STEADY, "-t", f"one={anywhere.path}", "-q")
    assert said.code == 4 and "Traceback" not in said.err, said.err
    folder = iobench.folder()
    ids = [step.id for step in folder.campaign().steps]
    assert len(ids) == 3 and folder.finished() == set(ids[:2])


def test_a_program_that_is_stopped_and_let_go_on_gives_no_number(
    inside: Run, iobench: Iobench, anywhere: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause would be in its rate, and nothing else would tell."""
    watch = proc.watch

    def watched(argv: Any, *, stdout: Path, tick: Any, **named: Any) -> proc.Ended:
        """As of its third tick fio is stopped for a second."""
        seen = [0]

        def struck() -> None:
            tick()
            seen[0] += 1
            for pid in programs(iobench.results) if seen[0] in (3, 13) else ():
                os.kill(pid, signal.SIGSTOP if seen[0] == 3 else signal.SIGCONT)

        struck_step = stdout.parent.name.startswith("0001-")
        return watch(argv, stdout=stdout, tick=struck if struck_step else tick, **named)

    monkeypatch.setattr(proc, "watch", watched)
    options = ("--ops", "read", "--loads", "1", "--size", "8Mi", "--duration", "2s", "--ramp", "0", *ONCE)
    said = inside("run", "rand", *options, "-t", f"one={anywhere.path}", "-q")
    assert said.code == 4, said.err
    assert "fio was stopped by somebody for " in said.err and "the pause would be in the number" in said.err
    assert iobench.folder().finished() == set() and anywhere.leftovers() == []
