"""The terminal goes while a campaign runs: it ends in order, or goes on where it was told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from promptness import Promptness
from running import ONCE, Drive, Iobench, Result, finish, journal, programs, wait_for

Run = Callable[..., Result]
TOOL = (sys.executable, "-m", "iobench.cli.main")
# Longer than what comes after the terminal has gone, so that the campaign is still in its step.
RUN = ("run", "rand", "--ops", "read", "--loads", "1", "--ramp", "0", "--size", "16Mi", "--duration", "1500ms", *ONCE)


class Terminal:
    """A terminal that a program was started on, and that can be closed."""

    def __init__(self, iobench: Iobench, *argv: str, controlling: bool) -> None:
        self.master, slave = os.openpty()
        self.process = subprocess.Popen(
            [*(("setsid", "--ctty") if controlling else ()), *TOOL, *argv],
            cwd=iobench.home,
            env={**iobench.environment, "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=not controlling,
        )
        os.close(slave)
        os.set_blocking(self.master, False)

    def read(self) -> None:
        """Take what was written: a terminal that nobody reads holds the writer up."""
        with suppress(BlockingIOError):
            os.read(self.master, 1 << 16)

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def terminal(iobench: Iobench) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def make(*argv: str, controlling: bool) -> Terminal:
        made.append(Terminal(iobench, *argv, controlling=controlling))
        return made[-1]

    yield make
    for each in made:
        each.close()
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGINT)
            each.process.wait(60)


def _in_the_first_step(iobench: Iobench, on: Terminal) -> None:
    def begun() -> object:
        on.read()
        assert on.process.poll() is None
        found = list(iobench.results.glob("2*/journal.jsonl"))
        return found and '"started"' in found[0].read_text() and programs(iobench.results)

    wait_for(begun)


@pytest.mark.parametrize("controlling", [True, False], ids=["its own", "another session's"])
def test_a_terminal_that_is_closed_ends_it_in_order(
    controlling: bool, iobench: Iobench, inside: Run, anywhere: Drive, terminal: Callable[..., Terminal]
) -> None:
    on = terminal(*RUN, "-t", f"one={anywhere.path}", controlling=controlling)
    _in_the_first_step(iobench, on)
    closed = Promptness()
    on.close()
    assert on.process.wait(30) == 130
    # Without a signal it learns of it when it writes next, at most half a second later.
    assert closed.within(2.5)
    assert programs(iobench.results) == [] and anywhere.leftovers() == []
    folder = iobench.folder()
    assert journal(folder)[-1] == ("interrupted", "")
    assert inside("resume", "-q").code in (0, 1)
    assert len(folder.finished()) == 1


def test_with_a_log_file_it_goes_on_without_its_terminal(
    iobench: Iobench, anywhere: Drive, terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    on = terminal(*RUN, "--log-file", str(log), "-t", f"one={anywhere.path}", controlling=True)
    _in_the_first_step(iobench, on)
    on.close()
    assert on.process.wait(60) in (0, 1)
    folder = iobench.folder()
    assert len(folder.finished()) == 1 and journal(folder)[-1] == ("ended", "")
    assert "1/1 rand-read 1 on one" in log.read_text()
    assert anywhere.leftovers() == []


def test_with_nohup_it_goes_on(iobench: Iobench, anywhere: Drive) -> None:
    process = subprocess.Popen(
        ["nohup", *TOOL, *RUN, "-t", f"one={anywhere.path}"],
        cwd=iobench.home,
        env=iobench.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: programs(iobench.results))
    process.send_signal(signal.SIGHUP)
    said = finish(process)
    assert said.code in (0, 1), said.err
    assert len(iobench.folder().finished()) == 1 and "took" in said.out


def test_a_signal_before_the_first_step_leaves_nothing(iobench: Iobench, anywhere: Drive) -> None:
    """The speed of the drive is probed before the campaign has begun, with a folder of its own."""
    process = iobench.start(*RUN, "-t", f"one={anywhere.path}")
    wait_for(lambda: anywhere.leftovers() or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    said = finish(process)
    assert said.code == 130, said.err
    assert "Traceback" not in said.err and said.err.strip()
    assert anywhere.leftovers() == [] and programs(iobench.results) == []


def test_closed_streams_do_no_harm(iobench: Iobench, anywhere: Drive) -> None:
    """The next file that is opened would get the number of one: a drive's, where errors are written to."""

    def close() -> None:
        for fd in range(3):
            os.close(fd)

    argv = ("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"one={anywhere.path}")
    for words in (argv, ("list",), ("list", "--wrong")):
        process = subprocess.Popen([*TOOL, *words], cwd=iobench.home, env=iobench.environment, preexec_fn=close)
        assert process.wait(60) == (2 if "--wrong" in words else 0), words
    assert len(iobench.folder().finished()) == 1 and anywhere.leftovers() == []


def test_what_cannot_be_printed_or_logged_is_told(iobench: Iobench, inside: Run, anywhere: Drive) -> None:
    once = ("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"one={anywhere.path}")
    logged = inside(*once, "--log-file", "/dev/full")
    assert logged.code == 4, logged.err
    assert "the log file /dev/full cannot be written: No space left on device" in logged.err
    assert "should not have happened" not in logged.err and anywhere.leftovers() == []
    with Path("/dev/full").open("wb") as full:
        for words in (("list",), ("list", "--json")):
            argv = [*TOOL, *words]
            said = subprocess.run(
                argv, cwd=iobench.home, env=iobench.environment, stdout=full, stderr=subprocess.PIPE, check=False
            )
            assert said.returncode == 4
            assert said.stderr == b"iobench: the output cannot be written: No space left on device\n"
