"""A campaign's diary: one line of JSON for each thing that happened, flushed before the next begins.

The journal tells a story (started, failed and why, interrupted); that a step is finished is told by its
samples alone, so that the two can never contradict each other.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iobench.errors import ResultsError
from iobench.results import read_text

NAME = "journal.jsonl"
OPENED = "opened"  # a target was made ours; with its device's counter, for whoever finds that this run was killed
PREPARED_AGAIN = "prepared-again"  # what rounds stood on was changed or gone, so that it was made anew
_OF_A_RUN = ("began", "started", "interrupted", "limit-reached", "ended")


def write(folder: Path, event: str, **details: object) -> None:
    """Append an event. Raises ResultsError when the disk is full or read-only."""
    told = {"at": datetime.now(UTC).isoformat(), "clock": round(time.monotonic(), 3), "event": event, **details}
    line = json.dumps(told, ensure_ascii=False)
    try:
        # A pipe would be waited for, and a link lead out of the results.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(folder / NAME, flags, 0o644)
        try:
            size = os.fstat(fd).st_size
            # A line that a kill or a full disk cut short must not take this one with it.
            cut = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            os.write(fd, b"\n" * cut + line.encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise ResultsError(f"the journal in {folder} cannot be written: {error.strerror}") from error


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the events in order; a line that a kill cut short is passed over."""
    try:
        lines = read_text(folder / NAME, errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def status(folder: Path, finished: int, total: int) -> str:
    """Return `done`, `failed` (all run, some without a number) or `interrupted`."""
    if finished >= total:
        return "done"
    runs = [event["event"] for event in read(folder) if event.get("event") in _OF_A_RUN]
    return "failed" if runs and runs[-1] == "ended" else "interrupted"


def spent_s(folder: Path) -> float:
    """Return the seconds that a campaign's runs took so far, its pauses not counted.

    Of a run that was killed, up to the last thing that happened.
    """
    return sum(max(0.0, _between(run[0], run[-1])) for run in _runs(folder))


def _between(first: Mapping[str, Any], last: Mapping[str, Any]) -> float:
    """Seconds between two events of a run: by the clock that nobody sets, which older journals lack."""
    clocks = first.get("clock"), last.get("clock")
    if isinstance(clocks[0], int | float) and isinstance(clocks[1], int | float):
        return float(clocks[1] - clocks[0])
    return (_at(last) - _at(first)).total_seconds()


def written(folder: Path) -> Mapping[str, int]:
    """Return the bytes that reached each target's device in a campaign's runs so far, as far as they are known."""
    total: dict[str, int] = {}
    for run in _runs(folder):
        # What a run before it wrote, and was killed before it could say so, stands where the next one begins.
        for counts in (_bytes(run[0].get("killed")), written_in(run)):
            for target, count in counts.items():
                total[target] = total.get(target, 0) + count
    return total


def written_in(run: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the bytes that reached each target's device by the last that a run said."""
    last: dict[str, int] = {}
    for event in run:
        last.update(_bytes(event.get("written")))
    return last


def killed(folder: Path) -> list[dict[str, Any]]:
    """Return the events of the last run where it did not end by itself; else none."""
    runs = _runs(folder)
    ended = not runs or any(event.get("event") in _OF_A_RUN[2:] for event in runs[-1])
    return [] if ended else runs[-1]


def _bytes(of: object) -> dict[str, int]:
    return {target: n for target, n in of.items() if isinstance(n, int)} if isinstance(of, dict) else {}


def _runs(folder: Path) -> list[list[dict[str, Any]]]:
    """The events of each run of a campaign: from `began` to the last one that is the engine's."""
    runs: list[list[dict[str, Any]]] = []
    for event in read(folder):
        try:
            _at(event)
        except (LookupError, ValueError, TypeError):
            continue
        if event.get("event") == "began":
            runs.append([])
        if runs and event.get("event") != "judged":  # a stored result may be judged a year later
            runs[-1].append(event)
    return runs


def _at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["at"])
