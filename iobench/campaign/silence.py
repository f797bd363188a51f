"""A target that does not answer any more: its file system when it is asked, its drive while it has requests.

While one is silent iobench itself does nothing there either: it would wait in the kernel, and be ended by nobody.
"""

from __future__ import annotations

import os
import time

from iobench import proc
from iobench.drives.asking import Asked, Waited, room
from iobench.drives.counters import CounterFile
from iobench.drives.mounts import mounts
from iobench.errors import InterruptedCampaign, ToolError
from iobench.model import Passport
from iobench.texts import Phrase

# A slow drive is not a silent one: how much room is left is told from memory, and over a network in one small call;
# and a drive that has requests finishes some within a minute, whatever it is busy with.
FILES_S = 40.0
DRIVE_S = 60.0
ASK_EVERY_S = 5.0
_FRESH_S = 1.0  # an answer as old as that still holds
_AGAIN_S = 10.0  # what one that was silent gets at each further step: servers come back
LEAVING_S = 30.0  # what is prepared there would be lost, and what is ours stay
_LOOK_EVERY_S = 0.005


class TargetSilent(ToolError):
    """A target does not answer; its steps give no number until it does."""


class Silence:
    """Notices that a target does not answer any more."""

    def __init__(self, passport: Passport, every_s: float = ASK_EVERY_S) -> None:
        self._passport = passport
        self._counters: CounterFile | None = None
        self._finished: int | None = None
        self._least: int | None = None  # the fewest requests that it was seen to have: some kernels count one for ever
        self._stuck = Waited()
        self._files: Asked | None = None
        if passport.target.kind == "file":
            self._files = Asked(
                room(passport.target.path), every_s, lambda _: True
            )  # an error is an answer too: the program will tell it
        found = [mount.source for mount in mounts() if mount.mount_point == passport.mount_point]
        self._source = found[-1] if found else ""

    def count(self, counters: CounterFile | None) -> None:
        """Look from now on whether the drive of these counters finishes what it is asked."""
        self._counters = counters
        self._drive()

    def look(self, now: bool = False) -> None:
        """Raise TargetSilent where the target has not answered for too long; `now` asks it at once."""
        files = self._files.look(now) if self._files is not None else 0.0
        drive, waiting = self._drive()
        name = self._passport.target.name
        if files >= FILES_S:
            how = {"target": name, "filesystem": self._passport.filesystem or "?", "source": self._source}
            raise TargetSilent(Phrase("failed.silent.files", {**how, "seconds": files}))
        if drive >= DRIVE_S and self._passport.device is not None:
            how = {"target": name, "device": self._passport.device.name}
            raise TargetSilent(Phrase("failed.silent.drive", {**how, "n": waiting, "seconds": drive}))

    def expect(self, stop: proc.Stop) -> None:
        """Return when the target answers, as it does at once, or did a moment ago.

        Raises TargetSilent where it does not, InterruptedCampaign.
        """
        begin = time.monotonic()
        while True:
            try:
                self.look(now=not self._fresh)
                if self._fresh:
                    return
            except TargetSilent:
                if time.monotonic() - begin >= _AGAIN_S:
                    raise
            if stop.requested:
                raise InterruptedCampaign
            time.sleep(_LOOK_EVERY_S)

    def gone(self) -> bool:
        """Return whether the target does not answer now, for whoever would leave it; it gets half a minute."""
        deadline = time.monotonic() + LEAVING_S
        try:
            first = self._counters.read() if self._counters is not None else None
            while time.monotonic() < deadline:
                self.look(now=not self._fresh)
                now = self._counters.read() if self._counters is not None else None
                moves = now is None or first is None or now.finished != first.finished
                if self._fresh and (moves or now is None or now.in_flight <= (self._least or 0)):
                    return False
                time.sleep(_LOOK_EVERY_S)
        except TargetSilent:
            return True
        except ToolError:  # its device has gone away: whoever works there is told so at once
            return False
        return True

    @property
    def room(self) -> tuple[int, int] | None:
        """The bytes that are free and all of the file system, by its last answer; None where it told none."""
        words = self._files.said.split() if self._files is not None else []
        if len(words) == 3 and all(word.isdigit() for word in words):
            free, total, size = map(int, words)
            return free * size, total * size
        if self._files is None or not self._fresh:
            return None
        try:  # there is no such program here, or no room for a process: it answered just now, so it may be asked
            found = os.statvfs(self._passport.target.path)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def close(self) -> None:
        """Ask no more."""
        if self._files is not None:
            self._files.close()

    @property
    def _fresh(self) -> bool:
        at = self._files.answered_at if self._files is not None else time.monotonic()
        return at is not None and time.monotonic() - at < _FRESH_S

    def _drive(self) -> tuple[float, int]:
        """For how long the drive has requests and has finished none, and how many these are."""
        if self._counters is None:
            return 0.0, 0
        now = self._counters.read()
        self._least = now.in_flight if self._least is None else min(self._least, now.in_flight)
        stuck = now.in_flight > self._least and now.finished == self._finished
        self._finished = now.finished
        return self._stuck.look(stuck), now.in_flight
