"""Programs are started, watched, and ended whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from promptness import Promptness

from iobench import proc
from iobench.errors import CannotRunError, ToolError

HOSTILE = "a b;$(touch X)"


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def gone(pid_file: Path) -> bool:
    found = proc.identify(int(pid_file.read_text()))
    return found is None or not found.alive()


@pytest.fixture
def watch(tmp_path: Path) -> Callable[..., proc.Ended]:
    def watch(*argv: str, stop: proc.Stop | None = None, timeout_s: float = 20.0, **more: object) -> proc.Ended:
        return proc.watch(
            argv,
            stdout=tmp_path / "stdout",
            stderr=tmp_path / "stderr",
            timeout_s=timeout_s,
            stop=stop or proc.Stop(),
            cwd=str(tmp_path),
            **more,
        )

    return watch


@pytest.fixture
def cleaner() -> Iterator[Callable[[Path], None]]:
    """Ends, after the test, the processes whose pids are in files, should the code under test have failed to."""
    files: list[Path] = []
    yield files.append
    for file in files:
        if file.exists() and file.read_text().strip():
            left = proc.identify(int(file.read_text()))
            if left is not None:
                proc.end(left)


# --- short programs --------------------------------------------------------------------------------------


def test_capture_returns_what_was_said() -> None:
    done = proc.capture(("sh", "-c", "printf 'in '; echo out; echo err >&2; exit 3"), check=False)
    assert (done.exit_code, done.stdout, done.stderr) == (3, "in out\n", "err\n")


def test_capture_speaks_the_tools_own_language_and_closes_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    done = proc.capture(("sh", "-c", "cat; echo $LC_ALL $MORE"), env={"MORE": "more"})
    assert done.stdout == "C more\n"


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert proc.capture(("printf", r"\377\376x")).stdout.endswith("x")


def test_a_failure_tells_the_last_line_of_what_was_said() -> None:
    with pytest.raises(ToolError, match=r"^sh ended with exit code 7: the reason$"):
        proc.capture(("sh", "-c", "echo noise >&2; echo the reason >&2; exit 7"))
    with pytest.raises(ToolError, match="exit code 7: it said nothing"):
        proc.capture(("sh", "-c", "exit 7"))


def test_a_program_that_is_missing_is_told_with_what_to_do() -> None:
    with pytest.raises(CannotRunError, match=r"^no-such-program is not installed; `iobench doctor` shows"):
        proc.capture(("no-such-program",))


def test_a_program_that_cannot_be_executed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken-tool"
    broken.write_bytes(b"\x7fELF no program")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRunError, match=r"^broken-tool cannot be started: Exec format error"):
        proc.capture(("broken-tool",))


def test_capture_ends_the_whole_group_at_its_timeout(tmp_path: Path, cleaner: Callable[[Path], None]) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)
    began = Promptness()
    with pytest.raises(ToolError, match=r"^sh did not end within 0\.3 s and was stopped$"):
        proc.capture(("sh", "-c", f"sleep 60 & echo $! > {pid}; wait"), timeout_s=0.3)
    assert began.within(2)
    assert wait_for(lambda: gone(pid))


def test_capture_does_not_wait_for_who_left_the_group_with_the_pipe(
    tmp_path: Path, cleaner: Callable[[Path], None]
) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)
    began = Promptness()
    with pytest.raises(ToolError, match="did not end within"):
        proc.capture(("sh", "-c", f"setsid sh -c 'echo $$ > {pid}; exec sleep 8' & wait"), timeout_s=0.5)
    assert began.within(3)


def test_a_program_that_talks_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "_MOST_SAID", 1 << 20)
    for line in ("yes", "yes >&2"):
        with pytest.raises(ToolError, match=r"^sh said more than 1 MiB and was stopped$"):
            proc.capture(("sh", "-c", line))


@pytest.mark.root
def test_capture_does_not_wait_for_a_program_that_a_drive_keeps(tmp_path: Path) -> None:
    image, mount = tmp_path / "image", tmp_path / "mount"
    image.touch()
    os.truncate(image, 16 << 20)
    mount.mkdir()
    for argv in (("mkfs.ext4", "-q", str(image)), ("mount", "-o", "loop", str(image), str(mount))):
        if os.geteuid() != 0 or proc.capture(argv, check=False).exit_code != 0:
            pytest.skip("needs root and loop devices")
    frozen = proc.capture(("fsfreeze", "--freeze", str(mount)), check=False).exit_code == 0
    try:
        if not frozen:
            pytest.skip("needs fsfreeze")
        begin = time.monotonic()
        with pytest.raises(ToolError, match="did not end within"):
            proc.capture(("touch", str(mount / "file")), timeout_s=0.3)
        assert time.monotonic() - begin < 10, "KILL does not reach who waits for a frozen file system"
    finally:
        if frozen:
            proc.capture(("fsfreeze", "--unfreeze", str(mount)))
        proc.capture(("umount", str(mount)))


def test_nothing_of_an_argument_reaches_a_shell(tmp_path: Path, watch: Callable[..., proc.Ended]) -> None:
    done = proc.capture(("printf", "%s", HOSTILE), cwd=str(tmp_path))
    assert done.stdout == HOSTILE
    assert watch("printf", "%s", HOSTILE, "`touch X`", "$(touch X)", "|touch X").exit_code == 0
    assert (tmp_path / "stdout").read_text().startswith(HOSTILE)
    assert not (tmp_path / "X").exists()


# --- measured programs -----------------------------------------------------------------------------------


def test_watch_returns_how_it_ended_with_its_time(tmp_path: Path, watch: Callable[..., proc.Ended]) -> None:
    ticks: list[float] = []
    ended = watch("sh", "-c", "echo out; echo err >&2; sleep 0.45; exit 3", tick=lambda: ticks.append(time.monotonic()))
    assert (ended.exit_code, ended.reason) == (3, None)
    assert 0.45 <= ended.wall_s < 2
    assert 2 <= len(ticks) <= 5
    assert (tmp_path / "stdout").read_text() == "out\n"
    assert (tmp_path / "stderr").read_text() == "err\n"


def test_cpu_time_counts_children(watch: Callable[..., proc.Ended]) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    ended = watch("sh", "-c", '"$0" -c "$1"; true', sys.executable, burn)
    assert ended.cpu_s >= 0.3


def test_a_program_killed_by_others_has_a_negative_exit_code(watch: Callable[..., proc.Ended]) -> None:
    ended = watch("sh", "-c", "kill -KILL $$")
    assert (ended.exit_code, ended.reason) == (-signal.SIGKILL, None)


def test_watch_ends_the_whole_group_at_its_timeout(
    tmp_path: Path, watch: Callable[..., proc.Ended], cleaner: Callable[[Path], None]
) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)
    ended = watch("sh", "-c", f"sh -c 'sleep 60 & echo $! > {pid}; wait' & wait", timeout_s=0.3)
    assert (ended.reason, ended.exit_code) == ("timeout", -signal.SIGTERM)
    assert ended.wall_s < 1
    assert wait_for(lambda: gone(pid), 1)


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["heeds", "ignores TERM"])
def test_a_stop_ends_it_with_grandchildren_within_two_seconds(
    tmp_path: Path, watch: Callable[..., proc.Ended], cleaner: Callable[[Path], None], trap: str
) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)
    stop = proc.Stop()
    asked: list[Promptness] = []

    def ask() -> None:
        if wait_for(lambda: pid.exists() and pid.read_text().endswith("\n")):
            asked.append(Promptness())
            stop.set(signal.SIGINT)

    thread = threading.Thread(target=ask)
    thread.start()
    ended = watch("sh", "-c", f"{trap}sh -c '{trap}sleep 60 & echo $! > {pid}; wait' & wait; sleep 60", stop=stop)
    thread.join()
    assert ended.reason == "stopped"
    assert asked[0].within(2)
    assert wait_for(lambda: gone(pid) or not asked[0].within(2)) and gone(pid)
    assert stop.signal == signal.SIGINT


def test_a_stop_ends_what_left_the_group(
    tmp_path: Path, watch: Callable[..., proc.Ended], cleaner: Callable[[Path], None]
) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)
    stop = proc.Stop()

    def tick() -> None:
        if pid.exists() and pid.read_text().endswith("\n"):
            stop.set()

    # Python's child gets a process group of its own, in the same session.
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'], process_group=0)\n"
        "print(child.pid, file=open(sys.argv[1], 'w'), flush=True)\n"
        "time.sleep(60)"
    )
    assert watch(sys.executable, "-c", code, str(pid), stop=stop, tick=tick).reason == "stopped"
    assert wait_for(lambda: gone(pid), 1)


def test_what_a_program_leaves_in_its_group_ends_with_it(
    tmp_path: Path, watch: Callable[..., proc.Ended], cleaner: Callable[[Path], None]
) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)
    ended = watch("sh", "-c", f"sleep 60 & echo $! > {pid}")
    assert (ended.exit_code, ended.reason) == (0, None)
    assert wait_for(lambda: gone(pid), 1)


def test_an_error_in_a_tick_ends_the_program(
    tmp_path: Path, watch: Callable[..., proc.Ended], cleaner: Callable[[Path], None]
) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)

    def tick() -> None:
        if pid.exists() and pid.read_text().endswith("\n"):
            raise ToolError("the device went away")

    with pytest.raises(ToolError, match="the device went away"):
        watch("sh", "-c", f"echo $$ > {pid}; exec sleep 60", tick=tick)
    assert gone(pid)


def test_watch_of_a_missing_program_is_told(watch: Callable[..., proc.Ended]) -> None:
    with pytest.raises(CannotRunError, match="no-such-program is not installed"):
        watch("no-such-program")


# --- what a kill leaves ----------------------------------------------------------------------------------

PARENT = """
import sys
from pathlib import Path
from iobench import proc
where = Path(sys.argv[1])
proc.watch(("sh", "-c", f"echo $$ > {where / 'pid'}; exec sleep 61"), stdout=where / "o", stderr=where / "e",
           timeout_s=99, stop=proc.Stop())
"""


def test_what_a_killed_iobench_left_running_is_found_and_ended(tmp_path: Path, cleaner: Callable[[Path], None]) -> None:
    pid = tmp_path / "pid"
    cleaner(pid)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)])
    try:
        assert wait_for(lambda: pid.exists() and pid.read_text().endswith("\n"))
        sleeper = proc.identify(int(pid.read_text()))
        assert sleeper is not None
        # While its iobench lives it is nobody's orphan.
        assert sleeper not in list(proc.orphans())
    finally:
        parent.kill()
        parent.wait()
    assert sleeper.alive()
    assert sleeper in list(proc.orphans())
    assert proc.end_orphans() >= 1
    assert not sleeper.alive()
    assert sleeper not in list(proc.orphans())


def test_a_daemon_outlives_us_and_is_no_orphan(tmp_path: Path) -> None:
    daemon = proc.spawn_daemon(("sleep", "61"), tmp_path / "log")
    try:
        assert daemon.alive()
        environment = Path(f"/proc/{daemon.pid}/environ").read_bytes()
        assert proc.OWNER_MARK.encode() not in environment
    finally:
        proc.end(daemon)
    assert not daemon.alive()
    proc.end(daemon)  # twice does no harm


def test_ending_does_not_hit_a_later_process_of_the_same_number() -> None:
    with subprocess.Popen(["sleep", "61"]) as process:
        now = proc.identify(process.pid)
        assert now is not None
        earlier = proc.ProcessId(now.pid, now.started - 1)
        assert not earlier.alive()
        proc.end(earlier)
        assert now.alive()
        process.kill()


def test_a_process_whose_name_holds_brackets_is_identified(tmp_path: Path) -> None:
    odd = tmp_path / ") S 1 ("
    odd.symlink_to(proc.find("sleep") or "")
    with subprocess.Popen([str(odd), "61"]) as process:
        found = proc.identify(process.pid)
        assert found is not None
        assert found.alive()
        process.kill()
    assert not found.alive()


def test_no_process_has_no_identity() -> None:
    assert proc.identify(2**22 + 7) is None
    mine = proc.identify(os.getpid())
    assert mine is not None
    assert mine.alive()


def test_a_server_is_frozen_let_go_and_ended_with_its_children(tmp_path: Path) -> None:
    running = proc.serve(["sh", "-c", "echo started; sleep 60 & sleep 60"], log=tmp_path / "log")
    try:
        assert running.alive() and running.exit_code is None
        deadline = time.monotonic() + 20
        while running.last_lines() != "started" and time.monotonic() < deadline:
            time.sleep(0.01)
        running.signal(signal.SIGSTOP)
        assert running.alive()
    finally:
        running.end(timeout_s=5)
    assert not running.alive()
    assert running.last_lines() == "started"
    running.kill()  # twice does no harm
