"""Observers of a running campaign: a bar with the time left, lines in a pipe, and a log file."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from iobench.campaign.events import (
    Ended,
    Event,
    FilesStayed,
    PlanGrew,
    SetupFinished,
    SetupStarted,
    StepFailed,
    StepFinished,
    StepLeftOut,
    StepStarted,
    Ticked,
)
from iobench.campaign.needs import Estimate
from iobench.cli.tables import clean
from iobench.errors import CannotRunError, ResultsError
from iobench.model import METRICS, StepResult, main_metrics
from iobench.units import format_seconds, format_value

if TYPE_CHECKING:
    from rich.progress import Progress


def headline(result: StepResult) -> str:
    """Return a finished step's main figures in a line."""
    values = {(s.op, s.metric): s.value for s in result.reading.samples}
    names = main_metrics(result.step.work.workload, {metric for _, metric in values})
    op = "all" if any(("all", n) in values for n in names) else next((op for op, _ in values), "all")
    texts = [format_value(values[op, n], METRICS[n].unit) for n in names if (op, n) in values]
    reasons = ", ".join(dict.fromkeys(finding.reason for finding in result.findings))
    mark = result.verdict.mark
    return "  ".join([*texts, *([f"{mark} {reasons}"] if mark else [])])


class Clock:
    """How far a campaign is, in seconds of its estimate, and how long the rest will take."""

    def __init__(self, estimate: Estimate) -> None:
        self._step_s = estimate.step_s
        self.total = estimate.seconds
        self._done = 0.0
        self._expected = 0.0
        self._now = 0.0
        self._begin = time.monotonic()

    def see(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case SetupStarted(expected_s=expected):
                self._expected, self._now = expected, 0.0
            case StepStarted(step=step):
                self._expected, self._now = self._step_s.get(step.id, 1.0), 0.0
            case Ticked(elapsed_s=elapsed):
                self._now = min(elapsed, self._expected)
            case SetupFinished() | StepFinished() | StepFailed():
                self._done += self._expected
                self._expected = self._now = 0.0
            case StepLeftOut(step=step):
                self._done += self._step_s.get(step.id, 0.0)
            case PlanGrew(seconds=seconds, step_s=step_s):
                self.total, self._step_s = seconds, step_s
            case Ended():
                self._done = self.total

    @property
    def done(self) -> float:
        """Seconds of the estimate that are behind us."""
        return min(self.total, self._done + self._now)

    @property
    def left(self) -> float:
        """Seconds that are left, at the speed seen so far."""
        spent = time.monotonic() - self._begin
        # Early on one slow start would scale the whole rest.
        scale = spent / self.done if self.done > 0.05 * self.total else 1.0
        return (self.total - self.done) * scale


class Bar:
    """A bar on a terminal's standard error."""

    def __init__(self, estimate: Estimate) -> None:
        self._clock = Clock(estimate)
        self._progress = _bar()
        self._task = self._progress.add_task("", total=max(0.1, estimate.seconds), left="")
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        """Draw an event. Raises OSError when the terminal is gone."""
        self._progress.start()  # not before: a question may come first
        self._clock.see(event)
        match event:
            case SetupStarted(target=target, what=what):
                self._say(f"{what} on {target}")
            case StepStarted(step=step, number=number, total=total):
                self._say(f"{number}/{total} {step.work.workload} {step.work.load} on {step.target}")
            case StepFailed(step=step, sentence=sentence):
                self._progress.console.print(f"✗ {step.id}: {clean(sentence)}", markup=False, highlight=False)
            case StepLeftOut(step=step, sentence=sentence):
                self._progress.console.print(f"- {step.id}: {clean(sentence)}", markup=False, highlight=False)
            case FilesStayed(sentence=sentence):
                self._progress.console.print(f"- {clean(sentence)}", markup=False, highlight=False)
        # Ten events a second are for the counters; the eye needs two.
        if not isinstance(event, Ticked) or time.monotonic() - self._drawn > 0.5:
            self._drawn = time.monotonic()
            if not sys.stderr.isatty():  # rich draws nothing then, and so would not notice
                raise OSError(errno.EIO, "the terminal is gone")
            left = f"{format_seconds(max(1, round(self._clock.left))).replace('.00', '').replace('.0 ', ' ')} left"
            self._progress.update(
                self._task, total=max(0.1, self._clock.total), completed=self._clock.done, left=left, refresh=True
            )

    def _say(self, text: str) -> None:
        from rich.markup import escape

        self._progress.update(self._task, description=escape(clean(text)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with suppress(OSError):  # the terminal may be gone
            self._progress.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )


def warn(event: Event) -> None:
    """Say what has to be known also where nothing else is to be said."""
    if isinstance(event, FilesStayed):
        print(f"warning: {clean(event.sentence)}", file=sys.stderr)


class Lines:
    """A line for each finished step: for pipes and logs."""

    def __init__(self, out: TextIO, stamp: Callable[[], str] = lambda: "") -> None:
        self._out, self._stamp = out, stamp
        self._position = ""

    def __call__(self, event: Event) -> None:
        """Write an event."""
        match event:
            case SetupStarted(target=target, what=what):
                self._write(f"{what} on {target}")
            case StepStarted(number=number, total=total):
                self._position = f"{number}/{total}"
            case StepFinished(result=result):
                work = result.step.work
                what = f"{work.workload} {work.load} on {result.step.target}, round {result.step.repeat}"
                self._write(f"{self._position} {what}: {headline(result)}")
            case StepFailed(step=step, sentence=sentence):
                self._write(f"{self._position} {step.id} gave no number: {sentence}")
            case StepLeftOut(step=step, sentence=sentence):
                self._write(f"{step.id} is left out: {sentence}")
            case FilesStayed(sentence=sentence):
                self._write(sentence)
            case _:
                return

    def _write(self, line: str) -> None:
        print(f"{self._stamp()}{clean(line)}", file=self._out, flush=True)


class Log:
    """A log file with the time of each event; what is written to it is there at once."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending. Raises CannotRunError."""
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise CannotRunError(f"the log file {path} cannot be written: {error.strerror}") from error
        self._path = path
        self._lines = Lines(self._file, lambda: f"{datetime.now().astimezone().isoformat(timespec='seconds')} ")

    def __call__(self, event: Event) -> None:
        """Write an event. Raises ResultsError where that is not possible: it ends the campaign."""
        try:
            self._lines(event)
        except OSError as error:
            raise ResultsError(
                f"the log file {self._path} cannot be written: {error.strerror}; make room or choose another. "
                "What was finished is kept, and `iobench resume` goes on with it"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with suppress(OSError):  # what could not be written has been told
            self._file.close()


@contextmanager
def log(path: Path | None) -> Iterator[Log | None]:
    """Give the observer that writes a log file, where one is asked for."""
    if path is None:
        yield None
        return
    with Log(path) as observer:
        yield observer


def terminal(estimate: Estimate) -> Bar | None:
    """Return a bar where standard error is a terminal."""
    return Bar(estimate) if sys.stderr.isatty() else None
