"""Runs a campaign: its targets made ready, step after step measured and kept, the plan grown; what failed is told."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

from iobench import proc
from iobench.campaign import director as directors
from iobench.campaign import journal, remains
from iobench.campaign.director import Deadline, Director, Progress
from iobench.campaign.events import Ended, Observer, PlanGrew, StepFailed, StepFinished, StepLeftOut, StepStarted
from iobench.campaign.execution import Executor
from iobench.campaign.failed import failures
from iobench.campaign.limits import LimitReached
from iobench.campaign.measuring import Measurer
from iobench.campaign.needs import Estimate
from iobench.campaign.setup import Targets
from iobench.campaign.silence import TargetSilent
from iobench.campaign.site import Permission
from iobench.campaign.spending import unsaid
from iobench.errors import EXIT_TOOL, InterruptedCampaign, IobenchError, ResultsError, ToolError
from iobench.model import Campaign, Step
from iobench.results import CampaignFolder
from iobench.runners.steady import PREPARE, ROUND
from iobench.texts import Phrase, kept, said_by

_EMPTY_MOST = 4  # batches of a director of which not one step could be run


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
        self._stop = stop
        self._observe = observe
        self._director = director
        self._deadline = deadline or Deadline()
        self._left_out: dict[str, str] = {}
        self._bare: set[str] = set()  # targets whose preparation was left out
        self._unprepared: dict[str, Step] = {}  # targets whose preparation gave no number, with its step
        self._executor = Executor(campaign, folder, stop, self._deadline)
        prepared = remains.preparations(campaign, folder.finished())
        self._targets = Targets(folder, permission, self._executor, observe, prepared)
        self._measurer = Measurer(self._executor, campaign.tools, observe)

    def run(self) -> None:
        """Run what is left. Raises InterruptedCampaign when a stop was requested, else IobenchError."""
        killed = {name: each.bytes for name, each in unsaid(self._campaign, self._folder.path).items()}
        journal.write(self._folder.path, "began", **({"killed": killed} if killed else {}))
        try:
            with ExitStack() as stack:
                stack.callback(self._executor.close)
                stack.callback(self._measurer.close)
                self._run_all(stack)
        except InterruptedCampaign:
            journal.write(self._folder.path, "interrupted")
            raise self._interrupted() from None
        except LimitReached as reached:
            journal.write(self._folder.path, "limit-reached", why=str(reached))
            raise LimitReached(f"{reached}{self._staying()}") from None
        journal.write(self._folder.path, "ended")
        remains.forget(self._folder, self._campaign, self._targets.silent)
        with suppress(ResultsError):  # only a copy for quick reading: the numbers are safe without it
            self._folder.pack()
        self._observe(Ended(self._campaign))

    def _run_all(self, stack: ExitStack) -> None:
        """Run what is left of the list, and then what the director asks for."""
        # The libraries that keep results are loaded while a program lays out files, not while one is measured.
        loading = stack.enter_context(ThreadPoolExecutor(1)).submit(self._folder.warm_up)
        # The servers end before the folders that they work in are removed.
        stack.enter_context(self._targets)
        stack.enter_context(self._executor.services)
        finished = self._folder.finished()
        listed = [step for step in self._campaign.steps if step.id not in finished]
        left, empty = listed or self._grow(), 0
        while left:
            soon = [step for step in left if self._in_time(step)]
            self._targets.make_ready(self._campaign, soon, self._estimate)
            loading.result()
            for step in soon:
                if self._in_time(step):
                    self._run_step(step)
            # A director that wants only what does not fit in the time would want it for ever.
            empty = empty + 1 if all(step.id in self._left_out for step in left) else 0
            left = self._grow() if empty < _EMPTY_MOST else []

    def _interrupted(self) -> InterruptedCampaign:
        kept, total = len(self._folder.finished()), len(self._campaign.steps)
        return InterruptedCampaign(
            f"interrupted: {kept} of {total} steps are kept; `iobench resume {self._campaign.id}` goes on"
            f"{self._staying()}"
        )

    def _staying(self) -> str:
        """What is left on the targets, as the end of a sentence."""
        paths = [self._campaign.passports[name].target.path for name in self._targets.staying]
        return f". What was prepared stays in {', '.join(paths)}; `iobench clean` removes it" if paths else ""

    # --- a step ----------------------------------------------------------------------------------------

    def _run_step(self, step: Step) -> None:
        if self._stop.requested:
            raise InterruptedCampaign
        number = self._campaign.steps.index(step) + 1
        self._observe(StepStarted(step, number, len(self._campaign.steps)))
        before = {step.target: self._executor.count(step.target)}
        journal.write(self._folder.path, "started", step=step.id, written=before)
        try:
            self._refuse_unprepared(step)
            result = self._measurer.measure(step, self._targets.ready(step.target), self._folder.raw(step.id))
        except (InterruptedCampaign, ResultsError, LimitReached):
            raise  # the campaign ends, and all servers with it
        except (IobenchError, OSError) as error:
            self._failed(step, error)
            self._drop_failed(step)
            return
        self._drop_failed(step)
        self._folder.save(self._campaign, result)
        written = {step.target: self._executor.written(step.target)}
        journal.write(self._folder.path, "finished", step=step.id, written=written)
        if step.work.workload == PREPARE:
            self._unprepared.pop(step.target, None)
        self._targets.was_done(step)
        self._observe(StepFinished(result))

    def _drop_failed(self, step: Step) -> None:
        """End the server that a step used, if something is wrong with it: the next step starts another."""
        if step.work.service is not None:
            self._executor.services.drop_failed(self._targets.site(step.target), step.work.service)

    def _refuse_unprepared(self, step: Step) -> None:
        """Raise ToolError for a step on files whose preparation failed: it would measure a drive as it was found."""
        failed = self._unprepared.get(step.target)
        if failed is not None and failed is not step and set(failed.work.files) & set(step.work.files):
            raise ToolError(Phrase("failed.unprepared", {"target": step.target, "step": failed.id}))

    def _failed(self, step: Step, error: IobenchError | OSError) -> None:
        """Note why a step gave no number."""
        if step.work.workload == PREPARE:
            self._unprepared[step.target] = step
        # An OSError is the drive's answer to ourselves, as when it is flushed: results have their own error.
        if isinstance(error, IobenchError):
            told, code = said_by(error), error.exit_code
        else:
            told, code = Phrase("failed.target", {"said": error.strerror or str(error)}), EXIT_TOOL
        silent = isinstance(error, TargetSilent) or self._executor.gone(step.target)
        told = self._measurer.explained(told, step, self._targets.site(step.target), silent)
        journal.write(self._folder.path, "failed", step=step.id, error=kept(told), exit_code=code)
        self._observe(StepFailed(step, str(told)))

    # --- a plan that grows, and what there is no time for -------------------------------------------------

    def _grow(self) -> Sequence[Step]:
        """Return the steps that the director wants next, once they stand in campaign.json; none when it is over."""
        if self._director is None:
            return ()
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
            return ()
        self._campaign = campaign
        self._estimate = directors.grown(self._estimate, new, campaign)
        self._folder.replan(campaign)
        journal.write(self._folder.path, "grown", steps=[step.id for step in new])
        seconds = self._estimate.seconds + self._director.remaining_s(progress)
        self._observe(PlanGrew(campaign, seconds, self._estimate.step_s))
        return new

    def _in_time(self, step: Step) -> bool:
        """Return whether a step will be over before the deadline; another one is left out."""
        if step.work.workload == ROUND and step.target in self._bare:
            self._leave_out(step, "the preparation was left out, and a drive as it was found may be steady too")
            return False
        expected = self._estimate.step_s.get(step.id, 0.0)
        if self._deadline.fits(expected):
            return True
        left = self._deadline.left_s or 0.0
        self._leave_out(step, f"it takes about {expected:.0f} s, and {left:.0f} s are left")
        return False

    def _leave_out(self, step: Step, sentence: str) -> None:
        work = step.work
        if work.workload == PREPARE:
            self._bare.add(step.target)
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
