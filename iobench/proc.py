"""The only place a program is started, watched and stopped.

Each program runs in a session of its own and is ended whole: its process group, and then whatever of it
slipped out of the group. A measured program's output goes to files. All carry our mark in their
environment, so that a later start finds what a killed iobench left running.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from iobench.errors import CannotRunError, ResultsError, ToolError

OWNER_MARK = "IOBENCH_OWNER"
_RUN_MARK = "IOBENCH_RUN"  # tells the descendants of one start from those of another
_TICK_S = 0.1
_GRACE_S = 1.0
_MOST_SAID = 64 << 20  # bytes that a short program may say


@dataclass(frozen=True, slots=True)
class Done:
    """A short program that has ended."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: int  # clock ticks since boot, field 22 of /proc/PID/stat

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        stat = _stat_fields(self.pid)
        return stat is not None and int(stat[19]) == self.started and stat[0] not in ("Z", "X")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a watched program ended. `cpu_s` includes its waited-for children; for `stopped_s` it was seen stopped."""

    exit_code: int
    wall_s: float
    cpu_s: float
    reason: str | None = None  # "timeout" or "stopped" when we ended it
    stopped_s: float = 0.0


class Stop:
    """A request to stop, set by a signal handler and looked at between ticks."""

    def __init__(self) -> None:
        self.requested = False
        self.signal: int | None = None

    def set(self, signum: int | None = None) -> None:
        """Ask for the stop; async-signal safe."""
        self.requested = True
        self.signal = signum


def find(program: str) -> str | None:
    """Return the path of a program, looking also where administrators' programs live."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a running process, or None."""
    stat = _stat_fields(pid)
    return ProcessId(pid, int(stat[19])) if stat else None


def boot_id() -> str:
    """Return what names the time since the machine was started: a process's start is counted from there."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on (field 3); the name before may hold anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time that a process has used, its threads together; None where it is gone."""
    stat = _stat_fields(pid)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK") if stat else None


def capture(
    argv: Sequence[str],
    *,
    timeout_s: float = 10.0,
    check: bool = True,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Done:
    """Run a short program to its end and return what it said.

    Raises CannotRunError when it is not installed, and ToolError when it takes longer than `timeout_s`
    seconds, says more than 64 MiB, or, with `check`, exits with anything but 0.
    """
    process = _popen(argv, subprocess.PIPE, subprocess.PIPE, cwd, env, pass_fds)
    try:
        out, err = _said(process, argv[0], timeout_s)
    finally:
        if process.returncode is None:
            _abandon(process)
    done = Done(tuple(argv), process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    if check and done.exit_code != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ToolError(f"{argv[0]} ended with exit code {done.exit_code}: {said}")
    return done


class Question:
    """A short program that nobody waits for, since what it asks may never answer. What it says has to be little.

    One that is in the kernel for good cannot be killed: it is let alone, and ends when it is answered.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        """Start it. Raises CannotRunError."""
        self._argv = tuple(argv)
        self._process = _popen(argv, subprocess.PIPE, subprocess.DEVNULL, None, None, ())

    def answer(self) -> Done | None:
        """Return how it ended and what it said, once; None while it runs."""
        if self._process.stdout is None or self._process.stdout.closed or self._process.poll() is None:
            return None
        said = os.read(self._process.stdout.fileno(), 1 << 12).decode(errors="replace")
        _close(self._process)
        return Done(self._argv, self._process.returncode, said, "")

    def drop(self) -> None:
        """Give it up. May be called twice."""
        if self._process.poll() is None:
            _end_group(self._process.pid)
            if not _reaped(self._process, _GRACE_S / 10):
                self._process.returncode = -signal.SIGKILL  # it dies when it is answered
        _close(self._process)


def _reaped(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Whether a process that was killed has ended in a time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout_s)
        return True
    return False


def _said(process: subprocess.Popen[bytes], program: str, timeout_s: float) -> tuple[bytes, bytes]:
    """What a program says until it has ended, as standard output and error; its pipes are closed."""
    deadline = time.monotonic() + timeout_s
    found: dict[IO[bytes], bytearray] = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe}
    waiting = list(found)
    while waiting and (left := deadline - time.monotonic()) > 0:
        for pipe in select.select(waiting, [], [], left)[0]:
            piece = os.read(pipe.fileno(), 1 << 16)
            found[pipe] += piece
            if not piece:
                waiting.remove(pipe)
        if sum(map(len, found.values())) > _MOST_SAID:
            raise ToolError(f"{program} said more than {_MOST_SAID >> 20} MiB and was stopped")
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise ToolError(f"{program} did not end within {timeout_s:g} s and was stopped") from None
    out, err = found.values()
    _close(process)
    return bytes(out), bytes(err)


def watch(
    argv: Sequence[str],
    *,
    stdout: Path,
    stderr: Path,
    timeout_s: float,
    stop: Stop,
    tick: Callable[[], None] | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    group: Path | None = None,
    stdin: Path | None = None,
) -> Ended:
    """Run a measured program to its end, calling `tick` ten times a second, and return how it ended.

    `group` is a cgroup (v2) that it runs in, for the limits set there. It reads the file `stdin`, or nothing.

    It is ended with all its children at `timeout_s` seconds and when `stop` is requested, within 2
    seconds. Raises CannotRunError when it cannot be started.
    """
    with _opened(stdout) as out, _opened(stderr) as err, (stdin or Path(os.devnull)).open("rb") as source:
        begin = time.monotonic()
        run = f"{os.getpid()}-{time.monotonic_ns()}"
        marked = {**(env or {}), _RUN_MARK: run}
        process = _popen(argv, out.fileno(), err.fileno(), cwd, marked, pass_fds, stdin=source.fileno())
        reason: str | None = None
        itself, stopped = False, 0
        pidfd = os.pidfd_open(process.pid)
        try:
            if group is not None:
                _join(group, process.pid)
            while not select.select([pidfd], [], [], _TICK_S)[0]:
                if tick is not None:
                    tick()
                stopped += (_stat_fields(process.pid) or "?")[0] == "T"
                if stop.requested or time.monotonic() - begin > timeout_s:
                    reason = "stopped" if stop.requested else "timeout"
                    break
            itself = reason is None
        finally:
            wall = time.monotonic() - begin
            if not select.select([pidfd], [], [], 0)[0]:
                _terminate(process.pid, pidfd)
            exit_code, cpu = _collect(process, pidfd)
            os.close(pidfd)
            # The leader is gone; what it left in its group, or outside of it, must not run on.
            _end_group(process.pid)
            if not itself:
                end_strays(run)
    return Ended(exit_code, wall, cpu, reason, stopped * _TICK_S)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}; make room, then `iobench resume`") from error


def _collect(process: subprocess.Popen[bytes], pidfd: int) -> tuple[int, float]:
    """The exit code and the CPU time of a program that has ended or was killed.

    One that waits for a drive dies only when the drive has answered: we do not wait for that.
    """
    if not select.select([pidfd], [], [], _GRACE_S / 2)[0]:
        process.returncode = -signal.SIGKILL
        return -signal.SIGKILL, 0.0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def spawn_daemon(argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> ProcessId:
    """Start a program that outlives us, its output to `log`, and return its identity.

    It carries no owner mark. Raises CannotRunError when it cannot be started or ends at once.
    """
    with log.open("ab") as out:
        process = _popen(argv, out.fileno(), out.fileno(), None, env, (), mark=False)
    identity = identify(process.pid)
    if identity is None or process.poll() is not None:
        raise CannotRunError(f"{argv[0]} ended as soon as it was started; see {log}")
    process.returncode = 0  # it is not ours to wait for: this keeps the ResourceWarning away
    return identity


class Running:
    """A server of ours that runs beside what is measured; it carries our mark, and ends with us."""

    def __init__(self, process: subprocess.Popen[bytes], argv: Sequence[str], log: Path, run: str) -> None:
        self._process = process
        self._run = run
        self.argv = tuple(argv)
        self.log = log
        self.id = identify(process.pid)

    @property
    def pid(self) -> int:
        """Its process number, which is its group's too."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended (minus a signal's number); None while it runs."""
        return self._process.poll()

    def last_lines(self, most: int = 5) -> str:
        """Return the last lines of its log, for an error that names them."""
        try:
            lines = self.log.read_bytes()[-8192:].decode(errors="replace").splitlines()
        except OSError as error:
            return f"its log {self.log} cannot be read: {error.strerror}"
        return " / ".join(line.strip() for line in lines[-most:] if line.strip()) or "it said nothing"

    def signal(self, signum: int) -> None:
        """Send a signal to it and its children: SIGSTOP freezes, SIGCONT lets go on."""
        if self.alive():
            _signal_group(self.pid, signum)

    def end(self, timeout_s: float = 10.0) -> None:
        """End it in order: TERM, and KILL after `timeout_s` seconds. May be called twice."""
        if self.alive():
            _signal_group(self.pid, signal.SIGCONT)
            _signal_group(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """End it at once with whatever it started. May be called twice."""
        _end_group(self.pid)
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.returncode = -signal.SIGKILL  # it waits for a drive and dies when that answers
        end_strays(self._run)


def serve(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    group: Path | None = None,
    mark: bool = True,
) -> Running:
    """Start a server that runs until it is ended, its output to `log`, in a session of its own.

    `group` is a cgroup (v2) that it runs in. Without `mark` it is not ours to end, as a server that a user's command
    starts. Raises CannotRunError when it cannot be started, ResultsError when the log cannot be written.
    """
    run = f"{os.getpid()}-{time.monotonic_ns()}"
    with _opened(log) as out:
        process = _popen(argv, out.fileno(), out.fileno(), cwd, {**(env or {}), _RUN_MARK: run}, pass_fds, mark=mark)
    running = Running(process, argv, log, run)
    try:
        if group is not None:
            _join(group, process.pid)
    except CannotRunError:
        running.kill()
        raise
    return running


def end(process: ProcessId, timeout_s: float = 2.0) -> None:
    """End a process by its identity: TERM, then KILL after `timeout_s` seconds. Nothing if it is gone."""
    for signum, patience in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 1.0)):
        if not process.alive():
            return
        _signal(process.pid, signum)
        deadline = time.monotonic() + patience
        while process.alive() and time.monotonic() < deadline:
            _reap(process.pid)
            time.sleep(0.01)


def orphans() -> Iterator[ProcessId]:
    """Yield the programs that carry our mark and whose iobench is gone."""
    for pid in _pids():
        owner = _owner(pid)
        if owner is not None and not owner.alive():
            identity = identify(pid)
            if identity is not None and identity.alive():
                yield identity


def end_orphans() -> int:
    """End what a killed iobench left running; return how many processes that were."""
    left = list(orphans())
    for process in left:
        end(process)
    return len(left)


def end_strays(run: str) -> None:
    """End what a program that we started (by its run mark) put outside of its own process group."""
    for pid in _pids():
        if pid != os.getpid() and _marked(pid, _RUN_MARK) == run:
            _signal(pid, signal.SIGKILL)


def _popen(
    argv: Sequence[str],
    out: int,
    err: int,
    cwd: str | None,
    env: Mapping[str, str] | None,
    pass_fds: Sequence[int],
    *,
    stdin: int = subprocess.DEVNULL,
    mark: bool = True,
) -> subprocess.Popen[bytes]:
    path = find(argv[0])
    if path is None:
        raise CannotRunError(f"{argv[0]} is not installed; `iobench doctor` shows what installs it")
    # LC_ALL=C: the tools' numbers and words are parsed, and some of them follow the user's language.
    environment = {**os.environ, "LC_ALL": "C", **(env or {})}
    environment.pop(OWNER_MARK, None)
    if mark and (mine := identify(os.getpid())) is not None:
        environment[OWNER_MARK] = f"{mine.pid}:{mine.started}:{namespace()}"
    try:
        return subprocess.Popen(
            list(argv),
            executable=path,
            stdin=stdin,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env=environment,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except OSError as error:
        raise CannotRunError(f"{argv[0]} cannot be started: {error.strerror}") from error


def _join(group: Path, pid: int) -> None:
    """Put a program into a cgroup: at once, so before the tools that we start have opened their files."""
    try:
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
    except OSError as error:
        raise CannotRunError(
            f"a program cannot be started in {group} ({error.strerror}), so an emulated drive's limits would not "
            "hold for it; run as root"
        ) from error


def _terminate(leader: int, pidfd: int) -> None:
    _signal_group(leader, signal.SIGTERM)
    if not select.select([pidfd], [], [], _GRACE_S)[0]:
        _signal_group(leader, signal.SIGKILL)


def _abandon(process: subprocess.Popen[bytes]) -> None:
    """End a short program with its group. Who left the group keeps the pipes: nobody waits for him.

    Nor for one that a drive keeps: it dies when that answers.
    """
    _end_group(process.pid)
    if not _reaped(process, _GRACE_S):
        process.returncode = -signal.SIGKILL
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _end_group(leader: int) -> None:
    _signal_group(leader, signal.SIGKILL)


def _signal_group(leader: int, signum: int) -> None:
    try:
        os.killpg(leader, signum)
    except (ProcessLookupError, PermissionError):
        return


def _signal(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except (ProcessLookupError, PermissionError):
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())


def _owner(pid: int) -> ProcessId | None:
    parts = (_marked(pid, OWNER_MARK) or "").split(":")
    # A container numbers its processes anew: whether an owner in another one still runs cannot be seen from here.
    if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()) or parts[2] != namespace():
        return None
    return ProcessId(int(parts[0]), int(parts[1]))


def namespace() -> str:
    """Return what names the numbering of processes that we see: a container has its own."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _marked(pid: int, name: str) -> str | None:
    """The value of a variable in a process's environment, or None."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = name.encode() + b"="
    found = (entry.removeprefix(prefix) for entry in environment.split(b"\0") if entry.startswith(prefix))
    return next((value.decode(errors="replace") for value in found), None)
