"""Whether something still answers: asked again and again by a program that is never waited for.

Whoever works on a file system that does not answer waits in the kernel, where no signal but one that kills ends him,
and sometimes none. So it is asked by a program of its own, which can be given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from iobench import proc
from iobench.errors import CannotRunError

ANSWER_S = 30.0
_GAP_S = 1.0
_LOOK_EVERY_S = 0.001


def room(path: str) -> tuple[str, ...]:
    """Return the command that tells of a path's file system how much is free, how much there is, and of which size."""
    return ("stat", "-f", "-c", "%a %b %S", "--", path)  # as busybox has it, too


def answers(path: str) -> bool:
    """Return whether the file system of a path answers, an error too; it gets half a minute."""
    question, deadline = proc.Question(room(path)), time.monotonic() + ANSWER_S
    try:
        while time.monotonic() < deadline:
            if question.answer() is not None:
                return True
            time.sleep(_LOOK_EVERY_S)
    finally:
        question.drop()
    return False


def refuse_silent(path: str) -> None:
    """Raise CannotRunError for a path that does not answer: whoever looks at it by himself waits for it."""
    if not answers(path):
        raise CannotRunError(
            f"{path} has not answered for {ANSWER_S:.0f} s: what serves it, or the drive, hangs; look at it, or "
            "leave it out; nothing was done there"
        )


class Waited:
    """For how long something was looked at in vain. What a machine or we slept, when nobody looked, is not counted."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._last: float | None = None

    def look(self, waiting: bool) -> float:
        """Return the seconds up to now."""
        now = time.monotonic()
        if not waiting:
            self._seconds, self._last = 0.0, None
            return 0.0
        if self._last is not None:
            self._seconds += min(_GAP_S, now - self._last)
        self._last = now
        return self._seconds


class Asked:
    """Something that a program asks, every so many seconds; `answers` tells an answer from none as the program ends."""

    def __init__(self, argv: Sequence[str], every_s: float, answers: Callable[[proc.Done], bool]) -> None:
        self._argv, self._every_s, self._answers = tuple(argv), every_s, answers
        self._question: proc.Question | None = None
        self._failed = False
        self._waited = Waited()
        self._next = 0.0
        self._looked = time.monotonic()
        self.answered_at: float | None = None  # monotonic
        self.said = ""

    @property
    def pending(self) -> bool:
        """Whether it was asked, and has not answered yet."""
        return self._question is not None or self._failed

    def look(self, now: bool = False) -> float:
        """Return for how many seconds it has been asked in vain; ask where it is time for it, or `now`."""
        looked, self._looked = self._looked, time.monotonic()
        if self._question is None and (now or time.monotonic() >= self._next):
            looked = self._looked
            self._next = self._looked + self._every_s
            try:
                self._question = proc.Question(self._argv)
            except CannotRunError:  # the machine has no room for a process: nothing is known against who is asked
                self.answered_at = time.monotonic()
        done = self._question.answer() if self._question is not None else None
        if done is not None:
            self._question, self._failed = None, not self._answers(done)
            if not self._failed:
                # It answered after the last look, and nobody knows when: it may hang since.
                self.answered_at, self.said = looked, done.stdout
        return self._waited.look(waiting=self.pending)

    def close(self) -> None:
        """Give up what was not answered; may be called twice."""
        if self._question is not None:
            self._question.drop()
            self._question = None
