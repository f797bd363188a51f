"""A step measured: the program watched, its output read, its evidence gathered, and the result judged."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from iobench import proc, runners, servers
from iobench.campaign import evidence, verdict
from iobench.campaign.events import Observer, Ticked
from iobench.campaign.execution import Executor, text
from iobench.campaign.limits import LimitReached
from iobench.campaign.programs import named
from iobench.campaign.site import Site
from iobench.campaign.source import total_memory
from iobench.drives.kernel_log import KernelLog
from iobench.drives.temperature import limit_c, temperature_c
from iobench.errors import ResultsError, ToolError
from iobench.model import Command, Facts, Output, Reading, Step, StepResult, Work
from iobench.results import write_safely
from iobench.servers import Server, Witness
from iobench.texts import Phrase, Told, joined, said_by

CLOCK_SET_S = 0.2  # the two clocks differ by more only where one was set
SLEPT_S = 0.5
STOPPED_S = 0.3
BLIND_S = 5.0  # we look ten times a second


class Measurer:
    """Measures steps, one after the other. `tools` are the versions of the programs that are here."""

    def __init__(self, executor: Executor, tools: Mapping[str, str], observe: Observer) -> None:
        self._executor = executor
        self._tools = tools
        self._observe = observe
        self._kernel = KernelLog()
        self._memory = total_memory()

    def close(self) -> None:
        """Let go of the kernel's log."""
        self._kernel.close()

    def measure(self, step: Step, site: Site, raw: Path) -> StepResult:
        """Return what a step gave, its raw output kept in `raw`. Raises IobenchError, OSError."""
        work = step.work
        self._executor.expect(step.target)
        for stale in raw.iterdir():  # of an earlier, unfinished try
            stale.unlink()
        self._kernel.skip()
        command = self._executor.command(site, work, raw)
        server = self._executor.services.get(site, work.service).server if work.service else None
        if server is not None:
            server.settle(work)
            server.begin(work)
        if isinstance(server, Witness):
            server.watch(raw)
        watcher = evidence.Watcher(site.counters, site.disk, time.monotonic, site.limits)
        started = datetime.now(UTC)
        begin = time.monotonic()
        grown: list[tuple[float, int]] = []

        def tick() -> None:
            watcher.tick()
            _note_growth(raw / "stdout", grown)
            if server is not None:
                server.tick(time.monotonic() - begin)
                watcher.back()  # an outage that it makes may take its time
            self._observe(Ticked(time.monotonic() - begin))

        watcher.tick()
        try:
            ended = self._executor.watch(site, command, raw, tick, watcher.tick)
        except (LimitReached, ResultsError):
            raise  # it ends the campaign, whatever a server says
        except ToolError as error:
            raise _with_problem(error, server) from error
        _refuse_sleep(watcher)
        if ended.stopped_s > STOPPED_S:
            raise ToolError(Phrase("failed.stopped", {"program": command.tool, "seconds": ended.stopped_s}))
        if command.wall_clock and (set_by := _clock_set(watcher.snapshots)) > CLOCK_SET_S:
            raise ToolError(Phrase("failed.clock", {"program": command.tool, "seconds": set_by}))
        facts = server.end(work) if server is not None else Facts()
        if server is not None and (problem := server.problem()) is not None:
            raise ToolError(problem)
        if isinstance(server, Witness):
            for name, told in server.told().items():
                write_safely(raw / name, told)
        self._executor.settle(site, work, raw)
        output = _output(command, raw, ended, grown)
        reading = runners.find(work.runner).read(work, output)
        if reading.errors:
            said = self.explained(reading.error_text or Phrase("failed.no-reason"), step, site)
            reading = dataclasses.replace(reading, error_text=said)
        return self._judged(step, site, reading, watcher, started, facts)

    def explained(self, told: Told, step: Step, site: Site, silent: bool = False) -> Told:
        """Return what went wrong in a step with what is behind it: its files are gone; the kernel said something.

        A target that is `silent` is not looked at.
        """
        if not silent and (gone := site.gone(step.work)):
            told = Phrase("failed.gone", {"target": step.target, "files": ", ".join(gone), "what": told})
        device = site.passport.device
        lines = self._kernel.about(device.name) if device is not None else []
        return Phrase("failed.kernel", {"what": told, "said": lines[-1]}) if lines else told

    def _judged(
        self, step: Step, site: Site, reading: Reading, watcher: evidence.Watcher, started: datetime, facts: Facts
    ) -> StepResult:
        start, end = _window(step.work, reading, watcher)
        unlimited = evidence.unlimited(site.passport, watcher.snapshots)
        context = evidence.Context(step.work, site.passport, self._memory, limit_c(site.passport.device), unlimited)
        counted = evidence.window(watcher.snapshots, start, end)
        series = evidence.device_series(watcher.snapshots, start, end)
        found = evidence.gather(
            context, reading, counted, series, site.unwritten(step.work), temperature_c(site.passport.device), facts
        )
        said, findings = verdict.judge(context, reading, found, series)
        tool = _tool(step.work, self._tools)
        return StepResult(step, reading, found, said, findings, started, tool, series)


def _tool(work: Work, versions: Mapping[str, str]) -> str:
    """The program that the numbers come from, with its version."""
    tools = named(work.runner, work.params) or (servers.module(work.service.kind).TOOLS if work.service else ())
    return next((versions[tool] for tool in tools if tool in versions), work.runner)


def _with_problem(error: ToolError, server: Server | None) -> ToolError:
    """Name the server behind a program that hung: it is the likelier cause."""
    problem = server.problem() if server is not None else None
    return ToolError(joined([said_by(error), problem])) if problem else error


def _refuse_sleep(watcher: evidence.Watcher) -> None:
    """Raise ToolError where the machine slept in a step, or we could not look at it for seconds.

    Some programs count the time that a machine sleeps and some do not; and what nobody looked at has no evidence.
    """
    slept = watcher.snapshots[-1].asleep - watcher.snapshots[0].asleep
    if slept > SLEPT_S:
        raise ToolError(Phrase("failed.slept", {"seconds": slept}))
    if watcher.blind_s > BLIND_S:
        raise ToolError(Phrase("failed.blind", {"seconds": watcher.blind_s}))


def _window(work: Work, reading: Reading, watcher: evidence.Watcher) -> tuple[float, float]:
    """The measured window on the monotonic clock: the program's whole life where all of it was measured.

    After a ramp it is the end of that life, as long as the tool says, and up to when the tool says.
    """
    begun = watcher.snapshots[0]
    first, last = begun.at, watcher.snapshots[-1].at
    if not work.ramp_s or (reading.ended_at is None and reading.ended_unix is None):
        return first, last
    told, end = reading.ended_at, last
    # Somebody may have set the clock meanwhile; then the tool's own time says nothing of ours.
    if reading.ended_unix is not None and _clock_set(watcher.snapshots) <= CLOCK_SET_S:
        told = first + reading.ended_unix - begun.wall
    if told is not None:
        end = min(last, told)
    return max(first, end - reading.measured_s), end


def _clock_set(snapshots: Sequence[evidence.Snapshot]) -> float:
    """By how many seconds the machine's clock was off what it had been at the beginning, at most."""
    begun = snapshots[0]
    return max(abs((each.wall - begun.wall) - (each.at - begun.at)) for each in snapshots)


def _note_growth(path: Path, grown: list[tuple[float, int]]) -> None:
    """Note when a program's output has grown, which dates the lines of one that prints as it goes."""
    size = path.stat().st_size
    if size != (grown[-1][1] if grown else 0):
        grown.append((time.monotonic(), size))


def _output(command: Command, raw: Path, ended: proc.Ended, grown: Sequence[tuple[float, int]]) -> Output:
    own = ("stdout", "stderr", "settle.stdout", "settle.stderr", "command.json")
    files = {p.name: text(p) for p in sorted(raw.iterdir()) if p.name not in own and p.is_file()}
    return Output(
        argv=command.argv,
        exit_code=ended.exit_code,
        stdout=text(raw / "stdout"),
        stderr=text(raw / "stderr"),
        files=files,
        wall_s=ended.wall_s,
        cpu_s=ended.cpu_s,
        grown=tuple(grown),
    )
