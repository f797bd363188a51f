"""Asking without waiting: real programs that answer, that say no, and that never end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from iobench.drives import asking
from iobench.drives.asking import Asked, Waited
from iobench.errors import CannotRunError


def _until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_an_answer_is_kept_and_ends_the_waiting(tmp_path: Path) -> None:
    asked = Asked(asking.room(str(tmp_path)), 1000.0, lambda _: True)
    asked.look()
    _until(lambda: asked.look() == 0 and not asked.pending)
    assert [word.isdigit() for word in asked.said.split()] == [True] * 3
    first = asked.answered_at
    assert first is not None
    asked.look()
    assert asked.answered_at == first and not asked.pending  # it is not time for the next
    _until(lambda: asked.look(now=True) >= 0 and (asked.answered_at or 0) > first)
    asked.close()


def test_an_answer_that_nobody_looked_for_is_as_old_as_the_last_look(tmp_path: Path) -> None:
    """What was asked before other targets had their turn says nothing of now: it may hang since."""
    asked = Asked(asking.room(str(tmp_path)), 1000.0, lambda _: True)
    for _ in range(3):  # unless it has answered within the look that asked it
        asked._next = 0.0
        asked.look()
        if asked.pending:
            break
    looked = time.monotonic()
    time.sleep(0.3)
    _until(lambda: asked.look() == 0 and not asked.pending)
    assert asked.answered_at is not None and asked.answered_at <= looked + 0.01


def test_one_that_never_ends_and_one_that_says_no_are_waited_for() -> None:
    for argv in (("sleep", "1000"), ("false",)):
        asked = Asked(argv, 0.01, lambda done: done.exit_code == 0)
        _until(lambda asked=asked: asked.look() > 0.3)  # type: ignore[misc]
        assert asked.pending and asked.answered_at is None
        asked.close()
        asked.close()


def test_one_that_cannot_be_asked_is_not_silent() -> None:
    """As where no further process is allowed: whoever measures there goes on."""
    asked = Asked(("no-such-program-of-iobench",), 0.0, lambda _: True)
    assert [asked.look(now=True) for _ in range(3)] == [0.0] * 3
    assert not asked.pending and asked.answered_at is not None


def test_a_path_that_does_not_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asking.refuse_silent(str(tmp_path))
    asking.refuse_silent(str(tmp_path / "nowhere"))  # an error is an answer: whoever uses it says so
    monkeypatch.setattr(asking, "ANSWER_S", 0.2)
    monkeypatch.setattr(asking, "room", lambda _: ("sleep", "1000"))
    with pytest.raises(CannotRunError, match="has not answered for 0 s: what serves it, or the drive, hangs"):
        asking.refuse_silent(str(tmp_path))


def test_what_nobody_looked_at_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept, or an iobench that was stopped, makes no target silent."""
    now = [100.0]
    monkeypatch.setattr(asking.time, "monotonic", lambda: now[0])
    waited = Waited()
    assert waited.look(True) == 0
    now[0] += 0.5
    assert waited.look(True) == 0.5
    now[0] += 3600
    assert waited.look(True) == 1.5
    assert waited.look(False) == 0
    now[0] += 0.1
    assert waited.look(True) == 0
