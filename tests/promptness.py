"""How long something took, less what the machine itself made it wait: for promises in seconds on a shared machine."""

from __future__ import annotations

import re
import time
from pathlib import Path

_MOST = 4


class Promptness:
    """A clock that begins now. On an idle machine it allows what is promised, and not a moment more."""

    def __init__(self) -> None:
        self._begin, self._waited = time.monotonic(), _waited_s()

    def within(self, seconds: float) -> bool:
        """Whether it is less than `seconds` ago, aside the time in which work stood in line for a processor or a disk.

        Of that time no more than four times the seconds: a program that hangs has to be seen on a busy machine too.
        """
        waited = min(_waited_s() - self._waited, _MOST * seconds)
        return time.monotonic() - self._begin < seconds + waited


def _waited_s() -> float:
    """The kernel's count of seconds in which anything waited (pressure stall information); 0 where it keeps none."""
    waited = 0.0
    for what in ("cpu", "io"):
        try:
            told = Path(f"/proc/pressure/{what}").read_text(encoding="ascii")
        except OSError:
            continue
        waited += int(match[1]) / 1e6 if (match := re.search(r"^some .*total=(\d+)", told)) else 0.0
    return waited
