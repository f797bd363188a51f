"""A work's program run at a site: its command, the watch over it, and what it left in memory brought to the drive."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from iobench import proc, runners
from iobench.campaign.director import Deadline
from iobench.campaign.limits import LOOK_EVERY_S, Guard, LimitReached, Limits
from iobench.campaign.services import Services
from iobench.campaign.silence import ASK_EVERY_S, Silence
from iobench.campaign.site import NOWHERE, Site
from iobench.campaign.source import MemorySource
from iobench.campaign.spending import Tally, spent
from iobench.drives.counters import CounterFile
from iobench.errors import InterruptedCampaign, IobenchError, ToolError
from iobench.model import Campaign, Command, Passport, Work
from iobench.results import CampaignFolder, write_safely
from iobench.texts import Phrase

_LEAST_S = 2.0  # what a program gets where the time is over: less would only give errors
_OUTPUT_MOST = 64 << 20  # a tool's output file larger than this is not read


def _nothing() -> None:
    """Nothing is done."""


class _Watched:
    """A target while programs run there: whether it answers, and what reaches its drive."""

    def __init__(self, passport: Passport, limits: Limits, before: int, tally: Tally | None) -> None:
        self._name = passport.target.name
        self._guard, self._tally = Guard(limits, passport, before), tally
        self._counters: CounterFile | None = None
        self._begin = 0
        self.silence = Silence(passport, LOOK_EVERY_S if limits.min_free is not None else ASK_EVERY_S)
        self.written: int | None = None  # by the last look, since it was admitted; None if not known

    def admit(self, counters: CounterFile | None) -> None:
        """Count from now on."""
        self._counters = counters
        self._begin = counters.read().bytes_written if counters else 0
        self.silence.count(counters)
        self.count()

    def count(self) -> int | None:
        """Return the bytes that reached the device since it was admitted, counted now."""
        if self._counters is not None:
            now = self._counters.read().bytes_written
            self.written = now - self._begin
            if self._tally is not None:
                self._tally.note(self._name, self._counters, now)
        return self.written

    def look(self) -> None:
        """Raise TargetSilent, LimitReached."""
        written = self.count()
        self.silence.look()
        self._guard.look(written, self.silence.room)


class Executor:
    """Runs programs within what a campaign allows: its limits, its time, and until a stop is asked for."""

    def __init__(self, campaign: Campaign, folder: CampaignFolder, stop: proc.Stop, deadline: Deadline) -> None:
        self.services = Services(campaign.id, folder.raw, stop)
        self._source = MemorySource(stop)
        self._stop = stop
        self._deadline = deadline
        self._limits = Limits.of(campaign)
        self._before = spent(campaign, folder.path)  # what earlier runs wrote, by target
        self._tally = Tally(folder.path) if self._limits.max_write is not None else None
        self._watched: dict[str, _Watched] = {}

    def close(self) -> None:
        """Let go of the memory that programs read from and of what was noted, and ask no target any more."""
        self._source.close()
        if self._tally is not None:
            self._tally.close()
        for watched in self._watched.values():
            watched.silence.close()

    def meet(self, passport: Passport) -> None:
        """Ask a target for an answer before anything is done there. Raises TargetSilent, InterruptedCampaign."""
        name = passport.target.name
        self._watched[name] = _Watched(passport, self._limits, self._before.get(name, 0), self._tally)
        self.expect(name)

    def expect(self, target: str) -> None:
        """Return when a target answers, as it does at once. Raises TargetSilent, InterruptedCampaign."""
        self._watched[target].silence.expect(self._stop)

    def gone(self, target: str) -> bool:
        """Return whether a target does not answer, so that nothing can be done there."""
        return self._watched[target].silence.gone()

    def admit(self, site: Site) -> None:
        """Count from now on what is written at a site, against the limits of the campaign."""
        self._watched[site.passport.target.name].admit(site.counters)

    def look(self, target: str) -> None:
        """Look whether a limit is reached on a target. Raises LimitReached, TargetSilent."""
        self._watched[target].look()

    def count(self, target: str) -> int | None:
        """Return the bytes that reached a target's device since it was admitted, counted now; None if not known."""
        if (watched := self._watched.get(target)) is None:
            return None
        try:
            return watched.count()
        except IobenchError:  # it is gone: the step says so
            return watched.written

    def written(self, target: str) -> int | None:
        """Return the bytes that reached a target's device by the last look since it was admitted."""
        return self._watched[target].written

    def command(self, site: Site, work: Work, raw: Path) -> Command:
        """Return a work's command at a site, what it makes itself removed and its source ready."""
        for name in work.fresh:
            site.ground.remove(name)
        if work.tree is not None:
            site.ground.folder(work.tree.name)
        source = self._source.path(work.source.size) if work.source else None
        endpoint = self.services.get(site, work.service).endpoint if work.service else NOWHERE
        return runners.find(work.runner).command(work, site.place(work, raw, source, endpoint))

    def watch(
        self, site: Site, command: Command, raw: Path, tick: Callable[[], None], at_end: Callable[[], None] = _nothing
    ) -> proc.Ended:
        """Run a command to its end, its output in `raw`; `tick` is called ten times a second, `at_end` once it ended.

        Raises InterruptedCampaign, LimitReached, and ToolError for a program that does not end in its time.
        """
        for name, content in command.inputs.items():
            write_safely(raw / name, content)
        look, left = self._watched[site.passport.target.name].look, self._deadline.left_s
        timeout_s = command.timeout_s if left is None else min(command.timeout_s, max(_LEAST_S, left))
        argv = (*self._limits.prefix, *command.argv)

        def look_and_tick() -> None:
            look()
            tick()

        try:
            ended = proc.watch(
                argv,
                stdout=raw / "stdout",
                stderr=raw / "stderr",
                timeout_s=timeout_s,
                stop=self._stop,
                tick=look_and_tick,
                cwd=site.ground.cwd,
                env=command.env,
                pass_fds=(*site.ground.pass_fds, *self._source.fds),
                group=site.group,
            )
        except LimitReached:
            _keep(raw, argv, {"ended_by_iobench": "limit"})
            raise
        except ToolError:
            _keep(raw, argv, {"ended_by_iobench": "given up"})
            raise
        at_end()  # before anything is brought to a disk, which may be the one that is measured
        how = {"exit_code": ended.exit_code, "wall_s": ended.wall_s, "cpu_s": ended.cpu_s}
        _keep(raw, argv, {**how, "ended_by_iobench": ended.reason})
        if ended.reason == "stopped":
            raise InterruptedCampaign
        if ended.reason == "timeout":
            raise ToolError(Phrase("failed.timeout", {"program": command.tool, "seconds": timeout_s}))
        return ended

    def settle(self, site: Site, work: Work, raw: Path) -> None:
        """Bring to the drive what a program left in memory: it would be written in the next step's time.

        What may be much is left to a program, which a stop can end. Raises InterruptedCampaign, OSError.
        """
        target = site.passport.target.name
        self.expect(target)
        if work.tree is not None:
            site.ground.remove_folder(work.tree.name)
        if work.writes and not work.params.get("direct") and site.ground.cwd is not None:
            names = [*(file.name for file in work.files), *work.fresh, *(("-f", ".") if work.tree else ())]
            if not names:
                site.ground.settle()
                return
            ended = proc.watch(
                ("sync", *names),
                stdout=raw / "settle.stdout",
                stderr=raw / "settle.stderr",
                timeout_s=60 + 4 * max(work.fixed_bytes, 4 << 30) / 1e6,
                stop=self._stop,
                tick=self._watched[target].silence.look,
                cwd=site.ground.cwd,
                group=site.group,
            )
            if ended.reason == "stopped":
                raise InterruptedCampaign
        site.ground.settle()


def _keep(raw: Path, argv: Sequence[str], how: Mapping[str, object]) -> None:
    """Keep what was run and how it ended, beside its output."""
    write_safely(raw / "command.json", json.dumps({"argv": list(argv), **how}, ensure_ascii=False, indent=1))


def text(path: Path) -> str:
    """Return a file that a program wrote. Raises ToolError for one that is too large to be in earnest."""
    if path.stat().st_size > _OUTPUT_MOST:
        raise ToolError(Phrase("failed.much", {"path": str(path), "n": path.stat().st_size}))
    return path.read_text(encoding="utf-8", errors="replace")
