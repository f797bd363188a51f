"""Targets made ready: opened, their test files laid out, warmed up, their servers started; and left as they were."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from iobench import proc
from iobench.campaign import journal, remains
from iobench.campaign.events import FilesStayed, Observer, SetupFinished, SetupStarted, Ticked
from iobench.campaign.execution import Executor, text
from iobench.campaign.limits import LimitReached
from iobench.campaign.needs import Estimate
from iobench.campaign.needs import services as services_of
from iobench.campaign.site import Permission, Site
from iobench.drives.counters import mark
from iobench.drives.passport import underlying
from iobench.drives.turns import Turns
from iobench.errors import CannotRunError, InterruptedCampaign, IobenchError, ResultsError, ToolError
from iobench.model import Campaign, Command, DataFile, Step, Work
from iobench.results import CampaignFolder
from iobench.runners.steady import PREPARE, ROUND
from iobench.texts import Phrase, last_said
from iobench.tools import fio


class Targets:
    """The targets of a campaign, each opened when a step first needs it. Leaving them removes what is ours there.

    `prepared` are the preparations of earlier runs, None where only rounds were done. What an abort leaves on a target
    for a resume is told by `staying`.
    """

    def __init__(
        self,
        folder: CampaignFolder,
        permission: Permission,
        executor: Executor,
        observe: Observer,
        prepared: Mapping[str, Work | None],
    ) -> None:
        self._folder = folder
        self._permission = permission
        self._executor = executor
        self._observe = observe
        self._prepared = dict(prepared)  # what is done, and would be lost with the files
        self._again = dict(prepared)  # that of an earlier run, until it is known to hold
        self._warm: list[tuple[str, Work]] = []
        self._sites: dict[str, Site] = {}
        self._unready: dict[str, IobenchError] = {}  # targets that could not be made ready, and why
        self._turns = Turns()
        self._stack = ExitStack()
        self.staying: list[str] = []  # targets whose prepared files stay there for a resume
        self.silent: set[str] = set()  # targets that did not answer when they were to be left

    def __enter__(self) -> Self:
        self._stack.callback(self._turns.close)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, tb)

    def site(self, target: str) -> Site:
        """Return a target that was opened."""
        return self._sites[target]

    def ready(self, target: str) -> Site:
        """Return the same. Raises the error that kept the target from being made ready."""
        if target in self._unready:
            raise self._unready[target]
        return self._sites[target]

    def was_done(self, step: Step) -> None:
        """Note a preparation, or a round: those to come go on from what it left on the target."""
        if step.work.workload == PREPARE:
            self._prepared[step.target] = step.work
        elif step.work.workload == ROUND:
            self._prepared.setdefault(step.target, None)

    def make_ready(self, campaign: Campaign, steps: Sequence[Step], estimate: Estimate) -> None:
        """Make the targets of steps ready. One that cannot be costs its own steps, unless there is no other.

        Raises IobenchError for a target that is refused, and where none could be made ready.
        """
        self._open(campaign, steps)
        for name, site in self._sites.items():
            if (works := [step.work for step in steps if step.target == name]) and name not in self._unready:
                try:
                    self._executor.expect(name)
                    self._set_up(site, name, works, estimate)
                except (InterruptedCampaign, ResultsError, LimitReached, BrokenPipeError):
                    raise
                except IobenchError as error:
                    self._unready[name] = error
                except OSError as error:
                    said = error.strerror or str(error)
                    self._unready[name] = ToolError(Phrase("failed.files", {"target": name, "said": said}))
        if steps and all(step.target in self._unready for step in steps):
            raise self._unready[steps[0].target]

    # --- opened, and left ------------------------------------------------------------------------------

    def _open(self, campaign: Campaign, steps: Sequence[Step]) -> None:
        for name, passport in campaign.passports.items():
            works = list({id(step.work): step.work for step in steps if step.target == name}.values())
            if works and name not in self._sites:
                self._executor.meet(passport)
                if passport.mount_point and passport.target.kind == "file":
                    self._turns.take(name, passport.mount_point)
                if passport.device is not None:
                    self._turns.take_drives(name, underlying(passport.device))
                keep = remains.names(self._folder, name)
                site = Site.open(passport, remains.folder_of(campaign, name), works, self._permission, keep)
                self._stack.callback(self._tell_stays, name, site)
                self._sites[name] = self._stack.enter_context(site)
                if site.counters is not None:
                    journal.write(self._folder.path, journal.OPENED, target=name, **mark(site.counters))
                self._executor.admit(site)
                if remains.take_up(self._folder, name, site):
                    self._again.pop(name, None)
                    journal.write(self._folder.path, "still-prepared", target=name)
                self._stack.push(self._leaving(name, site))

    def _leaving(self, name: str, site: Site) -> Callable[..., None]:
        """Return what is done before a site is closed: what was written is noted, what was prepared left if aborted."""

        def leave(kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
            aborted = isinstance(error, InterruptedCampaign | LimitReached)
            if self._executor.gone(name):
                site.silent = True
                self.silent.add(name)
                with suppress(IobenchError, OSError):  # the counters are the kernel's: they answer all the same
                    written = {name: self._executor.count(name)}
                    journal.write(self._folder.path, "closed", target=name, written=written)
                return
            # A device that is gone, or a disk that is full, is told by what went on; here it only costs a preparation.
            with suppress(IobenchError, OSError):
                self._executor.look(name)
            with suppress(IobenchError, OSError):
                written = {name: self._executor.written(name)}
                journal.write(self._folder.path, "closed", target=name, written=written)
                # A preparation that was begun anew and did not end is none: the next run begins it once more.
                whole = name not in self._again
                stays = whole and (site.ground.block or (aborted and name in self._prepared))
                if stays and remains.keep(self._folder, name, site) and not site.ground.block:
                    site.ground.leave(remains.names(self._folder, name))
                    self.staying.append(name)

        return leave

    def _tell_stays(self, name: str, site: Site) -> None:
        """Tell what could not be removed from a target that was let go of."""
        if site.stays:
            with suppress(IobenchError, OSError):  # whoever looked may be gone
                journal.write(self._folder.path, "stays", target=name, paths=list(site.stays))
                self._observe(FilesStayed(name, site.stays, site.silent))

    # --- made ready ------------------------------------------------------------------------------------

    def _set_up(self, site: Site, name: str, works: list[Work], estimate: Estimate) -> None:
        setup_s, warm_up_s = estimate.setup_s.get(name, 1.0), estimate.warm_up_s.get(name, 1.0)
        for file in site.missing(works):
            with self._told(name, "laying out the test file", setup_s):
                self._lay_out(site, name, file, direct=any(work.params.get("direct") for work in works))
        if name in self._again:
            journal.write(self._folder.path, journal.PREPARED_AGAIN, target=name)
            if (preparation := self._again[name]) is not None:
                with self._told(name, "preparing it again, as it was changed or is gone", 1.0):
                    self._warm_up(site, name, preparation)
            del self._again[name]
        for work in {id(work): work for work in works if work.warm_up and (name, work) not in self._warm}.values():
            self._warm.append((name, work))
            with self._told(name, f"warming up {work.workload}", warm_up_s):
                self._warm_up(site, name, work)
        for service in services_of(works):
            if self._executor.services.runs(site, service):
                continue
            existing = site.passport.target.kind == "server"
            what = "making the server's data ready" if existing else f"starting {service.kind}"
            # One that cannot be started is told by each of its steps; other work goes on.
            with self._told(name, what, setup_s), suppress(ToolError, CannotRunError):
                self._executor.services.get(site, service)

    @contextmanager
    def _told(self, name: str, what: str, expected_s: float) -> Iterator[None]:
        """Tell what is being done on a target, and that it went well."""
        self._observe(SetupStarted(name, what, expected_s))
        yield
        self._observe(SetupFinished(name))

    def _warm_up(self, site: Site, name: str, work: Work) -> None:
        """Do a work once without measuring it."""
        raw = self._folder.raw(f"warm-up-{work.workload}-{_plain(name)}")
        ended = self._watch(site, self._executor.command(site, work, raw), raw)
        self._executor.settle(site, work, raw)
        if ended.exit_code != 0:
            said = last_said(text(raw / "stderr"))
            raise ToolError(Phrase("failed.warm-up", {"target": name, "workload": work.workload, "said": said}))

    def _lay_out(self, site: Site, name: str, file: DataFile, direct: bool) -> None:
        """Write every block of a file, with data that cannot be compressed."""
        site.ground.make(file)
        if file.layout == "write":
            out = self._folder.raw(f"layout-{file.name}-{_plain(name)}")
            engine = "libaio" if direct else "psync"
            command = fio.lay_out(site.ground.path(file.name), file.size, engine, direct, str(out))
            ended = self._watch(site, command, out)
            if ended.exit_code != 0:
                said = text(out / "stderr").strip() or text(out / "stdout").strip()
                code = Phrase("failed.exit", {"code": ended.exit_code})
                why = Phrase("failed.said", {"said": last_said(said)}) if said else code
                raise ToolError(Phrase("failed.layout", {"target": name, "why": why}))
        site.ground.settle()
        site.laid_out.add(file)

    def _watch(self, site: Site, command: Command, raw: Path) -> proc.Ended:
        begin = time.monotonic()
        return self._executor.watch(site, command, raw, lambda: self._observe(Ticked(time.monotonic() - begin)))


def _plain(name: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in name)[:40]
