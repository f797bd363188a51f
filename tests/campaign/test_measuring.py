"""Where the measured window lies on our clock, and when there is none: figures alone."""

from __future__ import annotations

import pytest

from iobench.campaign import measuring
from iobench.campaign.evidence import Snapshot
from iobench.drives.counters import CpuTimes
from iobench.errors import ToolError
from iobench.model import Reading, Work


def _snapshot(at: float, wall: float = 0.0, asleep: float = 0.0) -> Snapshot:
    return Snapshot(at, None, None, CpuTimes(0, 0), wall, asleep)


class _Seen:
    def __init__(self, *snapshots: Snapshot, blind_s: float = 0.1) -> None:
        self.snapshots, self.blind_s = list(snapshots), blind_s


def _window(reading: Reading, *snapshots: Snapshot, ramp_s: float = 1.0) -> tuple[float, float]:
    work = Work("x", "x", {}, load=1, ramp_s=ramp_s)
    return measuring._window(work, reading, _Seen(*snapshots))  # type: ignore[arg-type]


def test_a_window_ends_where_the_tool_says_by_whichever_clock_it_has() -> None:
    seen = _snapshot(100.0, 5000.0), _snapshot(110.0, 5010.0)
    assert _window(Reading((), 6.0, ended_at=108.0), *seen) == (102.0, 108.0)
    assert _window(Reading((), 6.0, ended_unix=5008.0), *seen) == (102.0, 108.0)
    assert _window(Reading((), 6.0), *seen) == (100.0, 110.0)
    assert _window(Reading((), 6.0, ended_at=108.0), *seen, ramp_s=0.0) == (100.0, 110.0)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_was_set_moves_no_window(hours: int) -> None:
    seen = _snapshot(100.0, 5000.0), _snapshot(110.0, 5010.0 + hours * 3600)
    assert _window(Reading((), 6.0, ended_at=108.0), *seen) == (102.0, 108.0)
    assert _window(Reading((), 6.0, ended_unix=5008.0 + hours * 3600), *seen) == (104.0, 110.0)


def test_a_clock_that_was_set_and_set_back_was_set() -> None:
    seen = [_snapshot(100.0, 5000.0), _snapshot(105.0, 8605.0), _snapshot(110.0, 5010.0)]
    assert measuring._clock_set(seen) == 3600.0
    assert measuring._clock_set([seen[0], seen[2]]) == 0.0


def test_a_machine_that_slept_or_did_not_let_us_look_gives_no_number() -> None:
    def refuse(first: Snapshot, last: Snapshot, blind_s: float) -> None:
        measuring._refuse_sleep(_Seen(first, last, blind_s=blind_s))  # type: ignore[arg-type]

    refuse(_snapshot(100.0, asleep=60.0), _snapshot(190.0, asleep=60.0), 4.9)
    with pytest.raises(ToolError, match="the machine slept for 61 s while this was measured"):
        refuse(_snapshot(100.0), _snapshot(100.1, asleep=61.0), 0.1)
    with pytest.raises(ToolError, match="could not look at the drive for 60 s while this was measured"):
        refuse(_snapshot(100.0), _snapshot(160.2), 60.0)
