"""A campaign's diary: one line of JSON for each thing that happened, flushed before the next begins.

The journal tells a story (started, failed and why, interrupted); that a step is finished is told by its
samples alone, so that the two can never contradict each other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iobench.errors import ResultsError

NAME = "journal.jsonl"


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
    events = [event.get("event") for event in read(folder)]
    return "failed" if events and events[-1] == "ended" else "interrupted"
