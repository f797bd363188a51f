"""A failure that is made on purpose while a server is measured, and what became of it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from iobench.model import Params

OUTAGE, READBACK = "outage.json", "readback.json"


@dataclass
class Outage:
    """A failure at `at_s` seconds after the program began, until `lasts_s` seconds later.

    `how` is `kill` or `freeze` for a server of ours, else the command that stops one; `restore` is the command that
    starts it again. Moments are Unix time; an exit code is None while a command runs, and where there is none.
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

    @classmethod
    def of(cls, params: Params) -> Outage | None:
        """Return the outage that a work asks for, or None."""
        how = params.get("outage")
        if not how:
            return None
        at, lasts = params["outage_at_s"], params["outage_s"]
        return cls(str(how), float(str(at)), float(str(lasts)), str(params.get("restore") or ""))

    def due(self, elapsed_s: float) -> bool:
        """Whether it is time for it to begin."""
        return self.began_at is None and elapsed_s >= self.at_s

    def over(self, elapsed_s: float) -> bool:
        """Whether it is time for it to end."""
        return self.began_at is not None and self.restored_at is None and elapsed_s >= self.at_s + self.lasts_s

    def text(self) -> str:
        """Return it as JSON, as it is kept beside the program's output."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1)
