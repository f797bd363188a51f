"""The program that a step runs is killed, or hangs, for each such program: the step alone is lost, all else goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from running import ONCE, SHORT, Drive, Iobench, Result, journal

from iobench import proc
from iobench.tools import mariadb

Run = Callable[..., Result]
SERVED = ("--duration", "1s", "--ramp", "0", *ONCE)
# Three steps each: options, what else it needs, and the name of the program that measures.
WORKLOADS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "rand": (("--ops", "read", "--loads", "1,2,4", "--size", "8Mi", *SHORT), (), "fio"),
    "dd": (("--ops", "read", "--size", "8Mi", "--repeats", "3"), (), "dd"),
    "dbench": (("--clients", "1,2,3", "--duration", "1s", *ONCE), (), "dbench"),
    "kvs": (("--loads", "1,2,3", "--size", "4Mi", *SERVED), ("memcached",), "python"),
    "oltp": (("--threads", "1,2,3", "--tables", "1", "--size", "8Mi", *SERVED), (mariadb.daemon(),), "sysbench"),
}
STRIKES = {"0001-": signal.SIGKILL, "0002-": signal.SIGSTOP}


def _strike(out: object) -> signal.Signals | None:
    """What befalls the program that writes its standard output there."""
    path = Path(f"/proc/self/fd/{out}").readlink() if isinstance(out, int) and out >= 0 else Path(str(out))
    return STRIKES.get(path.parent.name[:5]) if path.name == "stdout" else None


@pytest.mark.slow
@pytest.mark.parametrize("workload", list(WORKLOADS))
def test_a_program_that_is_killed_and_one_that_hangs_cost_their_steps(
    workload: str, inside: Run, iobench: Iobench, anywhere: Drive, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first step it is killed as soon as it has been started, of the second it is stopped."""
    options, needs, program = WORKLOADS[workload]
    if lacking := [name for name in (program, *needs) if name != "python" and proc.find(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    popen, watch = proc._popen, proc.watch
    struck: list[int] = []

    def strike(argv: Any, out: Any, *rest: Any, **named: Any) -> Any:
        process = popen(argv, out, *rest, **named)
        if (number := _strike(out)) is not None:
            os.kill(process.pid, number)
            struck.append(process.pid)
        return process

    def watched(argv: Any, *, timeout_s: float, stdout: Path, **named: Any) -> proc.Ended:
        """With a time limit that a test can wait for, where it hangs."""
        return watch(argv, timeout_s=1.5 if _strike(stdout) == signal.SIGSTOP else timeout_s, stdout=stdout, **named)

    monkeypatch.setattr(proc, "_popen", strike)
    monkeypatch.setattr(proc, "watch", watched)
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
