"""A campaign's diary: one line of JSON for each thing that happened, flushed before the next begins.

The journal tells a story (started, failed and why, interrupted); that a step is finished is told by its
samples alone, so that the two can never contradict each other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iobench.errors import ResultsError

NAME = "journal.jsonl"
_OF_A_RUN = ("began", "started", "interrupted", "limit-reached", "ended")


def write(folder: Path, event: str, **details: object) -> None:
    """Append an event. Raises ResultsError when the disk is full or read-only."""
    line = json.dumps({"at": datetime.now(UTC).isoformat(), "event": event, **details}, ensure_ascii=False)
    try:
        fd = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
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
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
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
    return sum(max(0.0, (_at(run[-1]) - _at(run[0])).total_seconds()) for run in _runs(folder))


def written(folder: Path) -> Mapping[str, int]:
    """Return the bytes that reached each target's device in a campaign's runs so far, as far as they are known."""
    total: dict[str, int] = {}
    for run in _runs(folder):
        last: dict[str, int] = {}
        for event in run:
            of = event.get("written")
            last.update({k: v for k, v in of.items() if isinstance(v, int)} if isinstance(of, dict) else {})
        for target, count in last.items():
            total[target] = total.get(target, 0) + count
    return total


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
