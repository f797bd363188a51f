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
from iobench.errors import InterruptedCampaign, IobenchError, ToolError
from iobench.model import Campaign, Command, Passport, Work
from iobench.results import CampaignFolder, write_safely
from iobench.texts import Phrase

_LEAST_S = 2.0  # what a program gets where the time is over: less would only give errors
_OUTPUT_MOST = 64 << 20  # a tool's output file larger than this is not read


def _nothing() -> None:
    """Nothing is done."""


class Executor:
    """Runs programs within what a campaign allows: its limits, its time, and until a stop is asked for."""

    def __init__(self, campaign: Campaign, folder: CampaignFolder, stop: proc.Stop, deadline: Deadline) -> None:
        self.services = Services(campaign.id, folder.raw, stop)
        self._source = MemorySource(stop)
        self._stop = stop
        self._deadline = deadline
        self._limits = Limits.of(campaign)
        self._guards: dict[str, Callable[[], None]] = {}
        self._silences: dict[str, Silence] = {}
        self._written: dict[str, int] = {}  # what reached each target's device since this run opened it
        self._counts: dict[str, Callable[[], int | None]] = {}
        self._before = spent(campaign, folder.path)  # the same of earlier runs
        self._tally = Tally(folder.path) if self._limits.max_write is not None else None

    def close(self) -> None:
        """Let go of the memory that programs read from and of what was noted, and ask no target any more."""
        self._source.close()
        if self._tally is not None:
            self._tally.close()
        for silence in self._silences.values():
            silence.close()

    def meet(self, passport: Passport) -> None:
        """Ask a target for an answer before anything is done there. Raises TargetSilent, InterruptedCampaign."""
        every_s = LOOK_EVERY_S if self._limits.min_free is not None else ASK_EVERY_S
        silence = self._silences[passport.target.name] = Silence(passport, every_s)
        silence.expect(self._stop)

    def expect(self, target: str) -> None:
        """Return when a target answers, as it does at once. Raises TargetSilent, InterruptedCampaign."""
        self._silences[target].expect(self._stop)

    def gone(self, target: str) -> bool:
        """Return whether a target does not answer, so that nothing can be done there."""
        return self._silences[target].gone()

    def admit(self, site: Site) -> None:
        """Count from now on what is written at a site, against the limits of the campaign."""
        counters, name = site.counters, site.passport.target.name
        begin = counters.read().bytes_written if counters else 0
        guard = Guard(self._limits, site.passport, self._before.get(name, 0))
        silence = self._silences[name]
        silence.count(counters)

        def count() -> int | None:
            if counters is not None:
                now = counters.read().bytes_written
                self._written[name] = now - begin
                if self._tally is not None:
                    self._tally.note(name, counters, now)
            return self._written.get(name)

        def look() -> None:
            written = count()
            silence.look()
            guard.look(written, silence.room)

        self._counts[name], self._guards[name] = count, look
        count()

    def look(self, target: str) -> None:
        """Look whether a limit is reached on a target. Raises LimitReached."""
        self._guards[target]()

    def count(self, target: str) -> int | None:
        """Return the bytes that reached a target's device since it was admitted, counted now; None if not known."""
        try:
            return self._counts[target]()
        except (IobenchError, LookupError):  # it is gone, or was never there: the step says so
            return self._written.get(target)

    def written(self, target: str) -> int | None:
        """Return the bytes that reached a target's device by the last look since it was admitted."""
        return self._written.get(target)

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
        guard, left = self._guards[site.passport.target.name], self._deadline.left_s
        timeout_s = command.timeout_s if left is None else min(command.timeout_s, max(_LEAST_S, left))
        argv = (*self._limits.prefix, *command.argv)

        def watched() -> None:
            guard()
            tick()

        try:
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
                tick=self._silences[target].look,
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
