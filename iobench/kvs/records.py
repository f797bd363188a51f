"""What the load loop writes down: raw nanoseconds in arrays, handed over in pieces, and counts of what went wrong.

Nothing is computed here: the folding into histograms is `fold.py`'s, in another process.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

from iobench.kvs.units import Mix

# A piece is handed over when an array has this many values: small enough to take some 20 µs.
PIECE = 16_384
# Pieces are kept until this many bytes, so that a run of some seconds hands over nothing before its end.
KEPT_BYTES = 32 << 20

Emit = Callable[[str, bytes], None]


@dataclass(slots=True)
class Record:
    """The times of one kind of unit, in nanoseconds, and how many there were before what the arrays hold."""

    name: str
    mix: Mix
    response: array[int] = field(default_factory=lambda: array("L"))
    service: array[int] = field(default_factory=lambda: array("L"))
    before: int = 0

    @property
    def count(self) -> int:
        """How many units were recorded since the start of the window."""
        return self.before + len(self.response)


@dataclass(slots=True)
class Wrong:
    """Counts of what did not go as asked. `odd_…` are the good requests of units that did not."""

    odd_gets: int = 0
    odd_sets: int = 0
    hits: int = 0
    misses: int = 0
    lost: int = 0
    corrupt: int = 0
    errors: int = 0
    timeouts: int = 0
    reconnects: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


class Records:
    """All that one process records in a window."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.kinds: dict[Mix, Record] = {}
        # Requests that were answered by something else than the foreseen bytes, counted one by one in `wrong`.
        self.odd_get = Record("get", Mix())
        self.odd_set = Record("set", Mix())
        self.miss = Record("miss", Mix())
        self.lateness = array("L")
        self.wrong = Wrong()
        self._kept: list[tuple[str, bytes]] = []
        self._room = KEPT_BYTES

    def of(self, mix: Mix) -> Record:
        """Return the record of a kind of unit."""
        record = self.kinds.get(mix)
        if record is None:
            record = self.kinds[mix] = Record(f"{mix.gets}:{mix.sets}", mix)
        return record

    def reset(self) -> None:
        """Forget everything: the window begins."""
        for record in (*self.kinds.values(), self.odd_get, self.odd_set, self.miss):
            del record.response[:], record.service[:]
            record.before = 0
        del self.lateness[:]
        self.wrong = Wrong()
        self._kept.clear()
        self._room = KEPT_BYTES

    def hand_over(self, all_of_it: bool = False) -> None:
        """Move full arrays away, so that memory does not grow with the length of the run."""
        least = 1 if all_of_it else PIECE
        for record in (*self.kinds.values(), self.odd_get, self.odd_set, self.miss):
            if len(record.response) >= least:
                record.before += len(record.response)
                for part in ("response", "service"):
                    self._piece(f"{record.name}.{part}", getattr(record, part))
        if len(self.lateness) >= least:
            self._piece("lateness", self.lateness)
        if all_of_it:
            for name, piece in self._kept:
                self._emit(name, piece)
            self._kept.clear()

    def _piece(self, name: str, raw: array[int]) -> None:
        piece = raw.tobytes()
        del raw[:]
        if len(piece) <= self._room:
            self._room -= len(piece)
            self._kept.append((name, piece))
        else:
            self._emit(name, piece)

    def totals(self) -> dict[str, int]:
        """Return what was counted since the start of the window, under the names of `result.Counts`."""
        wrong, kinds = self.wrong, self.kinds.values()
        gets = wrong.odd_gets + sum(kind.count * kind.mix.gets for kind in kinds)
        sets = wrong.odd_sets + sum(kind.count * kind.mix.sets for kind in kinds)
        return {
            "requests": gets + sets,
            "gets": gets,
            "sets": sets,
            "hits": wrong.hits + sum(kind.count * kind.mix.keys for kind in kinds),
            "unconfirmed": sum(kind.count * kind.mix.unconfirmed for kind in kinds),
            **{
                name: getattr(wrong, name) for name in ("misses", "lost", "corrupt", "errors", "timeouts", "reconnects")
            },
        }
