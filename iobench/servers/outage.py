"""A failure that is made on purpose while a server is measured, and what became of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iobench.kvs.result import BEGAN
from iobench.model import Params

OUTAGE, READBACK = "outage.json", "readback.json"


@dataclass
class Outage:
    """A failure at `at_s` seconds after the measured window began, until `lasts_s` seconds later.

    `how` is `kill` or `freeze` for a server of ours, else the command that stops one; `restore` is the command that
    starts it again. Moments are by the monotonic clock, which the load generator shares and nobody sets. An exit code
    is None while a command runs, and where there is none.
    """

    how: str
    at_s: float
    lasts_s: float
    restore: str = ""
    began_at: float | None = None
    restored_at: float | None = None
    outage_exit: int | None = None
    restore_exit: int | None = None
    problem: str | None = None
    window_at: float | None = None

    @classmethod
    def of(cls, params: Params) -> Outage | None:
        """Return the outage that a work asks for, or None."""
        how = params.get("outage")
        if not how:
            return None
        at, lasts = params["outage_at_s"], params["outage_s"]
        return cls(str(how), float(str(at)), float(str(lasts)), str(params.get("restore") or ""))

    def look(self, out: Path) -> None:
        """Learn from the load generator's folder when the measured window begins."""
        if self.window_at is None:
            with contextlib.suppress(OSError, ValueError):  # it is not written yet, or not whole
                self.window_at = float((out / BEGAN).read_text(encoding="ascii"))

    def begin(self) -> None:
        """Note that it begins now."""
        self.began_at = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for it to begin."""
        return self.began_at is None and self.window_at is not None and time.monotonic() >= self.window_at + self.at_s

    def over(self) -> bool:
        """Whether it is time for it to end."""
        began = self.began_at
        return began is not None and self.restored_at is None and time.monotonic() >= began + self.lasts_s

    def text(self) -> str:
        """Return it as JSON, as it is kept beside the program's output."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1)


def told(outage: Outage | None, readback: str | None) -> Mapping[str, str]:
    """Return what is kept of an outage, and of the keys that were read back after it: texts by file name."""
    found = {OUTAGE: outage.text()} if outage is not None else {}
    return {**found, READBACK: readback} if readback is not None else found
