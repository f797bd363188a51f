"""Runs a campaign: set up, then step by step measure, gather evidence, judge, keep; tear down."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from iobench import proc, runners, servers
from iobench.campaign import director as directors
from iobench.campaign import evidence, journal, remains, verdict
from iobench.campaign.director import Deadline, Director, Progress
from iobench.campaign.events import (
    Ended,
    Observer,
    PlanGrew,
    SetupFinished,
    SetupStarted,
    StepFailed,
    StepFinished,
    StepLeftOut,
    StepStarted,
    Ticked,
)
from iobench.campaign.failed import failures
from iobench.campaign.limits import Guard, LimitReached, Limits
from iobench.campaign.plan import Estimate
from iobench.campaign.plan import services as services_of
from iobench.campaign.programs import named
from iobench.campaign.services import Services
from iobench.campaign.site import NOWHERE, Permission, Site
from iobench.campaign.source import MemorySource, total_memory
from iobench.drives.kernel_log import KernelLog
from iobench.drives.temperature import limit_c, temperature_c
from iobench.drives.turns import Turns
from iobench.errors import (
    EXIT_TOOL,
    CannotRunError,
    InterruptedCampaign,
    IobenchError,
    ResultsError,
    ToolError,
)
from iobench.model import Campaign, Command, DataFile, Facts, Output, Reading, Step, StepResult, Work
from iobench.results import CampaignFolder, write_safely
from iobench.servers import Server, Witness
from iobench.tools import fio

CLOCK_SET_S = 0.2  # the two clocks differ by more only where one was set
_EMPTY_MOST = 4  # batches of a director of which not one step could be run
_LEAST_S = 2.0  # what a program gets where the time is over: less would only give errors
_OUTPUT_MOST = 64 << 20  # a tool's output file larger than this is not read


class Engine:
    """Runs the steps of a campaign that are not finished yet.

    Every step is safe on disk before the next begins. A step that fails is told and the campaign goes on;
    results that cannot be written end it.
    """

    def __init__(
        self,
        campaign: Campaign,
        folder: CampaignFolder,
        estimate: Estimate,
        permission: Permission,
        stop: proc.Stop,
        observe: Observer,
        director: Director | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        self._campaign = campaign
        self._folder = folder
        self._estimate = estimate
        self._permission = permission
        self._stop = stop
        self._observe = observe
        self._director = director
        self._deadline = deadline or Deadline()
        self._limits = Limits.of(campaign)
        self._guards: dict[str, Callable[[], None]] = {}
        self._written: dict[str, int] = {}  # what reached each target's device since this run opened it
        self._before: Mapping[str, int] = {}  # the same of earlier runs
        self._stay: list[str] = []  # targets whose prepared files stay there for a resume
        self._left_out: dict[str, str] = {}
        self._unready: dict[str, IobenchError] = {}  # targets that could not be made ready, and why
        self._again: dict[str, Work] = {}  # preparations of an earlier run, until they are known to hold
        self._warm: list[tuple[str, Work]] = []
        self._prepared: dict[str, Work] = {}  # preparations that are done
        self._source = MemorySource(stop)
        self._sites: dict[str, Site] = {}
        self._kernel = KernelLog()
        self._turns = Turns()
        self._services = Services(campaign.id, folder.raw, stop)
        self._memory = total_memory()

    def run(self) -> None:
        """Run what is left. Raises InterruptedCampaign when a stop was requested, else IobenchError."""
        finished = self._folder.finished()
        left = [step for step in self._campaign.steps if step.id not in finished]
        self._again = remains.preparations(self._campaign, finished)
        self._prepared = dict(self._again)
        self._before = journal.written(self._folder.path)
        journal.write(self._folder.path, "began")
        try:
            # The servers end before the folders that they work in are removed.
            with ExitStack() as stack, self._services:
                stack.callback(self._source.close)
                stack.callback(self._kernel.close)
                stack.callback(self._turns.close)
                # The libraries that keep results are loaded while a program lays out files, not while one is measured.
                loading = stack.enter_context(ThreadPoolExecutor(1)).submit(self._folder.warm_up)
                left, empty = left or self._grow(), 0
                while left:
                    soon = [step for step in left if self._in_time(step)]
                    self._open_sites(soon, stack)
                    self._set_up_all(soon)
                    loading.result()
                    for step in soon:
                        if self._in_time(step):
                            self._run_step(step)
                    # A director that wants only what does not fit in the time would want it for ever.
                    empty = empty + 1 if all(step.id in self._left_out for step in left) else 0
                    left = self._grow() if empty < _EMPTY_MOST else []
        except InterruptedCampaign:
            journal.write(self._folder.path, "interrupted")
            raise self._interrupted() from None
        except LimitReached as reached:
            journal.write(self._folder.path, "limit-reached", why=str(reached))
            raise LimitReached(f"{reached}{self._staying()}") from None
        journal.write(self._folder.path, "ended")
        remains.forget(self._folder, self._campaign)
        with suppress(ResultsError):  # only a copy for quick reading: the numbers are safe without it
            self._folder.pack()
        self._observe(Ended(self._campaign))

    def _interrupted(self) -> InterruptedCampaign:
        kept, total = len(self._folder.finished()), len(self._campaign.steps)
        return InterruptedCampaign(
            f"interrupted: {kept} of {total} steps are kept; `iobench resume {self._campaign.id}` goes on"
            f"{self._staying()}"
        )

    def _staying(self) -> str:
        """What is left on the targets, as the end of a sentence."""
        paths = [self._campaign.passports[name].target.path for name in self._stay]
        return f". What was prepared stays in {', '.join(paths)}; `iobench clean` removes it" if paths else ""

    # --- a plan that grows -----------------------------------------------------------------------------

    def _grow(self) -> list[Step]:
        """Return the steps that the director wants next, once they stand in campaign.json; none when it is over."""
        if self._director is None:
            return []
        progress = Progress(
            self._campaign,
            self._folder,
            frozenset(self._folder.finished()),
            failures(self._folder),
            self._left_out,
            self._deadline.left_s,
        )
        asks = self._director.more(progress)
        campaign, new = directors.extended(self._campaign, asks)
        if not new:
            return []
        self._campaign = campaign
        self._estimate = directors.grown(self._estimate, new, campaign)
        self._folder.replan(campaign)
        journal.write(self._folder.path, "grown", steps=[step.id for step in new])
        seconds = self._estimate.seconds + self._director.remaining_s(progress)
        self._observe(PlanGrew(campaign, seconds, self._estimate.step_s))
        return list(new)

    def _guard(self, site: Site) -> Callable[[], None]:
        """Return what looks, while a program runs, whether a limit of the campaign is reached."""
        counters, name = site.counters, site.passport.target.name
        begin = counters.read().bytes_written if counters else 0
        guard = Guard(self._limits, site.passport, self._before.get(name, 0))

        def look() -> None:
            if counters is not None:
                self._written[name] = counters.read().bytes_written - begin
            guard.look(self._written.get(name))

        return look

    def _in_time(self, step: Step) -> bool:
        """Return whether a step will be over before the deadline; another one is left out."""
        expected = self._estimate.step_s.get(step.id, 0.0)
        if self._deadline.fits(expected):
            return True
        left = self._deadline.left_s or 0.0
        self._leave_out(step, f"it takes about {expected:.0f} s, and {left:.0f} s are left")
        return False

    def _leave_out(self, step: Step, sentence: str) -> None:
        work = step.work
        journal.write(
            *(self._folder.path, "left-out"),
            step=step.id,
            why=sentence,
            target=step.target,
            workload=work.workload,
            load=work.load,
        )
        self._left_out[step.id] = sentence
        self._campaign = directors.without(self._campaign, (step.id,))
        self._folder.replan(self._campaign)
        self._observe(StepLeftOut(step, sentence))

    # --- set up ----------------------------------------------------------------------------------------

    def _open_sites(self, left: list[Step], stack: ExitStack) -> None:
        for name, passport in self._campaign.passports.items():
            works = list({id(step.work): step.work for step in left if step.target == name}.values())
            if works and name not in self._sites:
                if passport.mount_point and passport.target.kind == "file":
                    self._turns.take(name, passport.mount_point)
                keep = remains.names(self._folder, name)
                folder = remains.folder_of(self._campaign, name)
                site = Site.open(passport, folder, works, self._permission, keep)
                self._sites[name] = stack.enter_context(site)
                self._guards[name] = self._guard(site)
                if remains.take_up(self._folder, name, site):
                    self._again.pop(name, None)
                    journal.write(self._folder.path, "still-prepared", target=name)
                stack.push(self._leaving(name, site))

    def _leaving(self, name: str, site: Site) -> Callable[..., None]:
        """Return what is done before a site is closed: what was written is noted, what was prepared left if aborted."""

        def leave(kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
            aborted = isinstance(error, InterruptedCampaign | LimitReached)
            # A device that is gone, or a disk that is full, is told by what went on; here it only costs a preparation.
            with suppress(IobenchError, OSError):
                self._guards[name]()
            with suppress(IobenchError, OSError):
                journal.write(self._folder.path, "closed", target=name, written={name: self._written.get(name)})
                stays = site.ground.block or (aborted and name in self._prepared)
                if stays and remains.keep(self._folder, name, site) and not site.ground.block:
                    site.ground.leave(remains.names(self._folder, name))
                    self._stay.append(name)

        return leave

    def _set_up_all(self, left: list[Step]) -> None:
        """Make the targets ready. One that cannot be costs its own steps, unless there is no other."""
        for name, site in self._sites.items():
            if (works := [step.work for step in left if step.target == name]) and name not in self._unready:
                try:
                    self._set_up(site, name, works)
                except (InterruptedCampaign, ResultsError, LimitReached, BrokenPipeError):
                    raise
                except IobenchError as error:
                    self._unready[name] = error
                except OSError as error:
                    self._unready[name] = ToolError(
                        f"target {name}: its test files could not be made: {error.strerror or error}; see the "
                        "kernel's log"
                    )
        if left and all(step.target in self._unready for step in left):
            raise self._unready[left[0].target]

    def _set_up(self, site: Site, name: str, works: list[Work]) -> None:
        for file in site.missing(works):
            self._observe(SetupStarted(name, "laying out the test file", self._estimate.setup_s.get(name, 1.0)))
            self._lay_out(site, name, file, direct=any(work.params.get("direct") for work in works))
            self._observe(SetupFinished(name))
        if name in self._again:
            work = self._again.pop(name)
            journal.write(self._folder.path, "prepared-again", target=name)
            self._observe(SetupStarted(name, "preparing it again, as it was changed or is gone", 1.0))
            self._warm_up(site, name, work)
            self._observe(SetupFinished(name))
        for work in {id(work): work for work in works if work.warm_up and (name, work) not in self._warm}.values():
            self._warm.append((name, work))
            self._observe(SetupStarted(name, f"warming up {work.workload}", self._estimate.warm_up_s.get(name, 1.0)))
            self._warm_up(site, name, work)
            self._observe(SetupFinished(name))
        for service in services_of(works):
            if self._services.runs(site, service):
                continue
            existing = site.passport.target.kind == "server"
            what = "making the server's data ready" if existing else f"starting {service.kind}"
            self._observe(SetupStarted(name, what, self._estimate.setup_s.get(name, 1.0)))
            # One that cannot be started is told by each of its steps; other work goes on.
            with suppress(ToolError, CannotRunError):
                self._services.get(site, service)
            self._observe(SetupFinished(name))

    def _warm_up(self, site: Site, name: str, work: Work) -> None:
        """Do a work once without measuring it."""
        raw = self._folder.raw(f"warm-up-{work.workload}-{_plain(name)}")
        begin = time.monotonic()
        ended = self._watch(
            site, self._command(site, work, raw), raw, lambda: self._observe(Ticked(time.monotonic() - begin))
        )
        self._settle(site, work, raw)
        if ended.exit_code != 0:
            raise ToolError(f"target {name}: {work.workload} failed when it was tried: {_last_line(raw / 'stderr')}")

    def _settle(self, site: Site, work: Work, raw: Path) -> None:
        """Bring to the drive what a program left in memory: it would be written in the next step's time.

        What may be much is left to a program, which a stop can end.
        """
        if work.tree is not None:
            site.ground.remove_folder(work.tree.name)
        if work.writes and not work.params.get("direct") and site.ground.cwd is not None:
            names = [*(file.name for file in work.files), *work.fresh, *(("-f", ".") if work.tree else ())]
            if not names:
                site.ground.settle()
                return
            command = Command("sync", ("sync", *names), timeout_s=60 + 4 * max(work.fixed_bytes, 4 << 30) / 1e6)
            ended = proc.watch(
                command.argv,
                stdout=raw / "settle.stdout",
                stderr=raw / "settle.stderr",
                timeout_s=command.timeout_s,
                stop=self._stop,
                cwd=site.ground.cwd,
                group=site.group,
            )
            if ended.reason == "stopped":
                raise InterruptedCampaign
        site.ground.settle()

    def _command(self, site: Site, work: Work, raw: Path) -> Command:
        """Return a work's command at a site, what it makes itself removed and its source ready."""
        for name in work.fresh:
            site.ground.remove(name)
        if work.tree is not None:
            site.ground.folder(work.tree.name)
        source = self._source.path(work.source.size) if work.source else None
        endpoint = self._services.get(site, work.service).endpoint if work.service else NOWHERE
        return runners.find(work.runner).command(work, site.place(work, raw, source, endpoint))

    def _lay_out(self, site: Site, name: str, file: DataFile, direct: bool) -> None:
        """Write every block of a file, with data that cannot be compressed."""
        site.ground.make(file)
        if file.layout == "write":
            out = self._folder.raw(f"layout-{file.name}-{_plain(name)}")
            engine = "libaio" if direct else "psync"
            command = fio.lay_out(site.ground.path(file.name), file.size, engine, direct, str(out))
            begin = time.monotonic()
            ended = self._watch(site, command, out, lambda: self._observe(Ticked(time.monotonic() - begin)))
            if ended.exit_code != 0:
                said = _last_line(out / "stderr") or _last_line(out / "stdout")
                why = said or f"it ended with exit code {ended.exit_code}"
                raise ToolError(f"target {name}: its file could not be written by fio: {why}")
        site.ground.settle()
        site.laid_out.add(file)

    # --- a step ----------------------------------------------------------------------------------------

    def _run_step(self, step: Step) -> None:
        if self._stop.requested:
            raise InterruptedCampaign
        number = self._campaign.steps.index(step) + 1
        self._observe(StepStarted(step, number, len(self._campaign.steps)))
        journal.write(self._folder.path, "started", step=step.id)
        try:
            if step.target in self._unready:
                raise self._unready[step.target]
            result = self._measure(step)
        except (InterruptedCampaign, ResultsError, LimitReached):
            raise
        except (IobenchError, OSError) as error:
            # An OSError is the drive's answer to ourselves, as when it is flushed: results have their own error.
            said = str(error) if isinstance(error, IobenchError) else f"the target answered: {error.strerror or error}"
            said += self._kernel_said(step)
            code = error.exit_code if isinstance(error, IobenchError) else EXIT_TOOL
            journal.write(self._folder.path, "failed", step=step.id, error=said, exit_code=code)
            self._observe(StepFailed(step, said))
            return
        finally:
            self._drop_dead(step)
        self._folder.save(self._campaign, result)
        written = {step.target: self._written.get(step.target)}
        journal.write(self._folder.path, "finished", step=step.id, written=written)
        if step.work.workload == remains.PREPARES:
            self._prepared[step.target] = step.work
        self._observe(StepFinished(result))

    def _measure(self, step: Step) -> StepResult:
        work, site, raw = step.work, self._sites[step.target], self._folder.raw(step.id)
        for stale in raw.iterdir():  # of an earlier, unfinished try
            stale.unlink()
        self._kernel.skip()
        command = self._command(site, work, raw)
        server = self._services.get(site, work.service).server if work.service else None
        if server is not None:
            server.settle(work)
            server.begin(work)
        if isinstance(server, Witness):
            server.watch(raw)
        watcher = evidence.Watcher(site.counters, site.disk, time.monotonic)
        started = datetime.now(UTC)
        begin = time.monotonic()
        grown: list[tuple[float, int]] = []

        def tick() -> None:
            watcher.tick()
            _note_growth(raw / "stdout", grown)
            if server is not None:
                server.tick(time.monotonic() - begin)
            self._observe(Ticked(time.monotonic() - begin))

        watcher.tick()
        try:
            ended = self._watch(site, command, raw, tick)
        except ToolError as error:
            raise _with_problem(error, server) from error
        watcher.tick()
        facts = server.end(work) if server is not None else Facts()
        if server is not None and (problem := server.problem()) is not None:
            raise ToolError(problem)
        if isinstance(server, Witness):
            for name, text in server.told().items():
                write_safely(raw / name, text)
        self._settle(site, work, raw)
        output = _output(command, raw, ended, grown)
        reading = runners.find(work.runner).read(work, output)
        if reading.errors:
            said = f"{reading.error_text or 'the program gave no reason'}{self._kernel_said(step)}"
            reading = dataclasses.replace(reading, error_text=said)
        return self._judged(step, site, reading, watcher, started, facts)

    def _kernel_said(self, step: Step) -> str:
        """What the kernel said of the step's device since the step began, as the end of a sentence."""
        device = self._sites[step.target].passport.device
        lines = self._kernel.about(device.name) if device is not None else []
        return f"; the kernel said: {lines[-1]}" if lines else ""

    def _drop_dead(self, step: Step) -> None:
        """End a server that has failed in a step, so that the next step starts it anew."""
        service = step.work.service
        if service is not None and self._services.failed(self._sites[step.target], service):
            self._services.drop(self._sites[step.target], service)

    def _watch(self, site: Site, command: Command, raw: Path, tick: Callable[[], None]) -> proc.Ended:
        for name, text in command.inputs.items():
            write_safely(raw / name, text)
        guard, left = self._guards[site.passport.target.name], self._deadline.left_s
        timeout_s = command.timeout_s if left is None else min(command.timeout_s, max(_LEAST_S, left))
        argv = (*self._limits.prefix, *command.argv)

        def watched() -> None:
            guard()
            tick()

        ended = proc.watch(
            argv,
            stdout=raw / "stdout",
            stderr=raw / "stderr",
            timeout_s=timeout_s,
            stop=self._stop,
            tick=watched,
            cwd=site.ground.cwd,
            env=command.env,
            pass_fds=(*site.ground.pass_fds, *self._source.fds),
            group=site.group,
        )
        kept = {
            "argv": list(argv),
            "exit_code": ended.exit_code,
            "wall_s": ended.wall_s,
            "cpu_s": ended.cpu_s,
            "ended_by_iobench": ended.reason,
        }
        write_safely(raw / "command.json", json.dumps(kept, ensure_ascii=False, indent=1))
        if ended.reason == "stopped":
            raise InterruptedCampaign
        if ended.reason == "timeout":
            raise ToolError(f"{command.tool} did not end within {timeout_s:.0f} s and was stopped")
        return ended

    def _judged(
        self, step: Step, site: Site, reading: Reading, watcher: evidence.Watcher, started: datetime, facts: Facts
    ) -> StepResult:
        start, end = _window(step.work, reading, watcher)
        context = evidence.Context(step.work, site.passport, self._memory, limit_c(site.passport.device))
        counted = evidence.window(watcher.snapshots, start, end)
        series = evidence.device_series(watcher.snapshots, start, end)
        found = evidence.gather(
            context, reading, counted, series, site.unwritten(step.work), temperature_c(site.passport.device), facts
        )
        said, findings = verdict.judge(context, reading, found, series)
        tool = _tool(step.work, self._campaign.tools)
        return StepResult(step, reading, found, said, findings, started, tool, series)


def _tool(work: Work, versions: Mapping[str, str]) -> str:
    """The program that the numbers come from, with its version."""
    tools = named(work.runner, work.params) or (servers.module(work.service.kind).TOOLS if work.service else ())
    return next((versions[tool] for tool in tools if tool in versions), work.runner)


def _with_problem(error: ToolError, server: Server | None) -> ToolError:
    """Name the server behind a program that hung: it is the likelier cause."""
    problem = server.problem() if server is not None else None
    return ToolError(f"{error}; {problem}") if problem else error


def _window(work: Work, reading: Reading, watcher: evidence.Watcher) -> tuple[float, float]:
    """The measured window on the monotonic clock: the program's whole life where all of it was measured.

    After a ramp it is the end of that life, as long as the tool says, and up to when the tool says.
    """
    begun, ended = watcher.snapshots[0], watcher.snapshots[-1]
    first, last = begun.at, ended.at
    if reading.ended_at is None or not work.ramp_s:
        return first, last
    # Somebody may have set the clock meanwhile; then the tool's own time says nothing of ours.
    set_by = abs((ended.wall - begun.wall) - (last - first))
    end = last if set_by > CLOCK_SET_S else min(last, first + reading.ended_at - begun.wall)
    return max(first, end - reading.measured_s), end


def _note_growth(path: Path, grown: list[tuple[float, int]]) -> None:
    """Note when a program's output has grown, which dates the lines of one that prints as it goes."""
    size = path.stat().st_size
    if size != (grown[-1][1] if grown else 0):
        grown.append((time.time(), size))


def _output(command: Command, raw: Path, ended: proc.Ended, grown: Sequence[tuple[float, int]]) -> Output:
    own = ("stdout", "stderr", "settle.stdout", "settle.stderr", "command.json")
    files = {p.name: _text(p) for p in sorted(raw.iterdir()) if p.name not in own and p.is_file()}
    return Output(
        argv=command.argv,
        exit_code=ended.exit_code,
        stdout=_text(raw / "stdout"),
        stderr=_text(raw / "stderr"),
        files=files,
        wall_s=ended.wall_s,
        cpu_s=ended.cpu_s,
        grown=tuple(grown),
    )


def _text(path: Path) -> str:
    if path.stat().st_size > _OUTPUT_MOST:
        raise ToolError(f"{path} has {path.stat().st_size} bytes, more than a tool says in earnest; it was not read")
    return path.read_text(encoding="utf-8", errors="replace")


def _last_line(path: Path) -> str:
    lines = _text(path).strip().splitlines()
    return lines[-1] if lines else ""


def _plain(name: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in name)[:40]
