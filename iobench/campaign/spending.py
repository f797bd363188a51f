"""What earlier runs of a campaign wrote to its targets: what they said, and what is counted where one was killed."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iobench.campaign import journal, needs
from iobench.drives.counters import CounterFile, mark, written_since
from iobench.errors import IobenchError
from iobench.model import Campaign, Passport
from iobench.results import read_text
from iobench.units import format_bytes

NOTED = ".written.json"  # beside the journal; hidden, since it goes into no archive
NOTE_EVERY_S = 1.0


class Tally:
    """A device's counter, noted once a second while a limit is to be kept to: a run that is killed cannot say it.

    It is not brought to the disk: only a power cut loses it, and then the journal says what it knows.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NOTED
        self._fd = -1
        self._marks: dict[str, dict[str, str | int]] = {}
        self._at: dict[str, float] = {}

    def note(self, target: str, counters: CounterFile, written: int) -> None:
        """Note that a target's device had been written so many bytes since it was started."""
        now, last = time.monotonic(), self._at.get(target)
        if last is not None and now - last < NOTE_EVERY_S:
            return
        self._at[target] = now
        if last is None:
            self._marks[target] = {**mark(counters), "peak": 0}
        noted = self._marks[target]
        if last is not None:
            noted["peak"] = max(int(noted["peak"]), int((written - int(noted["written"])) / (now - last)))
        noted["written"] = written
        # It never gets shorter, so it is whole at any moment. What cannot be noted is bounded by the plan.
        with contextlib.suppress(OSError):
            if self._fd < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o600)
            os.pwrite(self._fd, json.dumps(self._marks).encode(), 0)

    def close(self) -> None:
        """Remove it: the run ends in order, and the journal says what was written."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            with contextlib.suppress(OSError):
                self._path.unlink()


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What a run that was killed wrote to a target, in bytes, beyond what it had said: a bound from above.

    `counted` by the device's counter, which counts others' writes too; else by the plan of what it was at. Of those
    bytes `after` were written after the last that was noted: no more than its programs could write without it.
    """

    bytes: int
    counted: bool
    after: int | None = None

    def sentence(self, target: str) -> str:
        """Say it to whoever resumes."""
        how = "its device's counter, others' writes included" if self.counted else "the plan of the step it was at"
        if self.after is not None:
            how = f"what was noted each second, and for the time after it {format_bytes(self.after)}, which is the "
            how += "most that its programs can have written by themselves"
        return f"target {target}: the run before was killed and wrote up to {format_bytes(self.bytes)} more, by {how}"


def unsaid(campaign: Campaign, path: Path) -> dict[str, Unsaid]:
    """Return what the last run of a campaign wrote to each target and could not say, since it was killed."""
    run = journal.killed(path)
    closed = {event.get("target") for event in run if event["event"] == "closed"}
    said = journal.written_in(run)
    noted = _noted(path)
    found: dict[str, Unsaid] = {}
    for event in run:
        target = str(event.get("target"))
        if event["event"] != journal.OPENED or target in closed or target not in campaign.passports:
            continue
        found[target] = _unsaid(campaign, target, run, event, said.get(target, 0), noted.get(target))
    return found


def _unsaid(
    campaign: Campaign,
    target: str,
    run: Sequence[Mapping[str, Any]],
    opened: Mapping[str, Any],
    said: int,
    noted: object,
) -> Unsaid:
    since = _since(opened, campaign.passports[target])
    known = _between(opened, noted)
    if known is None:
        if since is not None:
            return Unsaid(max(0, since - said), counted=True)
        return Unsaid(_could(campaign, target, run), counted=False)
    written, peak = known
    # Its programs may have gone on without it. Who else wrote between then and now is no part of it.
    could = _could(campaign, target, run, peak, alone=True)
    after = could if since is None else max(0, min(since - written, could))
    return Unsaid(max(0, written - said) + after, counted=since is not None, after=after)


def _since(marked: Mapping[str, object], passport: Passport) -> int | None:
    if passport.device is None:
        return None
    try:
        with CounterFile(passport.device.number) as counters:
            return written_since(marked, counters)
    except (IobenchError, LookupError, TypeError):
        return None


def _between(opened: Mapping[str, Any], noted: object) -> tuple[int, float] | None:
    """The bytes written from the moment a target was opened to the last note of it, and the highest rate (B/s)."""
    if not isinstance(noted, dict):
        return None
    first, last, peak = opened.get("written"), noted.get("written"), noted.get("peak")
    same = (opened.get("boot"), opened.get("device")) == (noted.get("boot"), noted.get("device"))
    if not same or type(first) is not int or type(last) is not int or type(peak) is not int or last < first:
        return None  # it is of a run before
    return last - first, peak


def _noted(path: Path) -> dict[str, Any]:
    try:
        noted = json.loads(read_text(path / NOTED))
    except (OSError, ValueError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _could(
    campaign: Campaign, target: str, run: Sequence[Mapping[str, object]], peak: float = 0.0, alone: bool = False
) -> int:
    """The bytes of the step that a run was at, with the files that it needs, at the highest rate (B/s) that was seen.

    `alone`: with what may have been in memory yet, which is no more than all files on the target.
    """
    begun = {event.get("step") for event in run if event["event"] == "started"}
    over = {event.get("step") for event in run if event["event"] in ("finished", "failed")}
    mine = [step for step in campaign.steps if step.target == target]
    # Between two steps it may have made the target ready for the next one.
    at = [s for s in mine if s.id in begun - over] if begun - over else [s for s in mine if s.id not in over][:1]
    rates = {name: p.emulation.write_bps for name, p in campaign.passports.items() if p.emulation}
    known = {name: rate for name, rate in rates.items() if rate}
    known[target] = max(peak, known.get(target, needs.ASSUMED_RATE))
    planned = needs.estimate(at, campaign.passports, known).written.get(target, 0)
    return planned + (needs.file_bytes([step.work for step in mine]) if alone else 0)


def spent(campaign: Campaign, path: Path) -> dict[str, int]:
    """Return what earlier runs of a campaign wrote to each target, in bytes."""
    more = unsaid(campaign, path)
    said = journal.written(path)
    return {name: said.get(name, 0) + (more[name].bytes if name in more else 0) for name in {**said, **more}}
