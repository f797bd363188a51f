"""A campaign's diary: what is written is read, and what a kill cut short is passed over."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iobench.campaign import journal
from iobench.errors import ResultsError


def test_events_are_read_in_the_order_they_were_written(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    journal.write(tmp_path, "started", step="0001-速")
    journal.write(tmp_path, "failed", step="0001-速", error='said "no"\nand left')
    first, second = journal.read(tmp_path)
    assert (first["event"], first["step"]) == ("started", "0001-速")
    assert second["error"] == 'said "no"\nand left'
    assert before <= datetime.fromisoformat(first["at"]) <= datetime.now(UTC)
    assert len((tmp_path / journal.NAME).read_text().splitlines()) == 2


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_that_a_kill_cut_short_is_passed_over(tmp_path: Path, cut: int) -> None:
    for number in range(3):
        journal.write(tmp_path, "started", step=str(number))
    path = tmp_path / journal.NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    steps = [event["step"] for event in journal.read(tmp_path)]
    assert steps == (["0", "1", "2"] if cut == 1 else ["0", "1"])


def test_what_comes_after_a_cut_line_is_read(tmp_path: Path) -> None:
    journal.write(tmp_path, "started", step="1")
    path = tmp_path / journal.NAME
    path.write_bytes(path.read_bytes()[:-9])
    for step in ("2", "3"):
        journal.write(tmp_path, "started", step=step)
    assert [event["step"] for event in journal.read(tmp_path)] == ["2", "3"]


def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_bytes(b'\xff\xfe\n[1]\n3\n\n{"event": "ended"}\n')
    assert list(journal.read(tmp_path)) == [{"event": "ended"}]


def test_no_journal_has_no_events(tmp_path: Path) -> None:
    assert list(journal.read(tmp_path)) == []


def test_the_status_of_a_campaign(tmp_path: Path) -> None:
    assert journal.status(tmp_path, 0, 3) == "interrupted"
    journal.write(tmp_path, "started", step="1")
    assert journal.status(tmp_path, 1, 3) == "interrupted"
    journal.write(tmp_path, "ended")
    assert journal.status(tmp_path, 2, 3) == "failed"
    assert journal.status(tmp_path, 3, 3) == "done"
    journal.write(tmp_path, "started", step="2")
    assert journal.status(tmp_path, 2, 3) == "interrupted"


def test_a_journal_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"the journal in .*gone cannot be written: No such file or directory"):
        journal.write(tmp_path / "gone", "started")


def _line(second: int, event: str, **details: object) -> str:
    return json.dumps({"at": f"2026-11-26T10:00:{second:02d}+00:00", "event": event, **details}) + "\n"


def test_what_was_spent_is_summed_over_runs_without_the_pauses(tmp_path: Path) -> None:
    assert journal.spent_s(tmp_path) == 0 and journal.written(tmp_path) == {}
    lines = [
        _line(0, "began"),
        _line(4, "finished", step="a", written={"x": 100, "y": None}),
        _line(5, "finished", step="b", written={"x": 250}),
        _line(6, "interrupted"),
        _line(20, "began"),  # killed after 2 s
        _line(22, "finished", step="c", written={"x": 40, "y": 7}),
        _line(30, "began"),
        _line(33, "ended"),
        _line(59, "judged"),  # again, much later: that is no measuring
        "{not a line\n",
    ]
    (tmp_path / journal.NAME).write_text("".join(lines))
    assert journal.spent_s(tmp_path) == 6 + 2 + 3
    assert journal.written(tmp_path) == {"x": 290, "y": 7}
    assert journal.status(tmp_path, 2, 3) == "failed"


def test_what_was_spent_is_told_by_the_clock_that_nobody_sets(tmp_path: Path) -> None:
    """In the second run the machine's clock was set back, in the third far forward."""
    lines = [
        *(_line(0, "began", clock=100.0), _line(6, "ended", clock=106.0)),
        *(_line(50, "began", clock=200.5), _line(10, "ended", clock=203.0)),
        *(_line(0, "began", clock=7.0), _line(59, "ended", clock=8.0)),
    ]
    (tmp_path / journal.NAME).write_text("".join(lines))
    assert journal.spent_s(tmp_path) == 6 + 2.5 + 1
    journal.write(tmp_path, "began")
    last = list(journal.read(tmp_path))[-1]
    assert -0.001 <= time.monotonic() - last["clock"] < 60  # it is rounded to milliseconds


def test_what_a_killed_run_wrote_stands_where_the_next_begins(tmp_path: Path) -> None:
    lines = [_line(0, "began"), _line(1, "opened", target="x", written=10**12), _line(2, "started", step="a")]
    (tmp_path / journal.NAME).write_text("".join(lines))
    assert [event["event"] for event in journal.killed(tmp_path)] == ["began", "opened", "started"]
    assert journal.written(tmp_path) == {}
    lines += [_line(9, "began", killed={"x": 500}), _line(10, "finished", step="a", written={"x": 40})]
    (tmp_path / journal.NAME).write_text("".join(lines))
    assert journal.written(tmp_path) == {"x": 540}
    lines += [_line(11, "interrupted")]
    (tmp_path / journal.NAME).write_text("".join(lines))
    assert journal.killed(tmp_path) == [] and journal.spent_s(tmp_path) == 2 + 2
